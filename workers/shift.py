"""One epoch of a worker: orders come in from its inbox, runs go on under its lease, reports go out."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal

from core.artifacts import Artifacts
from core.clock import Clock
from core.domain import worker
from core.domain.words import token
from core.door import Door
from core.envelope import decode_fact
from core.ledger import Ledger
from core.observation import Observation, encode_observation
from workers.adapters import adapter_for
from workers.adapters.adapter import Ended, Job, Means
from workers.attempt import Attempt
from workers.keepsakes import Keepsakes
from workers.lease import Lease
from workers.observe import Redactor
from workers.outbox import Outbox
from workers.output import OutputLog
from workers.pools import Pool
from workers.process import Processes
from workers.reports import Reports

log = logging.getLogger(__name__)

TICK_S = 0.05
SHORT_S = 0.05  # a run over before this is reported by its finish alone
PROGRESS_EVERY_S = 1.0  # for one run: what changes first is told at once, what follows within this goes together
PROGRESS_RATE = 200  # reports a second, of all runs of a worker
LATE_S = 1.0  # the keeper enforces a time limit; what has none is stopped so much later

End = Literal["drained", "lease", "fenced"]
Hire = Callable[[worker.HireOrdered], list[worker.AgentSpec]]


class Shift:
    """From one ``worker.registered`` on. ``over`` tells why it ended: drained (asked to, and nothing runs any more),
    lease (no beat was acknowledged in time) or fenced (the log says that this epoch is over)."""

    def __init__(
        self,
        worker_id: str,
        epoch: int,
        *,
        ledger: Ledger,
        door: Door,
        clock: Clock,
        processes: Processes,
        pools: dict[str, Pool],
        sights: Outbox,
        output: Outbox,
        redact: Redactor,
        lease: Lease,
        hire: Hire,
        artifacts: Artifacts | None = None,
        folder: Path | None = None,
    ) -> None:
        self.worker_id, self.epoch = worker_id, epoch
        self.over: Future[End] = asyncio.get_running_loop().create_future()
        self.draining = False
        self._ledger, self._clock = ledger, clock
        self._reports = Reports(worker_id, epoch, door, clock)
        self._means = Means(clock=clock, processes=processes)
        self._pools = pools  # by agent id
        self._sights, self._output = sights, output
        self._redact = redact
        self._lease = lease
        self._hire = hire
        self._artifacts, self._folder = artifacts, folder
        self._runs: dict[str, Attempt] = {}
        self._to_start: deque[Attempt] = deque()  # in the order in which they began
        self._some = asyncio.Event()

    @property
    def busy(self) -> int:
        """Runs under way."""
        return len(self._runs)

    async def work(self) -> End:
        """Work until it is over; then nothing of it runs any more."""
        helpers = [asyncio.ensure_future(each) for each in (self._hear(), self._tick(), self._watch_lease())]
        try:
            either: set[Future[Any]] = {self.over, *helpers}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            for helper in helpers:
                if helper.done():
                    helper.result()  # a gap in the log, or a defect: it ends the worker
            return await self.over
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            self._reports.close()
            await self.abandon()

    def drain(self) -> None:
        """Take what still comes, finish it all, then be over."""
        self.draining = True
        self._rest()

    async def interrupt_all(self) -> None:
        """End every run so that it can be taken up again, and report it."""
        for attempt in list(self._runs.values()):
            attempt.end("interrupted")
        while self._runs:
            await asyncio.wait({attempt.over for attempt in self._runs.values()})
            await asyncio.sleep(0)

    async def abandon(self) -> None:
        """Kill all that runs, at once and without a report: it is no longer ours to report on."""
        self._means.processes.kill_all()
        left = list(self._runs.values())
        self._runs.clear()
        for attempt in left:
            attempt.end("abandoned")
        if left:
            log.warning("abandoned worker_id=%s epoch=%d runs=%d", self.worker_id, self.epoch, len(left))
            await asyncio.wait({attempt.over for attempt in left})

    # -- orders ---------------------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        inbox = f"evt.worker.{token(self.worker_id)}.>"
        async with aclosing(self._ledger.follow("EVENTS", after=self.epoch, subjects=[inbox])) as news:
            async for stored in news:
                for each in stored:
                    self._obey(decode_fact(each.data).fact, each.seq)
                    if self.over.done():
                        return

    def _obey(self, order: object, seq: int) -> None:
        match order:
            case worker.Registered():
                self._end("fenced", f"another process registered as {order.worker_id!r} (host {order.host!r})")
            case worker.Lost(epoch=self.epoch):
                self._end("fenced", "the core lost this worker: it saw no beat for too long")
            case worker.Left(epoch=self.epoch):
                self._end("fenced", "the log says that this worker has left")
            case worker.Draining(epoch=self.epoch):
                log.info("drains worker_id=%s runs=%d reason=%s", self.worker_id, self.busy, order.reason or "none")
                self.drain()
            case worker.Assigned(epoch=self.epoch):
                self._assigned(order)
            case worker.CancelOrdered(epoch=self.epoch):
                self._stop(order.run_id, "cancelled")
            case worker.InterruptOrdered(epoch=self.epoch):
                self._stop(order.run_id, "interrupted")
            case _:
                self._steer(order, seq)

    def _steer(self, order: object, seq: int) -> None:
        """What a person does to runs that go on."""
        match order:
            case worker.HaltOrdered(epoch=self.epoch):
                log.info("halts worker_id=%s runs=%d", self.worker_id, self.busy)
                for attempt in list(self._runs.values()):
                    attempt.end("interrupted")
            case worker.HoldOrdered(epoch=self.epoch):
                if held := self._runs.get(order.run_id):
                    held.hold()
            case worker.ContinueOrdered(epoch=self.epoch):
                if held := self._runs.get(order.run_id):
                    held.go_on()
            case worker.MessageOrdered(epoch=self.epoch):
                self._tell(order.run_id, order.text)
            case worker.HireOrdered(epoch=self.epoch):
                if agents := self._hire(order):
                    self._reports.grow(agents, seq)
            case _:
                pass  # a refusal, or a fact about an earlier epoch

    def _end(self, why: End, says: str) -> None:
        if not self.over.done():
            level = logging.INFO if why == "drained" else logging.WARNING
            log.log(level, "%s worker_id=%s epoch=%d: %s", why, self.worker_id, self.epoch, says)
            self.over.set_result(why)

    def _assigned(self, order: worker.Assigned) -> None:
        pool = self._pools.get(order.agent_id)
        if pool is None:
            says = f"worker {self.worker_id!r} has no agent {order.agent_id!r}"
            self._reports.ended(order.run_id, "failed", error_class="unsupported", error=says)
        elif pool.adapter == "noop":
            # Over before anything could be said of it: no task, no start, one report.
            self._reports.ended(order.run_id, "succeeded")
        elif order.run_id not in self._runs:
            self._begin(order, pool)

    def _tell(self, run_id: str, text: str) -> None:
        if attempt := self._runs.get(run_id):
            attempt.tell(text)
            return
        late = Observation(
            run_id=run_id,
            n=0,
            at=self._clock.now_us(),
            kind="message",
            name="refused",
            says="the run was over before it could be told",
            failed=True,
            data=self._redact.data({"text": text}),
        )
        self._sights.put(encode_observation(late))

    def _begin(self, order: worker.Assigned, pool: Pool) -> None:
        keepsakes = Keepsakes(order.run_id, self._artifacts, self._folder, self._redact, self._clock)
        job = Job(
            run_id=order.run_id,
            task_id=order.task_id,
            agent_id=order.agent_id,
            attempt=order.attempt,
            title=order.title,
            prompt=order.prompt,
            command=order.command,
            files=order.files,
            policy=order.policy,
            pool=pool,
            artifacts=keepsakes.folder,
        )
        attempt = Attempt(
            job,
            adapter_for(job, self._means),
            self._means,
            seen=self._sights,
            output=OutputLog(job.run_id, self._output, self._clock, self._redact, cap_bytes=pool.output_cap_bytes),
            redact=self._redact,
            keepsakes=keepsakes,
        )
        self._runs[job.run_id] = attempt
        self._to_start.append(attempt)
        attempt.over.add_done_callback(lambda _: self._ended(attempt))
        self._some.set()

    def _stop(self, run_id: str, verdict: Literal["cancelled", "interrupted"]) -> None:
        attempt = self._runs.get(run_id)
        if attempt is not None:
            attempt.end(verdict)
            return
        # Its report and this order crossed, and the report comes first. Said again in case it was refused.
        self._reports.ended(run_id, verdict)

    # -- reports --------------------------------------------------------------------------------------------------

    def _ended(self, attempt: Attempt) -> None:
        if self._runs.pop(attempt.job.run_id, None) is None:
            return  # abandoned
        if attempt.over.cancelled() or attempt.over.exception() is not None:
            attempt.ended = Ended(result="failed", error_class="unknown", error="the worker could not follow it")
        attempt.started = True
        self._reports.finish(attempt.finish(self.worker_id, self.epoch))
        self._rest()

    def _rest(self) -> None:
        if self.draining and not self._runs:
            self._end("drained", "nothing runs any more")

    async def _tick(self) -> None:
        """Starts of runs that turned out not to be short, progress, time limits. Asleep while nothing runs."""
        while True:
            await self._some.wait()
            await self._clock.sleep(TICK_S)
            now = self._clock.monotonic()
            self._say_starts(now)
            self._say_progress(now)
            self._keep_limits(now)
            for attempt in self._runs.values():
                attempt.look()
            if not self._runs:
                self._some.clear()
                self._to_start.clear()

    def _say_starts(self, now: float) -> None:
        while self._to_start and self._to_start[0].began + SHORT_S <= now:
            attempt = self._to_start.popleft()
            if not attempt.started and attempt.job.run_id in self._runs:
                attempt.started = True
                self._reports.start(attempt.job.run_id)

    def _say_progress(self, now: float) -> None:
        """Each run at its own time: two hundred reports at one stroke would keep everybody who reads them waiting."""
        told = now - PROGRESS_EVERY_S
        due = [each for each in self._runs.values() if each.changed and each.started and each.told_at <= told]
        due = [each for each in due if each.verdict is None]
        due.sort(key=lambda attempt: attempt.told_at)
        for attempt in due[: round(PROGRESS_RATE * TICK_S)]:
            attempt.changed, attempt.told_at = False, now
            self._reports.progress(
                attempt.job.run_id,
                step=attempt.step,
                percent=attempt.percent,
                usage=attempt.usage,
                files=attempt.files,
            )

    def _keep_limits(self, now: float) -> None:
        for attempt in self._runs.values():
            if attempt.verdict is None and attempt.overdue(now, LATE_S):
                attempt.end("timeout")

    async def _watch_lease(self) -> None:
        await self._lease.ended()
        self._end("lease", "no beat was acknowledged in time; all it ran is killed")
