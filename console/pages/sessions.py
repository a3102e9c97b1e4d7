"""Sessions: an operator's undertakings, each with its goal, its budget, who works in it and what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import IO, Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from console import forms
from console.desk import Desk
from console.look import Look, looking
from console.panels import Panel, show
from console.render import query
from core.door import Pending
from core.envelope import Answer
from core.ids import new_id
from projections import queries, tape
from projections.session import SessionPage

routes = APIRouter()

FORM = {"session_id": "", "goal": "", "root": "", "budget": ""}
IN_MEMORY = 4 << 20  # of a tape on its way out; a longer one goes through a file
CHUNK = 256 << 10


@routes.get("/sessions", include_in_schema=False)
async def sessions(request: Request) -> Response:
    desk, look = await looking(request)
    return await _list(request, desk, look, FORM)


@routes.post("/sessions", include_in_schema=False)
async def open_one(request: Request) -> Response:
    """The order of the form; what does not fit comes back with the words as they were typed."""
    fields = await forms.form(request)
    desk, look = await looking(request)
    typed = FORM | {name: fields[name].strip() for name in FORM if name in fields}
    body = {"type": "session.open", **{name: typed[name] for name in ("session_id", "goal", "root")}}
    problem, command_id, answer = await _ordered(desk, fields, body, typed["budget"])
    if problem:
        return _refused(await _list(request, desk, look, typed, problem), answer)
    return _to(typed["session_id"], answer, command_id)


@routes.get("/sessions/{session_id}", include_in_schema=False)
async def session(request: Request, session_id: str) -> Response:
    desk, look = await looking(request)
    return await _one(request, desk, look, session_id)


@routes.post("/sessions/{session_id}", include_in_schema=False)
async def amend(request: Request, session_id: str) -> Response:
    fields = await forms.form(request)
    desk, look = await looking(request)
    typed = {name: fields.get(name, "").strip() for name in ("goal", "root", "budget")}
    body = {"type": "session.amend", "session_id": session_id, "goal": typed["goal"], "root": typed["root"]}
    problem, command_id, answer = await _ordered(desk, fields, body, typed["budget"])
    if problem:
        return _refused(await _one(request, desk, look, session_id, typed, problem), answer)
    return _to(session_id, answer, command_id)


@routes.get("/sessions/{session_id}/export", include_in_schema=False)
async def export(request: Request, session_id: str) -> Response:
    """All of a session as one file: a tape, which a console opens again."""
    desk, look = await looking(request)
    await _found(desk, look, session_id)
    wanted = tape.Wanted(session=session_id, until=0 if look.live else look.time, output=True)
    spool = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed when it was sent
    try:
        await tape.export(desk.ledger, wanted, spool.write, made_at=look.now)
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-._") else "_" for c in session_id)
    headers = {"Content-Disposition": f'attachment; filename="{name}.tape.jsonl"'}
    return StreamingResponse(_chunks(spool), media_type="application/jsonl", headers=headers)


def _chunks(spool: IO[bytes]) -> Iterator[bytes]:
    with spool:
        while chunk := spool.read(CHUNK):
            yield chunk


async def _list(
    request: Request, desk: Desk, look: Look, typed: dict[str, str], problem: str = "",
) -> Response:  # fmt: skip
    async def load() -> dict[str, Any]:
        return {"uses": await desk.read_model.query(queries.session_uses, look.at)}

    panels = [Panel("sessions", ("sessions", "tasks"), load, every_s=15)]
    rows = {"typed": typed, "problem": problem, "command_id": new_id(desk.clock)}
    return await show(request, desk, look, "sessions", "Sessions", panels, **rows)


async def _one(  # noqa: PLR0917 - what a page needs, then what this one is about
    request: Request, desk: Desk, look: Look, session_id: str, typed: dict[str, str] | None = None, problem: str = "",
) -> Response:  # fmt: skip
    found = await _found(desk, look, session_id)

    async def load() -> dict[str, Any]:
        return {"page": found, "session": found.session}

    panels = [
        Panel("session_bar", ("sessions", "tasks"), load),
        Panel("session", ("sessions", "tasks", "runs", "plans"), load, every_s=15),
    ]
    shown = typed or _typed(found)
    rows = {"page": found, "typed": shown, "problem": problem, "command_id": new_id(desk.clock)}
    return await show(request, desk, look, "session", session_id, panels, **rows)


async def _found(desk: Desk, look: Look, session_id: str) -> SessionPage:
    found = await desk.read_model.query(queries.session, look.at, session_id)
    if found is None:
        raise look.absent(f"session {session_id[:160]!r}")
    return found


def _typed(page: SessionPage) -> dict[str, str]:
    """A session's fields as its form shows them."""
    budget = f"{page.session.budget_uusd / 1_000_000:.2f}" if page.session.budget_uusd else ""
    return {"goal": page.session.goal, "root": page.session.root, "budget": budget}


async def _ordered(
    desk: Desk, fields: dict[str, str], body: dict[str, Any], budget: str
) -> tuple[str, str, Answer | Pending | None]:
    """What is wrong with the order (empty: it was taken), its command's id, and what the core says."""
    command_id = fields.get("id") or new_id(desk.clock)
    try:
        order = msgspec.convert(body | {"budget_uusd": _uusd(budget)}, forms.Order, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        return str(error), command_id, None
    answer = await desk.door.order(order, command_id=command_id, by="operator")
    if isinstance(answer, Answer) and answer.outcome != "done":
        return answer.reason, command_id, answer
    return "", command_id, answer


def _uusd(text: str) -> int:
    """Dollars as typed, in millionths; empty: none said."""
    try:
        value = Decimal(text.strip().removeprefix("$").replace(",", "") or 0)
    except InvalidOperation:
        raise ValueError(f"The budget {text[:40]!r} is no amount: write dollars, as in 25 or 12.50.") from None
    if not value.is_finite() or not 0 <= value <= 1_000_000_000:
        raise ValueError(f"The budget {text[:40]!r} is not between 0 and 1,000,000,000 dollars.")
    return int(value * 1_000_000)


def _refused(response: Response, answer: Answer | Pending | None) -> Response:
    response.status_code = 422 if answer is None else 409
    return response


def _to(session_id: str, answer: Answer | Pending | None, command_id: str) -> Response:
    seen = answer.seq if isinstance(answer, Answer) else None
    return RedirectResponse(f"/sessions/{quote(session_id, safe='')}{query(seen=seen, told=command_id)}", 303)
