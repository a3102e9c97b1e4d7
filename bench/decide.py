"""The core alone: a plan of 10,000 tasks decided as fast as it goes, in process and through JetStream."""

from __future__ import annotations

import asyncio
import time

from bench.figures import Figure
from bench.fleet import SLOTS, Fleet
from bench.machine import Quiet
from bench.processes import Failed
from bench.work import TITLE, tangled
from core.clock import SystemClock
from core.domain import machine, plan, run, system, worker
from core.domain.machine import Command
from core.domain.spec import TaskSpec
from core.domain.state import State
from core.envelope import GENESIS_CHAIN, Sent, decode_command, encode_command, encode_fact
from core.ids import new_id
from core.ledger import MAX_BATCH, Message, Stored

GATE = 12_000
NAME = "alone"


def plan_of(tasks: int, prefix: str = "p") -> list[plan.Planned]:
    """Diamonds and chains of 1,000 tasks each, as in scenario D, until there are so many."""
    return [
        plan.Planned(task_id=task_id, spec=TaskSpec(title=TITLE, depends_on=needs))
        for n in range(-(-tasks // 1_000))
        for task_id, needs in tangled(f"{prefix}{n}")
    ][:tasks]


def plan_orders(tasks: list[plan.Planned], plan_id: str = "bench") -> list[Command]:
    """The commands that bring a plan in."""
    adds = [plan.Add(plan_id=plan_id, tasks=tasks[i : i + MAX_BATCH]) for i in range(0, len(tasks), MAX_BATCH)]
    return [plan.Begin(plan_id=plan_id, session_id="default"), *adds, plan.Seal(plan_id=plan_id)]


class Log:
    """A plan and the reports that finish it, as they would stand in COMMANDS after ``core.begin``."""

    def __init__(self, tasks: int) -> None:
        self.clock = SystemClock()
        self.state = State()
        self.messages: list[Message] = []
        self._assigned: list[worker.Assigned] = []
        self._epoch = 0
        self._say(system.Begin(commands_created=1, events_created=1, rules=system.NEWEST_RULES))
        self._say(
            worker.Register(
                worker_id=NAME,
                boot_id="alone",
                agents=[worker.AgentSpec(name=f"a{i}", adapter="noop") for i in range(SLOTS)],
            )
        )
        for order in plan_orders(plan_of(tasks)):
            self._say(order)
        self.prologue = len(self.messages)
        for order in self._assigned:  # grows as it is worked off
            self._say(run.Finish(run_id=order.run_id, worker_id=NAME, epoch=self._epoch, result="succeeded"))

    def _say(self, command: Command) -> None:
        message = encode_command(Sent(id=new_id(self.clock), by="bench", command=command))
        self.messages.append(message)
        stored = Stored(len(self.messages), message.subject, self.clock.now_us(), message.data)
        for recorded in machine.step(self.state, decode_command(stored)):
            if isinstance(recorded.fact, worker.Assigned):
                self._assigned.append(recorded.fact)
            elif isinstance(recorded.fact, worker.Registered):
                self._epoch = self.state.seq
            elif isinstance(recorded.fact, machine.CommandRefused):
                raise Failed(f"the core would not have {message.subject}: {recorded.fact.reason}")


def in_process(log: Log, *, times: int) -> list[Figure]:
    """Read the command, decide, fold, encode the facts with their chain: what a core does between two reads."""
    quiet, rates = Quiet(), []
    now = log.clock.now_us()
    stored = [Stored(i, each.subject, now, each.data) for i, each in enumerate(log.messages, 1)]
    for _ in range(times):
        state, chain = State(), GENESIS_CHAIN
        for each in stored[: log.prologue]:
            machine.step(state, decode_command(each))
        began = time.perf_counter()
        for each in stored[log.prologue :]:
            for recorded in machine.step(state, decode_command(each)):
                _, chain = encode_fact(recorded, chain)
        rates.append((len(stored) - log.prologue) / (time.perf_counter() - began))
        if state.tasks:
            raise Failed(f"{len(state.tasks)} tasks of the plan were left")
    name = f"decisions in process, plan of {len(stored) - log.prologue:,}"
    return [Figure(scenario="core", name=name, unit="/s", values=rates, gate=GATE, noise=quiet.read())]


async def through_jetstream(fleet: Fleet, log: Log) -> list[Figure]:
    """The reports of the plan wait in COMMANDS; a core starts, decides and commits them. By the stream's own times."""
    await fleet.start_core()
    fleet.end("core")
    begun = (await fleet.ledger.head("EVENTS")).last_seq
    for first in range(1, len(log.messages), MAX_BATCH):  # the log there has begun already
        await fleet.ledger.append("COMMANDS", log.messages[first : first + MAX_BATCH])
    quiet = Quiet()
    await fleet.start_core()
    end = begun + log.state.seq - 1
    deadline = time.monotonic() + 30
    while (await fleet.ledger.head("EVENTS")).last_seq < end:
        fleet.check()
        if time.monotonic() > deadline:
            raise Failed("the plan was not decided within 30 s")
        await asyncio.sleep(0.05)
    first_at = last_at = 0
    reports = len(log.messages) - log.prologue
    facts = 0
    async for found in fleet.ledger.read("EVENTS", after=begun, subjects=["evt.run.*.succeeded"]):
        first_at = first_at or found[0].at
        last_at = found[-1].at
        facts += len(found)
    if facts != reports:
        raise Failed(f"{facts:,} of {reports:,} reports were decided as success")
    fleet.end("core")
    rate = reports / ((last_at - first_at) / 1e6)
    return [
        Figure(
            scenario="core", name=f"decisions through JetStream, plan of {reports:,}", unit="/s", values=[rate],
            gate=GATE, noise=quiet.read(), note="COMMANDS → decided → EVENTS, committed; nobody else at work",
        )
    ]  # fmt: skip
