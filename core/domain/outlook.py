"""What a plan would bring if it were sealed now: every touched task's state, and the circles none could leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.domain import graph
from core.domain.spec import TaskSpec, TaskState

if TYPE_CHECKING:
    from core.domain.plan import Plan
    from core.domain.state import State


def states_after(state: State, plan: Plan) -> dict[str, tuple[TaskState, int]]:
    """State and waits of every task the seal touches. A task that is done here stays done whatever the file says; one
    that runs goes on.

    Only what the plan names is done because its wording says so. Up to rules 3 so was a dependent that an earlier plan
    had called done while it ran and that was tried again since; and nobody told those who wait for it.
    """
    scope = _touched(state, plan)
    worded = plan.staged if state.rules >= 4 else scope
    done = {name for name, spec in scope.items() if name in worded and _will_be_done(state, name, spec)}
    waits = _count_waits(state, scope, done)
    return {name: (_state_after(state, plan, name, name in done, waits[name]), waits[name]) for name in scope}


def _touched(state: State, plan: Plan) -> dict[str, TaskSpec]:
    """The plan's tasks, and those whose waits change with them: dependents of what it rewords, parts of these."""
    scope = dict(plan.staged)
    for name in plan.staged:
        for other in state.dependents.get(name, ()):
            if other in state.tasks:
                scope.setdefault(other, state.tasks[other].spec)
    look = list(scope)
    while look:
        for part in state.children.get(look.pop(), ()):
            if part in state.tasks and part not in scope:
                scope[part] = state.tasks[part].spec
                look.append(part)
    return scope


def _will_be_done(state: State, name: str, spec: TaskSpec) -> bool:
    if name in state.over:
        return True
    under_way = name in state.tasks and state.tasks[name].run_id in state.runs
    return spec.begin == "done" and not under_way


def _count_waits(state: State, scope: dict[str, TaskSpec], done: set[str]) -> dict[str, int]:
    """Own dependencies that are not done plus parents that wait themselves, from the blocked ones downwards."""
    waits: dict[str, int] = {}
    parts: dict[str, list[str]] = {}
    for name, spec in scope.items():
        waits[name] = sum(1 for need in spec.depends_on if need not in done and need not in state.over)
        for parent_id in spec.parents:
            if parent_id in scope:
                parts.setdefault(parent_id, []).append(name)
            elif parent_id in state.tasks and state.tasks[parent_id].waits:
                waits[name] += 1
    blocked = [name for name, own in waits.items() if own and name not in done]
    while blocked:
        for part in parts.get(blocked.pop(), ()):
            waits[part] += 1
            if waits[part] == 1 and part not in done:
                blocked.append(part)
    return waits


def _state_after(state: State, plan: Plan, name: str, done: bool, waits: int) -> TaskState:
    if done:
        return "done"
    before = state.tasks.get(name)
    resting: TaskState = "blocked" if waits else "ready"
    worded = plan.staged.get(name)
    if before is None:
        return "paused" if worded is not None and worded.begin == "paused" else resting
    if before.run_id in state.runs or not before.is_open:
        return before.state
    if worded is not None and worded.begin != before.spec.begin:
        return "paused" if worded.begin == "paused" else resting
    if before.state == "paused" or (before.state == "waiting" and not waits):
        return before.state
    return resting


def circles(state: State, plan: Plan) -> list[list[str]]:
    """Groups of tasks none of which can ever start or end because of the others.

    A task needs its dependencies; a container is done only when its parts are; a part cannot start before its
    container is unblocked (the gate, ``name + NUL``), which needs the container's own dependencies.
    """
    live = _reachable(state, plan)
    edges: dict[str, list[str]] = {task_id: list(spec.depends_on) for task_id, spec in live.items()}
    for task_id, spec in live.items():
        for parent_id in spec.parents:
            if parent_id in live:
                edges[parent_id].append(task_id)
                edges[task_id].append(parent_id + "\0")
                edges[parent_id + "\0"] = [*live[parent_id].depends_on, *(p + "\0" for p in live[parent_id].parents)]
    groups = {tuple(sorted({name.rstrip("\0") for name in group})) for group in graph.cycles(edges)}
    return [list(group) for group in sorted(groups)]


def _reachable(state: State, plan: Plan) -> dict[str, TaskSpec]:
    """The plan's tasks and all known ones they wait for, of any session, that are not done when it is in force."""
    live = {name: spec for name, spec in plan.staged.items() if not _will_be_done(state, name, spec)}
    look = list(live)
    while look:
        name = look.pop()
        for other in (*live[name].depends_on, *live[name].parents, *state.children.get(name, ())):
            if other in state.tasks and other not in plan.staged and other not in live:
                live[other] = state.tasks[other].spec
                look.append(other)
    return live
