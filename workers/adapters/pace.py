"""Time that passes for an agent in process, until somebody stops it."""

from __future__ import annotations

import asyncio

from core.clock import Clock


class Pace:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stopped = False
        self._nap: asyncio.Future[None] | None = None

    async def passed(self, seconds: float) -> bool:
        """Let ``seconds`` pass; False as soon as it is stopped."""
        if self._stopped:
            return False
        self._nap = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({self._nap})
        finally:
            self._nap.cancel()
        return not self._stopped

    def stop(self) -> None:
        self._stopped = True
        if self._nap is not None:
            self._nap.cancel()
