"""A template as data: parameters, tasks worded with places for them, and every fault that can be found in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from core.domain import graph, slots
from core.domain.slots import Value
from core.domain.spec import Ids
from core.domain.words import LONGEST_TASK_ID, Line, Name, Policy, Priority, Text

Kind = Literal["text", "number", "yes_no", "choice", "list"]
KINDS: tuple[Kind, ...] = ("text", "number", "yes_no", "choice", "list")
GIVEN = ("prefix", "session")  # what every use knows without being told; no parameter may be called so

MAX_SPEC = 64 << 10  # bytes of a template as JSON
LONGEST_LOCAL = 60  # characters of a task's name within its template
EDGE = 2.0**53

Whole = Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]
Fraction = Annotated[float, Meta(ge=-EDGE, le=EDGE)]
Help = Annotated[str, Meta(max_length=1_000)]
Given = Annotated[str, Meta(max_length=10_000)] | Whole | Fraction | bool | Annotated[list[Line], Meta(max_length=100)]


class Param(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a use is asked for. ``least`` and ``most`` bound a number's value, a text's characters, a list's items.
    ``whole``: a number without fraction; ``long``: a text of several lines."""

    name: Line
    label: Line = ""
    kind: Kind = "text"
    required: bool = False
    default: Given | None = None
    choices: Annotated[list[Line], Meta(max_length=50)] = []
    least: Whole | Fraction | None = None
    most: Whole | Fraction | None = None
    whole: bool = False
    long: bool = False
    help: Help = ""

    @property
    def called(self) -> str:
        return self.label or self.name


class Draft(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A task to be. Its texts may hold ``{{param}}``. ``depends_on``: names of other drafts. ``when``: a yes/no
    parameter; the task is made only where that is yes. ``lane``: empty for the template's."""

    name: Line
    title: Line
    prompt: Text = ""
    command: Text = ""
    kind: Line = "task"
    priority: Priority = 2
    lane: Line = ""
    depends_on: Ids = []
    needs: Annotated[list[Name], Meta(max_length=50)] = []
    files: Annotated[list[Annotated[str, Meta(max_length=1_000)]], Meta(max_length=500)] = []
    labels: Annotated[list[Line], Meta(max_length=200)] = []
    when: Line = ""
    max_attempts: Annotated[int, Meta(ge=1, le=100)] = Policy().max_attempts
    time_limit_s: Annotated[float, Meta(gt=0, le=604_800)] = Policy().time_limit_s

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every text of it that may hold a place, with its field's name."""
        for field in ("title", "prompt", "command", "lane"):
            yield field, getattr(self, field)
        for field in ("needs", "files", "labels"):
            for text in getattr(self, field):
                yield field, text


class TemplateSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a template is. ``lane``: where its tasks wait unless they or the use say otherwise."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    description: Annotated[str, Meta(max_length=10_000)] = ""
    lane: Name = "A"
    params: Annotated[list[Param], Meta(max_length=40)] = []
    tasks: Annotated[list[Draft], Meta(min_length=1, max_length=100)]


class Fault(msgspec.Struct, frozen=True):
    """What is wrong and where: ``params.0.name``, ``tasks.2.prompt``; ``thing`` is that place in words."""

    place: str
    thing: str
    says: str

    def __str__(self) -> str:
        return f"{self.thing}: {self.says}"


def faults(spec: TemplateSpec) -> list[Fault]:
    """Everything that keeps the template from being used, in the order of its text."""
    if (size := len(msgspec.json.encode(spec))) > MAX_SPEC:
        return [Fault("", "the template", f"it has {size:,} bytes; {MAX_SPEC:,} is the most")]
    found = [Fault("title", "title", "it needs a name in words")] if not spec.title.strip() else []
    known: dict[str, Param] = {}
    for n, param in enumerate(spec.params):
        said = {**_of_param(param, known)}
        found += [
            Fault(f"params.{n}.{field}", f"parameter {param.name or n + 1}", says) for field, says in said.items()
        ]
        known.setdefault(param.name, param)
    drafts = {draft.name: draft for draft in spec.tasks}
    seen: set[str] = set()
    for n, draft in enumerate(spec.tasks):
        thing = f"task {draft.name or n + 1}"
        for field, says in _of_draft(draft, known, drafts, seen):
            found.append(Fault(f"tasks.{n}.{field}", f"{thing}, {field}", says))
        seen.add(draft.name)
    return found or _circles(spec)


def misfit(param: Param, value: Value) -> str:
    """Why the value cannot be the parameter's; nothing when it can."""
    match param.kind, value:
        case "yes_no", bool():
            return ""
        case "number", int() | float() if not isinstance(value, bool):
            if param.whole and value != int(value):
                return f"{slots.as_text(value)} is not a whole number"
            return _outside(param, value, slots.as_text(value), "")
        case "text", str():
            return _of_text(param, value)
        case "choice", str():
            return "" if value in param.choices else f"{value[:60]!r} is none of {', '.join(param.choices)[:200]}"
        case "list", list():
            wrong = next((says for item in value if (says := _of_line(item))), "")
            return wrong or _outside(param, len(value), f"{len(value)} items", " items")
        case _:
            wanted = {"yes_no": "yes or no", "list": "a list of lines", "number": "a number"}
            return f"{slots.as_text(value)[:60]!r} is not {wanted.get(param.kind, 'a text')}"


def empty(kind: Kind) -> Value:
    """What an optional parameter is that was neither given nor has a default."""
    match kind:
        case "yes_no":
            return False
        case "list":
            return []
        case _:
            return ""


def _of_text(param: Param, value: str) -> str:
    if (control := next((char for char in value if ord(char) < 32 and char not in "\n\t"), None)) is not None:
        return f"it holds the control character {ord(control)}, which no text needs"
    if not param.long and "\n" in value:
        return "it takes one line"
    return _outside(param, len(value), f"{len(value):,} characters", " characters")


def _of_line(item: str) -> str:
    if any(ord(char) < 32 for char in item):
        return "an item is one line without control characters"
    return "" if item.strip() else "it has an empty item"


def _outside(param: Param, value: float, shown: str, unit: str) -> str:
    if param.least is not None and value < param.least:
        return f"{shown} is less than {slots.as_text(param.least)}{unit}"
    if param.most is not None and value > param.most:
        return f"{shown} is more than {slots.as_text(param.most)}{unit}"
    return ""


def _of_param(param: Param, known: Mapping[str, Param]) -> dict[str, str]:
    said: dict[str, str] = {}
    if not slots.is_name(param.name) or len(param.name) > 40:
        said["name"] = "a name is 1 to 40 small letters and digits, words joined by single underscores"
    elif param.name in known:
        said["name"] = f"there are two parameters called {param.name}"
    elif param.name in GIVEN:
        said["name"] = f"{{{{{param.name}}}}} is known to every use; call this one otherwise"
    if param.kind == "choice":
        choices = [choice for choice in param.choices if choice.strip()]
        if not choices or len(choices) != len(param.choices):
            said["choices"] = "a choice needs its choices, one a line"
        elif len(set(choices)) < len(choices):
            said["choices"] = "it offers the same thing twice"
    elif param.choices:
        said["choices"] = "only a choice has choices"
    if param.least is not None and param.most is not None and param.least > param.most:
        said["most"] = "it is less than the least"
    if param.default is not None and not said and (wrong := misfit(param, param.default)):
        said["default"] = wrong
    return said


def _of_draft(
    draft: Draft, known: Mapping[str, Param], drafts: Mapping[str, Draft], seen: set[str]
) -> Iterator[tuple[str, str]]:
    if not draft.name or len(draft.name) > LONGEST_LOCAL or not _is_local(draft.name):
        yield "name", f"a name is 1 to {LONGEST_LOCAL} letters, digits, - _ and ."
    elif draft.name in seen:
        yield "name", f"there are two tasks called {draft.name}"
    if not draft.title.strip():
        yield "title", "it needs a title"
    if draft.prompt.strip() and draft.command.strip():
        yield "command", "it has a prompt as well: an agent is told something, or a shell runs something, not both"
    for field, text in draft.texts():
        yield from ((field, says) for says in _of_places(field, text, known))
    if draft.when and (draft.when not in known or known[draft.when].kind != "yes_no"):
        yield "when", f"{draft.when[:60]} is no yes/no parameter of this template"
    if len(set(draft.depends_on)) < len(draft.depends_on):
        yield "depends_on", "it names a task twice"
    for need in draft.depends_on:
        if need not in drafts:
            yield "depends_on", f"there is no task {need[:60]!r} in this template"


def _of_places(field: str, text: str, known: Mapping[str, Param]) -> Iterator[str]:
    try:
        found = slots.in_shell(text) if field == "command" else slots.pieces(text)
    except slots.BadSlot as bad:
        yield str(bad)
        return
    for piece in found:
        if isinstance(piece, str):
            continue
        param = known.get(piece.name)
        if param is None and piece.name not in GIVEN:
            yield f"{{{{{piece.name}}}}} is no parameter of this template"
        elif piece.quote == "'":
            yield f"{{{{{piece.name}}}}} stands within single quotes; leave them out, a value is quoted by itself"
        elif piece.quote and param is not None and param.kind == "list":
            yield f"{{{{{piece.name}}}}} is a list and stands within quotes; leave them out, each item becomes a word"


def _is_local(name: str) -> bool:
    return name.isascii() and all(char.isalnum() or char in "-_." for char in name)


def _circles(spec: TemplateSpec) -> list[Fault]:
    found = graph.cycles({draft.name: draft.depends_on for draft in spec.tasks})
    if not found:
        return []
    place = next(n for n, draft in enumerate(spec.tasks) if draft.name == found[0][0])
    circle = f"these wait for each other: {', '.join(found[0][:9])}"
    return [Fault(f"tasks.{place}.depends_on", f"task {found[0][0]}, depends_on", circle)]


assert LONGEST_LOCAL < LONGEST_TASK_ID
