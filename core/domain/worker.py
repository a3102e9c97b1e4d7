"""A worker: a process on a machine that hosts agents. Its orders are facts on its own subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from core.domain import errand, retry
from core.domain.errand import (
    Assigned,
    CancelOrdered,
    ContinueOrdered,
    HaltOrdered,
    HireOrdered,
    HoldOrdered,
    InterruptOrdered,
    MessageOrdered,
)
from core.domain.retry import After
from core.domain.words import (
    LONGEST_LANE,
    LONGEST_TASK_ID,
    MAX_SAID,
    Count,
    Fact,
    Line,
    Name,
    Order,
    Refused,
    check_name,
)

if TYPE_CHECKING:
    from core.domain.state import State

# What is told to a worker is known by the worker's name, too.
__all__ = [
    "AgentSpec", "Assigned", "CancelOrdered", "ContinueOrdered", "Drain", "Draining", "HaltOrdered", "HireOrdered",
    "HoldOrdered", "InterruptOrdered", "Leave", "Left", "Lose", "Lost", "MessageOrdered", "Register", "Registered",
    "Released", "Worker",
]  # fmt: skip

# Bytes of one ``Released`` without its agent's id: what is around the names, the names, and an attempt's number.
_RELEASED = 110 + 2 * LONGEST_TASK_ID + LONGEST_LANE


class AgentSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An agent as its worker offers it. Its id is ``worker/name``."""

    name: Name
    adapter: Name
    model: Line = ""
    pool: Line = ""
    capabilities: list[Name] = []


class Register(Order, frozen=True, tag="worker.register"):
    """Here I am. ``boot_id`` is random per process; ``replace`` takes the name over from a worker that still beats."""

    worker_id: Name
    boot_id: Name
    agents: Annotated[list[AgentSpec], Meta(max_length=1_000)]
    host: Line = ""
    pid: Count = 0
    version: Line = ""
    replace: bool = False


class Drain(Order, frozen=True, tag="worker.drain"):
    """Take nothing new; finish what runs."""

    worker_id: Name
    reason: Line = ""


class Leave(Order, frozen=True, tag="worker.leave"):
    """The worker says good-bye; what it still held was interrupted."""

    worker_id: Name
    epoch: int


class Lose(Order, frozen=True, tag="worker.lose"):
    """The leading core saw no beat for a whole TTL. ``last_beat`` in microseconds, 0: none seen."""

    worker_id: Name
    epoch: int
    last_beat: Count = 0


class Released(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A run that ended with its worker, and what becomes of its task."""

    run_id: str
    task_id: str
    agent_id: str
    lane: str
    then: After
    retry_at: int = 0


class Registered(Fact, frozen=True, tag="worker.registered"):
    """Its EVENTS sequence is the worker's epoch. ``released``: runs of the epoch before, lost with it."""

    worker_id: str
    boot_id: str
    agents: list[AgentSpec]
    host: str = ""
    pid: int = 0
    version: str = ""
    released: list[Released] = []


class Draining(Fact, frozen=True, tag="worker.draining"):
    worker_id: str
    epoch: int
    reason: str = ""


class Left(Fact, frozen=True, tag="worker.left"):
    worker_id: str
    epoch: int
    released: list[Released] = []


class Lost(Fact, frozen=True, tag="worker.lost"):
    worker_id: str
    epoch: int
    last_beat: int = 0
    released: list[Released] = []


Command = Register | Drain | Leave | Lose
Event = Registered | Draining | Left | Lost | errand.Event


class Worker(msgspec.Struct):
    """What the core knows of a worker."""

    worker_id: str
    boot_id: str
    epoch: int
    agents: list[str]
    state: Literal["live", "draining", "lost", "left"] = "live"


def decide(state: State, command: Command, at: int) -> list[Event]:
    match command:
        case Register():
            return _register(state, command, at)
        case Drain(worker_id=worker_id, reason=reason):
            worker = known(state, worker_id)
            if worker.state != "live":
                raise Refused(f"worker {worker_id!r} is {worker.state} already", outcome="already_so")
            return [Draining(worker_id=worker_id, epoch=worker.epoch, reason=reason)]
        case Leave(worker_id=worker_id, epoch=epoch):
            present(state, worker_id, epoch)
            return [Left(worker_id=worker_id, epoch=epoch, released=_release(state, worker_id, at, lost=False))]
        case Lose(worker_id=worker_id, epoch=epoch, last_beat=last_beat):
            present(state, worker_id, epoch)
            released = _release(state, worker_id, at, lost=True)
            return [Lost(worker_id=worker_id, epoch=epoch, last_beat=last_beat, released=released)]


def evolve(state: State, fact: Registered | Draining | Left | Lost | HaltOrdered, seq: int) -> None:
    match fact:
        case Registered():
            ids = [f"{fact.worker_id}/{agent.name}" for agent in fact.agents]
            state.workers[fact.worker_id] = Worker(fact.worker_id, fact.boot_id, seq, ids)
            state.to_halt.pop(fact.worker_id, None)
        case Draining():
            state.workers[fact.worker_id].state = "draining"
        case Left():
            state.workers[fact.worker_id].state = "left"
            state.to_halt.pop(fact.worker_id, None)
        case Lost():
            state.workers[fact.worker_id].state = "lost"
            state.to_halt.pop(fact.worker_id, None)
        case HaltOrdered():
            state.to_halt.pop(fact.worker_id, None)


def _register(state: State, command: Register, at: int) -> list[Event]:
    check_name("worker", command.worker_id)
    _check_agents(command)
    before = state.workers.get(command.worker_id)
    if before is not None and before.state in ("live", "draining"):
        if before.boot_id == command.boot_id:
            raise Refused(f"worker {command.worker_id!r} is registered, epoch {before.epoch}", outcome="already_so")
        if not command.replace:
            raise Refused(
                f"worker {command.worker_id!r} is registered by another process that still beats: "
                "give this one another name, wait until the first is lost, or replace it (--replace)"
            )
    return [
        Registered(
            worker_id=command.worker_id,
            boot_id=command.boot_id,
            agents=command.agents,
            host=command.host,
            pid=command.pid,
            version=command.version,
            released=_release(state, command.worker_id, at, lost=True),
        )
    ]


def _check_agents(command: Register) -> None:
    names = [agent.name for agent in command.agents]
    for name in names:
        check_name("agent", name)
    if len(set(names)) < len(names):
        raise Refused(
            f"worker {command.worker_id!r} names two agents alike; every agent of a worker needs its own name"
        )
    check_loss(command.worker_id, names)


def check_loss(worker_id: str, names: list[str]) -> None:
    """Refuse agents whose loss no fact could hold: it could never be said."""
    loss = sum(_RELEASED + len(f"{worker_id}/{name}".encode()) for name in names)
    if loss > MAX_SAID:
        raise Refused(
            f"worker {worker_id!r} brings {len(names)} agents: their loss could take {loss:,} bytes, "
            f"{MAX_SAID:,} is the most one fact may have; give it fewer agents, or shorter names"
        )


def known(state: State, worker_id: str) -> Worker:
    """The worker, or refuse."""
    worker = state.workers.get(worker_id)
    if worker is None:
        raise Refused(f"there is no worker {worker_id!r}")
    return worker


def present(state: State, worker_id: str, epoch: int) -> Worker:
    """The worker in its present epoch, or refuse what comes from another one."""
    worker = known(state, worker_id)
    if worker.epoch != epoch:
        raise Refused(f"worker {worker_id!r} is in epoch {worker.epoch}, not {epoch}", outcome="fenced")
    if worker.state in ("left", "lost"):
        raise Refused(f"worker {worker_id!r} is {worker.state} already", outcome="already_so")
    return worker


def is_present(state: State, worker_id: str, epoch: int) -> bool:
    """Whether this is the worker's present epoch, and it was not given up."""
    worker = state.workers.get(worker_id)
    return worker is not None and worker.epoch == epoch and worker.state in ("live", "draining")


def _release(state: State, worker_id: str, at: int, *, lost: bool) -> list[Released]:
    """Every run the worker holds. Lost: it counts towards quarantine; interrupted: the task is simply ready again."""
    worker = state.workers.get(worker_id)
    held = worker.agents if worker is not None and worker.state in ("live", "draining") else []
    runs = [state.runs[agent.run_id] for agent in map(state.agents.get, held) if agent is not None and agent.run_id]
    out = []
    for run in runs:
        task = state.tasks.get(run.task_id)
        then: After = "cancelled"
        retry_at = 0
        if task is not None and task.is_open:
            then = retry.after_loss(task.losses + 1, state.rules) if lost else "ready"
            if task.state == "paused" and then != "quarantined":
                then = "paused"
            then = retry.resting(then, task.waits)
            if then == "waiting":
                retry_at = at + retry.backoff_us(task.spec.policy, task.losses + 1, run.run_id)
        out.append(
            Released(
                run_id=run.run_id,
                task_id=run.task_id,
                agent_id=run.agent_id,
                lane=run.lane,
                then=then,
                retry_at=retry_at,
            )
        )
    return out
