"""A template: a plan with places for parameters, kept in versions, and used to make tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from core.domain import session, task
from core.domain.expansion import Made, expand
from core.domain.spec import TaskState
from core.domain.template_spec import Given, TemplateSpec, faults
from core.domain.words import Count, Fact, Line, Name, Order, Refused, check_name, check_task_id, count

if TYPE_CHECKING:
    from core.domain.state import State

MAX_TEMPLATES = 200
KEPT = 10  # versions of a template that can still be used
RESERVED = ("new", ".", "..")  # words of the console's addresses
TOLD = 4  # faults a refusal names one by one

Params = Annotated[dict[Annotated[str, Meta(max_length=60)], Given], Meta(max_length=60)]


class Define(Order, frozen=True, tag="template.define"):
    """A new template, or the next version of one. ``base``: the version the author saw, 0 for a new template."""

    template_id: Name
    spec: TemplateSpec
    base: Count = 0


class Retire(Order, frozen=True, tag="template.retire"):
    """Not to be used any more. What it made stays; defining it again brings it back."""

    template_id: Name
    reason: Line = ""


class Use(Order, frozen=True, tag="template.use"):
    """Make its tasks, called ``<prefix>-<name>``. ``version`` 0: the newest. ``lane``: instead of the template's."""

    template_id: Name
    session_id: Name
    prefix: Name
    version: Count = 0
    lane: Line = ""
    params: Params = {}


class Defined(Fact, frozen=True, tag="template.defined"):
    template_id: str
    version: int
    spec: TemplateSpec


class Retired(Fact, frozen=True, tag="template.retired"):
    template_id: str
    reason: str = ""


class Used(Fact, frozen=True, tag="template.used"):
    """A ``task.submitted`` follows for each of ``tasks``."""

    template_id: str
    version: int
    use_id: str
    session_id: str
    prefix: str
    tasks: list[str]
    lane: str = ""
    params: Params = {}


Command = Define | Retire | Use
Event = Defined | Retired | Used | task.Submitted


class Template(msgspec.Struct):
    """``versions``: the newest few, by number; none of one that is retired. ``uses``: how many there were."""

    template_id: str
    version: int = 0
    uses: int = 0
    versions: dict[int, TemplateSpec] = {}

    @property
    def retired(self) -> bool:
        return not self.versions


def decide(state: State, command: Command, at: int) -> list[Event]:
    match command:
        case Define():
            return [_define(state, command)]
        case Retire(template_id=template_id, reason=reason):
            if known(state, template_id).retired:
                raise Refused(f"template {template_id!r} is retired already", outcome="already_so")
            return [Retired(template_id=template_id, reason=reason)]
        case Use():
            return _use(state, command)


def evolve(state: State, fact: Defined | Retired | Used, seq: int) -> None:
    match fact:
        case Defined():
            template = state.templates.setdefault(fact.template_id, Template(fact.template_id))
            template.version = fact.version
            template.versions[fact.version] = fact.spec
            template.versions.pop(fact.version - KEPT, None)
        case Retired():
            state.templates[fact.template_id].versions.clear()
        case Used():
            state.templates[fact.template_id].uses += 1


def known(state: State, template_id: str) -> Template:
    template = state.templates.get(template_id)
    if template is None:
        raise Refused(f"there is no template {template_id!r}: define it first")
    return template


def _define(state: State, command: Define) -> Defined:
    check_name("template", command.template_id)
    if command.template_id in RESERVED:
        raise Refused(f"template name {command.template_id!r} is a word of the console's addresses: take another one")
    before = state.templates.get(command.template_id)
    version = before.version if before is not None else 0
    if before is not None and before.versions.get(version) == command.spec:
        raise Refused(f"template {command.template_id!r} reads so already, as version {version}", outcome="already_so")
    if command.base != version:
        raise Refused(_overtaken(command, version))
    if before is None and len(state.templates) >= MAX_TEMPLATES:
        raise Refused(f"there are {MAX_TEMPLATES} templates, the most there can be: define one of them anew instead")
    wrong = faults(command.spec)
    if wrong:
        more = f"; and {count(len(wrong) - TOLD, 'more fault')}" if len(wrong) > TOLD else ""
        raise Refused("; ".join(map(str, wrong[:TOLD])) + more)
    return Defined(template_id=command.template_id, version=version + 1, spec=command.spec)


def _overtaken(command: Define, version: int) -> str:
    if not version:
        return f"there is no template {command.template_id!r} to be changed from version {command.base}"
    if not command.base:
        return (
            f"template {command.template_id!r} exists already, at version {version}: change that, or take another name"
        )
    return (
        f"template {command.template_id!r} was changed since you opened it: you saw version {command.base}, "
        f"it is at version {version}"
    )


def _use(state: State, command: Use) -> list[Event]:
    template = known(state, command.template_id)
    version, spec = _version(template, command.version)
    session.open_one(state, command.session_id)
    made = expand(spec, command.params, session_id=command.session_id, prefix=command.prefix, lane=command.lane.strip())
    _check(state, made)
    use_id = f"{command.template_id}~{template.uses + 1}"
    used = Used(
        template_id=command.template_id,
        version=version,
        use_id=use_id,
        session_id=command.session_id,
        prefix=command.prefix,
        lane=command.lane.strip(),
        params=command.params,
        tasks=[each.task_id for each in made],
    )
    source = {"template": command.template_id, "version": version, "use": use_id}
    return [used, *(_submitted(command.session_id, each, source) for each in made)]


def _version(template: Template, asked: int) -> tuple[int, TemplateSpec]:
    if template.retired:
        raise Refused(f"template {template.template_id!r} is retired: define it again to use it")
    version = asked or template.version
    spec = template.versions.get(version)
    if spec is None:
        kept = f"{min(template.versions)} to {template.version}"
        raise Refused(f"template {template.template_id!r} has no version {version} to be used; there are {kept}")
    return version, spec


def _check(state: State, made: list[Made]) -> None:
    """What a submitted task must be, of each: its id, that it is new, its lane."""
    for each in made:
        check_task_id(each.task_id)
        if each.task_id in state.tasks or each.task_id in state.over:
            raise Refused(f"task {each.task_id} exists already: use another prefix")
        task.check_spec(state, each.task_id, each.spec)


def _submitted(session_id: str, made: Made, source: dict[str, Any]) -> task.Submitted:
    """The task, which knows where it comes from. Nothing it waits for can be done yet: all of it is new."""
    spec = msgspec.structs.replace(made.spec, source=source)
    initial: TaskState = "blocked" if spec.depends_on else "ready"
    return task.Submitted(task_id=made.task_id, session_id=session_id, spec=spec, state=initial)
