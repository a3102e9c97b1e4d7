"""No gates, only figures: a plan of 100,000 tasks, 1,000 simulated agents at work."""

from __future__ import annotations

import time

from bench.decide import NAME, plan_orders
from bench.figures import Figure, percentile
from bench.fleet import Fleet
from bench.machine import Quiet
from bench.work import TITLE, submit
from core.clock import SystemClock
from core.domain import machine, plan, run, system, worker
from core.domain.machine import Command, Received, Recorded
from core.domain.spec import TaskSpec
from core.domain.state import State
from core.ids import new_id

TASKS, LANES, FAN = 100_000, 10, 100


def fans(tasks: int = TASKS, lanes: int = LANES, fan: int = FAN) -> list[plan.Planned]:
    """``lanes`` rows of 1 → ``fan`` → 1 → ``fan`` …: every hundredth completion or so frees a hundred tasks."""
    steps = tasks // lanes // (fan + 1)
    found = []
    for lane in range(lanes):
        before: list[str] = []
        for step in range(steps):
            root = f"default/big-{lane}-{step}"
            found.append(_planned(root, before))
            before = [f"{root}-{i}" for i in range(fan)]
            found += [_planned(each, [root]) for each in before]
    return found + [_planned(f"default/big-rest-{i}", []) for i in range(tasks - len(found))]


def _planned(task_id: str, needs: list[str]) -> plan.Planned:
    return plan.Planned(task_id=task_id, spec=TaskSpec(title=TITLE, depends_on=needs))


async def load(fleet: Fleet, tasks: list[plan.Planned]) -> list[Figure]:
    """The plan through the door: from the first command to the fact that it is sealed."""
    quiet, after = Quiet(), (await fleet.ledger.head("EVENTS")).last_seq
    began = time.monotonic()
    await submit(fleet, plan_orders(tasks, "big"), pause_every=8)
    await fleet.until("core", fleet.first("evt.plan.big.sealed", after), within_s=60)
    seconds = time.monotonic() - began
    name = f"load of a plan of {len(tasks):,}"
    resident = ", ".join(f"{who} {mb:.0f} MB" for who, mb in fleet.resident().items())
    return [
        Figure(scenario="plan", name=name, unit="s", values=[seconds], better="less", noise=quiet.read(), note=resident)
    ]


class Bench:
    """A core in process, told what to decide."""

    def __init__(self) -> None:
        self.state, self._clock, self._seq = State(), SystemClock(), 0

    def order(self, command: Command) -> list[Recorded]:
        self._seq += 1
        received = Received(self._seq, self._clock.now_us(), new_id(self._clock), "bench", command)
        return machine.step(self.state, received)


def ready_set(tasks: list[plan.Planned], *, completions: int, agents: int = 10) -> list[Figure]:
    """Milliseconds of one completion in the sealed plan: the task is done, its dependents are ready, the agent has
    its next one."""
    quiet, core = Quiet(), Bench()
    core.order(system.Begin(commands_created=1, events_created=1, rules=system.NEWEST_RULES))
    for order in plan_orders(tasks):
        core.order(order)
    specs = [worker.AgentSpec(name=f"a{i}", adapter="noop") for i in range(agents)]
    facts = core.order(worker.Register(worker_id=NAME, boot_id="big", agents=specs))
    epoch = core.state.workers[NAME].epoch
    assigned = [each.fact for each in facts if isinstance(each.fact, worker.Assigned)]
    all_ms, wide_ms = [], []
    for order in assigned:  # grows as it is worked off
        finish = run.Finish(run_id=order.run_id, worker_id=NAME, epoch=epoch, result="succeeded")
        began = time.perf_counter()
        facts = core.order(finish)
        took_ms = (time.perf_counter() - began) * 1e3
        all_ms.append(took_ms)
        for each in facts:
            if isinstance(each.fact, worker.Assigned):
                assigned.append(each.fact)
            elif isinstance(each.fact, run.Succeeded) and len(each.fact.unblocked) >= FAN:
                wide_ms.append(took_ms)
        if len(all_ms) == completions:
            break
    noise = quiet.read()
    return [
        Figure(scenario="plan", name=name, unit="ms", values=[percentile(found, 0.99)], better="less", noise=noise)
        for name, found in (
            (f"completion in {len(tasks):,} tasks, p99 of {len(all_ms):,}", all_ms),
            (f"completion that readies {FAN}, p99 of {len(wide_ms):,}", wide_ms or [0.0]),
        )
    ]
