"""``run(seed)``: play one seed to its end, with the cores' own limits set low enough to matter."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from core import engine, recovery
from core.committer import Deposed
from core.domain import graph, lane, machine
from core.domain.state import State
from core.engine import Engine
from core.recovery import Recovered
from tests.simulation.loop import VirtualLoop
from tests.simulation.oracle import Violation
from tests.simulation.patches import replaced
from tests.simulation.world import World


class Result(msgspec.Struct):
    """What one seed did. ``chain`` is the hash of the last fact: equal seeds end in equal chains."""

    seed: int
    commands: int
    facts: int
    virtual_s: float
    chain: str
    seen: Counter[str]


def run(seed: int, commands: int = 300) -> Result:
    """Play one seed to its end, and tell what it did."""
    world, virtual_s = played(seed, commands)
    state = world.checker.state
    return Result(seed, state.command_seq, state.seq, virtual_s, world.checker.chain, world.seen)


def played(seed: int, commands: int) -> tuple[World, float]:
    """The world at the end of its play, and how many virtual seconds that took."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    logging.getLogger("core").setLevel(logging.CRITICAL)
    try:
        world = loop.run_until_complete(_played(seed, commands))
        if loop.problems:
            raise Violation(f"unhandled in a process: {loop.problems[0]}")
    finally:
        _end(loop)
    return world, loop.time()


async def _played(seed: int, commands: int) -> World:
    world = World(seed, commands)
    rng, seen = world.rng, world.seen
    with replaced(
        (machine, "MAX_FACTS", rng.choice((400, 400, 400, 3, 9))),
        (graph, "TOLD_AT_ONCE", rng.choice((1_000, 1))),
        (engine, "SNAPSHOT_FACTS", rng.choice((60, 200))),
        (engine, "recover", _watched(engine.recover, seen, "core leads", "half-written command found")),
        (recovery, "_from_snapshot", _watched(recovery._from_snapshot, seen, "started from a snapshot", "")),
        (Engine, "_lead", _deposed(Engine._lead, seen)),
        (lane, "decide", _explosive(lane.decide)),
    ):
        await world.play()
    return world


def _watched(recover: Callable[..., Any], seen: Counter[str], found: str, with_tail: str) -> Callable[..., Any]:
    async def watched(*args: Any) -> Recovered | None:
        recovered: Recovered | None = await recover(*args)
        if recovered is not None:
            seen[found] += 1
            if recovered.tail:
                seen[with_tail] += 1
        return recovered

    return watched


def _deposed(lead: Callable[[Engine], Any], seen: Counter[str]) -> Callable[[Engine], Any]:
    async def watched(self: Engine) -> None:
        try:
            await lead(self)
        except Deposed:
            seen["core deposed"] += 1
            raise

    return watched


def _explosive(decide: Callable[..., Any]) -> Callable[..., Any]:
    def explodes(state: State, command: lane.Command, at: int) -> list[lane.Event]:
        if command.lane == "explode":
            raise KeyError(command.lane)
        return decide(state, command, at)

    return explodes


def _end(loop: VirtualLoop) -> None:
    """Cancel what still runs, so that nothing is left for the collector to complain about."""
    left = asyncio.all_tasks(loop)
    for each in left:
        each.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()
