"""Where the lines and boxes go: sparklines, shares, the stops of a run. Numbers in, coordinates out.

The templates write the SVG. Sizes are attributes, so that the page is complete at first paint under a strict policy.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

# ── sparklines: 96 x 24

_LEFT, _RIGHT, _TOP, _BOTTOM = 2.0, 94.0, 3.0, 22.0


class Spark(msgspec.Struct, frozen=True):
    """``line`` is a path; ``area`` the same closed at the bottom; the end point is drawn as a dot."""

    line: str
    area: str
    end_x: float
    end_y: float


def spark(values: Sequence[float]) -> Spark:
    """A line from left to right; the greatest value touches the top, zero lies on the ground."""
    values = list(values) or [0.0]
    if len(values) == 1:
        values *= 2
    most = max(*values, 1e-9)
    step = (_RIGHT - _LEFT) / (len(values) - 1)
    points = [
        (round(_LEFT + i * step, 1), round(_BOTTOM - (_BOTTOM - _TOP) * max(0.0, v) / most, 1))
        for i, v in enumerate(values)
    ]
    line = "M" + " ".join(f"{x} {y}" for x, y in points)
    return Spark(line, f"{line}V23H{_LEFT}z", *points[-1])


# ── a bar of shares


def shares(counts: Sequence[tuple[str, int]]) -> list[tuple[str, float, float]]:
    """``(class, x %, width %)`` of a bar cut into the counts; empty pieces are left out."""
    total = sum(n for _, n in counts) or 1
    out, x = [], 0.0
    for name, n in counts:
        width = 100 * n / total
        if n:
            out.append((name, round(x, 2), round(width, 2)))
        x += width
    return out


# ── the stops of a run: 1080 wide, lengths to scale but never too short to read


class Stop(msgspec.Struct, frozen=True):
    """One stretch of a run's life: from ``x`` to ``end``."""

    state: str
    label: str
    at: int
    us: int
    x: float
    end: float


STOPS_WIDTH = 1080.0
_ROOM = 114.0  # what a label needs


def stops(spans: Sequence[tuple[str, str, int, int]]) -> list[Stop]:
    """``(state, label, from µs, to µs)`` in order, laid out along one line."""
    if not spans:
        return []
    total = max(1, sum(max(0, to - since) for _, _, since, to in spans))
    free = STOPS_WIDTH - 24 - _ROOM * len(spans)
    out, x = [], 12.0
    for state, label, since, to in spans:
        us = max(0, to - since)
        end = x + _ROOM + max(0.0, free) * us / total
        out.append(Stop(state, label, since, us, round(x, 1), round(end, 1)))
        x = end
    return out
