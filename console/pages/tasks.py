"""Tasks: the list with its filters in the address."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.desk import Desk
from console.look import Look, filters, looking
from console.panels import Panel, show
from projections import queries
from projections.rows import TaskFilter

routes = APIRouter()

PAGE = 100
VIEWS: tuple[tuple[str, dict[str, list[str]]], ...] = (
    ("Everything", {}),
    ("Failed or paused", {"state": ["failed", "quarantined", "paused"]}),
    ("At work", {"state": ["running"]}),
    ("To come", {"state": ["ready", "waiting", "blocked"]}),
    ("Done", {"state": ["done"]}),
)


@routes.get("/tasks", include_in_schema=False)
async def tasks(request: Request) -> Response:
    desk, look = await looking(request)
    panel = Panel("tasks", ("tasks",), lambda: _tasks(desk, look), every_s=15)
    return await show(request, desk, look, "tasks", "Tasks", [panel])


async def _tasks(desk: Desk, look: Look) -> dict[str, Any]:
    wanted = filters(TaskFilter, look, **({} if look.get("limit") else {"limit": PAGE}))
    found = await desk.read_model.query(queries.tasks, look.at, wanted)
    lanes = await desk.read_model.query(queries.lanes, look.at)
    return {"found": found, "wanted": wanted, "lanes": lanes, "views": VIEWS}
