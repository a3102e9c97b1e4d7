"""One run: where it stands, what it prints, which tools it called, what it touched and used."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console import draw
from console.desk import Desk
from console.look import Look, looking
from console.output import output_of, whole_output
from console.panels import Panel, show
from projections import queries
from projections.rows import RunPage

routes = APIRouter()

CALLS = 50
SEEN = 200


@routes.get("/runs/{session}/{name}", include_in_schema=False)
async def run(request: Request, session: str, name: str) -> Response:
    desk, look = await looking(request)
    run_id = f"{session}/{name}"
    found = await desk.read_model.query(queries.run, look.at, run_id)
    if found is None:
        raise look.absent(f"run {run_id!r}")

    async def load() -> dict[str, Any]:
        return await _run(desk, look, found)

    mine = f"run:{run_id}"
    panels = [
        Panel("run_bar", (mine,), load),
        Panel("run_line", (mine,), load, every_s=0 if found.run.is_over else 5),
        Panel("run_output", (mine, f"output:{run_id}"), lambda: _output(desk, look, run_id), beside=True),
        Panel("run_seen", (mine,), lambda: _seen(desk, look, run_id)),
        Panel("run_facts", (mine,), load),
    ]
    return await show(request, desk, look, "run", f"{name}", panels, run=found.run)


@routes.get("/runs/{session}/{name}/output", include_in_schema=False)
async def download(request: Request, session: str, name: str) -> Response:
    """All a run printed, as it was printed: an attachment, never a page."""
    desk, look = await looking(request)
    run_id = f"{session}/{name}"
    if await desk.read_model.query(queries.run, look.at, run_id) is None:
        raise look.absent(f"run {run_id!r}")
    data = await whole_output(desk.ledger, run_id)
    safe = "".join(c if c.isalnum() or c in "-._~" else "_" for c in name)
    headers = {"Content-Disposition": f'attachment; filename="{safe}.txt"'}
    return Response(data, media_type="text/plain; charset=utf-8", headers=headers)


async def _run(desk: Desk, look: Look, page: RunPage) -> dict[str, Any]:
    calls = await desk.read_model.query(queries.tool_calls, look.at, page.run.run_id, limit=CALLS)
    spans = [(stage.state, stage.state, stage.at, stage.until or look.time) for stage in page.stages if _lasts(stage)]
    return {"page": page, "run": page.run, "stops": draw.stops(spans), "calls": calls}


def _lasts(stage: Any) -> bool:
    """An end is a stop, not a stretch of the line."""
    return stage.state in ("assigned", "running", "cancelling", "interrupting")


async def _output(desk: Desk, look: Look, run_id: str) -> dict[str, Any]:
    until = 0 if look.live else look.time
    return {"output": await output_of(desk.ledger, run_id, until=until), "run_id": run_id}


async def _seen(desk: Desk, look: Look, run_id: str) -> dict[str, Any]:
    kinds = ("text", "step", "retry", "error", "note")
    seen = await desk.read_model.query(queries.observations, look.at, run_id, kinds=kinds, limit=SEEN)
    return {"seen": seen, "run_id": run_id}
