"""What stands beside every page: the counts of the navigation, the sessions, what needs a person.

Where facts come by the hundred, nearly every page would count all of it anew, which takes longer than the page itself.
So while the log is that busy a page may show sides some seconds old, and those older than a second are counted again
for the next page while this one is drawn: its live stream begins at the older of the two moments, and tells what they
miss.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from console.alarms import MINUTE_US, Alarms, alarms
from console.everyone import everyone
from projections import queries
from projections.rows import At
from projections.rows.fleet import Counts, Session

if TYPE_CHECKING:
    from console.desk import Desk
    from console.look import Look

log = logging.getLogger(__name__)

BUSY = 50  # facts since the last count: more than an operator makes by hand in a second
KEPT_US = 1_000_000
MOST_US = 5_000_000


class Sides(msgspec.Struct, frozen=True):
    """``at``: the moment they are of; ``counted``: when, microseconds."""

    at: At
    counted: int
    counts: Counts
    sessions: list[Session]
    alarms: Alarms


class Beside:
    """Keeps the sides that were counted last."""

    def __init__(self) -> None:
        self._last: Sides | None = None
        self.counting: asyncio.Task[None] | None = None

    async def look(self, desk: Desk, look: Look) -> Sides:
        """The sides of a page: those of its own moment, or of one a moment ago."""
        last = self._last
        if last is None or not look.live or look.part or not _will_do(last, look):
            return await self._counted(desk, look)
        if look.now - last.counted >= KEPT_US and (self.counting is None or self.counting.done()):
            self.counting = asyncio.create_task(self._count_again(desk, look), name="count the sides")
        return last

    async def _counted(self, desk: Desk, look: Look) -> Sides:
        key = ("sides", look.live, look.at.events_seq, look.time // MINUTE_US)
        counted = await desk.shelf.get(key, lambda: _count(desk, look))
        if look.live and (self._last is None or counted.at.events_seq > self._last.at.events_seq):
            self._last = counted
        return counted

    async def _count_again(self, desk: Desk, look: Look) -> None:
        try:
            await self._counted(desk, look)
        except Exception:  # nobody waits for it; the page that has to is told
            log.exception("the sides were not counted at %d", look.at.events_seq)


def _will_do(last: Sides, look: Look) -> bool:
    """Never older than what the caller has seen: who orders something is shown what came of it."""
    busy = look.at.events_seq - last.at.events_seq > BUSY
    return busy and look.now - last.counted < MOST_US and last.at.events_seq >= look.seen


async def _count(desk: Desk, look: Look) -> Sides:
    agents = await everyone(desk, look) if look.live else None
    states = None if agents is None else [agent.state for agent in agents]
    return Sides(
        at=look.at,
        counted=look.now,
        counts=await desk.read_model.query(queries.counts, look.at, agents=states),
        sessions=await desk.read_model.query(queries.sessions, look.at),
        alarms=await alarms(desk, look, agents),
    )
