"""The line in which the tasks of a lane and a priority are given out, and how one is put elsewhere in it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from core.domain.spec import Task
from core.domain.words import Refused

if TYPE_CHECKING:
    from core.domain.state import State

MOST_MOVED = 300  # tasks of which one command may say a new place: far below the bound of facts


def orders(state: State, task: Task, before: str) -> list[tuple[str, float]]:
    """New places by task: of ``task``, and of its new neighbours where there was no room left between them.

    Looks at every task once: that is a person's pace, not a scheduler's.
    """
    if not task.is_open:
        raise Refused(f"cannot place task {task.task_id}: it is {task.state}")
    line = _line(state, task)
    at = _place_of(state, task, before, line)
    earlier, later = line[:at], line[at:]
    if (not earlier or _key(earlier[-1]) < _key(task)) and (not later or _key(task) < _key(later[0])):
        raise Refused(f"task {task.task_id} stands there already", outcome="already_so")
    if not later:
        return [(task.task_id, earlier[-1].order + 1.0)]
    if not earlier:
        return [(task.task_id, later[0].order - 1.0)]
    return _between(earlier, task, later)


def _line(state: State, task: Task) -> list[Task]:
    """The other open tasks of its lane and priority, in the order in which they would be given out."""
    same = (
        each for each in state.tasks.values()
        if each.priority == task.priority and each.spec.lane == task.spec.lane and each.is_open and each is not task
    )  # fmt: skip
    return sorted(same, key=_key)


def _key(task: Task) -> tuple[float, str]:
    return task.order, task.task_id


def _place_of(state: State, task: Task, before: str, line: list[Task]) -> int:
    if not before:
        return len(line)
    for place, other in enumerate(line):
        if other.task_id == before:
            return place
    if before == task.task_id:
        raise Refused(f"task {before} cannot stand before itself")
    strange = state.tasks.get(before)
    if strange is None or not strange.is_open:
        raise Refused(f"there is no open task {before!r} to stand before")
    raise Refused(
        f"task {task.task_id} is of lane {task.spec.lane}, P{task.priority}; {before} is of lane {strange.spec.lane}, "
        f"P{strange.priority}: they stand in different lines"
    )


def _between(earlier: list[Task], task: Task, later: list[Task]) -> list[tuple[str, float]]:
    """The middle between its neighbours; where no number lies there, the next ones move on to make room."""
    low = earlier[-1].order
    moved: list[Task] = [task]
    for other in later[:MOST_MOVED]:
        step = (other.order - low) / (len(moved) + 1)
        places = [low + step * n for n in range(1, len(moved) + 1)]
        if _rising([low, *places, other.order]):
            return [(each.task_id, place) for each, place in zip(moved, places, strict=True)]
        moved.append(other)
    if len(moved) == len(later) + 1:  # up to the end of the line: there is room behind it
        return [(each.task_id, low + n) for n, each in enumerate(moved, 1)]
    raise Refused(f"there is no room left before {later[0].task_id}: put {task.task_id} elsewhere in the line")


def _rising(numbers: list[float]) -> bool:
    return all(one < other for one, other in pairwise(numbers))
