"""Writing a task: a new one, one like another, and another wording of one that is there."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.look import looking
from console.panels import show
from core.ids import new_id
from projections import queries

routes = APIRouter()


@routes.get("/tasks/new", include_in_schema=False)
async def new_task(request: Request) -> Response:
    desk, look = await looking(request)
    rows = {
        "lanes": await desk.read_model.query(queries.lanes, look.at),
        "sessions": await desk.read_model.query(queries.sessions, look.at),
        "command_id": new_id(desk.clock),  # sent twice by a double click, it is still one order
    }
    return await show(request, desk, look, "new_task", "New task", [], **rows)
