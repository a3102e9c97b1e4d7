"""What opens over any page, and is a page of its own without script: find or do, the keys, the halt.

Asked for with ``?part=over`` keys and halt are dialogs around the same part. Find or do stands in every page, closed
and empty, so that not one key is lost while it opens; what is found comes with ``?part=found``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from console.desk import Desk
from console.finder import find
from console.look import BadQuestion, Look, looking
from console.panels import Panel, show
from console.render import part
from projections import queries
from projections.rows.runs import RunFilter

routes = APIRouter()

OVER = "over"
WORD = "halt fleet"

# What can be pressed, in groups. `g` keys come from the stations, so that they cannot differ.
KEYS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("Anywhere", (
        ("Ctrl K", "find or do"), ("/", "search this list, else find"), ("?", "these keys"), (".", "hold live updates"),
        ("!", "halt the fleet, after a typed word"), ("Esc", "close, let go"),
    )),
    ("In a list", (
        ("j k", "next and previous row"), ("Enter", "open the row"), ("x", "pick the row"), ("Esc", "leave the list"),
    )),
    ("In time", (
        ("[", "one fact back"), ("]", "one fact on, up to now"), ("Space", "play, pause"), ("f", "the next failure"),
        ("b", "bookmark this moment"),
    )),
    ("On the timeline", (("← →", "earlier, later"), ("+ -", "closer, further"))),
)  # fmt: skip


@routes.get("/palette", include_in_schema=False)
async def palette(request: Request) -> Response:
    desk, look = await looking(request)
    text = look.get("q")
    rows = {"groups": await find(desk, look, text), "text": text}
    if look.part == "found":
        return HTMLResponse(part("found", look=look, **rows))
    return await show(request, desk, look, "palette", "Find or do", [], **rows)


@routes.get("/keys", include_in_schema=False)
async def keys(request: Request) -> Response:
    desk, look = await looking(request)
    if look.part == OVER:
        return HTMLResponse(part("over_keys", look=look, keys=KEYS))
    return await show(request, desk, look, "keys", "Keys", [], keys=KEYS)


@routes.get("/halt", include_in_schema=False)
async def halt(request: Request) -> Response:
    desk, look = await looking(request)
    if not look.live:
        raise BadQuestion("The past cannot be halted. Go back to now and halt there: /halt")
    if look.part == OVER:
        return HTMLResponse(part("over_halt", look=look, **await _halt(desk, look)))
    panel = Panel("halt", ("runs", "agents", "fleet_state"), lambda: _halt(desk, look))
    return await show(request, desk, look, "halt", "Halt the fleet", [panel])


async def _halt(desk: Desk, look: Look) -> dict[str, Any]:
    """What is under way: it is thrown away unless runs may end by themselves."""
    wanted = RunFilter(states=("assigned", "running", "held"), limit=0)
    runs = (await desk.read_model.query(queries.runs, look.at, wanted)).rows
    priced = [run.usage.cost_uusd for run in runs if run.usage.cost_uusd is not None]
    worked = sum(look.time - (run.started_at or run.assigned_at) for run in runs)
    fleet = await desk.read_model.query(queries.fleet_state, look.at)
    return {"runs": runs, "worked": worked, "cost": sum(priced) if priced else None, "word": WORD, "fleet": fleet}
