"""A task's wording as a form has it: a text for each field, the values they stand for, and what two people made of it.

A field's name is that of the spec, dotted where it lies within another: ``policy.max_attempts``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from console.terminal import visible
from core.domain.spec import TaskSpec

Texts = dict[str, str]
Kind = Literal["line", "text", "words", "lines", "number"]
Change = Literal["", "add", "del"]

COMPARED_LINES = 2_000  # of a text shown line by line; longer ones are shown without marks

_BETWEEN: dict[Kind, str] = {"words": r"[,\s]+", "lines": r"\s*\n\s*"}
_JOINED: dict[Kind, str] = {"words": ", ", "lines": "\n"}


class Field(msgspec.Struct, frozen=True):
    name: str
    label: str
    kind: Kind = "line"


# All that can be worded anew after a task was submitted.
FIELDS = (
    Field("title", "Title"),
    Field("prompt", "Description", "text"),
    Field("command", "Command", "text"),
    Field("lane", "Lane"),
    Field("priority", "Priority", "number"),
    Field("needs", "Abilities", "words"),
    Field("files", "Files it may touch", "lines"),
    Field("labels", "Labels", "lines"),
    Field("policy.max_attempts", "Attempts", "number"),
    Field("policy.time_limit_s", "Time limit, seconds", "number"),
    Field("policy.backoff_s", "Wait after a failure, seconds", "number"),
    Field("policy.backoff_cap_s", "Longest wait, seconds", "number"),
    Field("policy.jitter", "Share of it left to chance", "number"),
)
# These, too, when it is written.
FIRST = (
    Field("kind", "Kind"),
    Field("depends_on", "After", "words"),
    Field("parents", "Part of", "words"),
)
_KINDS = {field.name: field.kind for field in (*FIELDS, *FIRST)}


class Line(msgspec.Struct, frozen=True):
    text: str
    change: Change = ""


class Difference(msgspec.Struct, frozen=True):
    """A field that somebody changed since ``base``: what it was, what it is now, what the operator wrote.

    ``clash``: both changed it, and not alike. The lines are marked against ``base``."""

    field: Field
    base: list[Line]
    theirs: list[Line]
    mine: list[Line]
    they_changed: bool
    i_changed: bool
    clash: bool


def texts(spec: TaskSpec) -> Texts:
    """Every field as a form shows it. What a browser would hide or drop is written out, as on every page."""
    return {field.name: _text(_value(spec, field.name), field.kind) for field in (*FIELDS, *FIRST)}


def typed(form: Mapping[str, str], prefix: str = "spec.") -> Texts:
    """The fields of a posted form, line ends as the log has them."""
    given = {name.removeprefix(prefix): text for name, text in form.items() if name.startswith(prefix)}
    return {name: _clean(text, _KINDS[name]) for name, text in given.items() if name in _KINDS}


def values(typed: Mapping[str, str]) -> dict[str, Any]:
    """A spec's fields, nested, as texts say; numbers stay text for the decoder, and an empty one keeps its default."""
    body: dict[str, Any] = {}
    for name, text in typed.items():
        kind = _KINDS[name]
        if kind == "number" and not text.strip():
            continue
        *holders, inner = name.split(".")
        place = body
        for holder in holders:
            place = place.setdefault(holder, {})
        place[inner] = _listed(text, kind) if kind in _BETWEEN else text
    return body


def changes(base: Mapping[str, str], mine: Mapping[str, str]) -> dict[str, Any]:
    """What ``mine`` says otherwise than ``base``, as values."""
    return values({name: text for name, text in mine.items() if text != base.get(name)})


def merged(base: Mapping[str, str], theirs: Mapping[str, str], mine: Mapping[str, str]) -> Texts:
    """The operator's words where he changed any, else what stands there now."""
    return {name: mine[name] if mine.get(name, text) != base[name] else text for name, text in theirs.items()} | {
        name: text for name, text in mine.items() if name not in theirs
    }


def differences(base: Mapping[str, str], theirs: Mapping[str, str], mine: Mapping[str, str]) -> list[Difference]:
    """Every field that one of the two changed, in the form's order."""
    found = []
    for field in FIELDS:
        was, now = base[field.name], theirs[field.name]
        wrote = mine.get(field.name, was)
        if was == now == wrote:
            continue
        found.append(
            Difference(
                field, _marked(was, was, "del"), _marked(was, now, "add"), _marked(was, wrote, "add"),
                they_changed=now != was, i_changed=wrote != was, clash=now != was and wrote not in (was, now),
            )
        )  # fmt: skip
    return found


def at_field(problem: str) -> tuple[str, str]:
    """The field a decoder's sentence speaks of, and the sentence without it: ``Expected … - at `$.spec.title```."""
    found = re.search(r"^(.*) - at `\$\.(?:spec|changes)\.([\w.]+)", problem)
    return (found[2], found[1]) if found and found[2] in _KINDS else ("", problem)


def _value(spec: TaskSpec, name: str) -> Any:
    value: Any = spec
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _text(value: Any, kind: Kind) -> str:
    if isinstance(value, list):
        return visible(_JOINED[kind].join(" ".join(each.split("\n")) for each in value))
    if kind == "number":
        return f"{value:g}"
    return _clean(visible(value), kind)


def _clean(text: str, kind: Kind) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if kind == "text":
        return text
    return text.strip() if kind != "line" else " ".join(text.split("\n")).strip()


def _listed(text: str, kind: Kind) -> list[str]:
    return [each for each in re.split(_BETWEEN[kind], text.strip()) if each]


def _marked(base: str, text: str, change: Change) -> list[Line]:
    """The text's lines; those that ``base`` has not are marked. (Of ``base`` itself none is.)"""
    was, now = base.split("\n"), text.split("\n")
    if base == text or max(len(was), len(now)) > COMPARED_LINES:
        return [Line(line) for line in now]
    out: list[Line] = []
    for tag, _, _, start, end in difflib.SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        out += [Line(line, "" if tag == "equal" else change) for line in now[start:end]]
    return out
