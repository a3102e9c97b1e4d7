"""``python -m bench``: run the scenarios, print a table and JSON. Exit code 0 whatever the speed.

``--quick``: what fits into a minute. ``--only T,L,…``: these scenarios. ``--json FILE``: write the JSON there.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvloop

from bench import agents, big, decide, floor, fold, starting, whole_way
from bench.figures import Figure, table
from bench.fleet import Fleet, fleet
from bench.machine import describe

SCENARIOS = ("floor", "core", "L", "D", "T", "M", "fold", "plan", "browser", "agents", "start", "lost", "rebuild")
SLOW = ("plan", "browser", "agents", "lost", "rebuild")  # not among --quick


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How much of everything. ``times``: repetitions."""

    times: int = 5
    tasks: int = 20_000
    latencies: int = 300
    decisions: int = 10_000
    appends: int = 40_000
    rows: int = 200_000
    within_s: float = 180.0
    quick: bool = False


QUICK = Sizes(times=3, tasks=5_000, latencies=70, appends=12_000, rows=50_000, within_s=15.0, quick=True)


class Report:
    """Collects figures; what goes wrong becomes one, too."""

    def __init__(self, wanted: set[str], sizes: Sizes) -> None:
        self.wanted, self.sizes = wanted, sizes
        self.figures: list[Figure] = []

    async def add(self, scenario: str, measure: Callable[[], Awaitable[list[Figure]]]) -> None:
        """Run a scenario that is wanted, within its time."""
        if scenario not in self.wanted:
            return
        print(f"{scenario} …", end=" ", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            self.figures += await asyncio.wait_for(measure(), self.sizes.within_s)
        except Exception as error:  # noqa: BLE001 - a scenario that cannot run is a line of the report
            says = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self.figures.append(Figure(scenario=scenario, name=scenario, problem=" ".join(says.split())[:200]))
        print(f"{time.monotonic() - began:.1f} s", file=sys.stderr)


async def run(wanted: set[str], sizes: Sizes) -> list[Figure]:
    report = Report(wanted, sizes)
    await _floors(report)
    await _core(report)
    if wanted & {"T", "L", "D", "M", "fold"}:
        await _whole_way(report)
    await _plan(report)
    await _fleet_at_work(report)
    await report.add("start", lambda: starting.up(times=1 if sizes.quick else 3))
    await _rebuild(report)
    return _over_floors(report.figures)


async def _floors(report: Report) -> None:
    sizes = report.sizes

    async def measure() -> list[Figure]:
        async with fleet() as made:
            found = await floor.appends(made, messages=sizes.appends, times=sizes.times)
            return found + floor.inserts(made.home, rows=sizes.rows, times=sizes.times)

    await report.add("floor", measure)


async def _core(report: Report) -> None:
    async def measure() -> list[Figure]:
        log = decide.Log(report.sizes.decisions)
        found = decide.in_process(log, times=report.sizes.times)
        for _ in range(report.sizes.times):
            async with fleet() as made:
                found += await decide.through_jetstream(made, log)
        return merged(found)

    await report.add("core", measure)


async def _whole_way(report: Report) -> None:
    sizes = report.sizes
    try:
        async with fleet() as made:
            await made.start_core()
            await made.start_console()
            await made.start_worker()
            await report.add("M", lambda: _now(whole_way.memory(made, "idle")))
            await report.add("L", lambda: whole_way.latency(made, tasks=sizes.latencies, times=sizes.times))
            await report.add("D", lambda: whole_way.dependencies(made, times=sizes.times))
            await report.add("T", lambda: whole_way.throughput(made, tasks=sizes.tasks, times=sizes.times))
            await report.add("M", lambda: _now(whole_way.memory(made, "loaded")))
            if "fold" in report.wanted:
                await _enough_to_fold(made, sizes)
                made.end("console")
            await report.add("fold", lambda: fold.catch_up(made, times=sizes.times))
    except Exception as error:  # noqa: BLE001 - see Report.add
        report.figures.append(Figure(scenario="T", name="T, L, D, M", problem=f"{type(error).__name__}: {error}"))


async def _fleet_at_work(report: Report) -> None:
    async def browser() -> list[Figure]:
        async with fleet() as made:
            await made.start_core()
            await made.start_console()
            await made.start_worker("sim:100")
            return await agents.browser(made, agents=100, pages=5, seconds=20)

    async def thousand() -> list[Figure]:
        async with fleet() as made:
            await made.start_core()
            await made.start_console()
            await made.start_worker("sim:1000")
            return await agents.steady(made, agents=1_000, seconds=30)

    async def lost() -> list[Figure]:
        async with fleet() as made:
            await made.start_core()
            return await agents.lost(made, times=5)

    await report.add("browser", browser)
    await report.add("agents", thousand)
    await report.add("lost", lost)


async def _enough_to_fold(made: Fleet, sizes: Sizes) -> None:
    """A log of three facts a task, should T not have written one."""
    if (await made.ledger.head("EVENTS")).last_seq < 3 * sizes.tasks:
        await whole_way.throughput(made, tasks=sizes.tasks, times=1)


async def _rebuild(report: Report) -> None:
    async def measure() -> list[Figure]:
        async with fleet() as made:
            return await fold.rebuild(made, facts=1_000_000)

    await report.add("rebuild", measure)


async def _plan(report: Report) -> None:
    async def measure() -> list[Figure]:
        tasks = big.fans()
        found = big.ready_set(tasks, completions=20_000)
        async with fleet() as made:
            await made.start_core()
            return await big.load(made, tasks) + found

    await report.add("plan", measure)


async def _now(found: list[Figure]) -> list[Figure]:
    return found


def merged(figures: list[Figure]) -> list[Figure]:
    """Figures of one name as one, their values together."""
    by_name: dict[tuple[str, str], Figure] = {}
    for each in figures:
        first = by_name.setdefault((each.scenario, each.name), each)
        if first is not each:
            first.values += each.values
            first.noise = max(first.noise, each.noise, key=lambda noise: noise.spin_ms if noise else 0.0)
    return list(by_name.values())


def _over_floors(figures: list[Figure]) -> list[Figure]:
    """Give each figure its floor: five messages a task, two appends one behind the other to a first line."""
    found = {each.name: each.median for each in figures if each.scenario == "floor" and each.values}
    batched, single = found.get("bare append, batches of 400"), found.get("bare append, one by one, p50")
    arrow = found.get("bare Arrow insert, batches of 5,000")
    for each in figures:
        if each.scenario == "T" and batched:
            each.floor = batched / 5
        elif each.scenario == "L" and single and "first line, p50" in each.name:
            each.floor = 2 * single
        elif each.scenario == "core" and batched and "JetStream" in each.name:
            each.floor = batched / 2
        elif each.scenario == "fold" and arrow and each.unit == "facts/s":
            each.floor = arrow
    return figures


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    wanted = set(arguments.only) if arguments.only else set(SCENARIOS) - set(SLOW if arguments.quick else ())
    began = time.monotonic()
    figures = uvloop.run(run(wanted, QUICK if arguments.quick else Sizes()))
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "quick": arguments.quick,
        "machine": describe(),
        "figures": figures,
    }
    print(table(figures))
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    else:
        print(msgspec.json.encode(document).decode())
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="How fast it is, on real processes.")
    parser.add_argument("--quick", action="store_true", help="what fits into a minute")
    parser.add_argument("--only", type=_scenarios, help=f"some of {','.join(SCENARIOS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON there")
    return parser.parse_args(argv)


def _scenarios(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in SCENARIOS:
            raise argparse.ArgumentTypeError(f"there is no scenario {name!r}; there are: {', '.join(SCENARIOS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
