"""Templates: the list, one with its versions and its uses, what changed between two versions."""

from __future__ import annotations

import difflib
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console import builder, given, outline
from console.desk import Desk, desk_of
from console.diff import MOST, Drawn, drawn
from console.errors import refuse
from console.forms import together
from console.look import BadQuestion, Look, looking
from console.markdown import written
from console.panels import Panel, show
from console.render import query, template_path
from console.shipped import shipped
from core.domain import slots
from core.envelope import Answer
from core.ids import new_id
from projections import queries
from projections.templates import Template, TemplateUse, TemplateVersion

routes = APIRouter()

MOST_ADDRESS = 2_000  # characters of parameters in an address


@routes.get("/templates", include_in_schema=False)
async def templates(request: Request) -> Response:
    desk, look = await looking(request)
    panel = Panel("templates", ("templates", "template_uses"), lambda: _templates(desk, look), every_s=30)
    return await show(request, desk, look, "templates", "Templates", [panel])


@routes.post("/templates", include_in_schema=False)
async def bring(request: Request) -> Response:
    """Define the shipped templates, those that are not there yet: each a command of its own, kept like any other."""
    desk = desk_of(request)
    seen, told, given = 0, "", 0
    for define in shipped():
        command_id = new_id(desk.clock)
        answer = await desk.door.order(define, command_id=command_id, by="operator")
        if isinstance(answer, Answer):
            if answer.outcome == "refused" and "exists already" not in answer.reason:
                return refuse(request, 409, answer.reason, outcome=answer.outcome, command_seq=answer.command_seq)
            seen = max(seen, answer.seq)
            if answer.outcome == "done":
                told, given = command_id, given + 1
    return together("/templates", seen=seen, told=told, given=given)


@routes.get("/templates/{template_id}", include_in_schema=False)
async def template(request: Request, template_id: str) -> Response:
    desk, look = await looking(request)
    found = await one(desk, look, template_id)

    async def load() -> dict[str, Any]:
        return _template(look, await one(desk, look, template_id))

    topics = ("templates", "template_uses", "tasks")
    panels = [
        Panel("template_bar", ("templates",), load),
        Panel("template", topics, load, every_s=30),
    ]
    return await show(request, desk, look, "template", found.row.title, panels, row=found.row)


async def one(desk: Desk, look: Look, template_id: str) -> Template:
    found = await desk.read_model.query(queries.template, look.at, template_id)
    if found is None:
        raise look.absent(f"template {template_id[:80]!r}")
    return found


def version_of(found: Template, asked: str) -> TemplateVersion:
    """The version an address asks for, the newest where it asks for none. ``BadQuestion`` names those there are."""
    version = found.worded(int(asked) if asked.isdecimal() and len(asked) < 10 else -1 if asked else 0)
    if version is None:
        there = f"1 to {found.row.version}" if found.row.version > 1 else "1"
        raise BadQuestion(
            f"Template {found.row.template_id} has no version {asked[:20]!r} to look at; there is {there}."
        )
    return version


def _template(look: Look, found: Template) -> dict[str, Any]:
    shown = version_of(found, look.get("version"))
    against = version_of(found, look.get("against")) if look.get("against") else None
    return {
        "found": found, "row": found.row, "shown": shown, "spec": shown.spec, "against": against,
        "diff": _diff(against, shown) if against is not None else None, "text_of": slots.as_text,
        "drawing": outline.of_drafts(shown.spec.tasks),
        "written": written(shown.spec.description), "again": {use.use_id: _again(use) for use in found.uses},
    }  # fmt: skip


def _again(use: TemplateUse) -> str:
    """The form of another use with the same parameters; without them where they are too long for an address."""
    held = {f"param.{name}": given.shown(value) for name, value in use.params.items()}
    fits = sum(map(len, held.values())) < MOST_ADDRESS
    asked = query(session=use.session_id, lane=use.lane, version=use.version, **(held if fits else {}))
    return f"{template_path(use.template_id)}/use{asked}"


def _diff(before: TemplateVersion, after: TemplateVersion) -> Drawn:
    """The two wordings as JSON, line against line."""
    old, new = (builder.to_json(version.spec).splitlines() for version in (before, after))
    return drawn("\n".join(difflib.unified_diff(old, new, lineterm="", n=2)), MOST)


async def _templates(desk: Desk, look: Look) -> dict[str, Any]:
    return {
        "rows": await desk.read_model.query(queries.templates, look.at),
        "shipped": [(define.template_id, define.spec.title) for define in shipped()],
    }
