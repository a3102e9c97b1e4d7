"""A template and its parameters to tasks: always the same ones, or what is wrong with each parameter."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from core.domain import slots
from core.domain.slots import Value
from core.domain.spec import TaskSpec, plain
from core.domain.template_spec import GIVEN, Draft, TemplateSpec, empty, misfit
from core.domain.words import Policy, Refused

MAX_MADE = 256 << 10  # characters all tasks of one use may have: what a command could bring
LONGEST_TITLE = 500


class Made(msgspec.Struct, frozen=True):
    """A task a use makes, its id and its dependencies in full."""

    task_id: str
    spec: TaskSpec


def problems(spec: TemplateSpec, given: Mapping[str, Value]) -> dict[str, str]:
    """By parameter, what keeps the given values from being used."""
    found: dict[str, str] = {}
    for param in spec.params:
        value = given.get(param.name, param.default)
        if _is_missing(value):
            if param.required:
                found[param.name] = "it is needed"
        elif value is not None and (wrong := misfit(param, value)):
            found[param.name] = wrong
    known = {param.name for param in spec.params}
    return found | {name: "the template has no such parameter" for name in given if name not in known}


def expand(
    spec: TemplateSpec, given: Mapping[str, Value], *, session_id: str, prefix: str, lane: str = ""
) -> list[Made]:
    """The tasks, each after those it depends on. ``Refused`` names every parameter that does not fit, and why."""
    wrong = problems(spec, given)
    if wrong:
        raise Refused("; ".join(f"param {name}: {says}" for name, says in wrong.items()))
    values = complete(spec, given, session_id, prefix)
    _check_size(spec, values)
    wanted = {draft.name: draft for draft in spec.tasks if not draft.when or values[draft.when]}
    if not wanted:
        raise Refused("these parameters leave no task: every task of it has a condition that is no")
    needs = _bridged(spec, wanted)
    called = {name: f"{session_id}/{prefix}-{name}" for name in wanted}
    return [
        Made(called[name], _filled(wanted[name], values, [called[need] for need in needs[name]], lane or spec.lane))
        for name in _in_order(needs)
    ]


def complete(spec: TemplateSpec, given: Mapping[str, Value], session_id: str, prefix: str) -> dict[str, Value]:
    """A value for every place: as given, else the default, else empty."""
    values: dict[str, Value] = dict(zip(GIVEN, (prefix, session_id), strict=True))
    for param in spec.params:
        value = given.get(param.name, param.default)
        values[param.name] = empty(param.kind) if value is None else value
    return values


def _is_missing(value: Value | None) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _check_size(spec: TemplateSpec, values: Mapping[str, Value]) -> None:
    """Refuse what would grow beyond measure before a single text is put together."""
    texts = (text for draft in spec.tasks for _, text in draft.texts())
    size = sum(slots.length(slots.pieces(text), values) for text in texts)
    size += sum(len(slots.as_text(value)) for value in values.values()) * len(spec.tasks)  # commands set them once more
    if size > MAX_MADE:
        raise Refused(f"with these parameters its tasks have {size:,} characters; {MAX_MADE:,} is the most")


def _bridged(spec: TemplateSpec, wanted: Mapping[str, Draft]) -> dict[str, list[str]]:
    """What each wanted task waits for. Who waited for one that is left out waits for what that one needed."""
    drafts = {draft.name: draft for draft in spec.tasks}
    bridged: dict[str, list[str]] = {}
    for name in wanted:
        found: dict[str, None] = {}
        look = list(reversed(drafts[name].depends_on))
        seen = set(look)
        while look:
            need = look.pop()
            if need in wanted:
                found[need] = None
                continue
            beyond = [each for each in drafts[need].depends_on if each not in seen]
            seen.update(beyond)
            look += reversed(beyond)
        bridged[name] = list(found)
    return bridged


def _in_order(needs: Mapping[str, list[str]]) -> list[str]:
    """Names so that each comes after what it needs, otherwise as they stood."""
    done: dict[str, None] = {}
    left = list(needs)
    while left:
        ready = [name for name in left if all(need in done for need in needs[name])]
        done |= dict.fromkeys(ready)
        left = [name for name in left if name not in done]
    return list(done)


def _filled(draft: Draft, values: Mapping[str, Value], depends_on: list[str], lane: str) -> TaskSpec:
    title = _line(slots.fill(draft.title, values))
    if not 0 < len(title) <= LONGEST_TITLE:
        raise Refused(f"task {draft.name}: its title has {len(title)} characters; 1 to {LONGEST_TITLE} go")
    made = TaskSpec(
        title=title,
        prompt=slots.fill(draft.prompt, values),
        command=slots.fill_command(draft.command, values),
        kind=draft.kind,
        priority=draft.priority,
        lane=_line(slots.fill(draft.lane, values)) or lane,
        depends_on=depends_on,
        needs=_lines(draft.needs, values),
        files=_lines(draft.files, values),
        labels=_lines(draft.labels, values),
        policy=Policy(max_attempts=draft.max_attempts, time_limit_s=draft.time_limit_s),
    )
    try:
        return plain(msgspec.convert(msgspec.to_builtins(made), TaskSpec))
    except msgspec.ValidationError as error:
        raise Refused(f"task {draft.name} cannot be made with these parameters: {error}") from error


def _lines(texts: list[str], values: Mapping[str, Value]) -> list[str]:
    return [_line(each) for each in slots.fill_each(texts, values)]


def _line(text: str) -> str:
    return " ".join(text.split())
