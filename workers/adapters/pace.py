"""Time that passes for an agent in process, until somebody stops it, and stands still while somebody holds it."""

from __future__ import annotations

import asyncio

from core.clock import Clock


class Pace:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stopped = False
        self._nap: asyncio.Future[None] | None = None
        self._going = asyncio.Event()
        self._going.set()

    async def passed(self, seconds: float) -> bool:
        """Let ``seconds`` pass, and whatever time it is held; False as soon as it is stopped."""
        await self._going.wait()
        if self._stopped:
            return False
        self._nap = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({self._nap})
        finally:
            self._nap.cancel()
        await self._going.wait()
        return not self._stopped

    def hold(self) -> None:
        self._going.clear()

    def go_on(self) -> None:
        self._going.set()

    def stop(self) -> None:
        self._stopped = True
        self._going.set()
        if self._nap is not None:
            self._nap.cancel()
