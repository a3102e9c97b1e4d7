"""An agent: who does runs, one at a time. It lives on a worker and comes and goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from core.domain import errand, hire, run, worker
from core.domain.words import Fact, Line, Order, Refused

if TYPE_CHECKING:
    from core.domain.state import State

SHELL = "shell"  # the ability, and the adapter, that runs a task's command
PROMPT = "prompt"  # the ability to do a task that is said in words


class Pause(Order, frozen=True, tag="agent.pause"):
    """Give this agent nothing new; what it does, it finishes."""

    agent_id: str
    reason: Line = ""


class Resume(Order, frozen=True, tag="agent.resume"):
    agent_id: str


class Stop(Order, frozen=True, tag="agent.stop"):
    """Give this agent nothing new, and take from it what it does: its task is ready again, for others."""

    agent_id: str
    reason: Line = ""


class Restart(Order, frozen=True, tag="agent.restart"):
    """Interrupt what this agent does; it stays free for more. No attempt is used."""

    agent_id: str


class Paused(Fact, frozen=True, tag="agent.paused"):
    agent_id: str
    reason: str = ""


class Resumed(Fact, frozen=True, tag="agent.resumed"):
    agent_id: str


Command = Pause | Resume | Stop | Restart
Event = Paused | Resumed | errand.InterruptOrdered


class Agent(msgspec.Struct):
    """``abilities`` are what a task may need: its capabilities, its adapter, model and pool. ``last_busy``: the
    EVENTS sequence at which it was last given a run, so that the least recently busy goes first."""

    agent_id: str
    worker_id: str
    epoch: int
    abilities: frozenset[str]
    run_id: str = ""
    paused: bool = False
    gone: bool = False
    last_busy: int = 0

    @property
    def state(self) -> Literal["idle", "busy", "paused", "gone"]:
        if self.gone:
            return "gone"
        if self.run_id:
            return "busy"
        return "paused" if self.paused else "idle"


def decide(state: State, command: Command, at: int) -> list[Event]:
    agent = state.agents.get(command.agent_id)
    if agent is None or agent.gone:
        raise Refused(f"there is no agent {command.agent_id!r} at work")
    match command:
        case Pause(reason=reason):
            if agent.paused:
                raise Refused(f"agent {agent.agent_id} is paused already", outcome="already_so")
            return [Paused(agent_id=agent.agent_id, reason=reason)]
        case Resume():
            if not agent.paused:
                raise Refused(f"agent {agent.agent_id} is not paused", outcome="already_so")
            return [Resumed(agent_id=agent.agent_id)]
        case Stop(reason=reason):
            return _stop(state, agent, reason)
        case Restart():
            taken = _take_away(state, agent)
            if not taken:
                says = "is being stopped already" if agent.run_id else "does nothing"
                raise Refused(f"agent {agent.agent_id} {says}", outcome="already_so")
            return [*taken]


def evolve(
    state: State,
    fact: Paused | Resumed | errand.Assigned | run.Ended | worker.Registered | worker.Left | worker.Lost | hire.Grown,
    seq: int,
) -> None:
    match fact:
        case errand.Assigned():
            agent = state.agents[fact.agent_id]
            agent.run_id = fact.run_id
            agent.last_busy = seq
        case run.Succeeded() | run.Failed() | run.Interrupted() | run.Stopped():
            agent = state.agents[fact.agent_id]
            agent.run_id = ""
            state.offer(agent)
        case Paused():
            state.agents[fact.agent_id].paused = True
        case Resumed():
            agent = state.agents[fact.agent_id]
            agent.paused = False
            state.offer(agent)
        case worker.Registered():
            _leave(state, fact.worker_id)
            for spec in fact.agents:
                _join(state, fact.worker_id, seq, spec)
        case worker.Left() | worker.Lost():
            _leave(state, fact.worker_id)
        case hire.Grown():
            for spec in fact.agents:
                _join(state, fact.worker_id, fact.epoch, spec)


def _stop(state: State, agent: Agent, reason: str) -> list[Event]:
    taken = _take_away(state, agent)
    if agent.paused and not taken:
        raise Refused(f"agent {agent.agent_id} is stopped already", outcome="already_so")
    facts: list[Event] = [] if agent.paused else [Paused(agent_id=agent.agent_id, reason=reason)]
    return [*facts, *taken]


def _take_away(state: State, agent: Agent) -> list[errand.InterruptOrdered]:
    """The order that interrupts what the agent does; none where it does nothing, or is being stopped already."""
    held = state.runs.get(agent.run_id)
    if held is None or held.state in ("cancelling", "interrupting"):
        return []
    return [errand.interrupt_order(held)]


def abilities(spec: worker.AgentSpec) -> frozenset[str]:
    """All a task may ask of this agent. Every adapter but the shell takes a prompt."""
    reads = () if spec.adapter == SHELL else (PROMPT,)
    return frozenset((*spec.capabilities, spec.adapter, *reads, *filter(None, (spec.model, spec.pool))))


def _join(state: State, worker_id: str, epoch: int, spec: worker.AgentSpec) -> None:
    agent_id = f"{worker_id}/{spec.name}"
    before = state.agents.get(agent_id)
    agent = Agent(agent_id, worker_id, epoch, abilities(spec))
    if before is not None:  # a pause is an operator's will: it outlives the process
        agent.paused, agent.last_busy = before.paused, before.last_busy
    state.agents[agent_id] = agent
    state.offer(agent)


def _leave(state: State, worker_id: str) -> None:
    for agent in state.agents_of(worker_id):
        agent.gone = True
        agent.run_id = ""
