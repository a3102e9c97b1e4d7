"""The timeline of very many runs in a real browser: frames a second while it is dragged, all of it and zoomed in."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

from bench.figures import Figure, percentile
from bench.fleet import Fleet
from bench.history import write_history
from bench.machine import Quiet
from bench.pixel import browser_page
from bench.processes import Failed

FACTS_A_RUN = 3.4  # its task staged, assigned, succeeded; of the last plan only some are done
CANVAS = ".swim canvas"
MOVES, EVERY_S = 120, 0.012  # of the pointer, as a hand would
ZOOMS = (0, 6, 6)  # presses of + before each drag
WATCH = """() => {
  window.drawn = [];
  const tick = (at) => { window.drawn.push(at); window.ticking = requestAnimationFrame(tick); };
  window.ticking = requestAnimationFrame(tick);
}"""
READ = "() => { cancelAnimationFrame(window.ticking); return window.drawn; }"


async def frames(fleet: Fleet, *, runs: int, gate: float = 30.0) -> list[Figure]:
    """Frames a second of each drag, the slowest of the zooms against the gate."""
    await write_history(fleet, round(runs * FACTS_A_RUN))
    await fleet.start_console(within_s=120.0)
    quiet, rates, notes = Quiet(), [], []
    async with browser_page(fleet, "/timeline?from=start") as page:
        await page.locator(CANVAS).wait_for(timeout=60_000)
        shown = int("".join(filter(str.isdigit, await page.locator(".swim-top").inner_text())))
        if shown < runs:
            raise Failed(f"the timeline shows {shown:,} runs, not {runs:,}")
        for presses in ZOOMS:
            for _ in range(presses):
                await page.locator(CANVAS).press("+")
            await asyncio.sleep(1.0)
            gaps = await _dragged(page)
            rates.append(1000 * len(gaps) / sum(gaps))
            notes.append(f"{rates[-1]:.0f}/s, 95 of 100 frames within {percentile(gaps, 0.95):.0f} ms")
    name, note = f"frames while {shown:,} runs are dragged", "; ".join(notes)
    return [
        Figure(scenario="frames", name=name, unit="/s", values=[min(rates)], gate=gate, noise=quiet.read(), note=note)
    ]


async def _dragged(page: Any) -> list[float]:
    """Milliseconds between frames while the timeline is dragged to and fro."""
    box = await page.locator(CANVAS).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 120
    await page.evaluate(WATCH)
    await page.mouse.move(x, y)
    await page.mouse.down()
    for move in range(MOVES):
        await page.mouse.move(x + 300 * (1 if move // 30 % 2 else -1) * (move % 30) / 30, y)
        await asyncio.sleep(EVERY_S)
    await page.mouse.up()
    drawn = await page.evaluate(READ)
    return [after - before for before, after in pairwise(drawn)]
