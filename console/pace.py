"""How fast one login, or one program with the token, may write: a bucket of tokens each, refilled by the clock."""

from __future__ import annotations

from core.clock import Clock

RATE = 200.0  # writes a second, for as long as one likes
BURST = 2_000.0  # and so many at once
MOST = 1_000  # buckets kept; one that is full again need not be


class Pace:
    """``wait_s(who)`` takes a token: 0.0 when there was one, else how long until there is."""

    def __init__(self, clock: Clock, *, rate: float = RATE, burst: float = BURST) -> None:
        self._clock, self._rate, self._burst = clock, rate, burst
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens left, and when that was

    def wait_s(self, who: str) -> float:
        now = self._clock.monotonic()
        left, then = self._buckets.pop(who, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._buckets[who] = (left - 1 if left >= 1 else left, now)
        while len(self._buckets) > MOST:  # the one that wrote longest ago
            del self._buckets[next(iter(self._buckets))]
        return wait
