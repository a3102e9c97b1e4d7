"""Everybody who is there at the moment of a look, for pages that show them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from projections import queries
from projections.rows.agents import Agent

if TYPE_CHECKING:
    from console.desk import Desk
    from console.look import Look


async def everyone(desk: Desk, look: Look, *, totals: bool = False) -> list[Agent]:
    """The agents that are there. Now they are drawn from memory, which may know what the page is yet to be told.

    ``totals``: with what all their runs came to, which for a past moment takes longer."""
    if look.live:
        return await desk.read_model.agents_now()
    return await desk.read_model.query(queries.agents if totals else queries.crew, look.at)
