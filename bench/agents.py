"""Simulated agents at work: what a browser sees of them and how late, what a thousand of them cost, what a lost one."""

from __future__ import annotations

import asyncio
import signal
import time

from bench.figures import Figure, percentile
from bench.fleet import WORKER, Fleet
from bench.machine import Quiet
from bench.pages import delays_ms, opened
from bench.work import plain, submit
from core.domain.spec import TaskSpec
from core.domain.task import Submit

RUN_S = 8.5  # a simulated run's mean


async def browser(fleet: Fleet, *, agents: int, pages: int, seconds: float) -> list[Figure]:
    """Facts of a fleet at work, seen by open pages: when told, and when a panel was fetched anew."""
    await at_work(fleet, agents, seconds)
    quiet = Quiet()
    async with opened(fleet.pages, pages) as open_pages:
        await asyncio.sleep(1.0)
        after = (await fleet.ledger.head("EVENTS")).last_seq
        await asyncio.sleep(seconds)
        until = (await fleet.ledger.head("EVENTS")).last_seq
        await asyncio.sleep(1.0)
    facts = [
        (each.seq, each.at) async for found in fleet.ledger.read("EVENTS", after=after, until=until) for each in found
    ]
    noise = quiet.read()
    told = [delay for page in open_pages for delay in delays_ms(facts, page.told)]
    drawn = [delay for page in open_pages for delay in delays_ms(facts, page.drawn)]
    note = f"{agents} agents, {pages} open pages, {len(facts) / seconds:.0f} facts a second"
    return [
        _delay("fact → page is told, p95", told, noise, note),
        _delay("fact → panel fetched anew, p95", drawn, noise, ""),
    ]


def _delay(name, delays, noise, note) -> Figure:
    values = [percentile(delays, 0.95)]
    return Figure(scenario="browser", name=name, unit="ms", values=values, better="less", noise=noise, note=note)


async def steady(fleet: Fleet, *, agents: int, seconds: float) -> list[Figure]:
    """So many agents with enough to do: what they do, what it costs, how far the read model is behind."""
    await at_work(fleet, agents, seconds + 5)
    quiet, used = Quiet(), fleet.used()
    began, first = time.monotonic(), await _heads(fleet)
    busy = []
    while time.monotonic() - began < seconds:
        await asyncio.sleep(1.0)
        status = (await fleet.pages.get("/api/status")).raise_for_status().json()
        busy.append(float(status["agents"].get("busy", 0)))
    took, last = time.monotonic() - began, await _heads(fleet)
    lag_s = await fleet.folded(last["EVENTS"]) - began - took
    share = {name: (now - used[name]) / took for name, now in fleet.used().items()}
    rates = {stream: (last[stream] - first[stream]) / took for stream in last}
    noise = quiet.read()
    note = ", ".join(f"{name} {100 * each:.0f} % of a core" for name, each in share.items())
    figures = [
        Figure(scenario="agents", name=f"busy of {agents:,} agents", values=busy, noise=noise, note=note),
        Figure(scenario="agents", name="read model behind", unit="s", values=[lag_s], better="less"),
    ]
    for stream, rate in rates.items():
        figures.append(Figure(scenario="agents", name=f"{stream} a second", unit="/s", values=[rate]))
    for name, mb in fleet.resident().items():
        figures.append(Figure(scenario="agents", name=f"resident {name}", unit="MB", values=[mb], better="less"))
    return figures


async def at_work(fleet: Fleet, agents: int, seconds: float) -> None:
    """Everybody has a run, and there is enough to go on."""
    await submit(fleet, plain(f"sim-{time.monotonic_ns()}", round(agents * (2 + seconds / RUN_S * 1.5))))
    await asyncio.sleep(3.0)


async def _heads(fleet: Fleet) -> dict[str, int]:
    return {stream: (await fleet.ledger.head(stream)).last_seq for stream in ("COMMANDS", "EVENTS", "OBSERVATIONS")}


async def lost(fleet: Fleet, *, times: int) -> list[Figure]:
    """kill -9 of a worker at work, until the log says that it is lost."""
    quiet, spans = Quiet(), []
    for n in range(times):
        name = f"{WORKER}-{n}"
        after = (await fleet.ledger.head("EVENTS")).last_seq
        await fleet.start_worker("sim:8", name=name)
        work = [
            Submit(task_id=f"default/lost-{n}-{i}", spec=TaskSpec(title="bench", prompt="sim: seconds=60"))
            for i in range(8)
        ]
        await submit(fleet, work)
        await fleet.until(name, fleet.first(f"evt.worker.{name}.assigned", after))
        await asyncio.sleep(1.0 + 0.7 * n)  # somewhere between two beats
        began = time.monotonic()
        fleet.end(name, signal.SIGKILL)
        await fleet.until("core", fleet.first(f"evt.worker.{name}.lost", after), within_s=30)
        spans.append(time.monotonic() - began)
    return [
        Figure(
            scenario="lost",
            name="kill -9 of a worker → lost",
            unit="s",
            values=spans,
            better="less",
            noise=quiet.read(),
        )
    ]
