"""A run of scenarios: each within its time and all within the run's; what goes wrong is a line of the report, too."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from bench.figures import Figure

Measure = Callable[[], Awaitable[list[Figure]]]


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How much of everything. ``times``: repetitions; ``within_s``: for one scenario, ``all_within_s``: for all;
    ``streams``: how many are open; ``tab_s``, ``tab_page``: how long a tab stays open, and on which page."""

    times: int = 5
    tasks: int = 20_000
    latencies: int = 300
    decisions: int = 10_000
    appends: int = 40_000
    rows: int = 200_000
    starts: int = 3
    streams: int = 1_000
    tab_s: float = 1_800.0
    tab_page: str = "/agents"
    within_s: float = 1_800.0
    all_within_s: float = 3_600.0


QUICK = Sizes(
    times=3, tasks=5_000, latencies=100, appends=12_000, rows=50_000, starts=1, within_s=15.0, all_within_s=55.0
)


class Report:
    """Collects figures. ``wanted``: the scenarios asked for."""

    def __init__(self, wanted: set[str], sizes: Sizes) -> None:
        self.wanted, self.sizes = wanted, sizes
        self.figures: list[Figure] = []
        self._end = time.monotonic() + sizes.all_within_s

    async def add(self, scenario: str, measure: Measure, within_s: float = 0.0) -> None:
        """Run a scenario that is wanted, within its time: ``within_s``, or that of any."""
        if scenario not in self.wanted:
            return
        print(f"{scenario} …", end=" ", file=sys.stderr, flush=True)
        began = time.monotonic()
        left = min(within_s or self.sizes.within_s, self._end - began)
        try:
            self.figures += await asyncio.wait_for(measure(), max(left, 0.0))
        except TimeoutError:
            says = f"not done within {round(left, 2):g} s" if left > 0 else "no time was left"
            self.figures.append(Figure(scenario=scenario, name=scenario, problem=says))
        except Exception as error:  # noqa: BLE001 - a scenario that cannot run is a line of the report
            says = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
            self.figures.append(Figure(scenario=scenario, name=scenario, problem=says))
        print(f"{time.monotonic() - began:.1f} s", file=sys.stderr)

    async def together(self, scenarios: Sequence[str], run: Callable[[], Awaitable[Any]]) -> None:
        """Scenarios that share a fleet: should that not come up, each of those not yet measured says so."""
        if self.wanted.isdisjoint(scenarios):
            return
        try:
            await asyncio.wait_for(run(), max(self._end - time.monotonic(), 0.0))
        except Exception as error:  # noqa: BLE001 - as above
            says = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
            measured = {each.scenario for each in self.figures}
            missing = [each for each in scenarios if each in self.wanted and each not in measured]
            self.figures += [Figure(scenario=each, name=each, problem=says) for each in missing]


def merged(figures: list[Figure]) -> list[Figure]:
    """Figures of one name as one, their values together."""
    by_name: dict[tuple[str, str], Figure] = {}
    for each in figures:
        first = by_name.setdefault((each.scenario, each.name), each)
        if first is not each:
            first.values += each.values
            if first.noise and each.noise:
                first.noise = max(first.noise, each.noise, key=lambda noise: noise.sync_ms)
    return list(by_name.values())


def over_floors(figures: list[Figure]) -> list[Figure]:
    """Give figures their floor: a task is five messages, a decision two facts, a first line two appends in a row."""
    found = {each.name: each.median for each in figures if each.scenario == "floor" and each.values}
    batched, single = found.get("bare append, batches of 400"), found.get("bare append, one by one, p50")
    arrow = found.get("bare Arrow insert, batches of 5,000")
    for each in figures:
        if each.name.startswith("tasks, submit") and batched:
            each.floor = batched / 5
        elif "through JetStream" in each.name and batched:
            each.floor = batched / 2
        elif each.name.endswith("first line, p50") and single:
            each.floor = 2 * single
        elif each.unit == "facts/s" and arrow:
            each.floor = arrow
    return figures
