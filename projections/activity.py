"""How much happened when, and where it went wrong. A failure is a run that failed or was lost with its worker, a plan
that was dropped, a clock that jumped; an order that was refused is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from projections.rows import At, Row
from projections.store import Reader


class Failure(Row, frozen=True):
    """A fact that went wrong."""

    seq: int
    at: int
    says: str
    type: str = ""
    task_id: str = ""
    run_id: str = ""
    worker_id: str = ""


class Bucket(Row, frozen=True):
    """A stretch of ``width`` from ``at`` on. ``seq``: its first fact, ``failure``: its first failure; 0: none."""

    at: int
    facts: int = 0
    failed: int = 0
    seq: int = 0
    failure: int = 0


# Widths a person can name, in seconds.
WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400)


def extent(db: Reader) -> tuple[int, int, int]:
    """Times of the first and the last fact, and the last one's sequence; zeros for an empty log."""
    found = db.ask("activity.span", seq=db.folded)
    return (found[0]["since"], found[0]["until"], found[0]["seq"]) if found else (0, 0, 0)


def activity(db: Reader, since: int, until: int, width: int) -> list[Bucket]:
    """Facts decided from ``since`` to before ``until`` in buckets of ``width``, the empty ones too."""
    asked = {"since": since, "until": until, "width": width}
    counted = {row["bucket"]: row for row in db.ask("activity.facts", **asked)}
    failed = {row["bucket"]: row for row in db.ask("activity.failures", **asked)}
    number = max(0, -(-(until - since) // width))
    return [_bucket(since + place * width, counted.get(place), failed.get(place)) for place in range(number)]


def width_for(us: int, most: int) -> int:
    """The narrowest round width that needs no more than ``most`` buckets."""
    for seconds in WIDTHS_S:
        if us // (seconds * 1_000_000) + 2 <= most:
            return seconds * 1_000_000
    days = -(-us // (86_400_000_000 * max(1, most - 2)))
    return days * 86_400_000_000


def next_failure(db: Reader, seq: int) -> Failure | None:
    """The first failure after a fact."""
    return _one(db.ask("activity.next_failure", after=seq))


def last_failure(db: Reader, seq: int) -> Failure | None:
    """The last failure before a fact."""
    return _one(db.ask("activity.last_failure", before=seq))


def failures(db: Reader, at: At, limit: int) -> list[Failure]:
    """The latest failures up to the moment, newest first."""
    return [_failure(row) for row in db.ask("activity.latest_failures", seq=at.events_seq, limit=limit)]


def time_of(db: Reader, seq: int) -> int:
    """When a fact was decided; 0 for one that is not there."""
    found = db.ask("activity.fact", wanted=seq)
    return int(found[0]["at_us"]) if found else 0


def times_of(db: Reader, seqs: Sequence[int]) -> dict[int, int]:
    """When those facts were decided."""
    if not seqs:
        return {}
    return {row["seq"]: row["at_us"] for row in db.ask("activity.times", wanted=list(seqs))}


def _bucket(at: int, counted: dict[str, Any] | None, failed: dict[str, Any] | None) -> Bucket:
    return Bucket(
        at=at, facts=counted["n"] if counted else 0, seq=counted["seq"] if counted else 0,
        failed=failed["n"] if failed else 0, failure=failed["seq"] if failed else 0,
    )  # fmt: skip


def _one(found: list[dict[str, Any]]) -> Failure | None:
    return _failure(found[0]) if found else None


def _failure(row: dict[str, Any]) -> Failure:
    return Failure(
        seq=row["seq"], at=row["at_us"], says=row["says"], type=row["tag"], task_id=row.get("task_id", ""),
        run_id=row.get("run_id", ""), worker_id=row.get("worker_id", ""),
    )  # fmt: skip
