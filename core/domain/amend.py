"""A task changed after it was submitted: its wording, what it depends on, its place in the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from core.domain import graph, lane, line, standing
from core.domain import task as tasks
from core.domain.spec import Task, TaskSpec, TaskState, plain
from core.domain.words import Count, Fact, Line, Name, Order, Policy, Priority, Refused, Text, count, listed

if TYPE_CHECKING:
    from core.domain.state import State

MOST_GATED = 1_000  # parts that a container's new dependency may hold back: one fact names them


class PolicyChanges(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """As ``Policy``; what is None stays."""

    max_attempts: Annotated[int, Meta(ge=1, le=100)] | None = None
    backoff_s: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    backoff_cap_s: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    jitter: Annotated[float, Meta(ge=0, le=1)] | None = None
    time_limit_s: Annotated[float, Meta(gt=0, le=604_800)] | None = None


class Changes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A new wording, in part; what is None stays. Named and bounded as in ``TaskSpec``."""

    title: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    prompt: Text | None = None
    command: Text | None = None
    lane: Name | None = None
    priority: Priority | None = None
    labels: Annotated[list[Line], Meta(max_length=200)] | None = None
    needs: Annotated[list[Name], Meta(max_length=50)] | None = None
    files: Annotated[list[Annotated[str, Meta(max_length=1_000)]], Meta(max_length=500)] | None = None
    policy: PolicyChanges | None = None


_OF_A_CONTAINER = frozenset({"title", "prompt", "labels", "files"})  # the rest is of tasks that are given out


class Amend(Order, frozen=True, tag="task.amend"):
    """Word a task anew. ``base``: the EVENTS sequence of the wording the editor saw, 0: whatever it is now.

    What runs, runs on as it was given out; its next attempt follows the new wording.
    """

    task_id: str
    changes: Changes
    base: Count = 0


class Depend(Order, frozen=True, tag="task.depend"):
    """Have the task wait for another one, too. What runs, runs on; its next attempt waits."""

    task_id: str
    on: str


class Undepend(Order, frozen=True, tag="task.undepend"):
    task_id: str
    on: str


class Place(Order, frozen=True, tag="task.place"):
    """Put the task before another one of its lane and priority; ``before`` empty: last of them."""

    task_id: str
    before: str = ""


class Amended(Fact, frozen=True, tag="task.amended"):
    """``spec``: the whole new wording; ``changed``: the names of what is new in it."""

    task_id: str
    spec: TaskSpec
    changed: list[str]
    state: TaskState


class DependencyAdded(Fact, frozen=True, tag="task.dependency_added"):
    """``state``: where the task stands now. ``blocked``: parts of it that were ready or waited, and are held back."""

    task_id: str
    on: str
    state: TaskState
    blocked: list[str] = []


class DependencyRemoved(Fact, frozen=True, tag="task.dependency_removed"):
    """``state``: where the task stands now. ``unblocked``: parts of it that are ready with it."""

    task_id: str
    on: str
    state: TaskState
    unblocked: list[str] = []


class Placed(Fact, frozen=True, tag="task.placed"):
    """``order`` takes the place of the task's age."""

    task_id: str
    order: float


Command = Amend | Depend | Undepend | Place
Event = Amended | DependencyAdded | DependencyRemoved | Placed


def decide(state: State, command: Command, at: int) -> list[Event]:
    task = _changeable(state, command.task_id)
    match command:
        case Amend():
            return [_amend(state, task, command)]
        case Depend(on=on):
            return [_depend(state, task, on)]
        case Undepend(on=on):
            return [_undepend(state, task, on, at)]
        case Place(before=before):
            return [Placed(task_id=name, order=order) for name, order in line.orders(state, task, before)]


def evolve(state: State, fact: Event, seq: int) -> None:
    task = state.tasks[fact.task_id]
    match fact:
        case Amended():
            task.spec, task.priority = fact.spec, fact.spec.priority
            task.amended |= dict.fromkeys(fact.changed, seq)
            state.offer_task(task)
        case DependencyAdded():
            standing.reword(state, task, [*task.spec.depends_on, fact.on])
            if fact.on not in state.over:
                _hold_back(state, task)
        case DependencyRemoved():
            standing.reword(state, task, [each for each in task.spec.depends_on if each != fact.on])
            if fact.on not in state.over:
                _lift(state, task, fact)
        case Placed():
            task.placed = fact.order
            state.offer_task(task)


def _changeable(state: State, task_id: str) -> Task:
    if task_id in state.over:
        raise Refused(f"task {task_id} is done, and what was done stays as it was: submit a new one like it instead")
    return tasks.known(state, task_id)


def _amend(state: State, task: Task, command: Amend) -> Amended:
    _check_base(task, command.base)
    before = msgspec.structs.replace(task.spec, priority=task.priority)
    after = _worded(before, command.changes)
    changed = [name for name in Changes.__struct_fields__ if getattr(before, name) != getattr(after, name)]
    if not changed:
        raise Refused(f"task {task.task_id} is worded so already", outcome="already_so")
    idle = [name for name in changed if name not in _OF_A_CONTAINER]
    if idle and task.is_container:
        raise Refused(
            f"task {task.task_id} is a container and not given out itself: change {listed(idle, 9)} of its parts"
        )
    lane.known(state, after.lane)
    return Amended(task_id=task.task_id, spec=after, changed=changed, state=task.state)


def _check_base(task: Task, base: int) -> None:
    """Refuse a change of a wording that is no longer the one the editor saw."""
    if not base:
        return
    if task.worded > base:
        raise Refused(f"a plan worded task {task.task_id} anew since you opened it (fact {task.worded})")
    since = [name for name, seq in task.amended.items() if seq > base]
    if since:
        was = "was" if len(since) == 1 else "were"
        raise Refused(f"{listed(since, 9)} {was} changed since you opened it (fact {max(task.amended.values())})")


def _worded(spec: TaskSpec, changes: Changes) -> TaskSpec:
    new = {name: value for name in Changes.__struct_fields__ if (value := getattr(changes, name)) is not None}
    if changes.policy is not None:
        new["policy"] = _tried(spec.policy, changes.policy)
    return plain(msgspec.structs.replace(spec, **new))


def _tried(policy: Policy, changes: PolicyChanges) -> Policy:
    return msgspec.structs.replace(
        policy,
        **{name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not None},
    )


# -- dependencies -----------------------------------------------------------------------------------------------------


def _depend(state: State, task: Task, on: str) -> DependencyAdded:
    task_id = task.task_id
    if on in task.spec.depends_on:
        raise Refused(f"task {task_id} depends on {on} already", outcome="already_so")
    if on not in state.tasks and on not in state.over:
        raise Refused(f"there is no task {on!r} that {task_id} could depend on")
    if len(task.spec.depends_on) >= 1_000:
        raise Refused(f"task {task_id} depends on 1,000 others, which is the most")
    circle = graph.way_round(state, task_id, on)
    if circle:
        raise Refused(f"task {task_id} would wait for itself: {' → '.join([task_id, *circle])}")
    if on in state.over:
        return DependencyAdded(task_id=task_id, on=on, state=task.state)
    gated = [name for name in graph.pressed_by(state, task_id) if name != task_id and _at_rest(state.tasks[name])]
    if len(gated) > MOST_GATED:
        raise Refused(
            f"task {task_id} has {count(len(gated), 'part')} that would wait with it; {MOST_GATED:,} is the most: "
            "import that as a plan"
        )
    into: TaskState = "blocked" if _at_rest(task) else task.state
    return DependencyAdded(task_id=task_id, on=on, state=into, blocked=gated)


def _undepend(state: State, task: Task, on: str, at: int) -> DependencyRemoved:
    if on not in task.spec.depends_on:
        raise Refused(f"task {task.task_id} does not depend on {on}", outcome="already_so")
    if on in state.over:
        return DependencyRemoved(task_id=task.task_id, on=on, state=task.state)
    freed = [name for name in graph.freed_by(state, task.task_id) if name != task.task_id]
    into = task.state
    if into == "blocked" and task.waits == 1:
        into = "waiting" if task.retry_at > at else "ready"
    return DependencyRemoved(task_id=task.task_id, on=on, state=into, unblocked=freed[: graph.TOLD_AT_ONCE])


def _at_rest(task: Task) -> bool:
    """Whether the task stands where a new wait turns it into a blocked one."""
    return task.state in ("ready", "waiting")


def _hold_back(state: State, task: Task) -> None:
    for name, more in graph.pressed_by(state, task.task_id).items():
        held = state.tasks[name]
        held.waits += more
        if _at_rest(held):
            standing.settle(state, held, "blocked", held.retry_at)


def _lift(state: State, task: Task, fact: DependencyRemoved) -> None:
    freed = [name for name in graph.freed_by(state, task.task_id) if name != task.task_id]
    for name, less in graph.lifted_from(state, [task.task_id]).items():
        state.tasks[name].waits -= less
    if fact.state != task.state:
        standing.settle(state, task, fact.state, task.retry_at if fact.state == "waiting" else 0)
    for name in freed:
        standing.settle(state, state.tasks[name], "ready", 0)
    if len(fact.unblocked) < len(freed):
        state.to_tell.setdefault(task.task_id, []).extend(freed[len(fact.unblocked) :])
