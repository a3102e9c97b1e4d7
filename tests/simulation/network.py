"""What lies between a process and the server: latency, lost requests and answers, broken links; and ports made of it.

A request that was sent arrives later, or never; so does its answer. One link keeps order: what was sent first arrives
first. Whoever gets no answer is told ``Unknown`` after a while and has to find out by reading.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextvars import copy_context
from functools import partial
from random import Random
from typing import TypeVar

from core.domain.state import State
from core.ledger import Busy, Gap, Head, LedgerError, Message, Stored, Stream, Unknown
from core.limits import check
from core.memory import matcher
from core.recovery import Snapshot, taken
from tests.simulation.loop import PROCESS, Process
from tests.simulation.server import Server, busy

T = TypeVar("T")

ANSWER_WITHIN_S = 2.0
TICK_S = 1e-6  # between two arrivals on one link: timers of one moment have no order
Request = Callable[[], int]


class Weather:
    """How bad it is: chances by request, latency in seconds. All zero when the faults are over."""

    def __init__(self) -> None:
        self.lost_request = self.lost_answer = self.refused = 0.0
        self.latency = 0.001


class Wire:
    """One process's link to the server."""

    def __init__(self, server: Server, process: Process, rng: Random, weather: Weather, seen: Counter[str]) -> None:
        self.server, self.process, self.weather = server, process, weather
        self.up = True
        self.trap: Callable[[], None] | None = None  # sprung by the next append of a fact that is not a command's last
        self.rng, self._seen = rng, seen
        self._sent: deque[Callable[[], None]] = deque()  # requests under way, in order
        self._arrives = self._answers = 0.0
        self._restored: list[Future[None]] = []
        self.outside = copy_context()
        self.outside.run(PROCESS.set, None)

    def latency(self) -> float:
        return self.rng.expovariate(1.0) * self.weather.latency + 0.0001

    def request(self, do: Callable[[], T]) -> Future[T]:
        """Have the server do it. The future fails with what it answers, or with ``Unknown``."""
        loop = asyncio.get_running_loop()
        answer: Future[T] = loop.create_future()
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody has to look
        loop.call_later(ANSWER_WITHIN_S, _fail, answer, Unknown("no answer in time"))
        if not self.up or not self.process.alive:
            return answer
        if self._chance(self.weather.lost_request, "request lost"):
            return answer
        if self._chance(self.weather.refused, "server busy"):
            do = busy  # type: ignore[assignment]
        self._arrives = max(self._arrives + TICK_S, loop.time() + self.latency())

        def arrive() -> None:
            self._answer(answer, do)

        self._sent.append(arrive)
        loop.call_at(self._arrives, self._arrived, arrive, context=self.outside)
        return answer

    def cut(self) -> None:
        """The link breaks. Some of what is under way still arrives, the first of it; no answer does."""
        self.up = False
        for _ in range(self.rng.randint(0, len(self._sent))):
            self._sent.popleft()()
        self._sent.clear()

    def restore(self) -> None:
        self.up = True
        for each in self._restored:
            if not each.done():
                each.set_result(None)
        self._restored.clear()

    async def restored(self) -> None:
        """Return when the link is up."""
        while not self.up:
            back: Future[None] = asyncio.get_running_loop().create_future()
            self._restored.append(back)
            await back

    def _arrived(self, arrive: Callable[[], None]) -> None:
        if self._sent and self._sent[0] is arrive:
            self._sent.popleft()
            arrive()

    def _answer(self, answer: Future[T], do: Callable[[], T]) -> None:
        loop = asyncio.get_running_loop()
        self._answers = max(self._answers + TICK_S, loop.time() + self.latency())
        lost = not self.up or self._chance(self.weather.lost_answer, "answer lost")
        try:
            result = do()
        except LedgerError as error:
            if not lost:
                loop.call_at(self._answers, _fail, answer, error)
        else:
            if not lost:
                loop.call_at(self._answers, self._deliver, answer, result)

    def _deliver(self, answer: Future[T], result: T) -> None:
        if self.up and not answer.done():
            answer.set_result(result)

    def _chance(self, share: float, what: str) -> bool:
        hit = share > 0 and self.rng.random() < share
        self._seen[what] += hit
        return hit


def _fail(answer: Future[T], error: LedgerError) -> None:
    if not answer.done():
        answer.set_exception(error)


class WiredLedger:
    """The ``Ledger`` a process has."""

    def __init__(self, wire: Wire) -> None:
        self._wire, self._server = wire, wire.server

    async def send(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> Future[int]:
        check(stream, messages)
        if not self._wire.up and self._wire.latency() > self._wire.weather.latency:
            raise Busy("the link is down")
        stored = self._wire.request(lambda: self._server.store(stream, messages, expect))
        if self._wire.trap is not None and stream == "EVENTS" and b'"end":true' not in messages[-1].data:
            asyncio.get_running_loop().call_soon(self._wire.trap, context=self._wire.outside)
            self._wire.trap = None
        return stored

    async def append(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> int:
        return await (await self.send(stream, messages, expect=expect))

    async def head(self, stream: Stream) -> Head:
        return await self._wire.request(lambda: self._server.head(stream))

    async def follow(
        self, stream: Stream, *, after: int, subjects: Sequence[str] = (), idle: float | None = None
    ) -> AsyncGenerator[list[Stored], None]:
        wanted, at, waited = matcher(subjects), after, 0.0
        while True:
            await self._wire.restored()
            found = self._after(stream, at)
            if not found:
                await self._server.news(stream, 1.0)
                waited += 1.0
                if idle is not None and waited >= idle:
                    waited = 0.0
                    yield []
                continue
            await asyncio.sleep(self._wire.latency())
            if self._wire.up:
                at, waited = found[-1].seq, 0.0
                fitting = [each for each in found if wanted(each.subject)]
                if fitting:
                    yield fitting

    async def read(
        self, stream: Stream, *, after: int = 0, until: int | None = None, subjects: Sequence[str] = ()
    ) -> AsyncGenerator[list[Stored], None]:
        end = until if until is not None else (await self.head(stream)).last_seq
        wanted, at = matcher(subjects), after
        while at < end:
            found = await self._wire.request(partial(self._after, stream, at, until=end))
            if not found:
                await self._server.news(stream, 0.1)
                continue
            at = found[-1].seq
            fitting = [each for each in found if wanted(each.subject)]
            if fitting:
                yield fitting

    def _after(self, stream: Stream, at: int, *, until: int | None = None) -> list[Stored]:
        """A random bit of what follows; never with a hole."""
        if self._server.last_seq(stream) < at:
            raise Gap(f"{stream} ends before {at}")
        last = at + 1 + self._wire.rng.randint(0, 99)
        return self._server.messages(stream)[at : last if until is None else min(last, until)]


class WiredLease:
    """The leader's lease as one core sees it."""

    def __init__(self, wire: Wire, holder: str) -> None:
        self._wire, self._holder = wire, holder

    async def acquire(self) -> bool:
        return await self._wire.request(lambda: self._wire.server.take_lease(self._holder))

    async def renew(self) -> bool:
        return await self._wire.request(lambda: self._wire.server.renew_lease(self._holder))

    async def release(self) -> None:
        await self._wire.request(lambda: self._wire.server.give_lease_back(self._holder))


class WiredBeats:
    """What one core heard of the workers' beats, and when."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._heard: dict[tuple[str, int], tuple[float, int]] = {}
        self._inside = copy_context()
        self._inside.run(PROCESS.set, wire.process)
        wire.server.beat_watchers.append(self._beat)

    def last(self, worker_id: str, epoch: int) -> tuple[float, int] | None:
        return self._heard.get((worker_id, epoch))

    def close(self) -> None:
        self._wire.server.beat_watchers.remove(self._beat)

    def _beat(self, worker_id: str, epoch: int, at: int) -> None:
        if self._wire.up:
            loop = asyncio.get_running_loop()
            loop.call_later(self._wire.latency(), self._hear, worker_id, epoch, at, context=self._inside)

    def _hear(self, worker_id: str, epoch: int, at: int) -> None:
        self._heard[worker_id, epoch] = (asyncio.get_running_loop().time(), at)


class WiredSnapshots:
    """Snapshots in the object store. ``kept`` is what the server has."""

    def __init__(self, wire: Wire, kept: list[Snapshot]) -> None:
        self._wire, self._kept = wire, kept

    async def newest(self) -> Snapshot | None:
        return await self._wire.request(lambda: self._kept[-1] if self._kept else None)

    def keep(self, state: State, chain: str) -> bool:
        if self._wire.up and self._wire.process.alive:
            self._kept.append(taken(state, chain))
        return True
