"""How long a worker may hold that it is alive: until just before the core may hold that it is not."""

from __future__ import annotations

from core.clock import Clock
from core.heartbeat import MARGIN_S, TTL_S


class Lease:
    """Ends ``ttl_s`` - ``margin_s`` after the last acknowledged beat was *sent*, by the monotonic clock; an ended one
    is never renewed: what ran under it is being killed."""

    def __init__(self, clock: Clock, *, sent_at: float, ttl_s: float = TTL_S, margin_s: float = MARGIN_S) -> None:
        self._clock = clock
        self._lasts_s = ttl_s - margin_s
        self.until = sent_at + self._lasts_s

    @property
    def left_s(self) -> float:
        """Seconds it still holds; 0 when it has ended."""
        return max(0.0, self.until - self._clock.monotonic())

    def renew(self, sent_at: float) -> bool:
        """A beat sent at ``sent_at`` (monotonic) was acknowledged; False: too late."""
        if not self.left_s:
            return False
        self.until = max(self.until, sent_at + self._lasts_s)
        return True

    async def ended(self) -> None:
        """Return when it has."""
        while self.left_s:
            await self._clock.sleep(self.left_s)
