"""A task: a unit of work with priority, lane, dependencies and needs. Its whole life is on this page."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from core.domain import graph, lane, run, session, worker
from core.domain.words import (
    Fact,
    Line,
    Name,
    Order,
    Policy,
    Priority,
    Refused,
    Text,
    check_task_id,
    is_plain,
    listed,
)

if TYPE_CHECKING:
    from core.domain.state import State

Ids = Annotated[list[Annotated[str, Meta(max_length=250)]], Meta(max_length=1_000)]
TaskState = Literal["blocked", "ready", "running", "waiting", "paused", "done", "failed", "cancelled", "quarantined"]
Resting = Literal["ready", "blocked", "waiting"]
OPEN = frozenset({"blocked", "ready", "running", "waiting", "paused"})


class TaskSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a task is. ``needs``: abilities its agent must have. ``parents``: containers it is a part of.

    ``begin``: the state it starts from: open, paused ("someone else had begun") or done; ``because`` says why.
    ``source``: fields kept from where it was imported.
    """

    title: Annotated[str, Meta(min_length=1, max_length=500)]
    prompt: Text = ""
    command: Text = ""
    kind: Line = "task"
    priority: Priority = 2
    lane: Name = "A"
    depends_on: Ids = []
    parents: Ids = []
    needs: Annotated[list[Name], Meta(max_length=50)] = []
    files: Annotated[list[Annotated[str, Meta(max_length=1_000)]], Meta(max_length=500)] = []
    labels: Annotated[list[Line], Meta(max_length=200)] = []
    policy: Policy = Policy()
    begin: Literal["open", "paused", "done"] = "open"
    because: Line = ""
    source: dict[str, Any] = {}


class Submit(Order, frozen=True, tag="task.submit"):
    """New work. Dependencies and parents must exist. The session is the part of the id before the slash."""

    task_id: str
    spec: TaskSpec


class Cancel(Order, frozen=True, tag="task.cancel"):
    task_id: str
    reason: Line = ""


class Pause(Order, frozen=True, tag="task.pause"):
    """Not now. A run under way is interrupted; no attempt is used."""

    task_id: str
    reason: Line = ""


class Resume(Order, frozen=True, tag="task.resume"):
    task_id: str


class Retry(Order, frozen=True, tag="task.retry"):
    """Try again a task that failed, was cancelled or quarantined; its attempts start anew."""

    task_id: str


class Reprioritise(Order, frozen=True, tag="task.reprioritise"):
    task_id: str
    priority: Priority


class Wake(Order, frozen=True, tag="task.wake"):
    """A timer: the wait before attempt ``after_run`` + 1 is over."""

    task_id: str
    after_run: int


class Submitted(Fact, frozen=True, tag="task.submitted"):
    task_id: str
    session_id: str
    spec: TaskSpec
    state: TaskState


class Cancelled(Fact, frozen=True, tag="task.cancelled"):
    task_id: str
    reason: str = ""


class Paused(Fact, frozen=True, tag="task.paused"):
    task_id: str
    reason: str = ""


class Resumed(Fact, frozen=True, tag="task.resumed"):
    task_id: str
    state: Resting


class Retried(Fact, frozen=True, tag="task.retried"):
    """``reopened``: the containers above it that had ended with it, ready again, or ``blocked``."""

    task_id: str
    state: Resting
    reopened: list[str] = []
    blocked: list[str] = []


class Reprioritised(Fact, frozen=True, tag="task.reprioritised"):
    task_id: str
    priority: int


class Woken(Fact, frozen=True, tag="task.woken"):
    task_id: str


class Unblocked(Fact, frozen=True, tag="task.unblocked"):
    """More tasks that became ready with ``task_id``, where one fact could not name them all."""

    task_id: str
    unblocked: list[str]


class RolledUp(Fact, frozen=True, tag="task.rolled_up"):
    """A container ended because its last open child did."""

    task_id: str
    state: Literal["done", "failed", "cancelled"]
    unblocked: list[str] = []


Command = Submit | Cancel | Pause | Resume | Retry | Reprioritise | Wake
Event = (
    Submitted | Cancelled | Paused | Resumed | Retried | Reprioritised | Woken | RolledUp | Unblocked
    | worker.CancelOrdered | worker.InterruptOrdered
)  # fmt: skip


class Task(msgspec.Struct):
    """A task that is not done. ``waits``: dependencies not done plus parents blocked. ``runs``: attempts numbered so
    far; ``used``: those that count against the policy; ``losses``: workers lost under it; ``born``: its age."""

    task_id: str
    session_id: str
    spec: TaskSpec
    born: int
    priority: int
    state: TaskState = "blocked"
    waits: int = 0
    runs: int = 0
    used: int = 0
    losses: int = 0
    run_id: str = ""
    retry_at: int = 0
    children: int = 0
    open_children: int = 0
    failed_children: int = 0
    done_children: int = 0

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_container(self) -> bool:
        return self.open_children > 0


class Over(msgspec.Struct, frozen=True):
    """What is kept of a done task: enough to know it again."""

    runs: int
    digest: str


def digest(spec: TaskSpec) -> str:
    """Tells one wording of a task from another."""
    return hashlib.blake2b(msgspec.json.encode(spec), digest_size=12).hexdigest()


def decide(state: State, command: Command, at: int) -> list[Event]:
    match command:
        case Submit():
            return _submit(state, command)
        case Cancel(reason=reason):
            return _cancel(state, _open(state, command.task_id, "cancel"), reason)
        case Pause(reason=reason):
            return _pause(state, _open(state, command.task_id, "pause"), reason)
        case Resume():
            task = known(state, command.task_id)
            if task.state != "paused":
                raise Refused(f"task {task.task_id} is {task.state}, not paused", outcome="already_so")
            if task.run_id in state.runs:
                raise Refused(f"task {task.task_id} is still being interrupted: resume it in a moment")
            return [Resumed(task_id=task.task_id, state=resting(task, at))]
        case Retry():
            return _retry(state, command.task_id, at)
        case Reprioritise(priority=priority):
            task = _open(state, command.task_id, "reprioritise")
            if task.priority == priority:
                raise Refused(f"task {task.task_id} has priority P{priority} already", outcome="already_so")
            return [Reprioritised(task_id=task.task_id, priority=priority)]
        case Wake(after_run=after_run):
            waiting = state.tasks.get(command.task_id)
            if waiting is None or waiting.state != "waiting" or waiting.runs != after_run:
                raise Refused(f"task {command.task_id} no longer waits after run {after_run}", outcome="superseded")
            if at < waiting.retry_at:
                raise Refused(f"task {command.task_id} waits for {(waiting.retry_at - at) / 1e6:.3f} s more")
            return [Woken(task_id=command.task_id)]


def evolve(  # noqa: C901 - one flat match
    state: State,
    fact: Submitted | Cancelled | Paused | Resumed | Retried | Reprioritised | Woken | RolledUp | Unblocked
    | worker.Assigned | run.Succeeded | run.Failed | run.Interrupted
    | worker.Registered | worker.Left | worker.Lost | session.Closed,
    seq: int,
) -> None:  # fmt: skip
    match fact:
        case worker.Assigned():
            task = state.tasks[fact.task_id]
            task.state, task.runs, task.run_id = "running", fact.attempt, fact.run_id
        case run.Succeeded():
            _done(state, fact.task_id, len(fact.unblocked))
        case run.Failed():
            task = state.tasks[fact.task_id]
            task.used += 1
            settle(state, task, fact.then, fact.retry_at)
        case run.Interrupted():
            settle(state, state.tasks[fact.task_id], fact.then, 0)
        case Submitted():
            add(state, fact.task_id, fact.spec, seq, fact.state)
        case Woken():
            settle(state, state.tasks[fact.task_id], "ready", 0)
        case Cancelled():
            settle(state, state.tasks[fact.task_id], "cancelled", 0)
        case Paused():
            settle(state, state.tasks[fact.task_id], "paused", state.tasks[fact.task_id].retry_at)
        case Resumed():
            settle(state, state.tasks[fact.task_id], fact.state, state.tasks[fact.task_id].retry_at)
        case Retried():
            _reopen(state, fact)
        case Reprioritised():
            task = state.tasks[fact.task_id]
            task.priority = fact.priority
            state.offer_task(task)
        case RolledUp():
            if fact.state == "done":
                _done(state, fact.task_id, len(fact.unblocked))
            else:
                settle(state, state.tasks[fact.task_id], fact.state, 0)
        case Unblocked():
            left = state.to_tell.pop(fact.task_id)[len(fact.unblocked) :]
            if left:
                state.to_tell[fact.task_id] = left
        case worker.Registered() | worker.Left() | worker.Lost():
            for released in fact.released:
                _released(state, released, lost=not isinstance(fact, worker.Left))
        case session.Closed():
            for open_task in state.tasks_of(fact.session_id):
                if open_task.is_open:
                    if open_task.run_id in state.runs:
                        state.to_stop[open_task.run_id] = None
                    settle(state, open_task, "cancelled", 0)


def known(state: State, task_id: str) -> Task:
    """The task, or refuse naming what is the matter with the id."""
    task = state.tasks.get(task_id)
    if task is not None:
        return task
    if task_id in state.over:
        raise Refused(f"task {task_id} is done", outcome="already_so")
    raise Refused(f"there is no task {task_id!r}")


def resting(task: Task, at: int) -> Resting:
    """Where a task stands that nobody holds back: blocked, waiting for its retry time, or ready."""
    if task.waits:
        return "blocked"
    return "waiting" if task.retry_at > at else "ready"


def add(state: State, task_id: str, spec: TaskSpec, seq: int, task_state: TaskState) -> Task:
    """Put a new task into the state, its edges with it."""
    task = Task(task_id, task_id.partition("/")[0], spec, seq, spec.priority)
    state.tasks[task_id] = task
    link(state, task_id, spec)
    for parent_id in spec.parents:
        if parent_id in state.tasks:
            state.tasks[parent_id].children += 1
            state.tasks[parent_id].open_children += 1
            state.to_roll_up.pop(parent_id, None)
    task.waits = waits_of(state, spec)
    settle(state, task, task_state, 0)
    return task


def link(state: State, task_id: str, spec: TaskSpec) -> None:
    """Enter the task's edges, to what it depends on and to what it is a part of. What is done needs none any more."""
    for need in spec.depends_on:
        if need not in state.over:
            state.dependents.setdefault(need, []).append(task_id)
    for parent_id in spec.parents:
        if parent_id not in state.over:
            state.children.setdefault(parent_id, []).append(task_id)


def unlink(state: State, task: Task) -> None:
    """Take the task's edges away again, before it is worded anew."""
    for edges, others in ((state.dependents, task.spec.depends_on), (state.children, task.spec.parents)):
        for other in others:
            if other in edges:
                edges[other].remove(task.task_id)


def bury(state: State, task: Task) -> None:
    """Leave only the tombstone of a task that is done; nobody waits for it any more."""
    state.over[task.task_id] = Over(task.runs, digest(task.spec))
    state.to_roll_up.pop(task.task_id, None)
    state.dependents.pop(task.task_id, None)
    state.children.pop(task.task_id, None)
    del state.tasks[task.task_id]


def waits_of(state: State, spec: TaskSpec) -> int:
    """Dependencies that are not done, plus parents that are themselves blocked."""
    needs = sum(1 for need in spec.depends_on if need not in state.over)
    return needs + sum(1 for name in spec.parents if name in state.tasks and state.tasks[name].waits > 0)


def settle(state: State, task: Task, into: TaskState, retry_at: int) -> None:
    """Bring the task into a state and keep what hangs on it right: timers, the ready queue, its parents' counts."""
    was_open = task.state in OPEN
    if into not in OPEN:
        state.to_roll_up.pop(task.task_id, None)
    task.state = into
    task.retry_at = retry_at
    if into == "waiting":
        state.set_timer(task.task_id, retry_at)
    else:
        state.timers.pop(task.task_id, None)
    if into == "ready":
        state.offer_task(task)
    if was_open and into not in OPEN:
        _tell_parents(state, task, into)


def _tell_parents(state: State, task: Task, into: TaskState) -> None:
    for parent_id in task.spec.parents:
        parent = state.tasks.get(parent_id)
        if parent is None:
            continue
        parent.open_children -= 1
        parent.failed_children += into in ("failed", "quarantined")
        parent.done_children += into == "done"
        if parent.open_children == 0 and parent.is_open:
            state.to_roll_up[parent_id] = None


def _done(state: State, task_id: str, told: int) -> None:
    task = state.tasks[task_id]
    settle(state, task, "done", 0)
    unblocked = graph.unblocked_by(state, task_id)
    for name, lifted in graph.lifted_by(state, task_id).items():
        state.tasks[name].waits -= lifted
    bury(state, task)
    for name in unblocked:
        settle(state, state.tasks[name], "ready", 0)
    if told < len(unblocked):
        state.to_tell[task_id] = unblocked[told:]


def _released(state: State, released: worker.Released, *, lost: bool) -> None:
    task = state.tasks.get(released.task_id)
    if task is None or task.state not in OPEN:
        return
    task.losses += lost
    settle(state, task, released.then, released.retry_at)


def _submit(state: State, command: Submit) -> list[Event]:
    task_id, spec = command.task_id, command.spec
    session_id, _ = check_task_id(task_id)
    session.open_one(state, session_id)
    if task_id in state.tasks or task_id in state.over:
        raise Refused(f"task {task_id} exists already", outcome="already_so")
    check_spec(state, task_id, spec)
    for other in (*spec.depends_on, *spec.parents):
        if other not in state.over and other not in state.tasks:
            raise Refused(f"task {task_id} needs {other!r}, which does not exist: submit that first")
    _check_parents(state, task_id, spec)
    initial: TaskState
    if spec.begin == "open":
        initial = "blocked" if waits_of(state, spec) else "ready"
    else:
        raise Refused(f"task {task_id} cannot begin as {spec.begin}: only an imported plan's tasks can")
    return [Submitted(task_id=task_id, session_id=session_id, spec=spec, state=initial)]


def check_spec(state: State, task_id: str, spec: TaskSpec, *, circles: bool = False) -> None:
    """What can be said of a task on its own, whatever else is in the plan. ``circles``: it may wait for itself."""
    lane.known(state, spec.lane)
    if len(set(spec.depends_on)) < len(spec.depends_on) or len(set(spec.parents)) < len(spec.parents):
        raise Refused(f"task {task_id} names a dependency or a parent twice")
    if (task_id in spec.depends_on and not circles) or task_id in spec.parents:
        raise Refused(f"task {task_id} depends on itself")
    if not is_plain(spec.source):
        raise Refused(f"task {task_id}: its source holds a whole number of more than 64 bits; write it as text")
    for parent_id in spec.parents:
        if parent_id.partition("/")[0] != task_id.partition("/")[0]:
            raise Refused(f"task {task_id} cannot be a part of {parent_id}, which is of another session")


def _check_parents(state: State, task_id: str, spec: TaskSpec) -> None:
    for parent_id in spec.parents:
        parent = state.tasks.get(parent_id)
        if parent is None or not parent.is_open:
            raise Refused(f"task {task_id} cannot be a part of {parent_id}, which is over")
        if parent.run_id in state.runs:
            raise Refused(f"task {task_id} cannot be a part of {parent_id}, which an agent is doing")
    circle = graph.waits_for_itself(state, spec.depends_on, spec.parents)
    if circle:
        raise Refused(f"task {task_id} would wait for itself: it needs what waits for {circle}, which it is a part of")


def _open(state: State, task_id: str, verb: str) -> Task:
    task = known(state, task_id)
    if not task.is_open:
        outcome: Literal["already_so", "refused"] = "already_so" if verb == "cancel" else "refused"
        raise Refused(f"cannot {verb} task {task_id}: it is {task.state}", outcome=outcome)
    return task


def _cancel(state: State, task: Task, reason: str) -> list[Event]:
    if task.is_container:
        children = [name for name in state.children[task.task_id] if name in state.tasks and state.tasks[name].is_open]
        raise Refused(f"task {task.task_id} is a container: cancel its parts {listed(children)}")
    facts: list[Event] = [Cancelled(task_id=task.task_id, reason=reason)]
    return facts + _stop(state, task)


def _stop(state: State, task: Task) -> list[Event]:
    held = state.runs.get(task.run_id)
    if held is None or held.state == "cancelling":
        return []
    return [stop_order(held)]


def stop_order(held: run.Run) -> worker.CancelOrdered:
    """The order that ends a run's processes."""
    return worker.CancelOrdered(
        worker_id=held.worker_id, epoch=held.epoch, run_id=held.run_id, task_id=held.task_id, agent_id=held.agent_id
    )


def _pause(state: State, task: Task, reason: str) -> list[Event]:
    if task.state == "paused":
        raise Refused(f"task {task.task_id} is paused already", outcome="already_so")
    facts: list[Event] = [Paused(task_id=task.task_id, reason=reason)]
    held = state.runs.get(task.run_id)
    if held is not None:
        facts.append(
            worker.InterruptOrdered(
                worker_id=held.worker_id,
                epoch=held.epoch,
                run_id=held.run_id,
                task_id=task.task_id,
                agent_id=held.agent_id,
            )
        )
    return facts


def _retry(state: State, task_id: str, at: int) -> list[Event]:
    task = known(state, task_id)
    if task.is_open:
        raise Refused(f"cannot retry task {task_id}: it is {task.state}", outcome="already_so")
    parts = [name for name in state.children.get(task_id, ()) if name in state.tasks]
    if parts:
        raise Refused(f"task {task_id} is a container: retry its parts {listed(parts)}")
    if task.run_id in state.runs:
        raise Refused(f"task {task_id} is still being stopped: retry it in a moment")
    for parent_id in task.spec.parents:
        if parent_id in state.tasks and state.tasks[parent_id].run_id in state.runs:
            raise Refused(f"task {task_id} is a part of {parent_id}, which an agent is doing: retry it after that")
    session.open_one(state, task.session_id)
    into: Resting = "blocked" if task.waits else "ready"
    above = _ended_above(state, task)
    return [
        Retried(
            task_id=task_id,
            state=into,
            reopened=above,
            blocked=[name for name in above if state.tasks[name].waits],
        )
    ]


def _ended_above(state: State, task: Task) -> list[str]:
    """Containers above the task that are over but not done: they open again with it, the nearest first."""
    found: list[str] = []
    queue = [task]
    while queue:
        for parent_id in queue.pop().spec.parents:
            parent = state.tasks.get(parent_id)
            if parent is not None and not parent.is_open and parent_id not in found:
                found.append(parent_id)
                queue.append(parent)
    return found


def _reopen(state: State, fact: Retried) -> None:
    task = state.tasks[fact.task_id]
    task.used, task.losses = 0, 0
    for again in (fact.task_id, *fact.reopened):
        opened = state.tasks[again]
        for parent_id in opened.spec.parents:
            parent = state.tasks.get(parent_id)
            if parent is not None:
                parent.open_children += 1
                state.to_roll_up.pop(parent_id, None)
                parent.failed_children -= opened.state in ("failed", "quarantined")
        into: TaskState = fact.state if again == fact.task_id else ("blocked" if opened.waits else "ready")
        settle(state, opened, into, 0)
