"""T, L, D and M: the whole way on real processes, from the submit call to what a consumer sees."""

from __future__ import annotations

import asyncio
import random
import time

from bench.figures import Figure, percentile
from bench.fleet import Fleet
from bench.machine import Quiet
from bench.work import STAMPED, TITLE, finished, plain, submit, tangled
from core.domain.spec import TaskSpec
from core.domain.task import Submit

GATE_T, GATE_L50, GATE_L99, GATE_D = 3_000, 3.0, 10.0, 0.5


async def throughput(fleet: Fleet, *, tasks: int, times: int) -> list[Figure]:
    """T: no-op tasks submitted in batches while one worker of 200 slots does them."""
    quiet, used = Quiet(), fleet.used()
    rates: list[float] = []
    lags: list[float] = []
    for _ in range(times):
        async with finished(fleet) as seen:
            began = time.monotonic()
            await submit(fleet, plain(f"t{time.monotonic_ns()}", tasks))
            done = await seen.reach(tasks, 10 + tasks / 300)
            rates.append(tasks / (done - began))
            if "console" in fleet.processes:
                lags.append((await fleet.folded(seen.last_seq) - done) * 1e3)
    per_task = {name: (now - used[name]) / (tasks * times) * 1e6 for name, now in fleet.used().items()}
    spent = ", ".join(f"{name} {each:.0f}" for name, each in per_task.items())
    return [
        Figure(
            scenario="T", name="tasks, submit → done", unit="/s", values=rates, gate=GATE_T, noise=quiet.read(),
            note=f"processor time per task, µs: {spent}",
        ),
        Figure(scenario="T", name="last task done → folded", unit="ms", values=lags, better="less"),
    ]  # fmt: skip


async def latency(fleet: Fleet, *, tasks: int, times: int) -> list[Figure]:
    """L: one task at a time on an idle system, each after a pause of 10 to 30 ms."""
    quiet, chance = Quiet(), random.Random(7)
    lines: list[list[float]] = []
    ends: list[list[float]] = []
    for _ in range(times):
        fleet.stamps.write_bytes(b"")
        called, done = {}, []
        async with finished(fleet) as seen:
            for i in range(tasks):
                await asyncio.sleep(chance.uniform(0.010, 0.030))
                task_id = f"default/l{time.monotonic_ns()}"
                began = called[f"{task_id}~1"] = time.monotonic()
                await fleet.door.order(Submit(task_id=task_id, spec=TaskSpec(title=STAMPED)))
                done.append((await seen.reach(i + 1, 10.0) - began) * 1e3)
        stamps = dict(line.split() for line in fleet.stamps.read_text().splitlines())
        lines.append([int(stamps[run_id]) / 1e6 - began * 1e3 for run_id, began in called.items()])
        ends.append(done)
    noise = quiet.read()
    return [
        _spread("submit → worker's first line, p50", lines, 0.50, GATE_L50, noise),
        _spread("submit → worker's first line, p99", lines, 0.99, GATE_L99, noise),
        _spread("submit → done, seen by a consumer, p50", ends, 0.50, None, noise),
        _spread("submit → done, seen by a consumer, p99", ends, 0.99, None, noise),
    ]


def _spread(name, rounds, share, gate, noise) -> Figure:
    values = [percentile(each, share) for each in rounds]
    note = f"{len(rounds[0])} tasks a round" if gate else ""
    return Figure(
        scenario="L", name=name, unit="ms", values=values, gate=gate, better="less", noise=noise, note=note
    )  # fmt: skip


async def dependencies(fleet: Fleet, *, times: int) -> list[Figure]:
    """D: 1,000 tasks, 50 diamonds (1 → 8 → 1) and 10 chains of 50; first submit to last completion."""
    quiet, spans = Quiet(), []
    for _ in range(times):
        orders = [
            Submit(task_id=task_id, spec=TaskSpec(title=TITLE, depends_on=needs))
            for task_id, needs in tangled(f"d{time.monotonic_ns()}")
        ]
        async with finished(fleet) as seen:
            began = time.monotonic()
            await submit(fleet, orders)
            spans.append(await seen.reach(len(orders), 30.0) - began)
    return [
        Figure(
            scenario="D", name="1,000 tasks with dependencies", unit="s", values=spans, gate=GATE_D, better="less",
            noise=quiet.read(),
        )
    ]  # fmt: skip


async def memory(fleet: Fleet, when: str) -> list[Figure]:
    """M: resident memory of every process."""
    return [
        Figure(scenario="M", name=f"resident {name}, {when}", unit="MB", values=[mb], better="less")
        for name, mb in fleet.resident().items()
    ]
