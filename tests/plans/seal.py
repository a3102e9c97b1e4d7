"""A plan through the real core, in memory: begin, add, seal, and the state it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from core.domain import machine, plan
from core.domain.machine import Received, Recorded
from core.domain.plan import Planned
from core.domain.state import State
from core.domain.system import Begin

AT = 1_800_000_000_000_000


def sealed(tasks: Sequence[Planned], *, session: str = "default", state: State | None = None) -> State:
    """The state after the tasks were imported, cycles allowed, as an import sends them."""
    state = state if state is not None else begun()
    name = f"plan-{state.seq}"
    order(state, plan.Begin(plan_id=name, session_id=session, cycles="block"))
    for first in range(0, len(tasks), 400):
        order(state, plan.Add(plan_id=name, tasks=list(tasks[first : first + 400])))
    said = order(state, plan.Seal(plan_id=name))
    assert isinstance(said[-1].fact, plan.Sealed), said[-1].fact
    return state


def begun() -> State:
    state = State()
    order(state, Begin(commands_created=1, events_created=1))
    return state


_numbers = count(1)


def order(state: State, command: machine.Command) -> list[Recorded]:
    seq = next(_numbers)
    return machine.step(state, Received(seq, AT, f"~test/{seq}", "tests", command))


def startable(state: State) -> set[str]:
    """What the scheduler would give out: the whole ready queue, in every lane."""
    return {
        task.task_id for task in state.tasks.values() if task.state == "ready" and not task.open_children
    }  # and nothing else: the queue below is rebuilt from the same


def queued(state: State) -> set[str]:
    """The ready queue itself."""
    fit = startable(state)
    return {task_id for queue in state.ready.values() for _, _, task_id in queue if task_id in fit}


def waiting(state: State) -> set[str]:
    return {task.task_id for task in state.tasks.values() if task.waits}


def containers(state: State) -> set[str]:
    return {task.task_id for task in state.tasks.values() if task.open_children}
