"""Board: tasks as cards in columns of state, in swimlanes by session or lane; moving a card is an order."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.desk import Desk
from console.look import BadQuestion, Look, looking
from console.panels import Panel, show
from console.render import query
from console.search import Search, search_of
from console.views import kept_views
from projections import queries
from projections.board import By
from projections.rows.tasks import TaskRow

routes = APIRouter()

CARDS, CARDS_IN_LANES = 12, 4
SWIMLANES: dict[str, By] = {"": "", "session": "session", "lane": "lane"}
SHOWN = ("blocked", "ready", "running", "waiting", "paused", "failed", "done")

# Where a card may go from its state, and the order that brings it there. Cancelling asks first, so it is a link.
MOVES: dict[str, dict[str, str]] = {
    "blocked": {"paused": "task.pause"},
    "ready": {"paused": "task.pause"},
    "running": {"paused": "task.pause"},
    "waiting": {"paused": "task.pause"},
    "paused": {"ready": "task.resume"},
    "failed": {"ready": "task.retry"},
    "quarantined": {"ready": "task.retry"},
    "cancelled": {"ready": "task.retry"},
}


@routes.get("/board", include_in_schema=False)
async def board(request: Request) -> Response:
    desk, look = await looking(request)
    by = SWIMLANES.get(look.get("by"))
    if by is None:
        raise BadQuestion(f"?by={look.get('by')[:40]} is none; the board is cut by session or lane, or by nothing.")
    search = search_of(look)
    panel = Panel(
        "board", ("tasks", "runs", "board_limits", "views"), lambda: _board(desk, look, search, by), every_s=15
    )
    page = await show(request, desk, look, "board", "Board", [panel], search=search, by=by)
    if search.problems and not look.part:
        page.status_code = 422
    return page


async def _board(desk: Desk, look: Look, search: Search, by: By) -> dict[str, Any]:
    most = CARDS_IN_LANES if by else CARDS
    found = None
    if not search.problems:
        found = await desk.read_model.query(queries.board, look.at, search.wanted, by=by, most=most)
    rows: dict[str, Any] = {"found": found, "search": search, "by": by, "moves_of": moves_of}
    rows |= {"kept": await kept_views(desk, look), "asked_now": query(q=search.line, by=by)[1:]}
    return rows | {"list_of": lambda column, lane="": _list_of(look, search, column, by, lane)}


def moves_of(row: TaskRow) -> dict[str, str]:
    """By column the order that brings the card there."""
    return MOVES.get(row.state, {})


def _list_of(look: Look, search: Search, column: str, by: By, lane: str) -> str:
    """The list behind a cell's number."""
    line = search.toggled("containers", "no") if search.wanted.containers is None else search.line
    states = "failed,quarantined" if column == "failed" else column
    within = f' {by}:"{lane}"' if by and lane else ""
    moment = None if look.live else look.get("at")
    return "/tasks" + query(q=f"{line} state:{states}{within}".strip(), at=moment)
