"""How fast the read model catches up with a log, and a rebuild of a million facts."""

from __future__ import annotations

from itertools import count

from bench.decide import NAME, plan_of, plan_orders
from bench.figures import Figure
from bench.fleet import SLOTS, Fleet
from bench.machine import Quiet
from bench.processes import answer_of, module
from core.clock import Clock, HandClock, SystemClock
from core.domain import machine, run, system, worker
from core.domain.machine import Command
from core.domain.state import State
from core.envelope import GENESIS_CHAIN, Sent, decode_command, encode_command, encode_fact
from core.ids import new_id
from core.jetstream import JetStreamLedger
from core.ledger import MAX_BATCH, Ledger, Message, Stored, Stream
from core.link import connect
from core.settings import load
from core.streams import ensure

GATE = 50_000
PLAN = 20_000  # tasks a plan


async def catch_up(fleet: Fleet, *, times: int, scenario: str = "fold", gate: float | None = GATE) -> list[Figure]:
    """A new read model on the log that is there, in a process of its own: facts of EVENTS a second. The commands are
    folded beside."""
    quiet, rates, seconds = Quiet(), [], []
    found: dict[str, float] = {}
    for n in range(times):
        file = fleet.home / f"fold-{n}.duckdb"
        found = await answer_of(*module("bench.folding", fleet.url, str(fleet.home), str(file)))
        rates.append(found["events"] / found["seconds"])
        seconds.append(found["all_seconds"])
        file.unlink()
    noise = quiet.read()
    of = f"{found['events']:,} facts and {found['commands']:,} commands"
    note = f"{of}; {found['cpu_s']:.1f} s of processor time, {found['mb']:.0f} MB resident"
    return [
        Figure(scenario=scenario, name="catch-up", unit="facts/s", values=rates, gate=gate, noise=noise, note=note),
        Figure(scenario=scenario, name=f"all of {of}", unit="s", values=seconds, better="less", noise=noise),
    ]  # fmt: skip


async def rebuild(fleet: Fleet, *, facts: int) -> list[Figure]:
    """A log of so many facts, decided in process and appended; then folded anew."""
    core = load({"data": fleet.home}, environ={}).credentials("core")
    assert core is not None
    link = await connect(fleet.url, name="bench-writer", user=core.user, password=core.password)
    try:
        await ensure(link)
        await Writer(JetStreamLedger(link), SystemClock()).write(facts)
    finally:
        await link.close()
    return await catch_up(fleet, times=1, scenario="rebuild", gate=None)


class Writer:
    """A core without a queue: what it decides goes straight into both streams. ``clock``: when it all happens;
    ``step_us``: how much later each command than the one before, on a clock that is wound by hand."""

    def __init__(self, ledger: Ledger, clock: Clock, step_us: int = 0) -> None:
        self._ledger = ledger
        self._state, self._chain, self._clock, self._step_us = State(), GENESIS_CHAIN, clock, step_us
        self._seq = 0
        self._out: dict[Stream, list[Message]] = {"COMMANDS": [], "EVENTS": []}
        self._assigned: list[worker.Assigned] = []

    async def write(self, facts: int) -> None:
        agents = [worker.AgentSpec(name=f"a{i}", adapter="noop") for i in range(SLOTS)]
        created = [(await self._ledger.head(stream)).created for stream in ("COMMANDS", "EVENTS")]
        await self._say(system.Begin(commands_created=created[0], events_created=created[1]))
        await self._say(worker.Register(worker_id=NAME, boot_id="alone", agents=agents))
        epoch = self._state.workers[NAME].epoch
        for n in count():
            for order in plan_orders(plan_of(PLAN, f"r{n}-"), f"r{n}"):
                await self._say(order)
            while self._assigned:
                told, self._assigned = self._assigned, []
                for each in told:
                    await self._say(run.Finish(run_id=each.run_id, worker_id=NAME, epoch=epoch, result="succeeded"))
                    if self._state.seq >= facts:
                        await self._flush(least=1)
                        return

    async def _say(self, command: Command) -> None:
        message = encode_command(Sent(id=new_id(self._clock), by="bench", command=command))
        self._seq += 1
        if isinstance(self._clock, HandClock):
            self._clock.advance(seconds=self._step_us / 1e6)
        self._out["COMMANDS"].append(message)
        stored = Stored(self._seq, message.subject, self._clock.now_us(), message.data)
        for recorded in machine.step(self._state, decode_command(stored)):
            fact, self._chain = encode_fact(recorded, self._chain)
            self._out["EVENTS"].append(fact)
            if isinstance(recorded.fact, worker.Assigned):
                self._assigned.append(recorded.fact)
        await self._flush(least=MAX_BATCH)

    async def _flush(self, *, least: int) -> None:
        for stream, messages in self._out.items():
            while len(messages) >= least:
                await self._ledger.append(stream, messages[:MAX_BATCH])
                del messages[:MAX_BATCH]
