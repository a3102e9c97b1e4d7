"""A worker and an operator of the simulated yard: what the real ones do towards the log, without the work itself.

The worker keeps the real one's promises: it registers with a boot id and finds its epoch in EVENTS, begins with its
first acknowledged beat, reads its inbox from its epoch on, reports through the real ``Door`` and ``Batcher`` with
derived ids until the log has it, and drops everything when its lease is over by the monotonic clock.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing, suppress
from random import Random

from core.batcher import Batcher
from core.domain import hire, run, worker
from core.domain.words import Usage, token
from core.door import Door
from core.envelope import Answer, decode_fact
from core.heartbeat import BEAT_S, MARGIN_S, TTL_S
from core.ledger import LedgerError
from tests.simulation.network import Wire, WiredLedger
from tests.simulation.server import Wall

RESULTS = ("succeeded",) * 7 + ("failed",) * 3
ERRORS = ("exit", "timeout", "crash", "auth", "network")


def _let_be(stored: Future[int]) -> None:
    """A report that may be lost: nobody waits for it, and nothing is said about it."""
    if not stored.cancelled():
        stored.exception()


class Mailbox:
    """A door's inboxes, and the answers that come to them."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0
        self._waiting: dict[str, Future[bytes]] = {}

    def open(self, within_s: float) -> tuple[str, Future[bytes]]:  # noqa: ARG002 - the caller bounds its wait
        self._count += 1
        inbox = f"{self._name}.{self._count}"
        self._waiting[inbox] = asyncio.get_running_loop().create_future()
        return inbox, self._waiting[inbox]

    def arrive(self, inbox: str, data: bytes) -> None:
        waiting = self._waiting.pop(inbox, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(data)


def new_id(rng: Random, clock: Wall) -> str:
    """A UUIDv7 whose chance comes from the seed."""
    digits = f"{clock.now_us() // 1000:012x}7{rng.getrandbits(12):03x}8{rng.getrandbits(60):015x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class Worker:
    """One worker process. ``crash`` is called when a task takes it down."""

    def __init__(
        self,
        name: str,
        wire: Wire,
        mailbox: Mailbox,
        *,
        rng: Random,
        clock: Wall,
        crash: Callable[[], object],
        seen: Counter[str],
    ) -> None:
        self.name, self._wire, self._rng, self._clock = name, wire, rng, clock
        self._ledger = WiredLedger(wire)
        self._door = Door(self._ledger, mailbox, clock, by=name)
        self._door._batcher = Batcher(self._ledger, "COMMANDS", clock=clock)
        self._door._batcher._chance = rng  # type: ignore[assignment]  # the seed's, not the system's
        self._crash, self._seen = crash, seen
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._frozen: dict[str, Future[None]] = {}  # held runs, and what they wait for
        self._epoch = 0
        self._over: Future[None] = asyncio.get_running_loop().create_future()
        self._lease_until = 0.0

    async def run(self) -> None:
        while True:
            boot_id = f"{self.name}-{self._rng.getrandbits(32):08x}"
            try:
                epoch = await self._register(boot_id)
                if epoch is not None and await self._beat_once(epoch):
                    await self._work(epoch)
            except LedgerError:
                pass
            await self._clock.sleep(0.5)

    async def _register(self, boot_id: str) -> int | None:
        agents = [
            worker.AgentSpec(name=name, adapter=adapter, capabilities=able)
            for name, adapter, able in (("ada", "noop", ["python"]), ("bob", "shell", ["docs", "python"]))
        ]
        register = worker.Register(worker_id=self.name, boot_id=boot_id, agents=agents, replace=True)
        answer = await self._door.order(register, command_id=new_id(self._rng, self._clock))
        if not isinstance(answer, Answer) or answer.outcome not in ("done", "already_so"):
            return None
        subject = f"evt.worker.{token(self.name)}.registered"
        async with aclosing(self._ledger.read("EVENTS", until=answer.seq, subjects=[subject])) as news:
            async for stored in news:
                for each in stored:
                    fact = decode_fact(each.data).fact
                    if isinstance(fact, worker.Registered) and fact.boot_id == boot_id:
                        return each.seq
        return None

    async def _work(self, epoch: int) -> None:
        self._epoch, self._over = epoch, asyncio.get_running_loop().create_future()
        helpers = [asyncio.ensure_future(each) for each in (self._hear(), self._beat(), self._watch_lease())]
        try:
            await self._over
        finally:
            for each in (*helpers, *self._runs.values()):
                each.cancel()
            self._runs.clear()
            self._frozen.clear()

    async def _hear(self) -> None:
        inbox = f"evt.worker.{token(self.name)}.>"
        async with aclosing(self._ledger.follow("EVENTS", after=self._epoch, subjects=[inbox])) as news:
            async for stored in news:
                for each in stored:
                    self._obey(decode_fact(each.data).fact)

    def _obey(self, order: object) -> None:
        match order:
            case worker.Registered() | worker.Lost(epoch=self._epoch) | worker.Left(epoch=self._epoch):
                self._end("worker learnt that its epoch was over")
            case worker.Assigned(epoch=self._epoch) if order.run_id not in self._runs:
                self._runs[order.run_id] = asyncio.ensure_future(self._do(order))
            case worker.CancelOrdered(epoch=self._epoch):
                self._stop(order.run_id, "cancelled")
            case worker.InterruptOrdered(epoch=self._epoch):
                self._stop(order.run_id, "interrupted")
            case worker.HaltOrdered(epoch=self._epoch):
                for run_id in list(self._runs):
                    self._stop(run_id, "interrupted")
            case worker.HoldOrdered(epoch=self._epoch) if order.run_id in self._runs:
                self._freeze(order.run_id)
            case worker.ContinueOrdered(epoch=self._epoch) if order.run_id in self._frozen:
                self._frozen.pop(order.run_id).set_result(None)
            case worker.HireOrdered(epoch=self._epoch):
                self._grow(order)

    def _end(self, why: str) -> None:
        self._seen[why] += 1
        if not self._over.done():
            self._over.set_result(None)

    async def _do(self, order: worker.Assigned) -> None:
        if order.title == "bomb":
            await self._clock.sleep(0.3)
            self._crash()
        takes = self._rng.choice((0.01, 0.01, 0.3, 2.0, 6.0))
        if takes > 0.05:
            await self._clock.sleep(0.05)
            self._report(run.Start(run_id=order.run_id, worker_id=self.name, epoch=self._epoch), "start")
        if takes > 1:
            usage = Usage(tool_calls=self._rng.randint(1, 9))
            progress = run.Progress(run_id=order.run_id, worker_id=self.name, epoch=self._epoch, usage=usage)
            self._report(progress, "progress")
        await self._clock.sleep(takes)
        if order.run_id in self._frozen:
            await self._frozen[order.run_id]
        self._finish(order.run_id, self._rng.choice(RESULTS))

    def _stop(self, run_id: str, verdict: str) -> None:
        if run_id in self._runs and self._runs[run_id].cancel():
            crossed = self._rng.random() < 0.3  # it had ended when the order came
            self._finish(run_id, "succeeded" if crossed else verdict)

    def _freeze(self, run_id: str) -> None:
        self._frozen[run_id] = asyncio.get_running_loop().create_future()
        if self._rng.random() < 0.3:  # it had ended when the order came
            self._stop(run_id, "succeeded")

    def _grow(self, order: worker.HireOrdered) -> None:
        names = [f"hand-{self._rng.getrandbits(16):04x}" for _ in range(order.count)]
        agents = [worker.AgentSpec(name=name, adapter=order.adapter) for name in names]
        grow = hire.Grow(worker_id=self.name, epoch=self._epoch, agents=agents)
        with suppress(LedgerError):  # whoever hired sees that nobody came, and hires again
            self._door.put(grow, command_id=f"~grow/{self.name}/{names[0]}").add_done_callback(_let_be)

    def _finish(self, run_id: str, result: str) -> None:
        error = self._rng.choice(ERRORS) if result == "failed" else ""
        report = run.Finish(
            run_id=run_id,
            worker_id=self.name,
            epoch=self._epoch,
            result=result,
            error_class=error,  # type: ignore[arg-type]
        )
        self._report(report, "finish")

    def _report(self, report: run.Command, kind: str) -> None:
        """Until the log has it, or it is no longer ours to say."""
        if self._epoch != report.epoch or self._over.done():
            return
        try:
            stored = self._door.put(report, command_id=f"~{kind}/{report.run_id}")
        except LedgerError:
            return
        stored.add_done_callback(lambda done: self._stored(report, kind, done))

    def _stored(self, report: run.Command, kind: str, done: Future[int]) -> None:
        if not done.cancelled() and done.exception() is not None:
            asyncio.get_running_loop().call_later(0.5, self._report, report, kind)

    async def _beat_once(self, epoch: int) -> bool:
        sent_at = self._clock.monotonic()
        try:
            await self._wire.request(lambda: self._wire.server.beat(self.name, epoch, self._clock.now_us()))
        except LedgerError:
            return False
        self._lease_until = sent_at + TTL_S - MARGIN_S
        return True

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(BEAT_S)
            if self._clock.monotonic() < self._lease_until:
                await self._beat_once(self._epoch)

    async def _watch_lease(self) -> None:
        while (left := self._lease_until - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)
        self._end("worker's lease ended")
