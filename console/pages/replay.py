"""Replay: the way into any moment of the log, what to see there, and two moments side by side."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.desk import Desk
from console.look import BadQuestion, Look, looking
from console.panels import Panel, show
from console.player import bookmarks
from console.render import query
from console.security import local_path
from console.strip import strip
from projections import activity, compare, queries
from projections.rows import At

routes = APIRouter()

BUCKETS = 200
FAILURES = 12
CHANGES = 100  # of each list of a comparison
MINUTE_US = 60_000_000
BACK = {"-1h": 60, "-15m": 15, "-5m": 5, "-1m": 1}  # minutes
START = "/"  # the page a moment is shown on unless another one is asked for


@routes.get("/replay", include_in_schema=False)
async def replay(request: Request) -> Response:
    """The page; with ``?page=`` and ``?at=`` on to that page at that moment."""
    page = request.query_params.get("page", "")
    desk, look = await looking(request)
    if page and look.get("at"):
        return RedirectResponse(_page_at(page, look.get("at")), 303)
    panels = [
        Panel("moments", ("runs", "workers", "bookmarks"), lambda: _moments(desk, look), every_s=15, beside=True),
    ]
    began, _, _ = await desk.read_model.query(activity.extent)
    ago, far = _ago(look.time - began, "-15m"), _ago(look.time - began, "-1h")
    return await show(
        request, desk, look, "replay", "Replay", panels, page=_known(page), now=look.now, ago=ago, far=far
    )


@routes.get("/replay/compare", include_in_schema=False)
async def compared(request: Request) -> Response:
    """``?a=`` and ``?b=``: two moments. Without them the last hour."""
    desk, look = await looking(request)
    a, b = look.get("a") or "-1h", look.get("b") or "now"
    first, second = await asyncio.gather(_moment(desk, look, "a", a), _moment(desk, look, "b", b))
    moving = "now" in (a, b)  # else what is compared never changes again
    topics = ("tasks", "runs", "agents", "commands") if moving else ()
    panel = Panel("changes", topics, lambda: _changes(desk, first, second), beside=True)
    return await show(request, desk, look, "compare", "Compare", [panel], a=a, b=b)


def _ago(age_us: int, most: str) -> str:
    """How far back to offer to go: no further than the log reaches."""
    offered = list(BACK)[list(BACK).index(most) :]
    return next((text for text in offered if BACK[text] * MINUTE_US < age_us), "1")


async def _moments(desk: Desk, look: Look) -> dict[str, Any]:
    return {
        "strip": await strip(desk, BUCKETS), "page": _known(look.get("page")) or START,
        "failures": await desk.read_model.query(activity.failures, look.at, FAILURES),
        "bookmarks": await bookmarks(desk, look),
    }  # fmt: skip


async def _changes(desk: Desk, first: At, second: At) -> dict[str, Any]:
    return {"found": await desk.read_model.query(compare.compare, first, second, CHANGES), "most": CHANGES}


async def _moment(desk: Desk, look: Look, name: str, text: str) -> At:
    """A moment no later than the one looked at."""
    if text in ("", "now"):
        return look.at
    try:
        at = await desk.read_model.query(queries.moment, text, look.time)
    except queries.BadMoment as error:
        raise BadQuestion(f"?{name}= cannot be compared. {error}") from error
    return at if at.events_seq <= look.at.events_seq else look.at


def _page_at(page: str, at: str) -> str:
    """The address of a page of ours at a moment, its other parameters kept."""
    path, _, rest = local_path(page).partition("?")
    kept = "&".join(pair for pair in rest.split("&") if pair and not pair.startswith("at="))
    moment = query(at=at)[1:]
    return f"{path}?{kept}&{moment}" if kept else f"{path}?{moment}"


def _known(page: str) -> str:
    """The page asked for, if it is one of ours."""
    return local_path(page) if page else ""
