"""All scenarios in the order in which they run, and the fleet each of them needs."""

from __future__ import annotations

from bench import agents, big, decide, floor, fold, frames, history, pixel, starting, streams, tab, whole_way
from bench.figures import Figure
from bench.fleet import Fleet, fleet
from bench.report import Report, Sizes, merged, over_floors

QUICK_ONES = ("floor", "core", "L", "D", "T", "M", "fold", "start")
SLOW_ONES = ("plan", "browser", "pixel", "frames", "agents", "lost", "rebuild", "pages")
ON_REQUEST = ("pages10", "streams", "tab")  # ten minutes of preparation; twenty browsers' worth of work; half an hour
ALL = (*QUICK_ONES, *SLOW_ONES)
KNOWN = (*ALL, *ON_REQUEST)


async def run(wanted: set[str], sizes: Sizes) -> list[Figure]:
    """Every scenario that is wanted; figures in the order they were measured."""
    report = Report(wanted, sizes)
    await report.add("floor", lambda: _floors(sizes))
    await report.add("core", lambda: _core_alone(sizes))
    await report.together(("L", "D", "T", "M", "fold"), lambda: _whole_way(report))
    await report.add("start", lambda: starting.up(times=sizes.starts))
    await report.add("plan", _plan)
    await report.add("browser", _browser)
    await report.add("pixel", _pixel)
    await report.add("frames", _frames)
    await report.add("agents", _thousand)
    await report.add("lost", _lost)
    await report.add("rebuild", _rebuild)
    await report.add("pages", lambda: _pages(1_000_000, 100.0, 150.0))
    await report.add("pages10", lambda: _pages(10_000_000, 150.0, 300.0))
    await report.add("streams", lambda: _streams(sizes))
    await report.add("tab", lambda: _tab(sizes), within_s=sizes.tab_s + 120)
    return over_floors(report.figures)


async def _floors(sizes: Sizes) -> list[Figure]:
    async with fleet() as made:
        found = await floor.appends(made, messages=sizes.appends, times=sizes.times)
        return found + await floor.inserts(made.home, rows=sizes.rows, times=sizes.times)


async def _core_alone(sizes: Sizes) -> list[Figure]:
    log = decide.Log(sizes.decisions)
    found = decide.in_process(log, times=sizes.times)
    for _ in range(sizes.times):
        async with fleet() as made:
            found += await decide.through_jetstream(made, log)
    return merged(found)


async def _whole_way(report: Report) -> None:
    sizes = report.sizes
    async with fleet() as made:
        await _start_all(made, "noop:200")
        await report.add("M", lambda: whole_way.memory(made, "idle"))
        await report.add("L", lambda: whole_way.latency(made, tasks=sizes.latencies, times=sizes.times))
        await report.add("D", lambda: whole_way.dependencies(made, times=sizes.times))
        await report.add("T", lambda: whole_way.throughput(made, tasks=sizes.tasks, times=sizes.times))
        await report.add("M", lambda: whole_way.memory(made, "loaded"))
        await report.add("fold", lambda: _fold(made, sizes))


async def _fold(made: Fleet, sizes: Sizes) -> list[Figure]:
    if (await made.ledger.head("EVENTS")).last_seq < 3 * sizes.tasks:  # T was not asked for, so there is no log yet
        await whole_way.throughput(made, tasks=sizes.tasks, times=1)
    made.end("console")
    return await fold.catch_up(made, times=sizes.times)


async def _plan() -> list[Figure]:
    tasks = big.fans()
    found = big.ready_set(tasks, completions=20_000)
    async with fleet() as made:
        await made.start_core()
        return await big.load(made, tasks) + found


async def _browser() -> list[Figure]:
    async with fleet() as made:
        await _start_all(made, "sim:100")
        return await agents.browser(made, agents=100, pages=5, seconds=20)


async def _pixel() -> list[Figure]:
    async with fleet() as made:
        await _start_all(made, "sim:200")
        return await pixel.pixel(made, agents=200, pages=20, seconds=20)


async def _frames() -> list[Figure]:
    async with fleet() as made:
        return await frames.frames(made, runs=50_000)


async def _thousand() -> list[Figure]:
    async with fleet() as made:
        await _start_all(made, "sim:1000")
        return await agents.steady(made, agents=1_000, seconds=30)


async def _lost() -> list[Figure]:
    async with fleet() as made:
        await made.start_core()
        return await agents.lost(made, times=5)


async def _rebuild() -> list[Figure]:
    async with fleet() as made:
        return await fold.rebuild(made, facts=1_000_000)


async def _pages(facts: int, gate_ms: float, past_gate_ms: float) -> list[Figure]:
    async with fleet() as made:
        return await history.pages(made, facts=facts, gate_ms=gate_ms, past_gate_ms=past_gate_ms)


async def _streams(sizes: Sizes) -> list[Figure]:
    async with fleet() as made:
        await _start_all(made, "sim:200")
        return await streams.streams(made, agents=200, count=sizes.streams, seconds=20)


async def _tab(sizes: Sizes) -> list[Figure]:
    async with fleet() as made:
        await _start_all(made, "sim:100")
        return await tab.tab(made, agents=100, path=sizes.tab_page, seconds=sizes.tab_s)


async def _start_all(made: Fleet, pools: str) -> None:
    await made.start_core()
    await made.start_console()
    await made.start_worker(pools)
