"""``?since=``: from when on a list looks, as an address says it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from console.look import BadQuestion

DAY_US = 86_400_000_000
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_MICROSECONDS = re.compile(r"[0-9]{13,17}")
_BEFORE = re.compile(r"-?([0-9]{1,7})([smhd])")


def since_us(text: str, now: int) -> int:
    """Microseconds: ``2h`` (s, m, h, d) before now, ``today`` (since midnight UTC), an ISO time, microseconds since the
    epoch as they are, ``all`` or nothing: 0.

    ``BadQuestion`` with a sentence for anything else.
    """
    asked = text.strip().lower()
    if asked in ("", "all"):
        return 0
    if asked == "today":
        return now // DAY_US * DAY_US
    if _MICROSECONDS.fullmatch(asked):
        return int(asked)
    before = _BEFORE.fullmatch(asked)
    if before:
        return max(0, now - int(before[1]) * _UNITS_S[before[2]] * 1_000_000)
    try:
        when = datetime.fromisoformat(text.strip())
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
        return max(0, int(when.timestamp() * 1_000_000))
    except (ValueError, OverflowError):
        raise BadQuestion(
            f"?since={text[:40]} is no beginning: write 2h (s, m, h, d), today, all, or 2026-11-20T14:05."
        ) from None
