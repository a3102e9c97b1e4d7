"""A lane: a named queue with its own pause switch and concurrency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from core.domain import run, worker
from core.domain.words import Fact, Line, Name, Order, Refused, check_name

if TYPE_CHECKING:
    from core.domain.state import State

DEFAULT_LANES = ("A", "B", "C", "D")


class Configure(Order, frozen=True, tag="lane.configure"):
    """Make a lane, or change one. ``concurrency``: runs at once, None for as many as there are agents."""

    lane: Name
    concurrency: Annotated[int, Meta(ge=0, le=100_000)] | None = None


class Pause(Order, frozen=True, tag="lane.pause"):
    lane: Name
    reason: Line = ""


class Resume(Order, frozen=True, tag="lane.resume"):
    lane: Name


class Configured(Fact, frozen=True, tag="lane.configured"):
    lane: str
    concurrency: int | None = None


class Paused(Fact, frozen=True, tag="lane.paused"):
    lane: str
    reason: str = ""


class Resumed(Fact, frozen=True, tag="lane.resumed"):
    lane: str


Command = Configure | Pause | Resume
Event = Configured | Paused | Resumed


class Lane(msgspec.Struct):
    lane: str
    concurrency: int | None = None
    paused: bool = False
    running: int = 0

    @property
    def has_room(self) -> bool:
        return self.concurrency is None or self.running < self.concurrency


def decide(state: State, command: Command, at: int) -> list[Event]:
    match command:
        case Configure(lane=name, concurrency=concurrency):
            check_name("lane", name)
            before = state.lanes.get(name)
            if before is not None and before.concurrency == concurrency:
                raise Refused(f"lane {name} is set so already", outcome="already_so")
            return [Configured(lane=name, concurrency=concurrency)]
        case Pause(lane=name, reason=reason):
            if known(state, name).paused:
                raise Refused(f"lane {name} is paused already", outcome="already_so")
            return [Paused(lane=name, reason=reason)]
        case Resume(lane=name):
            if not known(state, name).paused:
                raise Refused(f"lane {name} is open already", outcome="already_so")
            return [Resumed(lane=name)]


def evolve(
    state: State,
    fact: Configured | Paused | Resumed | worker.Assigned | run.Ended | worker.Registered | worker.Left | worker.Lost,
    seq: int,
) -> None:
    match fact:
        case worker.Assigned():
            state.lanes[fact.lane].running += 1
        case run.Succeeded() | run.Failed() | run.Interrupted() | run.Stopped():
            state.lanes[fact.lane].running -= 1
        case Configured():
            state.lanes.setdefault(fact.lane, Lane(fact.lane)).concurrency = fact.concurrency
        case Paused():
            state.lanes[fact.lane].paused = True
        case Resumed():
            state.lanes[fact.lane].paused = False
        case worker.Registered() | worker.Left() | worker.Lost():
            for released in fact.released:
                state.lanes[released.lane].running -= 1


def known(state: State, name: str) -> Lane:
    """The lane, or refuse with the ones there are."""
    lane = state.lanes.get(name)
    if lane is None:
        raise Refused(f"there is no lane {name!r}; the lanes are {', '.join(sorted(state.lanes))}")
    return lane
