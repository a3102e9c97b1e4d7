"""How long orders took, as counters a monitoring system can read: by outcome, and in buckets of time."""

from __future__ import annotations

from bisect import bisect_left

UP_TO_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Waits:
    """Counts since the process began. ``buckets[i]``: orders that took at most ``UP_TO_S[i]`` and longer than the one
    before; the last one: longer than all."""

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self.buckets = [0] * (len(UP_TO_S) + 1)
        self.sum_s = 0.0

    @property
    def count(self) -> int:
        return sum(self.buckets)

    def note(self, outcome: str, took_s: float) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.buckets[bisect_left(UP_TO_S, took_s)] += 1
        self.sum_s += took_s
