"""The dependency graph in the state: who waits for whom, who becomes ready, where it goes in circles.

A task waits for its dependencies and for its parents to be unblocked themselves; ``Task.waits`` counts both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.domain.state import State


TOLD_AT_ONCE = 1_000  # names of unblocked tasks in one fact; more follow as ``task.unblocked``


def lifted_by(state: State, task_id: str) -> dict[str, int]:
    """How many of each task's waits end when ``task_id`` is done, children of unblocked parents included."""
    first = list(state.dependents.get(task_id, ()))
    done = state.tasks.get(task_id)
    if done is not None and done.waits:  # it was done although blocked: what its parts waited for ends with it
        first.extend(state.children.get(task_id, ()))
    return lifted_from(state, first)


def lifted_from(state: State, first: list[str]) -> dict[str, int]:
    """How many waits of each task end when one of each of ``first`` does."""
    stack = list(first)
    lifted: dict[str, int] = {}
    while stack:
        name = stack.pop()
        task = state.tasks.get(name)
        if task is None:
            continue
        lifted[name] = lifted.get(name, 0) + 1
        if task.waits == lifted[name]:
            stack.extend(state.children.get(name, ()))
    return lifted


def unblocked_by(state: State, task_id: str) -> list[str]:
    """Tasks that turn from blocked to ready when ``task_id`` is done, in order of their ids.

    Never itself: a container that an import made wait for its own part frees that part by being done, and the part
    may be what is done. Up to rules 2 it was named.
    """
    lifted = lifted_by(state, task_id)
    if state.rules >= 3:
        lifted.pop(task_id, None)
    return sorted(name for name, n in lifted.items() if _blocked_by_just(state, name, n))


def pressed_by(state: State, task_id: str) -> dict[str, int]:
    """How many waits come to each task when ``task_id`` gets one more: to its parts too, if it waited for nothing."""
    stack, pressed = [task_id], dict[str, int]()
    while stack:
        name = stack.pop()
        task = state.tasks.get(name)
        if task is None:
            continue
        pressed[name] = pressed.get(name, 0) + 1
        if pressed[name] == 1 and not task.waits:
            stack.extend(state.children.get(name, ()))
    return pressed


def freed_by(state: State, task_id: str) -> list[str]:
    """Tasks that turn from blocked to ready when ``task_id`` waits for one thing less, in order of their ids."""
    lifted = lifted_from(state, [task_id])
    return sorted(name for name, n in lifted.items() if _blocked_by_just(state, name, n))


def _blocked_by_just(state: State, name: str, n: int) -> bool:
    task = state.tasks[name]
    return task.state == "blocked" and task.waits == n


def waits_for_itself(state: State, depends_on: Sequence[str], parents: Sequence[str]) -> str:
    """The container that a new task would keep from ever being done, because the task waits for it; or nothing.

    Walks from the containers to all that waits for them: to be done (dependents, containers above), or to be
    unblocked (``gated``: parts of what waits). Only a new part can close a circle: nothing can wait for a new task yet.
    """
    for parent_id in parents:
        came = _waiting_for(state, [(parent_id, False)])
        if any((need, False) in came for need in depends_on) or any((above, True) in came for above in parents):
            return parent_id
    return ""


def way_round(state: State, task_id: str, on: str) -> list[str]:
    """How ``on`` waits for ``task_id`` already, from the one to the other; nothing where it does not."""
    if on == task_id:
        return [task_id]
    came = _waiting_for(state, [(task_id, False), (task_id, True)])
    step: Standing | None = (on, False)
    way: list[str] = []
    while step is not None and step in came:
        if not way or way[-1] != step[0]:
            way.append(step[0])
        step = came[step]
    return way


Standing = tuple[str, bool]  # a task that cannot be done (False), or not even be unblocked (True)


def _waiting_for(state: State, first: Sequence[Standing]) -> dict[Standing, Standing | None]:
    """All that cannot be done, or be unblocked, before the first ones are; each with the one it was reached from."""
    came: dict[Standing, Standing | None] = dict.fromkeys(first)
    stack = list(first)
    while stack:
        here = stack.pop()
        name, blocked = here
        found: list[Standing] = []
        if blocked:
            for part in state.children.get(name, ()):
                found += ((part, False), (part, True))
        else:
            for other in state.dependents.get(name, ()):
                found += ((other, False), (other, True))
            found += ((above, False) for above in state.tasks[name].spec.parents)
        for reached in found:
            if reached[0] in state.tasks and reached not in came:
                came[reached] = here
                stack.append(reached)
    return came


def cycles(edges: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The strongly connected groups of more than one task (or a task that needs itself), each sorted.

    Tarjan's algorithm with its own stack, so depth is bounded by memory only. ``edges``: task to what it needs.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    found: list[list[str]] = []
    for root in edges:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(edges[root]))]
        while work:
            node, needs = work[-1]
            for need in needs:
                if need not in edges:
                    continue
                if need not in index:
                    index[need] = low[need] = len(index)
                    stack.append(need)
                    on_stack.add(need)
                    work.append((need, iter(edges[need])))
                    break
                if need in on_stack:
                    low[node] = min(low[node], index[need])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    found.extend(_close(node, stack, on_stack, edges))
    return sorted(found)


def _close(node: str, stack: list[str], on_stack: set[str], edges: Mapping[str, Sequence[str]]) -> Iterable[list[str]]:
    group = []
    while True:
        name = stack.pop()
        on_stack.discard(name)
        group.append(name)
        if name == node:
            break
    if len(group) > 1 or node in edges[node]:
        yield sorted(group)
