"""Fact → pixel: a real browser beside many open pages, and how old a fact is when its row is painted."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bench.agents import at_work
from bench.figures import Figure, percentile
from bench.fleet import Fleet
from bench.machine import Quiet
from bench.pages import delays_ms, opened
from bench.processes import Failed
from console.login import issue

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
WINDOW = {"width": 1440, "height": 900}
AT_LEAST = 20  # rows, or the page is not the roster
SHOWN = ("evt.worker.", "evt.run.")  # the facts that move an agent's row

# Notes, for each push of rows, when the frame after it was drawn: [wall milliseconds, EVENTS sequence].
WATCH = """() => {
  window.painted = [];
  document.addEventListener("htmx:sse:after:message", (event) => {
    const message = event.detail.message;
    if (message.event || !message.id || !message.data.includes("[id=&quot;agent-")) return;
    requestAnimationFrame(() => window.painted.push([Date.now(), Number(message.id.split(".")[0])]));
  });
}"""


@asynccontextmanager
async def browser_page(fleet: Fleet, path: str) -> AsyncIterator[Any]:
    """A page of the console in a real chromium, signed in. ``Failed`` where there is none."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program(), args=FLAGS)
        try:
            page = await browser.new_page(viewport=WINDOW)
            await page.goto(f"{fleet.console_url}/login?token={issue(fleet.home, fleet.clock)}")
            await page.get_by_role("button", name="Sign in").click()
            await page.wait_for_url(f"{fleet.console_url}/")
            await page.goto(fleet.console_url + path)
            yield page
        finally:
            await browser.close()


def program() -> str:
    """Where chromium is. ``Failed`` where there is none."""
    found = shutil.which("chromium")
    if found is None:
        raise Failed("there is no chromium on PATH: nothing can be painted")
    return found


async def pixel(fleet: Fleet, *, agents: int, pages: int, seconds: float) -> list[Figure]:
    """Facts of a fleet at work on the roster: one page in a browser, the others without."""
    await at_work(fleet, agents, seconds)
    quiet, used, began = Quiet(), fleet.used(), time.monotonic()
    async with opened(fleet.pages, pages - 1, "/agents") as others, browser_page(fleet, "/agents") as page:
        facts, painted = await painting(fleet, page, seconds)
    noise, shares = quiet.read(), cores(fleet, used, began)
    note = f"{agents} agents, {pages} open pages, {len(facts) / seconds:.0f} facts a second on a row; {shares}"
    delays = delays_ms(facts, painted)
    pushed = [delay for each in others for delay in delays_ms(facts, each.pushed)]
    return [
        _figure("fact → row painted in a browser, p50", percentile(delays, 0.5), noise, note),
        _figure("fact → row painted in a browser, p95", percentile(delays, 0.95), noise, f"{len(delays)} facts"),
        _figure("fact → row pushed to a page, p95", percentile(pushed, 0.95), noise, ""),
    ]


async def painting(fleet: Fleet, page: Any, seconds: float) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(EVENTS sequence, wall microseconds) of the facts on a row that came meanwhile; (wall microseconds, sequence) of
    the frames in which ``page`` painted pushed rows."""
    await page.evaluate(WATCH)
    await asyncio.sleep(2.0)
    after = (await fleet.ledger.head("EVENTS")).last_seq
    await asyncio.sleep(seconds)
    until = (await fleet.ledger.head("EVENTS")).last_seq
    await asyncio.sleep(1.0)
    shown = await page.locator("tr[data-row]").count()
    if shown < AT_LEAST:
        raise Failed(f"the page shows {shown} rows: what is pushed has no place there")
    painted = [(int(at_ms * 1000), seq) for at_ms, seq in await page.evaluate("() => window.painted")]
    facts = [
        (each.seq, each.at)
        async for found in fleet.ledger.read("EVENTS", after=after, until=until)
        for each in found
        if each.subject.startswith(SHOWN)
    ]
    return facts, painted


def cores(fleet: Fleet, used: dict[str, float], began: float) -> str:
    """What each process used of a core since monotonic ``began``, when it had used ``used`` seconds."""
    took = time.monotonic() - began
    return ", ".join(f"{name} {100 * (now - used[name]) / took:.0f} % of a core" for name, now in fleet.used().items())


def _figure(name: str, value: float, noise: Any, note: str) -> Figure:
    return Figure(scenario="pixel", name=name, unit="ms", values=[value], better="less", noise=noise, note=note)
