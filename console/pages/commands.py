"""Commands: who ordered what, what came of it, how long that took."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.desk import Desk
from console.look import Look, filters, looking
from console.panels import Panel, show
from projections import queries
from projections.rows import CommandFilter

routes = APIRouter()

PAGE = 100
VIEWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Orders", {}),
    ("Not carried out", {"outcome": ["refused", "already_so", "expired", "superseded", "fenced"]}),
    ("With reports", {"reports": "true"}),
)


@routes.get("/commands", include_in_schema=False)
async def commands(request: Request) -> Response:
    desk, look = await looking(request)
    panel = Panel("commands", ("commands",), lambda: _commands(desk, look))
    return await show(request, desk, look, "commands", "Commands", [panel])


async def _commands(desk: Desk, look: Look) -> dict[str, Any]:
    wanted = filters(CommandFilter, look, **({} if look.get("limit") else {"limit": PAGE}))
    found = await desk.read_model.query(queries.commands, look.at, wanted)
    return {"found": found, "wanted": wanted, "views": VIEWS}
