"""A task: a unit of work with priority, lane, dependencies and needs. Its whole life is on this page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from core.domain import errand, graph, lane, run, session, worker
from core.domain.spec import Resting, Task, TaskSpec, TaskState
from core.domain.standing import add, ended_above, finish, let_go, reopen, resting, settle, waits_of
from core.domain.words import (
    Fact,
    Line,
    Order,
    Priority,
    Refused,
    check_task_id,
    is_plain,
    listed,
)

if TYPE_CHECKING:
    from core.domain.state import State


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
            finish(state, fact.task_id, len(fact.unblocked))
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
            reopen(state, fact.task_id, fact.state, fact.reopened)
        case Reprioritised():
            task = state.tasks[fact.task_id]
            task.priority = fact.priority
            task.amended["priority"] = seq
            state.offer_task(task)
        case RolledUp():
            if fact.state == "done":
                finish(state, fact.task_id, len(fact.unblocked))
            else:
                settle(state, state.tasks[fact.task_id], fact.state, 0)
        case Unblocked():
            left = state.to_tell.pop(fact.task_id)[len(fact.unblocked) :]
            if left:
                state.to_tell[fact.task_id] = left
        case worker.Registered() | worker.Left() | worker.Lost():
            for released in fact.released:
                let_go(state, released, lost=not isinstance(fact, worker.Left))
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
    held = state.runs.get(task.run_id)
    if held is not None and held.state != "cancelling":
        facts.append(errand.cancel_order(held))
    return facts


def _pause(state: State, task: Task, reason: str) -> list[Event]:
    if task.state == "paused":
        raise Refused(f"task {task.task_id} is paused already", outcome="already_so")
    facts: list[Event] = [Paused(task_id=task.task_id, reason=reason)]
    held = state.runs.get(task.run_id)
    if held is not None and held.state != "interrupting":
        facts.append(errand.interrupt_order(held))
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
    above = ended_above(state, task)
    return [
        Retried(
            task_id=task_id,
            state=into,
            reopened=above,
            blocked=[name for name in above if state.tasks[name].waits],
        )
    ]
