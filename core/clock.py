"""Time as something passed in: the system's, or one wound by hand.

Whoever needs the time takes a ``Clock``. Nothing else in the project reads the wall clock.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time to write down, monotonic time to measure with, and a way to wait."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC. May jump when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` of monotonic time; at once (but after one loop turn) for zero and less."""
        ...


class SystemClock:
    """The machine's own time."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class HandClock:
    """Time that stands still until it is wound by hand; sleepers wake in the order they are due."""

    def __init__(self, start_us: int = 1_800_000_000_000_000) -> None:
        self._wall_us = start_us
        self._monotonic_us = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._naps = 0

    def now_us(self) -> int:
        return self._wall_us

    def monotonic(self) -> float:
        return self._monotonic_us / 1_000_000

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._naps += 1  # who lay down first wakes first
        heapq.heappush(self._sleepers, (self._monotonic_us + _us(seconds), self._naps, woken))
        await woken

    def advance(self, *, seconds: float) -> None:
        """Let ``seconds`` pass on both clocks and wake who is due; they run when the caller next awaits."""
        if seconds < 0:
            raise ValueError(f"time cannot pass by {seconds} s; to set the wall clock back use set_wall")
        self._monotonic_us += _us(seconds)
        self._wall_us += _us(seconds)
        while self._sleepers and self._sleepers[0][0] <= self._monotonic_us:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():  # cancelled while asleep
                woken.set_result(None)

    def set_wall(self, now_us: int) -> None:
        """Set the wall clock, forward or back, as an administrator or NTP would; monotonic time does not notice."""
        self._wall_us = now_us

    @property
    def next_due_s(self) -> float | None:
        """Seconds until the next sleeper is due; None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return (self._sleepers[0][0] - self._monotonic_us) / 1_000_000 if self._sleepers else None


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)
