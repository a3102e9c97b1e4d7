"""What needs a person, asked once a moment: the navigation, the title, the favicon and Now say the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from console.everyone import everyone
from projections import queries
from projections.rows.agents import Agent
from projections.rows.attention import Attention

if TYPE_CHECKING:
    from console.desk import Desk
    from console.look import Look

BROKEN = frozenset({"failed", "quarantined", "worker_lost", "plan_dropped", "circle"})
MINUTE_US = 60_000_000


class Alarms(msgspec.Struct, frozen=True):
    """``waiting``: a person is waited for. ``broken``: something went wrong. Each the most urgent first."""

    waiting: list[Attention]
    broken: list[Attention]

    @property
    def total(self) -> int:
        return len(self.waiting) + len(self.broken)

    @property
    def icon(self) -> str:
        """The tab's picture: the worse of the two has it."""
        return "icon-broken.svg" if self.broken else "icon-asks.svg" if self.waiting else "icon.svg"


async def alarms(desk: Desk, look: Look, agents: Sequence[Agent] | None = None) -> Alarms:
    """Ages make a moment last a minute: a pause of half an hour is news without any fact. ``agents``: those that are
    there, where the caller has them."""
    key = ("alarms", look.live, look.at.events_seq, look.time // MINUTE_US)
    return await desk.shelf.get(key, lambda: _ask(desk, look, agents))


async def _ask(desk: Desk, look: Look, agents: Sequence[Agent] | None) -> Alarms:
    if agents is None and look.live:
        agents = await everyone(desk, look)
    found = await desk.read_model.query(queries.attention, look.at, agents=agents)
    return Alarms(
        waiting=[each for each in found if each.kind not in BROKEN],
        broken=[each for each in found if each.kind in BROKEN],
    )
