"""What a scenario hands back, and how it is shown: one line a figure, and one JSON document."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Literal

import msgspec

from bench.machine import Noise


class Figure(msgspec.Struct, kw_only=True):
    """One thing measured several times. ``gate``: what must be reached; ``floor``: what the machine gives without us,
    in the same unit; ``problem``: why there is nothing to show."""

    scenario: str
    name: str
    unit: str = ""
    values: list[float] = []
    gate: float | None = None
    better: Literal["more", "less"] = "more"
    floor: float | None = None
    noise: Noise | None = None
    note: str = ""
    problem: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def holds(self) -> bool | None:
        """Whether the median reaches the gate; None where there is none, or nothing was measured."""
        if self.gate is None or not self.values:
            return None
        return self.median >= self.gate if self.better == "more" else self.median <= self.gate


def percentile(values: Sequence[float], share: float) -> float:
    """The least of them that ``share`` (0 to 1) of them do not exceed."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def table(figures: Sequence[Figure]) -> str:
    """Aligned columns for a terminal."""
    head = ("", "figure", "median [min-max]", "gate", "of floor", "noise: spin, sync, others")
    rows = [head, *(_row(each) for each in figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    notes = [f"{each.scenario} {each.name}: {each.note}" for each in figures if each.note]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], *([""] if notes else []), *notes])


def _row(figure: Figure) -> tuple[str, ...]:
    if figure.problem or not figure.values:
        return (figure.scenario, figure.name, f"not measured: {figure.problem or 'nothing came'}", "", "", "")
    spread = f" [{short(min(figure.values))}-{short(max(figure.values))}]" if len(figure.values) > 1 else ""
    gate = ""
    if figure.gate is not None:
        sign = "≥" if figure.better == "more" else "≤"
        gate = f"{sign} {short(figure.gate)} {'holds' if figure.holds else 'NOT reached'}"
    of_floor = f"{figure.median / figure.floor:.2f}" if figure.floor else ""
    noise = str(figure.noise) if figure.noise else ""
    return (figure.scenario, figure.name, f"{short(figure.median)}{spread} {figure.unit}", gate, of_floor, noise)


def short(value: float) -> str:
    """Three or four telling digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
