"""The server of the simulated yard: logs, the leader's lease, heartbeats. It never loses what it acknowledged."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence

from core.ledger import Busy, Full, Head, Message, Stored, Stream
from core.memory import MemoryLedger

BEGINNING = 1_800_000_000_000_000  # microseconds since the epoch
LEASE_TTL_S = 3.0


class Wall:
    """A wall clock: the loop's time, and how far it is set wrong."""

    def __init__(self) -> None:
        self.ahead_us = 0

    def now_us(self) -> int:
        return BEGINNING + round(asyncio.get_running_loop().time() * 1e6) + self.ahead_us

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))


class Server:
    """One JetStream server. ``watchers`` are called with every message that is stored, in the moment it is."""

    def __init__(self) -> None:
        self.wall = Wall()
        self._logs = MemoryLedger(self.wall)
        self.watchers: list[Callable[[Stream, Stored], None]] = []
        self.full: set[Stream] = set()
        self.lease: tuple[str, float] | None = None  # holder, until (the loop's time)
        self.beats: dict[tuple[str, int], list[float]] = {}
        self.beat_watchers: list[Callable[[str, int, int], None]] = []
        self._waiting: dict[Stream, list[Future[None]]] = {}

    def store(self, stream: Stream, messages: Sequence[Message], expect: int | None = None) -> int:
        """Append, or raise what the server would answer."""
        if stream in self.full:
            raise Full(f"{stream} is at its limit")
        first = self.last_seq(stream)
        last = self._logs.put(stream, messages, expect=expect)
        for stored in self._logs.logs[stream].messages[first:last]:
            for watcher in self.watchers:
                watcher(stream, stored)
        waiting, self._waiting[stream] = self._waiting.get(stream, []), []
        for each in waiting:
            if not each.done():
                each.set_result(None)
        return last

    def last_seq(self, stream: Stream) -> int:
        return self._logs.logs[stream].last_seq

    def head(self, stream: Stream) -> Head:
        log = self._logs.logs[stream]
        return Head(log.last_seq, log.created)

    def messages(self, stream: Stream) -> list[Stored]:
        return self._logs.logs[stream].messages

    async def news(self, stream: Stream, within_s: float) -> None:
        """Return when something is stored, or after ``within_s``."""
        loop = asyncio.get_running_loop()
        bell: Future[None] = loop.create_future()
        self._waiting.setdefault(stream, []).append(bell)
        timer = loop.call_later(within_s, lambda: bell.done() or bell.set_result(None))
        try:
            await bell
        finally:
            timer.cancel()

    def take_lease(self, holder: str) -> bool:
        """Take the lease if it is free or over, or keep it if it is one's own."""
        now = asyncio.get_running_loop().time()
        if self.lease is not None and self.lease[0] != holder and self.lease[1] > now:
            return False
        self.lease = (holder, now + LEASE_TTL_S)
        return True

    def renew_lease(self, holder: str) -> bool:
        return self.lease is not None and self.lease[0] == holder and self.take_lease(holder)

    def give_lease_back(self, holder: str) -> bool:
        if self.lease is not None and self.lease[0] == holder:
            self.lease = None
        return True

    def beat(self, worker_id: str, epoch: int, at: int) -> int:
        """A beat came in; every core that listens hears of it."""
        self.beats.setdefault((worker_id, epoch), []).append(asyncio.get_running_loop().time())
        for watcher in self.beat_watchers:
            watcher(worker_id, epoch, at)
        return 0


def busy() -> int:
    raise Busy("too many open batches")
