"""Writing a template: rows of parameters and tasks, as a form or as JSON, checked on the way, kept as a version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console import builder, forms, given, outline
from console.builder import Sketch
from console.desk import Desk
from console.look import SEEN_WAIT_S, Look, latest, looking
from console.pages.templates import one
from console.panels import show
from console.render import query, template_path
from core.domain import slots
from core.domain.expansion import Made, expand
from core.domain.template import Define
from core.domain.template_spec import KINDS, TemplateSpec
from core.domain.words import Refused
from core.envelope import Answer
from core.ids import new_id
from projections import queries

routes = APIRouter()

EXAMPLE = "example"  # the prefix of a look at what it makes
MOST_FIELDS = 4_000  # 100 tasks and 40 parameters with all their fields, and some


class Form(msgspec.Struct, kw_only=True):
    """What is drawn. ``text``: the template as JSON, None for rows; ``wrong``: by field; ``overtaken``: the version
    somebody else made meanwhile; ``spec``: what it makes, where it can be looked at."""

    sketch: Sketch
    text: str | None = None
    wrong: dict[str, str] = {}
    problem: str = ""
    spec: TemplateSpec | None = None
    looked: bool = False
    overtaken: int = 0


@routes.get("/templates/new", include_in_schema=False)
async def new(request: Request) -> Response:
    desk, look = await looking(request)
    like = look.get("from")
    sketch = builder.sketch("", 0, (await one(desk, look, like)).spec) if like else builder.blank()
    return await _draw(request, desk, look, Form(sketch=sketch))


@routes.post("/templates/new", include_in_schema=False)
async def save_new(request: Request) -> Response:
    return await _take(request)


@routes.get("/templates/{template_id}/edit", include_in_schema=False)
async def edit(request: Request, template_id: str) -> Response:
    desk, look = await looking(request)
    found = await one(desk, look, template_id)
    sketch = builder.sketch(template_id, found.row.version, found.spec)
    return await _draw(request, desk, look, Form(sketch=sketch))


@routes.post("/templates/{template_id}/edit", include_in_schema=False)
async def save(request: Request, template_id: str) -> Response:
    return await _take(request, template_id)


async def _take(request: Request, template_id: str = "") -> Response:
    """A button of the form: rows change, the other view, a look at what it makes, or the order to keep it."""
    fields = await forms.form(request, most=MOST_FIELDS)
    desk, look = await looking(request)
    do = fields.get("do", "check")
    form = _from_json(fields, do) if "json" in fields else _from_rows(fields, do)
    form.sketch.template_id = template_id or form.sketch.template_id
    if do != "save" or form.spec is None:
        return await _draw(request, desk, look, form)
    return await _save(request, desk, look, form, fields.get("id") or new_id(desk.clock))


def _from_rows(fields: Mapping[str, str], do: str) -> Form:
    form = Form(sketch=builder.read(fields))
    form.sketch.base = _base(fields)
    if builder.step(form.sketch, do):
        return form
    form.spec, form.wrong = builder.spec(form.sketch)
    form.looked = do == "check"
    if do == "json" and form.spec is not None:
        form.text, form.spec = builder.to_json(form.spec), None
    return form


def _from_json(fields: Mapping[str, str], do: str) -> Form:
    text = fields["json"]
    form = Form(sketch=Sketch(template_id=fields.get("template_id", "").strip()), text=text, looked=do == "check")
    form.spec, form.problem = builder.from_json(text)
    if form.spec is not None:
        form.sketch = builder.sketch(form.sketch.template_id, 0, form.spec)
        if do == "form":
            form.text, form.spec = None, None
    form.sketch.base = _base(fields)
    return form


def _base(fields: Mapping[str, str]) -> str:
    """The version it builds on: the one it was opened at, or the one somebody made meanwhile, once the author knows."""
    asked = fields.get("over") or fields.get("base") or "0"
    return asked if asked.isdecimal() and len(asked) < 10 else "0"


async def _save(request: Request, desk: Desk, look: Look, form: Form, command_id: str) -> Response:
    """Order it. Somebody was quicker: the form again with what was typed, and where to see the other one's words."""
    assert form.spec is not None
    template_id = form.sketch.template_id = form.sketch.template_id or builder.suggested(form.spec.title)
    base = int(form.sketch.base)
    order = Define(template_id=template_id[:200], spec=form.spec, base=base)
    answer = await desk.door.order(order, command_id=command_id, by="operator")
    if isinstance(answer, Answer) and answer.outcome != "done":
        await desk.read_model.wait_for(answer.seq, SEEN_WAIT_S)  # the other one's version is there, if it was why
        look = msgspec.structs.replace(look, at=latest(desk, look.now)) if look.live else look
        known = await desk.read_model.query(queries.template, look.at, template_id)
        form.overtaken = known.row.version if known is not None and base and known.row.version != base else 0
        form.problem = answer.reason
        return await _draw(request, desk, look, form, status=409)
    seen = answer.seq if isinstance(answer, Answer) else None
    return RedirectResponse(template_path(template_id) + query(seen=seen, told=command_id), 303)


async def _draw(request: Request, desk: Desk, look: Look, form: Form, *, status: int = 0) -> Response:
    editing = form.sketch.base != "0"
    made = _example(form.spec) if form.spec is not None else None
    rows: dict[str, Any] = {
        "form": form, "sketch": form.sketch, "wrong": form.wrong, "kinds": KINDS,
        "places": builder.places(form.sketch, form.wrong), "editing": editing,
        "command_id": new_id(desk.clock),  # sent twice by a double click, it is still one order
        "lanes": await desk.read_model.query(queries.lanes, look.at), "text_of": slots.as_text,
        "made": made, "drawing": outline.of_made(made or [], EXAMPLE),
    }  # fmt: skip
    title = f"Edit {form.sketch.template_id}" if editing else "New template"
    response = await show(request, desk, look, "template_form", title, [], **rows)
    response.status_code = status or (422 if form.wrong or form.problem else 200)
    return response


def _example(spec: TemplateSpec) -> list[Made]:
    """The tasks it would make with a stand-in for whatever has no default, and every condition met."""
    missing = [param for param in spec.params if param.default is None or param.kind == "yes_no"]
    held = {param.name: given.stand_in(param) for param in missing}
    try:
        return expand(spec, held, session_id="default", prefix=EXAMPLE)
    except Refused:
        return []
