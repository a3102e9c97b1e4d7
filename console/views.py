"""Views of a page that operators keep for each other under a name, each with how many tasks it shows."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

import msgspec

from console.desk import Desk
from console.look import Look
from console.search import searched, terms_of
from projections import queries
from projections.notes import View

COUNTED = 12  # of a page's views; those after them are listed without


class Counted(msgspec.Struct, frozen=True):
    """A view and its tasks at the moment looked at; None: it was not counted, or its line cannot be read any more."""

    view: View
    tasks: int | None = None


async def kept_views(desk: Desk, look: Look) -> list[Counted]:
    """Those of this very page."""
    views = [view for view in await desk.read_model.query(queries.views, look.at) if view.page == look.path]
    counts = await asyncio.gather(*(_count(desk, look, view) for view in views[:COUNTED]))
    return [Counted(view, tasks) for view, tasks in zip(views, [*counts, *[None] * len(views)], strict=False)]


async def _count(desk: Desk, look: Look, view: View) -> int | None:
    line = " ".join(text for name, text in parse_qsl(view.query) if name == "q")
    search = searched(terms_of(line), look.time // 1_000_000 * 1_000_000)
    if search.problems:
        return None
    states = await desk.read_model.query(queries.task_states, look.at, search.wanted)
    return sum(n for state, n in states.items() if not search.wanted.states or state in search.wanted.states)
