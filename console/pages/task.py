"""One task: everything about it, where it stands among the others, and what can be done with it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.desk import Desk
from console.graph import graph
from console.look import BadQuestion, Look, looking
from console.markdown import written
from console.panels import Panel, show
from core.domain.spec import TaskSpec
from projections import queries
from projections.costs import Spent, cost_of
from projections.rows.tasks import STATE_ORDER, Link, Task

routes = APIRouter()

STEPS = 2  # how far the graph reaches where the address does not say
MOST_STEPS = 9
NAMED_STUCK = 4  # tasks that a blocked one is stuck on; the rest is a number
NAMED_PARTS = 24  # the rest is folded away
SOURCE_FIELDS, SOURCE_LETTERS = 40, 400


@routes.get("/tasks/{session}/{name}", include_in_schema=False)
async def task(request: Request, session: str, name: str) -> Response:
    desk, look = await looking(request)
    task_id = f"{session}/{name}"
    steps = _steps(look.get("depth"))
    found = await desk.read_model.query(queries.task, look.at, task_id)
    if found is None:
        raise look.absent(f"task {task_id!r}")

    async def bar() -> dict[str, Any]:
        return {"row": found.row}

    async def why() -> dict[str, Any]:
        blocked = found.row.state == "blocked"
        held = await desk.read_model.query(queries.stuck_on, look.at, task_id) if blocked else []
        return {"row": found.row, "task": found, "held": held, "most": NAMED_STUCK}

    mine, near = f"task:{task_id}", "tasks"
    panels = [
        Panel("task_bar", (mine,), bar),
        Panel("task_why", (mine, near), why),
        Panel("task_graph", (near,), lambda: _graph(desk, look, found, steps)),
        Panel("task", (mine, near), lambda: _task(desk, look, found), every_s=15),
    ]
    return await show(request, desk, look, "task", found.row.title, panels, task=found)


async def _task(desk: Desk, look: Look, task: Task) -> dict[str, Any]:
    line = []
    if look.live and task.row.state == "ready":
        line = await desk.read_model.query(queries.queue, look.at, task.row.lane, limit=50)
    spent = await desk.read_model.query(queries.spent_by, look.at, "task", [task.row.task_id])
    return {
        "task": task,
        "spent": spent.get(task.row.task_id, Spent()),
        "costs": {run.run_id: cost_of(run.usage, run.model) for run in task.runs},
        "row": task.row,
        "text": written(task.spec.prompt),
        "parts": _parts(task.children),
        "part_states": Counter(link.state or "blocked" for link in task.children),
        "named": NAMED_PARTS,
        "checked": next((run for run in task.runs if run.checks), None),
        "source": _source(task.spec),
        "line": [each for each in line if each.row.priority == task.row.priority],
    }


async def _graph(desk: Desk, look: Look, task: Task, steps: int | None) -> dict[str, Any]:
    found = await desk.read_model.query(queries.reach, look.at, task.row.task_id, steps)
    return {"row": task.row, "reach": found, "graph": graph(found), "depth": steps or "all", "steps": (1, 2, 4, "all")}


def _steps(text: str) -> int | None:
    """How far the graph goes: ``?depth=3``, or ``all``."""
    if text == "all":
        return None
    if not text:
        return STEPS
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_STEPS:
        return int(text)
    raise BadQuestion(f"?depth={text[:40]} is no distance: write 1 to {MOST_STEPS} steps, or all.")


def _parts(children: list[Link]) -> list[Link]:
    """The parts of a container, what needs somebody first."""
    return sorted(children, key=lambda link: (STATE_ORDER.index(link.state or "blocked"), link.task_id))


def _source(spec: TaskSpec) -> list[tuple[str, str]]:
    """Where an imported task comes from, in the words of that place: fields and their values as text."""
    found = []
    for name, value in list(spec.source.items())[:SOURCE_FIELDS]:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        cut = text if len(text) <= SOURCE_LETTERS else text[: SOURCE_LETTERS - 1] + "…"
        found.append((name[:100], cut))
    return found
