"""Views of a page that operators keep for each other under a name."""

from __future__ import annotations

from console.desk import Desk
from console.look import Look
from projections import queries
from projections.notes import View


async def kept_views(desk: Desk, look: Look) -> list[View]:
    """Those of this very page."""
    return [view for view in await desk.read_model.query(queries.views, look.at) if view.page == look.path]
