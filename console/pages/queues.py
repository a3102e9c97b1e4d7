"""Queues: each lane with what runs in it, what is in line, and why that is not running."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.desk import Desk
from console.look import Look, looking
from console.panels import Panel, show
from core.domain.schedule import Condition
from projections import queries
from projections.because import why_of
from projections.rows import At, Run, RunFilter, TaskFilter, Tasks
from projections.store import Reader

routes = APIRouter()

SHOWN_RUNS = 400  # over all lanes; a lane says how many more there are
FREE_SLOTS = 12  # free sections of a track that are drawn
WHY = 20


@routes.get("/queues", include_in_schema=False)
async def queues(request: Request) -> Response:
    desk, look = await looking(request)
    panels = [
        Panel("lanes", ("tasks", "lanes", "runs"), lambda: _lanes(desk, look), every_s=15),
        Panel("why", ("tasks", "lanes", "runs", "agents"), lambda: _why(desk, look)),
    ]
    return await show(request, desk, look, "queues", "Queues", panels)


async def _lanes(desk: Desk, look: Look) -> dict[str, Any]:
    lanes = await desk.read_model.query(queries.lanes, look.at)
    under_way = RunFilter(states=("assigned", "running"), limit=SHOWN_RUNS)
    found = await desk.read_model.query(queries.runs, look.at, under_way)
    by_lane: dict[str, list[Run]] = {lane.lane: [] for lane in lanes}
    for run in sorted(found.rows, key=lambda run: (run.assigned_at, run.run_id)):
        by_lane.setdefault(run.lane, []).append(run)
    return {"lanes": lanes, "runs": by_lane, "free_shown": FREE_SLOTS}


async def _why(desk: Desk, look: Look) -> dict[str, Any]:
    """The tasks nearest to running that do not run, each with the scheduler's own conditions."""
    states = ("ready", "waiting", "blocked", "paused")
    wanted = TaskFilter(states=states, lanes=look.all("lane"), containers=False, order="queue", limit=WHY)
    found, why = await desk.read_model.query(_not_running, look.at, wanted)
    names = [condition.name for condition in next(iter(why.values()), [])]
    return {"found": found, "why": why, "names": names, "seq": look.at.events_seq}


def _not_running(db: Reader, at: At, wanted: TaskFilter) -> tuple[Tasks, dict[str, list[Condition]]]:
    """A page of tasks and, for each, every condition for starting it: one query for all of them."""
    found = queries.tasks(db, at, wanted)
    asked = [{name: getattr(row, name) for name in _FOR_THE_RULE} for row in found.rows]
    return found, why_of(db, at, asked) if asked else {}


_FOR_THE_RULE = ("task_id", "lane", "state", "open_parts", "retry_at", "because")
