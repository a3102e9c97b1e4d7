"""The player: what stands below every page that is looked at in the past, for going on through time with that page."""

from __future__ import annotations

from typing import Any

import msgspec

from console.desk import Desk
from console.look import Look, latest
from console.strip import strip
from console.words import clock_time
from projections import activity, notes
from projections.rows import At
from projections.store import Reader

BUCKETS = 160
SPEEDS = (1, 2, 5, 10, 25, 50, 100)


class Marked(msgspec.Struct, frozen=True):
    """A bookmark and when the fact it marks was decided."""

    bookmark_id: str
    seq: int
    title: str
    by: str
    at: int


async def player(desk: Desk, look: Look) -> dict[str, Any]:
    """What the part ``player`` draws: the strip of all that happened, and what lies next to this moment."""
    near = await desk.read_model.query(_near, look.at)
    clock = f"{clock_time(look.time, look.now)}.{look.time // 1_000 % 1_000:03d}"
    drawn = {"strip": await strip(desk, BUCKETS), "speeds": SPEEDS, "clock": clock}
    return {**drawn, **near, "bookmarks": await bookmarks(desk, look)}


async def bookmarks(desk: Desk, look: Look) -> list[Marked]:
    """Every bookmark there is now, in the order of the moments: they are about the log, not of the past."""
    return await desk.read_model.query(_bookmarks, latest(desk, look.now))


def _bookmarks(db: Reader, at: At) -> list[Marked]:
    kept = notes.bookmarks(db, at)
    times = activity.times_of(db, [each.seq for each in kept])
    return [Marked(each.bookmark_id, each.seq, each.title, each.by, times.get(each.seq, 0)) for each in kept]


def _near(db: Reader, at: At) -> dict[str, Any]:
    seq = at.events_seq
    _, until, last = activity.extent(db)
    return {
        "last": last, "until": until, "next_at": activity.time_of(db, seq + 1) if seq < last else 0,
        "next_failure": activity.next_failure(db, seq), "last_failure": activity.last_failure(db, seq),
    }  # fmt: skip
