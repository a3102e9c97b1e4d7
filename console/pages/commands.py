"""Commands: who ordered what, from where, what came of it and how soon; and the log proved against itself."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console import sheet
from console.desk import Desk, desk_of
from console.forms import Order, form
from console.look import BadQuestion, Look, filters, looking
from console.panels import Panel, show
from console.proof import TOPIC, Kind
from console.security import local_path
from console.since import since_us
from console.words import iso, origin
from core.domain.machine import tag
from projections import queries
from projections.audit import lately
from projections.record import REPORTS
from projections.rows.record import CommandFilter

routes = APIRouter()

PAGE = 100
MOST_EXPORTED = 100_000  # rows of a file; narrow the filter for older ones
COLUMNS = (
    "command", "at", "by", "from", "type", "target", "outcome", "reason", "took_us", "facts", "last_fact", "id",
)  # fmt: skip
OUTCOMES = ("pending", "done", "refused", "already_so", "expired", "superseded", "fenced")
NOT_DONE = ["refused", "already_so", "expired", "superseded", "fenced"]
VIEWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Orders", {}),
    ("Not carried out", {"outcome": NOT_DONE}),
    ("Pending", {"outcome": ["pending"], "reports": "true"}),
    ("With reports", {"reports": "true"}),
)
TYPES = sorted({tag(order) for order in get_args(Order)})
SINCE = (("", "Any time"), ("15m", "15 min"), ("1h", "1 h"), ("24h", "24 h"), ("7d", "7 days"))


@routes.get("/commands", include_in_schema=False)
async def commands(request: Request) -> Response:
    desk, look = await looking(request)
    command_filter(look)  # what is wrong with the address is said before anything is drawn
    panels = [
        # Its end may come before this page hears of anything: while a proof runs, the page also asks.
        Panel("proof", (TOPIC,), lambda: _proof(desk), beside=True, every_s=2 if desk.prover.running else 0),
        Panel("commands", ("commands",), lambda: _commands(desk, look)),
    ]
    chosen = {name: look.get(name) for name in ("type", "by", "target", "since", "text", "outcome")}
    return await show(
        request, desk, look, "commands", "Commands", panels, types=TYPES, reports=REPORTS, spans=SINCE,
        outcomes=OUTCOMES, chosen=chosen,
    )  # fmt: skip


@routes.get("/commands/export.{kind}", include_in_schema=False)
async def export(request: Request, kind: str) -> Response:
    """The commands that the address asks for, every one of them, newest first."""
    desk, look = await looking(request)
    if kind not in ("csv", "jsonl"):
        raise look.absent(f"export {kind[:20]!r}: there are csv and jsonl")
    wanted = msgspec.structs.replace(command_filter(look), limit=MOST_EXPORTED, before=0)
    found = await desk.read_model.query(queries.commands, look.at, wanted)
    rows = (
        (row.command_seq, iso(row.at), row.by, origin(row.by), row.type, row.target, row.outcome, row.reason,
         row.latency_us, row.facts, row.events_seq, row.command_id)
        for row in found.rows
    )  # fmt: skip
    return (sheet.as_csv if kind == "csv" else sheet.as_lines)("commands", COLUMNS, rows)


@routes.post("/commands/proof", include_in_schema=False)
async def prove(request: Request) -> Response:
    """Begin a proof of the log, or stop the one under way."""
    fields = await form(request)
    desk = desk_of(request)
    kind = fields.get("kind", "")
    if kind == "stop":
        await desk.prover.stop()
    elif kind in get_args(Kind):
        desk.prover.start(kind, desk.ledger, desk.read_model, desk.clock, lambda: desk.hub.publish(frozenset({TOPIC})))  # type: ignore[arg-type]
    else:
        raise BadQuestion(f"A proof is of the kind 'all' or 'chain', not {kind[:40]!r}; 'stop' ends the one under way.")
    return RedirectResponse(local_path(fields.get("back", "/commands")), 303)


def command_filter(look: Look) -> CommandFilter:
    """Which commands the address asks for; ``BadQuestion`` names what does not fit."""
    wrong = [each for each in look.all("outcome") if each not in OUTCOMES]
    if wrong:
        raise BadQuestion(f"?outcome={wrong[0][:40]} is none; there are: {', '.join(OUTCOMES)}.")
    fixed: dict[str, Any] = {"since": since_us(look.get("since"), look.time)}
    if not look.get("limit"):
        fixed["limit"] = PAGE
    return filters(CommandFilter, look, **fixed)


async def _commands(desk: Desk, look: Look) -> dict[str, Any]:
    wanted = command_filter(look)
    found = await desk.read_model.query(queries.commands, look.at, wanted)
    return {
        "found": found,
        "wanted": wanted,
        "views": VIEWS,
        "lately": await desk.read_model.query(lately, look.at),
    }


async def _proof(desk: Desk) -> dict[str, Any]:
    return {"running": desk.prover.running, "last": desk.prover.last, "tape": desk.version.startswith("tape ")}
