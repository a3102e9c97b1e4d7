"""The form a template is written with: rows of parameters and tasks as text, what they make, what is wrong where.

Every button is a submit button: adding a row, taking one away, moving it up draws the same form anew, so nothing here
needs a script. Field names are the places of the faults: ``params.0.name``, ``tasks.2.prompt``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from console import given
from core.domain import slots
from core.domain.slots import is_name
from core.domain.template_spec import Draft, Fault, Param, TemplateSpec, faults

PARAM_FIELDS = ("name", "label", "kind", "required", "default", "choices", "least", "most", "whole", "long", "help")
TASK_FIELDS = (
    "name", "title", "prompt", "command", "lane", "priority", "depends_on", "needs", "files", "labels", "when",
    "max_attempts", "time_limit_s",
)  # fmt: skip
MOST_ROWS = {"params": 40, "tasks": 100}
SAID = {"depends_on": "after", "when": "only with", "max_attempts": "attempts", "time_limit_s": "time limit"}
FLAGS = ("required", "whole", "long")
LISTED = ("choices", "files", "labels")
NAMES = ("depends_on", "needs")
FOR_KIND = {
    "text": ("long", "least", "most"), "number": ("whole", "least", "most"), "list": ("least", "most"),
    "choice": ("choices",),
}  # fmt: skip

_ROW = re.compile(r"(params|tasks)\.(\d{1,3})\.(\w+)")
_STEP = re.compile(r"(params|tasks)\.(add|remove|up)(?:\.(\d{1,3}))?")
_WHERE = re.compile(r"\$\.(\w+)")

Row = dict[str, str]
T = TypeVar("T")


class Sketch(msgspec.Struct):
    """The form as it stands: text, whatever it is worth. ``base``: the version it was opened at, 0 for a new one."""

    template_id: str = ""
    base: str = "0"
    title: str = ""
    description: str = ""
    lane: str = "A"
    params: list[Row] = []
    tasks: list[Row] = []


def blank() -> Sketch:
    """What a new template begins with: one parameter, one task that uses it."""
    param = {"name": "goal", "label": "Goal", "kind": "text", "required": "yes"}
    return Sketch(params=[_row(PARAM_FIELDS, param)], tasks=[_row(TASK_FIELDS, {"name": "do", "title": "{{goal}}"})])


def sketch(template_id: str, base: int, spec: TemplateSpec) -> Sketch:
    """A template as the form shows it."""
    return Sketch(
        template_id=template_id,
        base=str(base),
        title=spec.title,
        description=spec.description,
        lane=spec.lane,
        params=[_row(PARAM_FIELDS, _texts(param, given.shown(param.default))) for param in spec.params],
        tasks=[_row(TASK_FIELDS, _texts(draft, "")) for draft in spec.tasks],
    )


def read(fields: Mapping[str, str]) -> Sketch:
    """The form as it was sent."""
    rows: dict[str, dict[int, Row]] = {"params": {}, "tasks": {}}
    for name, text in fields.items():
        if (found := _ROW.fullmatch(name)) is not None:
            rows[found[1]].setdefault(int(found[2]), {})[found[3]] = text
    plain = {name: fields.get(name, "") for name in ("template_id", "base", "title", "description", "lane")}
    return Sketch(
        **plain,
        params=[_row(PARAM_FIELDS, row) for _, row in sorted(rows["params"].items())],
        tasks=[_row(TASK_FIELDS, row) for _, row in sorted(rows["tasks"].items())],
    )


def step(sketch: Sketch, do: str) -> bool:
    """Carry out a button that changes rows: ``params.add``, ``tasks.remove.2``, ``params.up.1``. False: it is none."""
    found = _STEP.fullmatch(do)
    if found is None:
        return False
    rows: list[Row] = getattr(sketch, found[1])
    place = int(found[3] or 0)
    if found[2] == "add" and len(rows) < MOST_ROWS[found[1]]:
        rows.append(_row(PARAM_FIELDS if found[1] == "params" else TASK_FIELDS, {}))
    elif found[2] == "remove" and place < len(rows):
        del rows[place]
    elif found[2] == "up" and 0 < place < len(rows):
        rows[place - 1 : place + 1] = reversed(rows[place - 1 : place + 1])
    return True


def spec(sketch: Sketch) -> tuple[TemplateSpec | None, dict[str, str]]:
    """The template the form makes, None where it makes none, and by field what is wrong with it."""
    wrong: dict[str, str] = {}
    params = [_param(n, row, wrong) for n, row in enumerate(sketch.params)]
    tasks = [_task(n, row, wrong) for n, row in enumerate(sketch.tasks)]
    if not tasks:
        wrong[""] = "A template makes at least one task: add one."
    if not sketch.title.strip():
        wrong["title"] = "it needs a name in words"
    if wrong:
        return None, wrong
    try:
        made = msgspec.convert(
            {
                "title": sketch.title.strip(), "description": sketch.description.strip(),
                "lane": sketch.lane.strip() or "A", "params": msgspec.to_builtins(params),
                "tasks": msgspec.to_builtins(tasks),
            },
            TemplateSpec,
        )  # fmt: skip
    except msgspec.ValidationError as error:
        return None, {_field(error): _says(error)}
    found = faults(made)
    return (None if found else made), by_place(found)


def by_place(found: list[Fault]) -> dict[str, str]:
    """The first fault of each field."""
    told: dict[str, str] = {}
    for fault in found:
        told.setdefault(fault.place, fault.says if fault.place else str(fault))
    return told


def places(sketch: Sketch, wrong: Mapping[str, str]) -> list[tuple[str, str]]:
    """Where something is wrong: the row's anchor in the page, and the field in words."""
    told = []
    for place in wrong:
        kind, _, rest = place.partition(".")
        row, _, field = rest.partition(".")
        if not row.isdecimal():
            told.append(("what", place.replace("_", " ")))
            continue
        held: list[Row] = getattr(sketch, kind)
        thing = "parameter" if kind == "params" else "task"
        told.append(
            (f"{kind}-{row}", f"{thing} {held[int(row)]['name'][:40] or int(row) + 1}, {SAID.get(field, field)}")
        )
    return told


def to_json(spec: TemplateSpec) -> str:
    return msgspec.json.format(msgspec.json.encode(spec), indent=2).decode()


def from_json(text: str) -> tuple[TemplateSpec | None, str]:
    """A template from its JSON, or what is wrong with that."""
    try:
        made = msgspec.json.decode(text.encode(), type=TemplateSpec)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        return None, f"This is not a template: {error}"
    found = faults(made)
    return (None, "; ".join(map(str, found[:5]))) if found else (made, "")


def _row(fields: tuple[str, ...], texts: Mapping[str, str]) -> Row:
    defaults = {"kind": "text", "priority": "2"}
    return {field: texts.get(field, defaults.get(field, "")) for field in fields}


def _texts(held: Param | Draft, default: str) -> Row:
    """The fields of a parameter or a task as text. What is as it would be anyway stays empty."""
    texts: Row = {}
    for field in msgspec.structs.fields(type(held)):
        inner = getattr(held, field.name)
        if field.name == "default":
            texts[field.name] = default
        elif field.name in FLAGS:
            texts[field.name] = "yes" if inner else ""
        elif field.name in LISTED:
            texts[field.name] = "\n".join(inner)
        elif field.name in NAMES:
            texts[field.name] = ", ".join(inner)
        elif field.name in ("least", "most", "max_attempts", "time_limit_s"):
            texts[field.name] = "" if inner in (None, field.default) else slots.as_text(inner)
        else:
            texts[field.name] = str(inner)
    return texts


def _param(n: int, row: Row, wrong: dict[str, str]) -> Param | None:
    body: dict[str, Any] = {"name": row["name"].strip(), "kind": row["kind"] or "text"}
    body |= {field: row[field].strip() for field in ("label", "help") if row[field].strip()}
    concern = FOR_KIND.get(row["kind"], ())  # what does not concern its kind is not shown, and not meant
    body |= {flag: True for flag in FLAGS if row[flag] and (flag == "required" or flag in concern)}
    body |= {field: row[field].strip() for field in ("least", "most") if row[field].strip() and field in concern}
    if "choices" in concern:
        body["choices"] = given.items(row["choices"])
    made = _converted(f"params.{n}", body, Param, wrong)
    if made is None or not row["default"].strip():
        return made
    try:
        return msgspec.structs.replace(made, default=given.value(made, row["default"]))
    except given.Unread as unread:
        wrong[f"params.{n}.default"] = str(unread)
        return None


def _task(n: int, row: Row, wrong: dict[str, str]) -> Draft | None:
    body: dict[str, Any] = {field: row[field].strip() for field in ("name", "title", "lane", "when")}
    body |= {field: row[field] for field in ("prompt", "command")}
    body |= {field: given.items(row[field]) for field in ("files", "labels")}
    body |= {field: given.words(row[field]) for field in NAMES}
    body |= {f: row[f].strip() for f in ("priority", "max_attempts", "time_limit_s") if row[f].strip()}
    return _converted(f"tasks.{n}", body, Draft, wrong)


def _converted(place: str, body: dict[str, Any], kind: type[T], wrong: dict[str, str]) -> T | None:
    try:
        return msgspec.convert(body, kind, strict=False)
    except msgspec.ValidationError as error:
        wrong[f"{place}.{_field(error) or 'name'}"] = _says(error)
        return None


def _field(error: msgspec.ValidationError) -> str:
    found = _WHERE.search(str(error))
    return found[1] if found else ""


def _says(error: msgspec.ValidationError) -> str:
    """``Expected `float` <= 100 - at `$.least` `` as a person would say it."""
    says = str(error).partition(" - at ")[0].replace("`", "")
    return says[:1].lower() + says[1:]


def suggested(title: str) -> str:
    """A template's id made from its title."""
    name = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:40].strip("_")
    return name if is_name(name) else "template"
