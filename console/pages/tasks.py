"""Tasks: the list that a search line asks for, a closer look at one of them, and the same list as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, get_args

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from console.desk import Desk
from console.look import MOST_ROWS, BadQuestion, Look, looking
from console.markdown import written
from console.panels import Panel, show
from console.render import part, query
from console.search import QUALIFIERS, Search, search_of
from console.suggest import suggestions
from console.views import kept_views
from projections import queries
from projections.rows.tasks import TaskFilter, TaskOrder, TaskRow

routes = APIRouter()

PAGE, FILE_PAGE = 100, 2_000
PEEKED = 1_000  # characters of a task's text in a closer look
NAMED_STUCK = 2  # tasks that one looked at is stuck on; the rest is a number
COLUMNS = tuple(field.name for field in msgspec.structs.fields(TaskRow))  # of the file
FORMULA = tuple("=+-@")  # how a spreadsheet's formula begins
VIEWS: tuple[tuple[str, str], ...] = (
    ("Everything", ""),
    ("Broken", "state:failed,quarantined"),
    ("At work", "state:running"),
    ("To come", "state:ready,waiting,blocked"),
    ("Paused", "state:paused"),
    ("Done", "state:done"),
)


@routes.get("/tasks", include_in_schema=False)
async def tasks(request: Request) -> Response:
    desk, look = await looking(request)
    search = asked(look)
    panels = [
        Panel("tasks", ("tasks", "runs", "views"), lambda: _tasks(desk, look, search), every_s=15),
        Panel("peek", ("tasks", "runs"), lambda: _peek(desk, look), every_s=15),
    ]
    hints = await suggestions(desk, look, search.line)
    page = await show(request, desk, look, "tasks", "Tasks", panels, search=search, hints=hints)
    if search.problems and not look.part:
        page.status_code = 422
    return page


@routes.get("/tasks/suggest", include_in_schema=False)
async def suggest(request: Request) -> Response:
    """What could be typed next, as options of the search field."""
    desk, look = await looking(request)
    line = " ".join(value for key, value in look.asked if key == "q")
    return HTMLResponse(part("suggestions", hints=await suggestions(desk, look, line)))


@routes.get("/tasks.csv", include_in_schema=False)
async def as_csv(request: Request) -> Response:
    return await _file(request, "tasks.csv", "text/csv", _csv, head=_cells([COLUMNS]))


@routes.get("/tasks.jsonl", include_in_schema=False)
async def as_lines(request: Request) -> Response:
    return await _file(request, "tasks.jsonl", "application/jsonl", _lines)


def asked(look: Look) -> Search:
    """The list that the address asks for: what, in what order, from where on."""
    order = look.get("order") or "need"
    backwards, order = order.startswith("-"), order.removeprefix("-")
    if order not in get_args(TaskOrder):
        raise BadQuestion(f"?order={order[:40]} is none; {', '.join(get_args(TaskOrder))} are, also backwards: -cost.")
    limit = look.get("limit") or str(PAGE)
    if not (limit.isascii() and limit.isdigit() and int(limit[:12]) <= MOST_ROWS and len(limit) <= 10):
        raise BadQuestion(f"?limit= is a number of rows from 0 (all) to {MOST_ROWS:,}.")
    return search_of(look, order=order, reverse=backwards, limit=int(limit), after=look.get("after"))


def asking(look: Look, line: str) -> str:
    """This page with another search line, which then holds all that the address asked by its own parameters."""
    own: dict[str, Any] = dict.fromkeys(QUALIFIERS)
    return look.here(**own | {"q": line, "after": None})


async def _tasks(desk: Desk, look: Look, search: Search) -> dict[str, Any]:
    states = await desk.read_model.query(queries.task_states, look.at, TaskFilter())
    found = None if search.problems else await desk.read_model.query(queries.tasks, look.at, search.wanted)
    lanes = await desk.read_model.query(queries.lane_names, look.at)
    file = query(q=search.line, order=look.get("order"), at=None if look.live else look.get("at"))
    return {
        "found": found, "search": search, "lanes": lanes, "views": VIEWS, "states": states, "file": file,
        "qualifiers": QUALIFIERS, "asks": lambda line: asking(look, line),
        "kept": await kept_views(desk, look),
        "asked_now": query(q=search.line, order=look.get("order"))[1:],
    }  # fmt: skip


async def _peek(desk: Desk, look: Look) -> dict[str, Any]:
    task_id = look.get("peek")
    found = await desk.read_model.query(queries.task, look.at, task_id) if task_id else None
    if found is None:
        return {"task": None}
    blocked = found.row.state == "blocked"
    held = await desk.read_model.query(queries.stuck_on, look.at, task_id) if blocked else []
    return {"task": found, "held": held, "most": NAMED_STUCK, "text": written(found.spec.prompt[:PEEKED])}


# ── the list as a file: all of it, a page at a time


Write = Callable[[Sequence[TaskRow]], str]


async def _file(request: Request, name: str, kind: str, write: Write, *, head: str = "") -> Response:
    desk, look = await looking(request)
    search = asked(look)
    if search.problems:
        raise BadQuestion(" ".join(search.problems))
    wanted = msgspec.structs.replace(search.wanted, limit=FILE_PAGE, after="")
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_pages(desk, look, wanted, write, head), media_type=kind, headers=headers)


async def _pages(desk: Desk, look: Look, wanted: TaskFilter, write: Write, head: str) -> AsyncIterator[str]:
    yield head
    while True:
        found = await desk.read_model.query(queries.tasks, look.at, wanted)
        yield write(found.rows)
        if not found.after:
            return
        wanted = msgspec.structs.replace(wanted, after=found.after)


def _lines(rows: Sequence[TaskRow]) -> str:
    return "".join(msgspec.json.encode(row).decode() + "\n" for row in rows)


def _csv(rows: Sequence[TaskRow]) -> str:
    return _cells([_plain(getattr(row, name)) for name in COLUMNS] for row in rows)


def _cells(rows: Iterable[Sequence[Any]]) -> str:
    held = io.StringIO()
    csv.writer(held).writerows(rows)
    return held.getvalue()


def _plain(value: Any) -> Any:
    """A cell no spreadsheet takes for a formula, whatever an agent or a plan wrote into it."""
    if isinstance(value, tuple):
        value = " ".join(value)
    if isinstance(value, str) and (value.lstrip()[:1] in FORMULA or value[:1] in ("\t", "\r", "\n")):
        return f"'{value}"
    return "" if value is None else value
