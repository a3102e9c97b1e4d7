"""An agent's states as a bar: lengths to scale, each stretch with its word; and what share of the time each had."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from projections.rows.agents import Stretch

WIDTH = 1000.0
LEAST = 1.5  # of a stretch too short to be seen
SHARES = {
    "assigned": "at work", "running": "at work", "held": "held", "succeeded": "done", "failed": "failed",
    "lost": "lost", "interrupted": "interrupted", "cancelled": "cancelled", "idle": "idle", "paused": "paused",
    "gone": "gone",
}  # fmt: skip


class Piece(msgspec.Struct, frozen=True):
    x: float
    width: float
    stretch: Stretch

    @property
    def us(self) -> int:
        return self.stretch.until - self.stretch.at


class Lifeline(msgspec.Struct, frozen=True):
    """``shares``: state, word, µs, percent of the time told of; the longest first. ``ticks``: x, time."""

    pieces: list[Piece]
    shares: list[tuple[str, str, int, float]]
    ticks: list[tuple[float, int]]


def lifeline(stretches: Sequence[Stretch], since: int, until: int) -> Lifeline:
    """``since`` to ``until`` in microseconds; nothing is drawn of a time before the agent was known."""
    span = max(1, until - since)
    pieces = [
        Piece(
            x=round(WIDTH * (each.at - since) / span, 1),
            width=round(max(LEAST, WIDTH * (each.until - each.at) / span), 1),
            stretch=each,
        )
        for each in stretches
    ]
    summed: dict[str, int] = {}
    for each in stretches:
        summed[each.state] = summed.get(each.state, 0) + each.until - each.at
    told = sum(summed.values()) or 1
    shares = [(state, SHARES.get(state, state), us, 100 * us / told) for state, us in summed.items()]
    ticks = [(WIDTH * n / 4, since + span * n // 4) for n in range(5)]
    return Lifeline(pieces, sorted(shares, key=lambda each: -each[2]), ticks)
