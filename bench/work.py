"""Tasks for a fleet, and who sees them done: through a JetStream consumer, as anybody would."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from bench.fleet import Fleet
from bench.processes import Failed
from core.domain.machine import Command
from core.domain.spec import TaskSpec
from core.domain.task import Submit

T = TypeVar("T")
DONE = "evt.run.*.succeeded"
DIAMONDS, FAN, CHAINS, LINKS = 50, 8, 10, 50  # scenario D: 1 -> 8 -> 1, and chains of 50; 1,000 tasks
TITLE = "bench: a task whose title is about as long as people write them"
STAMPED = "bench: a task whose first line is stamped"


class Finished:
    """Counts finished runs, and can be waited for."""

    def __init__(self) -> None:
        self.count = 0
        self.last_seq = 0
        self._news = asyncio.Event()
        self._failed: BaseException | None = None

    async def reach(self, count: int, within_s: float) -> float:
        """The monotonic moment (seconds) at which so many had been seen; ``Failed`` when not in time."""
        deadline = time.monotonic() + within_s
        while self.count < count:
            if self._failed is not None:
                raise self._failed
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failed(f"{self.count:,} of {count:,} tasks were done within {within_s:g} s")
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), left)
            except TimeoutError:
                continue
        return time.monotonic()

    def _seen(self, count: int, seq: int) -> None:
        self.count += count
        self.last_seq = seq
        self._news.set()


@asynccontextmanager
async def finished(fleet: Fleet):
    """A consumer of its own that sees runs succeed from now on."""
    after = (await fleet.ledger.head("EVENTS")).last_seq
    seen = Finished()
    follow = fleet.ledger.follow("EVENTS", after=after, subjects=[DONE], idle=0.0)
    await anext(follow)  # the consumer is there

    async def watch() -> None:
        async for stored in fleet.ledger.follow("EVENTS", after=after, subjects=[DONE]):
            seen._seen(len(stored), stored[-1].seq)

    await follow.aclose()
    watching = asyncio.ensure_future(watch())
    try:
        yield seen
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def plain(prefix: str, count: int) -> Iterator[Command]:
    """Tasks without dependencies."""
    for i in range(count):
        yield Submit(task_id=f"default/{prefix}-{i}", spec=TaskSpec(title=TITLE))


def tangled(prefix: str) -> Iterator[tuple[str, list[str]]]:
    """Scenario D: task ids and what each depends on, dependencies first, and the long chains before the diamonds."""
    for step in range(LINKS):
        for i in range(CHAINS):
            yield f"default/{prefix}-c{i}-{step}", [f"default/{prefix}-c{i}-{step - 1}"] if step else []
    for i in range(DIAMONDS):
        root = f"default/{prefix}-d{i}"
        middle = [f"{root}-{k}" for k in range(FAN)]
        yield root, []
        yield from ((each, [root]) for each in middle)
        yield f"{root}-z", middle


async def submit(fleet: Fleet, commands: Iterator[Command] | Sequence[Command], pause_every: int = 400) -> None:
    """Put them through the door in batches; others get a turn in between."""
    for i, command in enumerate(commands, 1):
        fleet.door.put(command)
        if i % pause_every == 0:
            await asyncio.sleep(0)


async def bounded(what: Awaitable[T], within_s: float, says: str) -> T:
    """Its result, or ``Failed`` saying what did not come in time."""
    try:
        return await asyncio.wait_for(what, within_s)
    except TimeoutError:
        raise Failed(f"{says} within {within_s:g} s") from None
