"""Writing a task: a new one, one like another, and another wording of one that is there."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console import forms, wording
from console.desk import Desk
from console.look import SEEN_WAIT_S, BadQuestion, Look, latest, looking
from console.panels import show
from console.render import query, task_path
from core.domain.spec import TaskSpec
from core.door import Pending
from core.envelope import Answer
from core.ids import new_id
from projections import queries
from projections.wording import Wording

routes = APIRouter()

BLANK = wording.texts(TaskSpec(title="?")) | {"title": ""}


@routes.get("/tasks/new", include_in_schema=False)
async def new_task(request: Request) -> Response:
    desk, look = await looking(request)
    like = look.get("from")
    texts, session_id = BLANK, look.get("session") or "default"
    if like:
        found = await desk.read_model.query(queries.wordings, look.at, like)
        if not found:
            raise look.absent(f"task {like[:160]!r} to write another one like")
        texts, session_id = wording.texts(found[-1].spec), like.partition("/")[0]
    return await _new(request, desk, look, texts, {"session": session_id, "name": ""}, like=like)


@routes.post("/tasks/new", include_in_schema=False)
async def submit(request: Request) -> Response:
    """The order of the form. What does not fit comes back with the words as they were typed."""
    fields = await forms.form(request)
    desk, look = await looking(request)
    where = {name: fields.get(name, "").strip() for name in ("session", "name")}
    texts = BLANK | wording.typed(fields)
    command_id = fields.get("id") or new_id(desk.clock)
    body = {"type": "task.submit", "spec": wording.values(texts), **where}
    try:
        order = forms.submitted(body, command_id)
    except msgspec.ValidationError as error:
        return await _new(request, desk, look, texts, where, problem=str(error), status=422)
    answer = await desk.door.order(order, command_id=command_id, by="operator")
    if isinstance(answer, Answer) and answer.outcome != "done":
        return await _new(request, desk, look, texts, where, problem=answer.reason, status=409)
    return _to_task(order.task_id, answer, command_id)


@routes.get("/tasks/{session}/{name}/edit", include_in_schema=False)
async def edit(request: Request, session: str, name: str) -> Response:
    desk, look = await looking(request)
    task_id = f"{session}/{name}"
    now = (await _wordings(desk, look, task_id))[-1]
    return await _form(request, desk, look, task_id, now, wording.texts(now.spec))


@routes.post("/tasks/{session}/{name}/edit", include_in_schema=False)
async def amend(request: Request, session: str, name: str) -> Response:
    """Order what was changed. Somebody was quicker: a page with his words beside the operator's, to redo on top."""
    fields = await forms.form(request)
    desk, look = await looking(request)
    task_id = f"{session}/{name}"
    known = await _wordings(desk, look, task_id)
    base = _opened(known, fields.get("base", ""))
    mine = wording.texts(base.spec) | wording.typed(fields)
    changed = wording.changes(wording.texts(base.spec), mine)
    if not changed:
        return await _form(request, desk, look, task_id, base, mine, problem="Nothing was changed.", status=422)
    command_id = fields.get("id") or new_id(desk.clock)
    body = {"type": "task.amend", "task_id": task_id, "base": base.seq, "changes": changed}
    try:
        order = msgspec.convert(body, forms.Order, strict=False)
    except msgspec.ValidationError as error:
        return await _form(request, desk, look, task_id, base, mine, problem=str(error), status=422)
    answer = await desk.door.order(order, command_id=command_id, by="operator")
    if isinstance(answer, Pending) or answer.outcome == "done":
        return _to_task(task_id, answer, command_id)
    await desk.read_model.wait_for(answer.seq, SEEN_WAIT_S)  # the other one's words are there, if they were why
    look = msgspec.structs.replace(look, at=latest(desk, look.now))
    now = (await _wordings(desk, look, task_id))[-1]
    return await _form(request, desk, look, task_id, now, mine, base=base, problem=answer.reason, status=409)


async def _wordings(desk: Desk, look: Look, task_id: str) -> list[Wording]:
    found = await desk.read_model.query(queries.wordings, look.at, task_id)
    if not found:
        raise look.absent(f"task {task_id!r}")
    return found


def _opened(known: list[Wording], base: str) -> Wording:
    """The wording the operator saw when he began."""
    found = next((each for each in known if str(each.seq) == base), None)
    if found is None:
        raise BadQuestion(
            f"The form says it was opened at fact {base[:20] or '–'}, which worded nothing: open it anew."
        )
    return found


async def _new(
    request: Request, desk: Desk, look: Look, texts: wording.Texts, where: dict[str, str], *, like: str = "",
    problem: str = "", status: int = 200,
) -> Response:  # fmt: skip
    rows = await _choices(desk, look) | {
        "texts": texts, "where": where, "like": like, "wrong": wording.at_field(problem),
        "command_id": new_id(desk.clock),  # sent twice by a double click, it is still one order
        "sessions": await desk.read_model.query(queries.sessions, look.at),
    }  # fmt: skip
    return _with(await show(request, desk, look, "new_task", "Fork" if like else "New task", [], **rows), status)


async def _form(  # noqa: PLR0917 - what a page needs, then what this one is about
    request: Request, desk: Desk, look: Look, task_id: str, now: Wording, mine: wording.Texts, *,
    base: Wording | None = None, problem: str = "", status: int = 200,
) -> Response:  # fmt: skip
    """The form over the wording ``now``. With an older ``base``: what was changed meanwhile, and the words merged."""
    before = wording.texts((base or now).spec)
    clashes = base is not None and base.seq != now.seq
    texts = wording.merged(before, wording.texts(now.spec), mine) if clashes else mine
    rows = await _choices(desk, look) | {
        "task_id": task_id, "now": now, "base": base or now, "texts": texts, "wrong": wording.at_field(problem),
        "differences": wording.differences(before, wording.texts(now.spec), mine) if clashes else [],
        "command_id": new_id(desk.clock),
    }  # fmt: skip
    return _with(await show(request, desk, look, "edit", f"Edit {task_id.partition('/')[2]}", [], **rows), status)


async def _choices(desk: Desk, look: Look) -> dict[str, Any]:
    return {"lanes": await desk.read_model.query(queries.lanes, look.at)}


def _to_task(task_id: str, answer: Answer | Pending, command_id: str) -> Response:
    seen = answer.seq if isinstance(answer, Answer) else None
    return RedirectResponse(task_path(task_id) + query(seen=seen, told=command_id), 303)


def _with(response: Response, status: int) -> Response:
    response.status_code = status
    return response
