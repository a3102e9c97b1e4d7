"""One task: everything about it, where it stands among the others, and what can be done with it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console import draw
from console.look import looking
from console.panels import Panel, show
from projections import queries
from projections.rows import Task

routes = APIRouter()


@routes.get("/tasks/{session}/{name}", include_in_schema=False)
async def task(request: Request, session: str, name: str) -> Response:
    desk, look = await looking(request)
    task_id = f"{session}/{name}"
    found = await desk.read_model.query(queries.task, look.at, task_id)
    if found is None:
        raise look.absent(f"task {task_id!r}")

    async def load() -> dict[str, Any]:
        return _task(found)

    mine, near = f"task:{task_id}", "tasks"
    panels = [
        Panel("task_bar", (mine,), load),
        Panel("task_graph", (near,), load),
        Panel("task", (mine, near), load, every_s=15),
    ]
    return await show(request, desk, look, "task", found.row.title, panels, task=found)


def _task(task: Task) -> dict[str, Any]:
    return {"task": task, "row": task.row, "graph": _graph(task)}


def _graph(task: Task) -> draw.Graph | None:
    """The task between what it needs and what needs it; None when it stands alone."""
    me = task.row.task_id
    around = [*task.needs, *task.dependents, *task.parents, *task.children]
    if not around:
        return None
    named = {link.task_id: (link.title or link.name, _shown(link)) for link in around}
    named[me] = (task.row.title, task.row.shown)
    columns = {me: 0} | {link.task_id: -1 for link in task.needs} | {link.task_id: 1 for link in task.dependents}
    columns |= {link.task_id: -1 for link in task.children} | {link.task_id: 1 for link in task.parents}
    edges = [(me, link.task_id) for link in (*task.needs, *task.children)]
    edges += [(link.task_id, me) for link in (*task.dependents, *task.parents)]
    return draw.graph(me, named, edges, columns)


def _shown(link: Any) -> str:
    return "claimed" if link.state == "done" and link.proof == "claimed" else link.state or "blocked"
