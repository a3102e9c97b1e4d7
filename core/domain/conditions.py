"""Why a task is not given out: every condition for starting it, in words. The rule asks ``schedule``'s own questions:

does the task rest on nothing that is not done, is its lane open with room, is a fitting agent free.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from core.domain import schedule
from core.domain.agent import PROMPT, Agent
from core.domain.state import State, needs_of
from core.domain.words import count, listed


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that must hold before a task starts, whether it does, and the words for it."""

    name: str
    met: bool
    says: str


class AgentView(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as the rule sees it. ``state``: idle, busy, held (busy with a held run), paused, gone; draining counts
    as gone."""

    agent_id: str
    abilities: frozenset[str]
    state: str


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """A task as the rule sees it, from the state or from rows of any moment. Times in microseconds."""

    task_id: str
    state: str
    needs: frozenset[str]
    lane: str
    lane_paused: bool
    lane_running: int
    lane_concurrency: int | None
    unmet: Sequence[tuple[str, str]] = ()  # dependency, its state
    blocked_parents: Sequence[str] = ()
    open_children: int = 0
    retry_at: int = 0
    because: str = ""
    circle: Sequence[str] = ()
    halted: str = ""  # who halted the fleet, and why


def why(task: TaskView, agents: Sequence[AgentView], at: int) -> list[Condition]:
    """Every condition for starting the task, met or not. All met: it is given out as soon as its turn comes."""
    return [
        _held(task, at),
        _needs_done(task),
        _parts_done(task),
        _fleet_open(task),
        _lane_open(task),
        _agent_free(task, agents),
    ]


def view(state: State, task_id: str) -> tuple[TaskView, list[AgentView]]:
    """The rule's view of a task, taken from the core's own state."""
    task = state.tasks[task_id]
    lane = state.lanes[task.spec.lane]
    unmet = [
        (n, state.tasks[n].state if n in state.tasks else "unknown")
        for n in task.spec.depends_on
        if n not in state.over
    ]
    above = [n for n in task.spec.parents if n in state.tasks and state.tasks[n].waits]
    seen = TaskView(
        task_id=task_id,
        state=task.state,
        needs=needs_of(task.spec),
        lane=lane.lane,
        lane_paused=lane.paused,
        lane_running=lane.running,
        lane_concurrency=lane.concurrency,
        unmet=unmet,
        blocked_parents=above,
        open_children=task.open_children,
        retry_at=task.retry_at,
        because=task.spec.because,
        halted="" if state.halted is None else said_by(state.halted.by, state.halted.reason),
    )
    return seen, [
        AgentView(agent_id=a.agent_id, abilities=a.abilities, state=_as_seen(state, a)) for a in state.agents.values()
    ]


def _as_seen(state: State, agent: Agent) -> str:
    if state.workers[agent.worker_id].state != "live":
        return "gone"
    held = state.runs.get(agent.run_id)
    return "held" if held is not None and held.state == "held" else agent.state


def said_by(by: str, reason: str) -> str:
    """``by operator: the build is red``."""
    return f"by {by}: {reason}" if reason else f"by {by}"


def _held(task: TaskView, at: int) -> Condition:
    match task.state:
        case "paused":
            return Condition(name="open", met=False, says=f"paused: {task.because or 'by order; resume it to go on'}")
        case "waiting":
            left = max(0.0, (task.retry_at - at) / 1e6)
            return Condition(name="open", met=False, says=f"waits {left:.0f} s before the next attempt")
        case "ready" | "blocked":
            return Condition(name="open", met=True, says="nobody holds it back")
        case over:
            return Condition(name="open", met=False, says=f"it is {over}")


def _needs_done(task: TaskView) -> Condition:
    if task.circle:
        return Condition(
            name="dependencies", met=False, says=f"waits for itself in a circle: {listed(list(task.circle), 9)}"
        )
    if task.unmet:
        named = [f"{name}, which {_is(state)}" for name, state in task.unmet]
        return Condition(name="dependencies", met=False, says=f"needs {listed(named)}")
    if task.blocked_parents:
        return Condition(
            name="dependencies", met=False, says=f"a part of {listed(list(task.blocked_parents))}, blocked"
        )
    return Condition(name="dependencies", met=True, says="all it depends on is done")


def _is(state: str) -> str:
    # A container rests in "ready" while its parts are done, which would read as if it could be given out.
    return {"failed": "failed", "cancelled": "was cancelled", "ready": "is open"}.get(state, f"is {state}")


def _parts_done(task: TaskView) -> Condition:
    if not task.open_children:
        return Condition(name="parts", met=True, says="not a container")
    verb = "is" if task.open_children == 1 else "are"
    says = f"a container: done when its {count(task.open_children, 'open part')} {verb}"
    return Condition(name="parts", met=False, says=says)


def _fleet_open(task: TaskView) -> Condition:
    if schedule.fleet_gives(bool(task.halted)):
        return Condition(name="fleet", met=True, says="the fleet is not halted")
    return Condition(name="fleet", met=False, says=f"the fleet is halted {task.halted}")


def _lane_open(task: TaskView) -> Condition:
    if schedule.lane_gives(task.lane_paused, task.lane_running, task.lane_concurrency):
        slots = (
            "no limit"
            if task.lane_concurrency is None
            else f"{task.lane_running} of {task.lane_concurrency} slots taken"
        )
        return Condition(name="lane", met=True, says=f"lane {task.lane} is open, {slots}")
    if task.lane_paused:
        return Condition(name="lane", met=False, says=f"lane {task.lane} is paused")
    return Condition(
        name="lane", met=False, says=f"lane {task.lane} is full: {task.lane_running} of {task.lane_concurrency}"
    )


def _agent_free(task: TaskView, agents: Sequence[AgentView]) -> Condition:
    present = [agent for agent in agents if agent.state != "gone"]
    able = [agent for agent in present if schedule.fits(task.needs, agent.abilities)]
    free = [agent for agent in able if agent.state == "idle"]
    if free:
        return Condition(name="agent", met=True, says=f"{count(len(free), 'fitting agent')} free")
    if able:
        held = sum(1 for agent in able if agent.state == "held")
        busy = sum(1 for agent in able if agent.state == "busy") + held
        rest = f", {held} with a held run" if held else ""
        rest += f", {len(able) - busy} paused" if busy < len(able) else ""
        return Condition(name="agent", met=False, says=f"{busy} of {count(len(able), 'fitting agent')} busy{rest}")
    if not present:
        return Condition(name="agent", met=False, says="no agent is connected")
    offered = frozenset().union(*(agent.abilities for agent in present))
    lacking = sorted(task.needs - offered) or sorted(task.needs)
    if lacking == [PROMPT]:
        return Condition(name="agent", met=False, says="only shells are connected, and it has no command to run")
    return Condition(name="agent", met=False, says=f"no agent offers {listed(lacking)}")
