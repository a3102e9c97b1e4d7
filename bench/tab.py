"""An open tab for hours: what its page holds, as updates come and come.

Twelve hours have 172,800 updates when there are four a second, the most a page is told of panels. Rows are pushed
beside that, so a fleet that works fast brings as many swaps in half an hour; growth is told per hour of updates.

The debugger only reads (``bench/debugged.py``): a browser that is driven keeps for its driver what the page fetches.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from itertools import combinations
from statistics import median

import msgspec

from bench.agents import at_work
from bench.debugged import Debugged, debugged
from bench.figures import Figure
from bench.fleet import Fleet
from bench.machine import Noise, Quiet, largest_child_mb

AN_HOUR = 4 * 3_600  # updates
HOURS = 12
READINGS = 30
WARM_UP = 2_000  # swaps: caches fill, code is compiled; measured, a page takes 0.2 MB of heap for that and no more
HEAP_GATE, NODES_GATE = 0.1, 20.0  # per hour of updates: MB, nodes; over twelve hours a page stays what it was

# Counts messages of the stream and what they bring: rows within them, and panels that were fetched and differ.
WATCH = """(() => {
  window.came = { messages: 0, swaps: 0 };
  document.addEventListener("htmx:sse:after:message", (event) => {
    const message = event.detail.message;
    window.came.messages += 1;
    if (!message.event) window.came.swaps += message.data.split("<hx-partial ").length - 1;
  });
  document.addEventListener("htmx:after:request", (event) => {
    const ctx = event.detail.ctx;
    if (ctx.sourceElement?.hasAttribute("hx-ptag") && ctx.response?.status === 200) window.came.swaps += 1;
  });
})()"""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What the tab holds after so many ``messages`` of the stream and ``swaps`` of rows and panels."""

    messages: int
    swaps: int
    heap_mb: float
    nodes: float
    listeners: float
    resident_mb: float

    def __str__(self) -> str:
        return (
            f"{self.messages:,} messages, {self.swaps:,} swaps: heap {self.heap_mb:.2f} MB, {self.nodes:,.0f} nodes, "
            f"{self.listeners:,.0f} listeners, resident {self.resident_mb:.0f} MB"
        )


async def tab(fleet: Fleet, *, agents: int, path: str, seconds: float) -> list[Figure]:
    """One tab on ``path`` for so long, beside a fleet at work. Each reading is printed as it is taken."""
    await at_work(fleet, agents, seconds)
    quiet = Quiet()
    async with debugged(fleet, path) as page:
        await page.evaluate(WATCH)
        readings, end = [await _read(page, fleet)], time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(seconds / READINGS, left))
            fleet.check()
            readings.append(await _read(page, fleet))
            print(f"\n{readings[-1]}", end=" ", file=sys.stderr, flush=True)
    note = f"{path}, {agents} agents, {seconds / 60:.0f} minutes"
    return figures_of(readings, note, quiet.read())


async def _read(page: Debugged, fleet: Fleet) -> Reading:
    """What the tab holds once its garbage is collected."""
    for _ in range(2):  # what the first collection lets go of, the second one takes
        await page.ask("HeapProfiler.collectGarbage")
    told = (await page.ask("Performance.getMetrics"))["metrics"]
    metrics = {each["name"]: each["value"] for each in told}
    came = await page.evaluate("window.came")
    return Reading(
        messages=came["messages"],
        swaps=came["swaps"],
        heap_mb=metrics["JSHeapUsedSize"] / 2**20,
        nodes=metrics["Nodes"],
        listeners=metrics["JSEventListeners"],
        resident_mb=largest_child_mb(fleet.processes["chromium"].pid),
    )


def figures_of(readings: Sequence[Reading], note: str, noise: Noise) -> list[Figure]:
    """First and last of everything, and how much more it is with each hour of updates."""
    steady = [each for each in readings if each.swaps >= WARM_UP] or list(readings)
    hours = [each.swaps / AN_HOUR for each in steady]
    first, last = readings[0], readings[-1]
    share = f"{last.swaps / (HOURS * AN_HOUR):.0%} of the {HOURS * AN_HOUR:,} that {HOURS} hours have at four a second"
    found = [
        Figure(
            scenario="tab", name="updates: rows and panels swapped in", values=[last.swaps], noise=noise,
            note=f"{note}; {last.messages:,} messages of the stream; {share}",
        )
    ]  # fmt: skip
    gates = {"heap_mb": HEAP_GATE, "nodes": NODES_GATE, "listeners": NODES_GATE, "resident_mb": None}
    for name, gate in gates.items():
        grown = slope(hours, [getattr(each, name) for each in steady])
        found.append(
            Figure(
                scenario="tab", name=f"{name.removesuffix('_mb')} grows in an hour of updates by",
                unit="MB" if name.endswith("_mb") else "",
                values=[grown], gate=gate, better="less",
                note=f"{getattr(first, name):,.1f} at first, {getattr(last, name):,.1f} at last",
            )
        )  # fmt: skip
    return found


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """How much ``y`` grows with one of ``x``: the median over all pairs, so that a reading amid a swap tells little."""
    points = list(zip(x, y, strict=True))
    found = [(d - b) / (c - a) for (a, b), (c, d) in combinations(points, 2) if c != a]
    return median(found) if found else 0.0
