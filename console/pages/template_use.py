"""Using a template: a form made from its parameters, a look at the tasks they would make, and the order."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console import forms, given
from console.desk import Desk
from console.look import Look, looking
from console.pages.templates import one, version_of
from console.panels import show
from console.render import query
from core.domain import slots
from core.domain.expansion import Made, expand, problems
from core.domain.session import DEFAULT_SESSION
from core.domain.template import Use
from core.domain.template_spec import TemplateSpec
from core.domain.words import Refused, check_task_id
from core.envelope import Answer
from core.ids import new_id
from projections import queries
from projections.templates import Template, TemplateVersion

routes = APIRouter()


class Wish(msgspec.Struct, kw_only=True):
    """The form as it stands. ``texts``: what each parameter's field holds."""

    session: str
    prefix: str
    lane: str
    texts: dict[str, str]
    wrong: dict[str, str] = {}
    problem: str = ""
    made: list[Made] | None = None


@routes.get("/templates/{template_id}/use", include_in_schema=False)
async def ask(request: Request, template_id: str) -> Response:
    """The form. An address may fill it: ``?session=…&prefix=…&param.goal=…``."""
    desk, look = await looking(request)
    found = await one(desk, look, template_id)
    version = version_of(found, look.get("version"))
    held = {key.removeprefix("param."): value for key, value in look.asked if key.startswith("param.")}
    wish = Wish(
        session=look.get("session") or DEFAULT_SESSION,
        prefix=look.get("prefix") or _prefix(found),
        lane=look.get("lane"),
        texts=given.texts(version.spec, {}) | held,
    )
    return await _form(request, desk, look, found, version, wish)


@routes.post("/templates/{template_id}/use", include_in_schema=False)
async def use(request: Request, template_id: str) -> Response:
    """A look at what it would make, or the order. What does not fit comes back beside its field."""
    fields = await forms.form(request)
    desk, look = await looking(request)
    found = await one(desk, look, template_id)
    version = version_of(found, fields.get("version", ""))
    wish = Wish(
        session=fields.get("session", "").strip() or DEFAULT_SESSION,
        prefix=fields.get("prefix", "").strip(),
        lane=fields.get("lane", "").strip(),
        texts={key.removeprefix("param."): text for key, text in fields.items() if key.startswith("param.")},
    )
    values = _look_ahead(version.spec, wish)
    if wish.wrong or wish.problem or fields.get("do") != "use":
        return await _form(request, desk, look, found, version, wish)
    order = Use(
        template_id=template_id, version=version.version, session_id=wish.session, prefix=wish.prefix, lane=wish.lane,
        params=values,
    )  # fmt: skip
    command_id = fields.get("id") or new_id(desk.clock)
    answer = await desk.door.order(order, command_id=command_id, by="operator")
    if isinstance(answer, Answer) and answer.outcome != "done":
        wish.wrong = given.told(answer.reason, wish.texts)
        wish.problem = answer.reason
        return await _form(request, desk, look, found, version, wish, status=409)
    seen = answer.seq if isinstance(answer, Answer) else None
    tasks = query(session=wish.session, text=f"{wish.prefix}-", seen=seen, told=command_id)
    return RedirectResponse(f"/tasks{tasks}", 303)


def _look_ahead(spec: TemplateSpec, wish: Wish) -> dict[str, Any]:
    """The values given; into ``wish`` what is wrong, beside the field where it has one, and else the tasks."""
    values, unread = given.values(spec, wish.texts)
    fits = {name: says for name, says in problems(spec, values).items() if name not in unread}
    wish.wrong = unread | fits
    if not wish.wrong:
        try:
            wish.made = expand(spec, values, session_id=wish.session, prefix=wish.prefix, lane=wish.lane)
            for each in wish.made:
                check_task_id(each.task_id)
        except Refused as refused:
            wish.made, wish.problem = None, refused.reason
    return values


async def _form(  # noqa: PLR0917 - what a page needs, then what this one is about
    request: Request, desk: Desk, look: Look, found: Template, version: TemplateVersion, wish: Wish, *, status: int = 0
) -> Response:
    rows = {
        "found": found, "row": found.row, "worded": version, "spec": version.spec, "wish": wish,
        "command_id": new_id(desk.clock),  # sent twice by a double click, it is still one order
        "lanes": await desk.read_model.query(queries.lanes, look.at),
        "text_of": slots.as_text,
        "sessions": await desk.read_model.query(queries.sessions, look.at),
    }  # fmt: skip
    response = await show(request, desk, look, "template_use", f"Use {version.spec.title}", [], **rows)
    response.status_code = status or (422 if wish.wrong or wish.problem else 200)
    return response


def _prefix(found: Template) -> str:
    """A prefix nobody has used yet, as far as this page knows."""
    return f"{found.row.template_id.replace('_', '-')[:40]}-{found.row.uses + 1}"
