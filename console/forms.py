"""The one way an order comes in over HTTP: a form or a JSON body becomes a command, the core's door takes it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from console import words
from console.desk import desk_of
from console.errors import refuse
from console.look import BadQuestion
from console.render import part, query, task_path
from console.security import local_path
from core.domain import agent, amend, hire, lane, notes, plan, session, steer, system, task, template, worker
from core.domain.machine import tag
from core.door import Pending
from core.envelope import Answer
from core.ids import new_id

# What a person may order. What workers and timers report is not for this door.
Order = (
    task.Submit | task.Cancel | task.Pause | task.Resume | task.Retry | task.Reprioritise | amend.Command
    | notes.Command | agent.Command | lane.Command | session.Command | plan.Command
    | steer.Command | worker.Drain | hire.Hire | system.AdoptRules | system.TrustClock | system.Halt | system.Release
    | template.Command
)  # fmt: skip

LISTS = {"depends_on", "parents", "needs", "files", "labels", "capabilities"}

# Left empty, a new task's field keeps its default; a field that changes something empties it.
EMPTIES = {"changes.prompt", "changes.command", "changes.needs", "changes.files", "changes.labels", "goal", "root"}

routes = APIRouter()


@routes.post("/orders", include_in_schema=False)
async def take(request: Request) -> Response:
    """A form's order. Done: back to its page, which says so (a toast where htmx asked). Else 409 and the reason."""
    fields = await form(request)
    back = local_path(fields.pop("back", "/"))
    desk = desk_of(request)
    command_id = fields.pop("id", "") or new_id(desk.clock)
    order = command(fields, command_id)
    answer = await desk.door.order(order, command_id=command_id, by="operator")
    if isinstance(answer, Answer) and answer.outcome != "done":
        return refuse(request, 409, answer.reason, outcome=answer.outcome, command_seq=answer.command_seq)
    if "hx-request" in request.headers:
        return HTMLResponse(part("toast", **told(order, answer)))
    if isinstance(order, task.Submit):
        back = _page_of(order)
    seen = answer.seq if isinstance(answer, Answer) else None
    return RedirectResponse(_with(back, seen=seen, told=command_id), 303)


def together(path: str, *, seen: int, told: str, given: int) -> RedirectResponse:
    """Back to the page of many orders given at once: it says what came of the last, and how many more were like it."""
    return RedirectResponse(path + query(seen=seen or None, told=told or None, others=max(0, given - 1) or None), 303)


def told(order: Any, answer: Answer | Pending) -> dict[str, Any]:
    """What a toast says of an order that was accepted."""
    link = f"/{answer.command_seq}"
    if isinstance(answer, Pending):
        return {"state": "waiting", "says": "Accepted, not decided yet", "because": _number(answer), "link": link}
    return {"state": "done", "says": words.ordered(tag(order), ""), "because": _number(answer), "link": link}


def command(fields: dict[str, str], command_id: str) -> Any:
    """The command a form names, or ``msgspec.ValidationError``. ``spec.title`` fills a field of a field; lists are
    separated by commas, spaces or lines; what was left empty keeps its default, but for ``EMPTIES``."""
    body: dict[str, Any] = {}
    for name, text in fields.items():
        if not text.strip() and name not in EMPTIES:
            continue
        *holders, inner = name.split(".")
        value: Any = _words(text) if inner in LISTS else text
        place = body
        for holder in holders:
            place = place.setdefault(holder, {})
            if not isinstance(place, dict):
                raise BadQuestion(f"The form names {name[:60]!r} twice, once as a whole and once in parts.")
        place[inner] = value
    if body.get("type") == "task.submit":
        _name_task(body, command_id)
    return msgspec.convert(body, Order, strict=False)


def submitted(body: dict[str, Any], command_id: str) -> task.Submit:
    """A new task's order from its fields, named like one of a form, or ``msgspec.ValidationError``."""
    _name_task(body, command_id)
    return msgspec.convert(body, task.Submit, strict=False)


def _words(text: str) -> list[str]:
    return [each for each in re.split(r"[,\s]+", text) if each]


async def form(request: Request, *, most: int = 200) -> dict[str, str]:
    """A plain form's fields. ``BadQuestion`` for any other body: files and JSON have doors of their own."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise BadQuestion(f"A form is expected here, not {kind[:60] or 'a body without a type'}.")
    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=most, errors="strict")
    except ValueError as error:
        raise BadQuestion(f"The form cannot be read: {error}") from error
    return {name: text.replace("\r\n", "\n") for name, text in pairs}  # browsers send lines with both


def _name_task(body: dict[str, Any], command_id: str) -> None:
    """A new task's id: the session and the name it was given, else a name made from its title."""
    chosen_session, name = body.pop("session", "") or "default", body.pop("name", "")
    title = str(body.get("spec", {}).get("title", ""))
    if not name:
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-")
        name = f"{slug or 'task'}-{command_id[-4:]}"
    body.setdefault("task_id", f"{chosen_session}/{name}")
    spec = body.get("spec")
    for field in ("depends_on", "parents"):
        if isinstance(spec, dict) and field in spec:
            spec[field] = [each if "/" in each else f"{chosen_session}/{each}" for each in spec[field]]


def _page_of(order: task.Submit) -> str:
    return task_path(order.task_id)


def _with(path: str, **values: Any) -> str:
    """The address with values set anew, whatever it said of them before."""
    path, sign, place = path.partition("#")
    address, _, held = path.partition("?")
    kept: dict[str, Any] = {}
    for key, value in parse_qsl(held):
        if key not in values:
            kept.setdefault(key, []).append(value)
    return address + query(**kept, **values) + sign + place


def _number(answer: Answer | Pending) -> str:
    return f"command {answer.command_seq:,}".replace(",", "\u202f")
