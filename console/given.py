"""Parameters of a template as a person gives them: text in a form or on the command line, read by their kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from core.domain import slots
from core.domain.slots import Value
from core.domain.template_spec import Param, TemplateSpec

YES, NO = frozenset({"yes", "true", "on", "1"}), frozenset({"no", "false", "off", "0"})


class Unread(Exception):
    """Text that is no value of the parameter's kind."""


def value(param: Param, text: str) -> Value | None:
    """The value the text stands for; None for nothing. ``Unread`` says what it should be."""
    plain = text.replace("\r\n", "\n")
    if not plain.strip():
        return None
    match param.kind:
        case "number":
            return _number(plain.strip())
        case "yes_no":
            word = plain.strip().lower()
            if word not in YES | NO:
                raise Unread(f"{plain.strip()[:60]!r} is not yes or no")
            return word in YES
        case "list":
            return items(plain)
        case "text" if param.long:
            return plain
        case _:
            return plain.strip()


def values(spec: TemplateSpec, texts: Mapping[str, str]) -> tuple[dict[str, Value], dict[str, str]]:
    """What was given of the template's parameters, and by parameter what could not be read."""
    read: dict[str, Value] = {}
    wrong: dict[str, str] = {}
    for param in spec.params:
        try:
            found = value(param, texts.get(param.name, ""))
        except Unread as unread:
            wrong[param.name] = str(unread)
        else:
            if found is not None:
                read[param.name] = found
    return read, wrong


def items(text: str) -> list[str]:
    """One item a line; a single line may separate them by commas."""
    parts = text.splitlines() if "\n" in text.strip() else text.split(",")
    return [part.strip() for part in parts if part.strip()]


def words(text: str) -> list[str]:
    """Names, separated by commas, spaces or lines."""
    return [part for part in re.split(r"[,\s]+", text) if part]


def shown(held: object) -> str:
    """A value as it stands in a form's field."""
    if held is None:
        return ""
    if isinstance(held, list):
        return "\n".join(map(str, held))
    return slots.as_text(held) if isinstance(held, str | int | float) else str(held)


def texts(spec: TemplateSpec, held: Mapping[str, object]) -> dict[str, str]:
    """What each field holds: the value given before, else the default."""
    return {param.name: shown(held.get(param.name, param.default)) for param in spec.params}


def told(reason: str, names: Iterable[str]) -> dict[str, str]:
    """By parameter what a refusal says of it (``param count: 7 is more than 5; param …``); nothing for another one."""
    found = re.findall(r"param ([a-z0-9_]+): (.*?)(?=; param [a-z0-9_]+: |$)", reason)
    known = set(names)
    return {name: says for name, says in found if name in known}


def schema(spec: TemplateSpec) -> dict[str, Any]:
    """The parameters as JSON Schema (2020-12): what other programs can make a form or check a use with."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": spec.title,
        "type": "object",
        "properties": {param.name: _schema(param) for param in spec.params},
        "required": [param.name for param in spec.params if param.required and param.default is None],
        "additionalProperties": False,
    }


def _schema(param: Param) -> dict[str, Any]:
    said: dict[str, Any] = {"title": param.called}
    low, high = {"text": ("minLength", "maxLength"), "list": ("minItems", "maxItems")}.get(
        param.kind, ("minimum", "maximum")
    )
    match param.kind:
        case "number":
            said["type"] = "integer" if param.whole else "number"
        case "yes_no":
            said["type"] = "boolean"
        case "list":
            said |= {"type": "array", "items": {"type": "string", "minLength": 1}}
        case "choice":
            said |= {"type": "string", "enum": param.choices}
        case "text":
            said["type"] = "string"
    bounds = {low: param.least, high: param.most} if param.kind in ("number", "text", "list") else {}
    said |= {
        name: bound if param.kind == "number" else int(bound) for name, bound in bounds.items() if bound is not None
    }
    said |= {"description": param.help} if param.help else {}
    return said | ({"default": param.default} if param.default is not None else {})


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        read = float(text)
    except ValueError:
        raise Unread(f"{text[:60]!r} is not a number") from None
    if not abs(read) <= 2**53:  # nan is not, either
        raise Unread(f"{text[:60]!r} is beyond what can be counted")
    return read


def stand_in(param: Param) -> Value:
    """A value that fits, for a look at what a template makes before anybody was asked."""
    match param.kind:
        case "number":
            return param.least if param.least is not None else min(1.0, param.most if param.most is not None else 1.0)
        case "yes_no":
            return True
        case "choice":
            return param.choices[0]
        case "list":
            return [f"{param.called} {n}"[:100] for n in range(1, 1 + int(max(1, param.least or 0)))]
        case _:
            text = f"‹{param.called}›".ljust(int(param.least or 0), "·")
            return text[: int(param.most)] if param.most is not None else text
