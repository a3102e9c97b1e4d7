"""A plan: many tasks at once, all or nothing. Staged tasks are invisible until the seal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from core.domain import outlook, session, standing
from core.domain import task as tasks
from core.domain.spec import OPEN, Over, Task, TaskSpec, TaskState, digest
from core.domain.words import MAX_FACTS, Fact, Line, Name, Order, Refused, check_name, check_task_id, count, listed

if TYPE_CHECKING:
    from core.domain.state import State

MAX_PLAN = 200_000
CIRCLES, CIRCLE = 50, 20  # circles that plan.sealed names, and tasks of each
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
    """The plan is in force. ``cycles``: groups of tasks that wait for each other and stay blocked (the
    first 50, 20 names of each)."""

    plan_id: str
    session_id: str
    new: int
    revised: int = 0
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
    check_name("plan", command.plan_id)
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
            tasks.check_spec(state, planned.task_id, planned.spec, circles=plan.cycles == "block")
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
    # What was done under older rules keeps the digest of those.
    return over is not None and over.digest in (digest(planned.spec, state.rules), digest(planned.spec, 1))


def _seal(state: State, plan: Plan) -> list[Event]:
    if state.sessions[plan.session_id].state == "closed":
        raise _drop(plan, f"session {plan.session_id!r} was closed meanwhile")
    for task_id, spec in plan.staged.items():
        missing = [other for other in (*spec.depends_on, *spec.parents) if not _exists(state, plan, other)]
        if missing:
            raise _drop(plan, f"task {task_id} needs {listed(missing)}, which is neither in the plan nor known")
    circles = outlook.circles(state, plan)
    if circles and plan.cycles == "refuse":
        raise _drop(plan, f"tasks wait for each other in a circle: {listed(circles[0], 9)}")
    after = outlook.states_after(state, plan)
    _check_containers(state, plan, after)
    revised = [task_id for task_id in plan.staged if task_id in state.tasks or task_id in state.over]
    sealed = Sealed(
        plan_id=plan.plan_id,
        session_id=plan.session_id,
        new=len(plan.staged) - len(revised),
        revised=len(revised),
        ready=sum(1 for task_state, _ in after.values() if task_state == "ready"),
        cycles=[group[:CIRCLE] for group in circles[:CIRCLES]],
    )
    return [*_released(plan, after, set(revised)), sealed]


def _check_containers(state: State, plan: Plan, after: dict[str, tuple[TaskState, int]]) -> None:
    """An open task cannot become a part of one that an agent is doing, or of one that ended without being done."""
    for task_id, spec in plan.staged.items():
        if after[task_id][0] not in OPEN:
            continue
        for parent_id in spec.parents:
            parent = state.tasks.get(parent_id)
            if parent is None or (parent_id in after and after[parent_id][0] == "done"):
                continue
            if parent.run_id in state.runs:
                raise _drop(
                    plan, f"{task_id} cannot be a part of {parent_id}, which an agent is doing: pause that first"
                )
            if not parent.is_open:
                raise _drop(
                    plan, f"{task_id} cannot be a part of {parent_id}, which is {parent.state}: retry that first"
                )


def _drop(plan: Plan, reason: str) -> Refused:
    said = f"plan {plan.plan_id!r} is refused and dropped: {reason}"
    return Refused(said, facts=(Dropped(plan_id=plan.plan_id, reason=reason),))


def _exists(state: State, plan: Plan, task_id: str) -> bool:
    return task_id in plan.staged or task_id in state.tasks or task_id in state.over


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


def put_in_force(state: State, plan: Plan, seq: int) -> None:
    """Make the staged tasks real. Recomputes what ``plan.released`` told the readers, from the same rule."""
    after = outlook.states_after(state, plan)
    containers = _containers(state, plan)
    for name, spec in plan.staged.items():
        if name in state.over:
            state.over[name] = Over(state.over[name].runs, digest(spec, state.rules))
            continue
        known = state.tasks.get(name)
        if known is None:
            state.tasks[name] = Task(name, plan.session_id, spec, seq, spec.priority, worded=seq)
        else:
            standing.unlink(state, known)
            known.spec, known.priority = spec, spec.priority
            known.worded, known.amended = seq, {}
        standing.link(state, name, spec)
    _enter_states(state, after)
    for name in containers:
        if name in state.tasks:
            _count_parts(state, state.tasks[name])
    for name in (*after, *containers):
        if name in state.tasks:
            state.offer_task(state.tasks[name])


def _containers(state: State, plan: Plan) -> dict[str, None]:
    """Every task that has, or had, a part in the plan."""
    found: dict[str, None] = {}
    for name, spec in plan.staged.items():
        before = state.tasks[name].spec.parents if name in state.tasks else ()
        found |= dict.fromkeys((*before, *spec.parents))
    return found


def _enter_states(state: State, after: dict[str, tuple[TaskState, int]]) -> None:
    for name, (into, waits) in after.items():
        task = state.tasks.get(name)
        if task is None:
            continue
        task.waits, task.state = waits, into
        if into != "waiting":
            state.timers.pop(name, None)
        if into == "done":
            standing.bury(state, task)


def _count_parts(state: State, task: Task) -> None:
    """A container whose last open part the plan closes is rolled up; one whose parts were all closed before is none."""
    had_open = task.open_children > 0
    parts = [state.tasks.get(name) for name in state.children.get(task.task_id, ())]
    task.children = len(parts)
    task.open_children = sum(1 for part in parts if part is not None and part.is_open)
    task.done_children = sum(1 for part in parts if part is None)
    task.failed_children = sum(1 for part in parts if part is not None and part.state in ("failed", "quarantined"))
    if task.open_children:
        state.to_roll_up.pop(task.task_id, None)
    elif had_open and parts and task.is_open:
        state.to_roll_up[task.task_id] = None
