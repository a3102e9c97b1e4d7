"""Cost: what was spent, how fast it goes, on what, on whose word, and what another model would have asked for it."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console import sheet
from console.desk import Desk
from console.look import BadQuestion, Look, filters, looking
from console.panels import Panel, show
from console.since import since_us
from projections import queries
from projections.costs import By, CostFilter, Costs, Spent, burn, costs, hours, models
from projections.prices import Rates, rates

routes = APIRouter()

BY: tuple[tuple[By, str], ...] = (
    ("session", "Session"), ("agent", "Agent"), ("model", "Model"), ("task", "Task"), ("lane", "Lane"),
    ("hour", "Hour"), ("run", "Run"),
)  # fmt: skip
SINCE = (("today", "Today"), ("24h", "24 h"), ("7d", "7 days"), ("all", "All"))
NARROW = ("session", "agent", "model", "task", "lane", "hour", "basis")
ONWARDS: dict[str, By] = {"session": "task", "agent": "task", "model": "agent", "task": "run", "lane": "task",
                          "hour": "run"}  # fmt: skip
COLUMNS = (
    "key", "title", "runs", "under_way", "done", "failed", "tokens", "cost_uusd", "basis", "reported_uusd",
    "estimated_uusd", "unpriced_tokens", "unpriced_runs",
)  # fmt: skip


class Asked(msgspec.Struct, frozen=True):
    """What the address asks of the table. ``otherwise``: the model to reprice by, with its rates."""

    by: By
    since: str
    wanted: CostFilter
    model: str = ""
    otherwise: Rates | None = None


@routes.get("/cost", include_in_schema=False)
async def cost(request: Request) -> Response:
    desk, look = await looking(request)
    asked = await _asked(desk, look)
    panels = [
        Panel("cost_now", ("runs",), lambda: _now(desk, look), every_s=15),
        Panel("cost_hours", ("runs",), lambda: _hours(desk, look, asked), every_s=60),
        Panel("cost_table", ("runs", "agents", "sessions"), lambda: _table(desk, look, asked), every_s=60),
    ]
    return await show(request, desk, look, "cost", "Cost", panels)


@routes.get("/cost/export.{kind}", include_in_schema=False)
async def export(request: Request, kind: str) -> Response:
    """The table as it is shown, every row of it."""
    desk, look = await looking(request)
    if kind not in ("csv", "jsonl"):
        raise look.absent(f"export {kind[:20]!r}: there are csv and jsonl")
    asked = await _asked(desk, look)
    found = await _costs(desk, look, asked, limit=0)
    columns = (*COLUMNS, f"cost_uusd_as_{asked.model}") if asked.otherwise else COLUMNS
    rows = (_row(row, asked) for row in found.rows)
    return (sheet.as_csv if kind == "csv" else sheet.as_lines)(f"cost-by-{asked.by}", columns, rows)


def _row(row: Spent, asked: Asked) -> tuple[Any, ...]:
    told = (
        row.key, row.title, row.runs, row.under_way, row.done, row.failed, row.tokens, row.uusd, row.basis,
        row.reported_uusd, row.estimated_uusd, row.unpriced_tokens, row.unpriced_runs,
    )  # fmt: skip
    return (*told, row.otherwise_uusd) if asked.otherwise else told


async def _asked(desk: Desk, look: Look) -> Asked:
    by = look.get("by") or "session"
    if by not in dict(BY):
        raise BadQuestion(f"?by={by[:40]} is nothing costs are summed by; there are: {', '.join(dict(BY))}.")
    since = look.get("since") or "today"
    wanted = filters(CostFilter, look, since=since_us(since, look.time))
    model = look.get("as").strip()
    otherwise = await desk.read_model.query(_rates, model) if model else None
    return Asked(by, since, wanted, model, otherwise)


def _rates(_db: object, model: str) -> Rates | None:
    """On a reader's thread: the price table takes a moment to be read the first time."""
    return rates(model)


async def _now(desk: Desk, look: Look) -> dict[str, Any]:
    return {"burn": await desk.read_model.query(burn, look.at)}


async def _hours(desk: Desk, look: Look, asked: Asked) -> dict[str, Any]:
    wanted = msgspec.structs.replace(asked.wanted, since=0)
    found = await desk.read_model.query(hours, look.at, wanted)
    return {"hours": found, "most": max((hour.uusd or 0 for hour in found), default=0)}


async def _table(desk: Desk, look: Look, asked: Asked) -> dict[str, Any]:
    found = await _costs(desk, look, asked)
    sessions = await desk.read_model.query(queries.sessions, look.at) if asked.by == "session" else []
    return {
        "found": found,
        "asked": asked,
        "by": BY,
        "since": SINCE,
        "narrowed": [(name, look.get(name)) for name in NARROW if look.get(name)],
        "onwards": "run" if asked.by == "run" else ONWARDS.get(asked.by, "run"),
        "models": await desk.read_model.query(models, look.at),
        "budgets": {each.session_id: getattr(each, "budget_uusd", 0) for each in sessions},
    }


async def _costs(desk: Desk, look: Look, asked: Asked, limit: int = 100) -> Costs:
    return await desk.read_model.query(costs, look.at, asked.by, asked.wanted, otherwise=asked.otherwise, limit=limit)
