"""Which moment a page is about."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from projections.rows import At
from projections.store import Reader

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_BEFORE = re.compile(r"-(\d{1,9})([smhd])")


class BadMoment(ValueError):
    """Not a moment of this log; the text says what it could be."""


def latest(db: Reader, now_us: int) -> At:
    """The live moment: all that is folded."""
    return At(**db.ask("commands.latest")[0], at=now_us, live=True)


def moment(db: Reader, text: str, now_us: int) -> At:
    """The moment ``?at=`` names: an EVENTS sequence, an ISO time (UTC if it has no zone), ``-5m`` (s, m, h, d), or now.

    A time means the last fact whose time is not later, and observations up to it. ``BadMoment`` with a sentence for
    anything else, a sequence before the first or after the last included.
    """
    asked = text.strip()
    if asked in ("", "now"):
        return latest(db, now_us)
    if asked.isascii() and asked.isdigit():
        return _at_seq(db, asked)
    return _at_time(db, instant(asked, now_us))


def instant(asked: str, now_us: int) -> int:
    """The time, in microseconds, that ``2026-11-20T14:05:00`` (UTC if it has no zone) or ``-5m`` names."""
    before = _BEFORE.fullmatch(asked)
    if before:
        return now_us - int(before[1]) * _UNITS_S[before[2]] * 1_000_000
    return _iso(asked)


def second_of(asked: str, now_us: int) -> str:
    """``-5m`` as the time it is, to the second, which names the same moment whenever it is asked for; else the text."""
    if not _BEFORE.fullmatch(asked.strip()):
        return asked
    return f"{datetime.fromtimestamp(max(0, instant(asked.strip(), now_us)) // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}Z"


def _at_seq(db: Reader, digits: str) -> At:
    last = int(db.ask("commands.latest")[0]["events_seq"])
    seq = int(digits[:18])
    if not 1 <= seq <= last:
        raise BadMoment(f"There is no fact {digits[:18]}: the log has 1 to {last:,}, as far as it is folded.")
    return _beside(db, seq, int(db.ask("commands.by_seq", seq=seq)[0]["at_us"]))


def _at_time(db: Reader, at: int) -> At:
    return _beside(db, db.ask("commands.by_time", at=at)[0]["seq"] or 0, at)


def _beside(db: Reader, seq: int, at: int) -> At:
    """The moment of a fact and a time, with the other streams as they stood then."""
    return At(events_seq=seq, **db.ask("commands.beside", seq=seq, at=at)[0], at=at, live=False)


def _iso(asked: str) -> int:
    try:
        # a plus sign in an address is a space by the time it arrives
        when = datetime.fromisoformat(re.sub(r" (\d\d:\d\d)$", r"+\1", asked) if "T" in asked else asked)
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
        since = when - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadMoment(
            f"{asked[:40]!r} is no moment: give a fact's number, a time like 2026-11-20T14:05:00, or -5m (s, m, h, d)."
        ) from None
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
