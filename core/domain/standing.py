"""Where a task stands, and all that hangs on it: its edges, its timer, the ready queue, the containers above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from core.domain import graph, worker
from core.domain.spec import OPEN, Over, Resting, Task, TaskSpec, TaskState, digest

if TYPE_CHECKING:
    from core.domain.state import State


def resting(task: Task, at: int) -> Resting:
    """Where a task stands that nobody holds back: blocked, waiting for its retry time, or ready."""
    if task.waits:
        return "blocked"
    return "waiting" if task.retry_at > at else "ready"


def add(state: State, task_id: str, spec: TaskSpec, seq: int, task_state: TaskState) -> Task:
    """Put a new task into the state, its edges with it."""
    task = Task(task_id, task_id.partition("/")[0], spec, seq, spec.priority, worded=seq)
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


def reword(state: State, task: Task, depends_on: list[str]) -> None:
    """Give the task other dependencies, and enter its edges anew."""
    unlink(state, task)
    task.spec = msgspec.structs.replace(task.spec, depends_on=depends_on)
    link(state, task.task_id, task.spec)


def bury(state: State, task: Task) -> None:
    """Leave only the tombstone of a task that is done; nobody waits for it any more."""
    state.over[task.task_id] = Over(task.runs, digest(task.spec, state.rules))
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


def finish(state: State, task_id: str, told: int) -> None:
    """The task is done: bury it, lift what waited for it. The fact named ``told`` of those it unblocked."""
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


def let_go(state: State, released: worker.Released, *, lost: bool) -> None:
    """The task's worker is gone, its run with it."""
    task = state.tasks.get(released.task_id)
    if task is None or task.state not in OPEN:
        return
    task.losses += lost
    settle(state, task, released.then, released.retry_at)


def ended_above(state: State, task: Task) -> list[str]:
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


def reopen(state: State, task_id: str, into: Resting, above: list[str]) -> None:
    """Begin a task anew that was over, and open the containers above it that had ended with it."""
    task = state.tasks[task_id]
    task.used, task.losses = 0, 0
    for again in (task_id, *above):
        opened = state.tasks[again]
        for parent_id in opened.spec.parents:
            parent = state.tasks.get(parent_id)
            if parent is not None:
                parent.open_children += 1
                state.to_roll_up.pop(parent_id, None)
                parent.failed_children -= opened.state in ("failed", "quarantined")
        stands: TaskState = into if again == task_id else ("blocked" if opened.waits else "ready")
        settle(state, opened, stands, 0)
