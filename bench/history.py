"""Pages over a long history: how long until the first byte, now and at any past second, while facts are folded."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx2

from bench.figures import Figure, percentile
from bench.fleet import Fleet
from bench.fold import Writer
from bench.machine import Quiet
from bench.processes import Failed
from bench.work import plain, submit
from core.clock import HandClock, SystemClock
from core.jetstream import JetStreamLedger
from core.link import connect
from core.settings import load
from core.streams import ensure

LISTS = (
    "/", "/agents", "/queues", "/board", "/tasks", "/tasks?q=state:done", "/timeline", "/replay", "/cost", "/sessions",
    "/templates", "/commands", "/system",
)  # fmt: skip
SPAN_US = 6 * 3_600 * 1_000_000  # how long the history took
TASKS_A_SECOND = 330  # three facts each
TIMES, TIMES_PAST = 40, 8


async def pages(fleet: Fleet, *, facts: int, gate_ms: float, past_gate_ms: float) -> list[Figure]:
    """Every page over a history of so many facts."""
    await write_history(fleet, facts)
    await fleet.start_console(within_s=60 + facts / 20_000)
    await fleet.start_core(within_s=60 + facts / 20_000)
    await fleet.start_worker("noop:200", within_s=60 + facts / 10_000)
    paths = [*LISTS, *await _details(fleet.pages)]
    quiet = Quiet()
    async with _steady_work(fleet):
        came, began = (await fleet.ledger.head("EVENTS")).last_seq, time.monotonic()
        now = {path: await _first_bytes(fleet.pages, [path] * TIMES) for path in paths}
        rate = ((await fleet.ledger.head("EVENTS")).last_seq - came) / (time.monotonic() - began)
        then = {path: await _first_bytes(fleet.pages, [_past(path, n) for n in range(TIMES_PAST)]) for path in paths}
        weights = {path: await _weight(fleet.pages, path) for path in paths}
    noise = quiet.read()
    slowest = max(now, key=lambda path: percentile(now[path], 0.95))
    past = [took for found in then.values() for took in found]
    heaviest = max(weights, key=weights.__getitem__)
    of, worst = f"{facts:,} facts", percentile(now[slowest], 0.95)
    some = f"first byte of any page at a past second, p95, {of}"
    return [
        _ms(f"first byte of the slowest page, p95, {of}", worst, gate_ms, noise, f"{rate:.0f} facts/s; {_each(now)}"),
        _ms(some, percentile(past, 0.95), past_gate_ms, noise, _each(then)),
        Figure(
            scenario="pages", name=f"heaviest page, compressed, {of}", unit="KB", values=[weights[heaviest] / 1024],
            gate=250, better="less", note=heaviest,
        ),
    ]  # fmt: skip


def _each(pages: dict[str, list[float]]) -> str:
    return ", ".join(f"{path} {percentile(found, 0.95):.0f}" for path, found in pages.items())


async def write_history(fleet: Fleet, facts: int) -> None:
    """A history that ended a minute ago, written straight into both streams."""
    core = load({"data": fleet.home}, environ={}).credentials("core")
    assert core is not None
    link = await connect(fleet.url, name="bench-writer", user=core.user, password=core.password)
    try:
        await ensure(link)
        commands = facts // 3
        clock = HandClock(SystemClock().now_us() - SPAN_US - 60_000_000)
        await Writer(JetStreamLedger(link), clock, step_us=SPAN_US // commands).write(facts)
    finally:
        await link.close()


@asynccontextmanager
async def _steady_work(fleet: Fleet) -> AsyncIterator[None]:
    """A thousand facts a second, for as long as it takes."""

    async def work() -> None:
        for n in range(1_000_000):
            began = time.monotonic()
            await submit(fleet, plain(f"steady-{n}", TASKS_A_SECOND // 10))
            await asyncio.sleep(max(0.0, 0.1 - (time.monotonic() - began)))

    working = asyncio.ensure_future(work())
    try:
        await asyncio.sleep(2.0)
        yield
        if working.done():
            working.result()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _details(client: httpx2.AsyncClient) -> list[str]:
    """One task, run, agent and command, as the lists link to them."""
    runs = (await client.get("/api/runs", params={"limit": 1, "state": "succeeded"})).raise_for_status().json()
    run_id = runs["rows"][0]["run_id"]
    agent_id = runs["rows"][0]["agent_id"]
    return [f"/tasks/{run_id.rpartition('~')[0]}", f"/runs/{run_id}", f"/agents/{agent_id}", "/commands/1000"]


def _past(path: str, n: int) -> str:
    """The page at a second of the history, by its time."""
    second = SystemClock().now_us() - 120_000_000 - random.Random(f"{path} {n}").randrange(SPAN_US)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second // 1_000_000))
    return f"{path}{'&' if '?' in path else '?'}at={at}"


async def _first_bytes(client: httpx2.AsyncClient, paths: Sequence[str]) -> list[float]:
    """Milliseconds until each answers; one after the other, with a breath between."""
    found = []
    for path in paths:
        began = time.perf_counter()
        async with client.stream("GET", path, headers={"Accept": "text/html"}) as answer:
            async for _ in answer.aiter_raw(1):
                break
            found.append((time.perf_counter() - began) * 1e3)
            if answer.status_code not in (200, 404):  # a thing need not have been there at that second
                raise Failed(f"{path} answered {answer.status_code}")
        await asyncio.sleep(0.02)
    return found


async def _weight(client: httpx2.AsyncClient, path: str) -> int:
    """Bytes of the page itself as they are sent to a browser."""
    async with client.stream("GET", path, headers={"Accept": "text/html", "Accept-Encoding": "gzip"}) as answer:
        return sum([len(piece) async for piece in answer.aiter_raw()])


def _ms(name: str, value: float, gate: float, noise: object, note: str) -> Figure:
    return Figure(
        scenario="pages", name=name, unit="ms", values=[value], gate=gate, better="less", noise=noise, note=note  # type: ignore[arg-type]
    )  # fmt: skip
