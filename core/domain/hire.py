"""A worker takes on more agents: an operator orders it, the worker reports what it brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from core.domain import errand, worker
from core.domain.words import Fact, Line, Name, Order, Refused, check_name, listed

if TYPE_CHECKING:
    from core.domain.state import State

MOST_AGENTS = 1_000  # on one worker


class Hire(Order, frozen=True, tag="worker.hire"):
    """Have the worker start ``count`` more agents of a kind it knows."""

    worker_id: Name
    adapter: Name
    model: Line = ""
    pool: Line = ""
    count: Annotated[int, Meta(ge=1, le=100)] = 1
    capabilities: Annotated[list[Name], Meta(max_length=50)] = []


class Grow(Order, frozen=True, tag="worker.grow"):
    """The worker's report: these agents came to those it has."""

    worker_id: Name
    epoch: int
    agents: Annotated[list[worker.AgentSpec], Meta(min_length=1, max_length=MOST_AGENTS)]


class Grown(Fact, frozen=True, tag="worker.grown"):
    worker_id: str
    epoch: int
    agents: list[worker.AgentSpec]


Command = Hire | Grow
Event = Grown | errand.HireOrdered


def decide(state: State, command: Command, at: int) -> list[Event]:
    match command:
        case Hire():
            return [_hire(state, command)]
        case Grow():
            return [_grow(state, command)]


def evolve(state: State, fact: Grown, seq: int) -> None:
    state.workers[fact.worker_id].agents += [f"{fact.worker_id}/{each.name}" for each in fact.agents]


def _hire(state: State, order: Hire) -> errand.HireOrdered:
    host = worker.known(state, order.worker_id)
    if host.state != "live":
        raise Refused(f"worker {order.worker_id!r} is {host.state}: it takes on nobody")
    if len(host.agents) + order.count > MOST_AGENTS:
        raise Refused(
            f"worker {order.worker_id!r} has {len(host.agents)} agents; {MOST_AGENTS:,} is the most: start another one"
        )
    return errand.HireOrdered(
        worker_id=order.worker_id,
        epoch=host.epoch,
        adapter=order.adapter,
        model=order.model,
        pool=order.pool,
        count=order.count,
        capabilities=order.capabilities,
    )


def _grow(state: State, report: Grow) -> Grown:
    host = worker.present(state, report.worker_id, report.epoch)
    names = [each.name for each in report.agents]
    for name in names:
        check_name("agent", name)
    there = {agent_id.partition("/")[2] for agent_id in host.agents}
    known = [name for name in names if name in there]
    if len(known) == len(names):
        raise Refused(f"worker {report.worker_id!r} has {listed(names)} already", outcome="already_so")
    if known or len(set(names)) < len(names):
        raise Refused(f"worker {report.worker_id!r} names two agents alike: {listed(known or names)}")
    if len(there) + len(names) > MOST_AGENTS:
        raise Refused(f"worker {report.worker_id!r} has {len(there)} agents; {MOST_AGENTS:,} is the most")
    worker.check_loss(report.worker_id, [*there, *names])
    return Grown(worker_id=report.worker_id, epoch=report.epoch, agents=report.agents)
