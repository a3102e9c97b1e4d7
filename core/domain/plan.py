"""A plan: many tasks at once, all or nothing. Staged tasks are invisible until the seal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from core.domain import graph, session
from core.domain import task as tasks
from core.domain.task import TaskSpec, TaskState
from core.domain.words import MAX_FACTS, Fact, Line, Name, Order, Refused, check_task_id, count, listed

if TYPE_CHECKING:
    from core.domain.state import State

MAX_PLAN = 200_000
CHUNK = 1_000  # task ids one plan.released names: keeps the fact far below its size limit


class Planned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    task_id: str
    spec: TaskSpec


class Begin(Order, frozen=True, tag="plan.begin"):
    """``cycles``: refuse a plan that holds one, or (imports) block its tasks and report it."""

    plan_id: Name
    session_id: Name
    source: Line = ""
    cycles: Literal["refuse", "block"] = "refuse"


class Add(Order, frozen=True, tag="plan.add"):
    plan_id: Name
    tasks: Annotated[list[Planned], Meta(min_length=1, max_length=MAX_FACTS)]


class Seal(Order, frozen=True, tag="plan.seal"):
    plan_id: Name


class Drop(Order, frozen=True, tag="plan.drop"):
    plan_id: Name
    reason: Line = ""


class Begun(Fact, frozen=True, tag="plan.begun"):
    plan_id: str
    session_id: str
    source: str = ""
    cycles: Literal["refuse", "block"] = "refuse"


class Staged(Fact, frozen=True, tag="task.staged"):
    """A task, or a new wording of one, that is part of a plan not sealed yet."""

    task_id: str
    session_id: str
    plan_id: str
    spec: TaskSpec


class Released(Fact, frozen=True, tag="plan.released"):
    """The tasks' states from the seal on, up to 1,000 of them; several facts for a large plan, then ``plan.sealed``."""

    plan_id: str
    ready: list[str] = []
    blocked: list[str] = []
    paused: list[str] = []
    done: list[str] = []
    revised: list[str] = []


class Sealed(Fact, frozen=True, tag="plan.sealed"):
    """The plan is in force. ``cycles``: groups of tasks that wait for each other and stay blocked."""

    plan_id: str
    session_id: str
    new: int
    revised: int = 0
    unchanged: int = 0
    ready: int = 0
    cycles: list[list[str]] = []


class Dropped(Fact, frozen=True, tag="plan.dropped"):
    plan_id: str
    reason: str


Command = Begin | Add | Seal | Drop
Event = Begun | Staged | Released | Sealed | Dropped


class Plan(msgspec.Struct):
    plan_id: str
    session_id: str
    cycles: Literal["refuse", "block"]
    staged: dict[str, TaskSpec] = {}
    unchanged: int = 0


def decide(state: State, command: Command, at: int) -> list[Event]:
    match command:
        case Begin():
            return _begin(state, command)
        case Add():
            return _add(state, _under_way(state, command.plan_id), command)
        case Seal():
            return _seal(state, _under_way(state, command.plan_id))
        case Drop(reason=reason):
            return [Dropped(plan_id=_under_way(state, command.plan_id).plan_id, reason=reason or "dropped by order")]


def evolve(state: State, fact: Begun | Staged | Sealed | Dropped, seq: int) -> None:
    match fact:
        case Begun():
            state.plans[fact.plan_id] = Plan(fact.plan_id, fact.session_id, fact.cycles, {})
        case Staged():
            state.plans[fact.plan_id].staged[fact.task_id] = fact.spec
        case Dropped():
            del state.plans[fact.plan_id]
        case Sealed():
            put_in_force(state, state.plans.pop(fact.plan_id), seq)
            state.sealed_plans[fact.plan_id] = None


def _begin(state: State, command: Begin) -> list[Event]:
    session.open_one(state, command.session_id)
    if command.plan_id in state.plans or command.plan_id in state.sealed_plans:
        raise Refused(f"plan {command.plan_id!r} exists already", outcome="already_so")
    return [Begun(plan_id=command.plan_id, session_id=command.session_id, source=command.source, cycles=command.cycles)]


def _under_way(state: State, plan_id: str) -> Plan:
    if plan_id in state.sealed_plans:
        raise Refused(f"plan {plan_id!r} is sealed already", outcome="already_so")
    plan = state.plans.get(plan_id)
    if plan is None:
        raise Refused(f"there is no plan {plan_id!r} under way: begin it first (a refused seal drops the plan)")
    return plan


def _add(state: State, plan: Plan, command: Add) -> list[Event]:
    facts: list[Event] = []
    seen: dict[str, TaskSpec] = {}
    for planned in command.tasks:
        session_id, _ = check_task_id(planned.task_id)
        if session_id != plan.session_id:
            raise Refused(f"task {planned.task_id} is not of session {plan.session_id!r}, which the plan is for")
        before = seen.get(planned.task_id) or plan.staged.get(planned.task_id)
        if before is not None and before != planned.spec:
            raise Refused(f"task {planned.task_id} is in the plan twice, worded differently")
        if before is None and not _is_known_as(state, planned):
            tasks.check_spec(state, planned.task_id, planned.spec)
            facts.append(
                Staged(task_id=planned.task_id, session_id=session_id, plan_id=plan.plan_id, spec=planned.spec)
            )
        seen[planned.task_id] = planned.spec
    if len(plan.staged) + len(facts) > MAX_PLAN:
        raise Refused(f"plan {plan.plan_id!r} is over {MAX_PLAN:,} tasks: split it into several plans")
    if not facts:
        raise Refused(f"{count(len(seen), 'task')} known already, worded the same", outcome="already_so")
    return facts


def _is_known_as(state: State, planned: Planned) -> bool:
    task = state.tasks.get(planned.task_id)
    if task is not None:
        return task.spec == planned.spec
    over = state.over.get(planned.task_id)
    return over is not None and over.digest == tasks.digest(planned.spec)


def _seal(state: State, plan: Plan) -> list[Event]:
    for task_id, spec in plan.staged.items():
        missing = [other for other in (*spec.depends_on, *spec.parents) if not _exists(state, plan, other)]
        if missing:
            raise _drop(plan, f"task {task_id} needs {listed(missing)}, which is neither in the plan nor known")
    circles = _circles(state, plan)
    if circles and plan.cycles == "refuse":
        raise _drop(plan, f"tasks wait for each other in a circle: {listed(circles[0], 9)}")
    after = outlook(state, plan)
    revised = [task_id for task_id in plan.staged if task_id in state.tasks or task_id in state.over]
    sealed = Sealed(
        plan_id=plan.plan_id,
        session_id=plan.session_id,
        new=len(plan.staged) - len(revised),
        revised=len(revised),
        ready=sum(1 for task_state, _ in after.values() if task_state == "ready"),
        cycles=circles[:50],
    )
    return [*_released(plan, after, set(revised)), sealed]


def _drop(plan: Plan, reason: str) -> Refused:
    said = f"plan {plan.plan_id!r} is refused and dropped: {reason}"
    return Refused(said, facts=(Dropped(plan_id=plan.plan_id, reason=reason),))


def _exists(state: State, plan: Plan, task_id: str) -> bool:
    return task_id in plan.staged or task_id in state.tasks or task_id in state.over


def _circles(state: State, plan: Plan) -> list[list[str]]:
    """Groups of tasks none of which can ever start or end because of the others.

    A task needs its dependencies; a container is done only when its parts are; a part cannot start before its
    container is unblocked (the gate, ``name + NUL``), which needs the container's own dependencies.
    """
    specs = dict(plan.staged)
    if any(task_id in state.tasks for task_id in plan.staged):
        specs = {task.task_id: task.spec for task in state.tasks_of(plan.session_id) if task.is_open} | specs
    live = {task_id: spec for task_id, spec in specs.items() if spec.begin != "done" and task_id not in state.over}
    edges: dict[str, list[str]] = {task_id: list(spec.depends_on) for task_id, spec in live.items()}
    for task_id, spec in live.items():
        for parent_id in spec.parents:
            if parent_id in live:
                edges[parent_id].append(task_id)
                edges[task_id].append(parent_id + "\0")
                edges[parent_id + "\0"] = [*live[parent_id].depends_on, *(p + "\0" for p in live[parent_id].parents)]
    groups = [sorted({name.rstrip("\0") for name in group}) for group in graph.cycles(edges)]
    return sorted(groups)


def _released(plan: Plan, after: dict[str, tuple[TaskState, int]], revised: set[str]) -> list[Event]:
    facts: list[Event] = []
    names = list(after)
    for first in range(0, len(names), CHUNK):
        by_state: dict[str, list[str]] = {"ready": [], "blocked": [], "paused": [], "done": []}
        chunk = names[first : first + CHUNK]
        for name in chunk:
            if after[name][0] in by_state:
                by_state[after[name][0]].append(name)
        facts.append(Released(plan_id=plan.plan_id, revised=[name for name in chunk if name in revised], **by_state))
    return facts


def outlook(state: State, plan: Plan) -> dict[str, tuple[TaskState, int]]:
    """State and waits of every task the seal touches: the plan's own, and where it rewords known ones, all the open
    tasks of the session. A task that is done here stays done whatever the file says; one that runs goes on."""
    scope = dict(plan.staged)
    if any(task_id in state.tasks or task_id in state.over for task_id in plan.staged):
        scope = {task.task_id: task.spec for task in state.tasks_of(plan.session_id)} | scope
    done = {name for name, spec in scope.items() if _will_be_done(state, name, spec)}
    waits: dict[str, int] = {}
    for name in scope:
        _count_waits(state, scope, done, name, waits)
    return {name: (_state_after(state, plan, name, name in done, waits[name]), waits[name]) for name in scope}


def _will_be_done(state: State, name: str, spec: TaskSpec) -> bool:
    if name in state.over:
        return True
    running = name in state.tasks and state.tasks[name].state == "running"
    return spec.begin == "done" and not running


def _count_waits(state: State, scope: dict[str, TaskSpec], done: set[str], name: str, waits: dict[str, int]) -> None:
    """Own dependencies that are not done plus parents that wait themselves; parents first, without recursion."""
    stack = [name]
    while stack:
        at = stack[-1]
        spec = scope[at]
        if at in waits:
            stack.pop()
            continue
        unknown = [p for p in spec.parents if p in scope and p not in waits and p not in stack]
        if unknown:
            stack.extend(unknown)
            continue
        own = sum(1 for need in spec.depends_on if need not in done and need not in state.over)
        above = sum(1 for p in spec.parents if p not in done and _waits(state, p, waits) > 0)
        waits[at] = own + above
        stack.pop()


def _waits(state: State, name: str, waits: dict[str, int]) -> int:
    if name in waits:
        return waits[name]
    return state.tasks[name].waits if name in state.tasks else 0


def _state_after(state: State, plan: Plan, name: str, done: bool, waits: int) -> TaskState:
    if done:
        return "done"
    before = state.tasks.get(name)
    resting: TaskState = "blocked" if waits else "ready"
    worded = plan.staged.get(name)
    if before is None:
        return "paused" if worded is not None and worded.begin == "paused" else resting
    if before.state in ("running", "failed", "cancelled", "quarantined"):
        return before.state
    if worded is not None and worded.begin != before.spec.begin:
        return "paused" if worded.begin == "paused" else resting
    if before.state in ("paused", "waiting"):
        return before.state
    return resting


def put_in_force(state: State, plan: Plan, seq: int) -> None:
    """Make the staged tasks real. Recomputes what ``plan.released`` told the readers, from the same rule."""
    after = outlook(state, plan)
    for name, spec in plan.staged.items():
        if name in state.over:
            state.over[name] = tasks.Over(state.over[name].runs, tasks.digest(spec))
            continue
        known = state.tasks.get(name)
        if known is None:
            state.tasks[name] = tasks.Task(name, plan.session_id, spec, seq, spec.priority)
            tasks.link(state, name, spec)
        else:
            _unlink(state, known)
            known.spec, known.priority = spec, spec.priority
            tasks.link(state, name, spec)
    _enter_states(state, after)
    _count_children(state, after)


def _unlink(state: State, task: tasks.Task) -> None:
    for need in task.spec.depends_on:
        state.dependents[need].remove(task.task_id)
    for parent_id in task.spec.parents:
        state.children[parent_id].remove(task.task_id)


def _enter_states(state: State, after: dict[str, tuple[TaskState, int]]) -> None:
    for name, (into, waits) in after.items():
        task = state.tasks.get(name)
        if task is None:
            continue
        if into == "done":
            state.over[name] = tasks.Over(task.runs, tasks.digest(task.spec))
            state.timers.pop(name, None)
            del state.tasks[name]
            continue
        task.waits = waits
        task.state = into
        if into == "ready":
            state.offer_task(task)


def _count_children(state: State, after: dict[str, tuple[TaskState, int]]) -> None:
    """Containers: how many parts, open, failed, done. A container whose parts were all closed before is none."""
    touched = {parent for name in after if name in state.tasks for parent in state.tasks[name].spec.parents}
    touched |= {name for name in after if name in state.children}
    for parent_id in touched:
        parent = state.tasks.get(parent_id)
        if parent is None:
            continue
        parts = [state.tasks.get(name) for name in state.children.get(parent_id, ())]
        parent.children = len(parts)
        parent.open_children = sum(1 for part in parts if part is not None and part.is_open)
        parent.done_children = sum(1 for part in parts if part is None)
        parent.failed_children = sum(
            1 for part in parts if part is not None and part.state in ("failed", "quarantined")
        )
