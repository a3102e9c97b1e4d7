"""Who does what next: state in, assignments out.

Why a task is not given out, ``conditions`` says by the same questions.
"""

from __future__ import annotations

from heapq import heappop

from core.domain import errand, graph
from core.domain.agent import Agent
from core.domain.spec import Task
from core.domain.state import ReadyEntry, State, needs_of
from core.domain.task import RolledUp, Unblocked

Event = errand.Assigned | errand.CancelOrdered | errand.HaltOrdered | RolledUp | Unblocked


def next_fact(state: State) -> Event | None:
    """The next thing to say, or None when every fitting pair is at work. The caller folds it in before asking again."""
    for task_id, names in state.to_tell.items():
        return Unblocked(task_id=task_id, unblocked=names[: graph.TOLD_AT_ONCE])
    for worker_id in state.to_halt:
        return errand.HaltOrdered(worker_id=worker_id, epoch=state.workers[worker_id].epoch)
    for run_id in state.to_stop:
        return errand.cancel_order(state.runs[run_id])
    for task_id in state.to_roll_up:
        return _roll_up(state, state.tasks[task_id])
    if not fleet_gives(state.halted is not None):
        return None
    pair = _next_pair(state)
    return None if pair is None else _assign(*pair)


def fits(needs: frozenset[str], abilities: frozenset[str]) -> bool:
    """Whether an agent of these abilities can do a task of these needs."""
    return needs <= abilities


def fleet_gives(halted: bool) -> bool:
    """Whether anything is given out at all."""
    return not halted


def lane_gives(paused: bool, running: int, concurrency: int | None) -> bool:
    """Whether a lane gives out work now."""
    return not paused and (concurrency is None or running < concurrency)


def _roll_up(state: State, task: Task) -> RolledUp:
    if task.failed_children:
        return RolledUp(task_id=task.task_id, state="failed")
    if not task.done_children:
        return RolledUp(task_id=task.task_id, state="cancelled")
    return RolledUp(
        task_id=task.task_id, state="done", unblocked=graph.unblocked_by(state, task.task_id)[: graph.TOLD_AT_ONCE]
    )


def _next_pair(state: State) -> tuple[Task, Agent] | None:
    """The most urgent, then oldest, ready task that has a free fitting agent, with the least recently busy of those."""
    best: ReadyEntry | None = None
    chosen: Agent | None = None
    for (lane_name, needs), queue in list(state.ready.items()):
        head = _first_ready(state, queue, lane_name, needs)
        if head is None:
            del state.ready[lane_name, needs]
            continue
        lane = state.lanes[lane_name]
        if (best is not None and head > best) or not lane_gives(lane.paused, lane.running, lane.concurrency):
            continue
        agent = _free_agent(state, needs)
        if agent is not None:
            best, chosen = head, agent
    return None if best is None or chosen is None else (state.tasks[best[2]], chosen)


def _first_ready(state: State, queue: list[ReadyEntry], lane: str, needs: frozenset[str]) -> ReadyEntry | None:
    while queue:
        task = state.tasks.get(queue[0][2])
        if (
            task is not None
            and task.state == "ready"
            and (task.priority, task.order) == queue[0][:2]
            and not task.open_children
            and task.spec.lane == lane  # a plan may have reworded it since: then it stands in another queue, too
            and needs_of(task.spec) == needs
        ):
            return queue[0]
        heappop(queue)
    return None


def _free_agent(state: State, needs: frozenset[str]) -> Agent | None:
    best: tuple[int, str] | None = None
    for abilities, queue in state.idle.items():
        if not fits(needs, abilities):
            continue
        head = _first_idle(state, queue)
        if head is not None and (best is None or head < best):
            best = head
    return None if best is None else state.agents[best[1]]


def _first_idle(state: State, queue: list[tuple[int, str]]) -> tuple[int, str] | None:
    while queue:
        last_busy, agent_id = queue[0]
        agent = state.agents[agent_id]
        if (
            agent.state == "idle"
            and agent.last_busy == last_busy
            and state.workers[agent.worker_id].state == "live"
            and agent.abilities in state.idle
            and state.idle[agent.abilities] is queue
        ):
            return queue[0]
        heappop(queue)
    return None


def _assign(task: Task, agent: Agent) -> errand.Assigned:
    spec, attempt = task.spec, task.runs + 1
    return errand.Assigned(
        worker_id=agent.worker_id,
        epoch=agent.epoch,
        run_id=f"{task.task_id}~{attempt}",
        task_id=task.task_id,
        session_id=task.session_id,
        agent_id=agent.agent_id,
        attempt=attempt,
        lane=spec.lane,
        title=spec.title,
        prompt=spec.prompt,
        command=spec.command,
        files=spec.files,
        policy=spec.policy,
    )
