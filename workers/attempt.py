"""One run, from its order to its report."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from math import inf
from typing import Any, Literal

import msgspec

from core.domain.run import Finish
from core.domain.words import Artifact, Usage
from core.observation import Observation, encode_observation
from workers import diffs
from workers.adapters.adapter import Adapter, Ended, Job, Made, Means, Output, Seen, Unfit
from workers.keepsakes import KEPT_WITHIN_S, Keepsakes
from workers.observe import Redactor, cut
from workers.outbox import Outbox
from workers.output import OutputLog
from workers.tree import Used
from workers.within import within

log = logging.getLogger(__name__)

STOP_WITHIN_S = 5.0  # after an order to end, everything of the run is gone by then
HEARD_WITHIN_S = 5.0  # a word from the operator
IN_A_HURRY_S = 1.5  # for keeping what an interrupted run left: its worker may be on its way out
MAX_FILES, MAX_FILES_SIZE = 500, 20_000  # names, and characters of all of them: every report carries them

Verdict = Literal["cancelled", "interrupted", "timeout", "abandoned"]


class Attempt:
    """Drives one adapter, notes what happens and how it ended. ``over`` is done when nothing of it runs any more."""

    def __init__(
        self,
        job: Job,
        adapter: Adapter,
        means: Means,
        *,
        seen: Outbox,
        output: OutputLog,
        redact: Redactor,
        keepsakes: Keepsakes,
    ) -> None:
        self.job = job
        self.began = means.clock.monotonic()
        self.started = False  # whether ``run.start`` was reported
        self.changed = False  # whether there is progress that was not reported
        self.told_at = -inf  # when progress was last reported
        self.step = ""
        self.percent: int | None = None
        self.usage = Usage()
        self.verdict: Verdict | None = None
        self.ended: Ended | None = None
        self.artifacts: list[Artifact] = []
        self._keepsakes = keepsakes
        self._held_at: float | None = None  # None: it is not held
        self._held_s = 0.0
        self._used: Used | None = None  # as last told, and as last noted
        self._noted: Used | None = None
        self._peak = 0
        self._telling: set[asyncio.Future[None]] = set()
        self._adapter = adapter
        self._clock = means.clock
        self._seen = seen
        self._output = output
        self._redact = redact
        self._files: dict[str, None] = {}
        self._files_size = 0
        self._n = 0
        self._working = asyncio.ensure_future(self._work())
        self._endings: set[asyncio.Future[None]] = set()
        self.over: asyncio.Future[None] = asyncio.ensure_future(self._watch())

    @property
    def files(self) -> list[str]:
        return list(self._files)

    def end(self, verdict: Verdict) -> None:
        """Bring it down, for this reason. A later reason takes the place of an earlier one but for ``abandoned``."""
        if self.verdict != "abandoned":
            self.verdict = verdict
        gently = verdict == "interrupted"
        if not self._endings or not gently:
            self._endings.add(asyncio.ensure_future(self._bring_down(gently=gently)))

    def overdue(self, now: float, late_s: float) -> bool:
        """Whether its time limit ended ``late_s`` ago. The time it was held does not count."""
        return self._held_at is None and self.began + self._held_s + self.job.policy.time_limit_s + late_s <= now

    def look(self) -> None:
        """Note what its processes use, where that has changed by more than a tenth since it was last noted."""
        used = self._adapter.used()
        if used is None or used is self._used:
            return
        before, self._used = self._noted, used
        self._peak = max(self._peak, used.memory_bytes)
        if before is not None and not _differs(before, used):
            return
        self._noted = used
        says = f"{used.memory_bytes / 1e6:,.0f} MB in {used.processes} processes, processor {used.cpu_ms / 1000:,.1f} s"
        data = {"memory": used.memory_bytes, "peak": self._peak, "processes": used.processes, "cpu_ms": used.cpu_ms}
        self._note(Seen(kind="resources", says=says, data=data))

    def hold(self) -> None:
        """Freeze it where it is. Nothing happens to one that is ending."""
        if self._held_at is None and self.verdict is None:
            self._held_at = self._clock.monotonic()
            self._do(self._adapter.hold())
            self._note(Seen(kind="note", name="held", says="held: it stands still where it is"))

    def go_on(self) -> None:
        if self._held_at is not None:
            self._held_s += self._clock.monotonic() - self._held_at
            self._held_at = None
            self._do(self._adapter.go_on())
            self._note(Seen(kind="note", name="continued", says="goes on"))

    def tell(self, text: str) -> None:
        """Pass on a word from the operator; what becomes of it is observed."""
        self._do(self._tell(text))

    def finish(self, worker_id: str, epoch: int) -> Finish:
        """The report of how it ended; call when ``over``."""
        ended = self.ended or Ended(result="failed", error_class="unknown", error="it ended without saying how")
        duration_ms = round((self._clock.monotonic() - self.began) * 1000)
        result: Literal["succeeded", "failed", "interrupted", "cancelled"] = ended.result
        error_class, error = ended.error_class, ended.error
        if result != "succeeded" and self.verdict in ("cancelled", "interrupted"):
            result = self.verdict
        elif result != "succeeded" and self.verdict == "timeout":
            result, error_class = "failed", "timeout"
            error = f"not done within its time limit of {self.job.policy.time_limit_s:g} s"
        return Finish(
            run_id=self.job.run_id,
            worker_id=worker_id,
            epoch=epoch,
            result=result,
            error_class=error_class,
            error=cut(self._redact.text(error), 3_900),
            exit_code=ended.exit_code,
            summary=cut(self._redact.text(ended.summary), 20_000),
            checks=[cut(self._redact.text(check), 490) for check in ended.checks[:50]],
            usage=self.usage,
            files=self.files,
            artifacts=self.artifacts,
            duration_ms=duration_ms,
        )

    def _do(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(doing)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, text: str) -> None:
        try:
            await within(self._clock, HEARD_WITHIN_S, self._adapter.send(text))
        except Unfit as error:
            self._note(Seen(kind="message", name="refused", says=str(error), failed=True, data={"text": text}))
        except TimeoutError:
            says = f"the agent did not take it within {HEARD_WITHIN_S:g} s"
            self._note(Seen(kind="message", name="refused", says=says, failed=True, data={"text": text}))
        else:
            self._note(Seen(kind="message", name="delivered", says=text))

    async def _work(self) -> None:
        try:
            await self._adapter.start()
            async for happening in self._adapter.events():
                match happening:
                    case Output():
                        await self._output.write(happening.stream, happening.data)
                    case Seen():
                        self._note(happening)
                    case Made():
                        self._keepsakes.hand_over(happening.name, happening.data)
                    case Ended():
                        self.ended = happening
        except Unfit as error:
            self.ended = Ended(result="failed", error_class="invalid", error=str(error))
        except Exception as error:  # noqa: BLE001 - an agent may break in any way; its run fails and the worker lives on
            log.warning("agent broke run_id=%s agent_id=%s: %r", self.job.run_id, self.job.agent_id, error)
            says = f"{type(error).__name__}: {error}"
            self.ended = Ended(result="failed", error_class="crash", error=says)
            self._note(Seen(kind="error", says=says, failed=True))

    async def _watch(self) -> None:
        await asyncio.wait({self._working})
        if self._endings:
            await asyncio.wait(self._endings)
        self._output.close()
        if self.verdict == "abandoned":
            await self._keepsakes.discard()
            return
        within_s = KEPT_WITHIN_S if self.verdict is None else IN_A_HURRY_S
        self.artifacts = await self._keepsakes.kept(within_s=within_s)
        if self._keepsakes.left_out:
            left_out = "; ".join(self._keepsakes.left_out[:10])
            self._note(Seen(kind="note", name="artifacts", says=f"not kept: {left_out}", failed=True))

    async def _bring_down(self, *, gently: bool) -> None:
        """Ask, then stop, then drop it: one after another, each for its share of ``STOP_WITHIN_S``."""
        ways = (self._adapter.interrupt, self._adapter.stop) if gently else (self._adapter.stop,)
        for way in ways:
            try:
                await within(self._clock, 0.9 * STOP_WITHIN_S / len(ways), self._ends_by(way))
                return
            except TimeoutError:
                log.warning("agent does not end run_id=%s agent_id=%s", self.job.run_id, self.job.agent_id)
        self._working.cancel()

    async def _ends_by(self, way: Callable[[], Awaitable[None]]) -> None:
        await way()
        await asyncio.shield(self._working)

    def _note(self, seen: Seen) -> None:
        if seen.usage is not None and seen.usage != self.usage:
            self.usage = seen.usage
            self.changed = True
        if seen.kind == "file":
            self._touched(cut(self._redact.text(seen.name), 900))
        if seen.kind == "step":
            self.step = cut(self._redact.text(seen.says or seen.name), 490)
            self.changed = True
        if seen.percent is not None:
            self.percent = min(max(seen.percent, 0), 100)
            self.changed = True
        diff = diffs.bounded(seen.diff) if seen.diff else ""
        added, removed = diffs.figures(seen.diff) if seen.diff else (0, 0)
        self._n += 1
        observation = Observation(
            run_id=self.job.run_id,
            n=self._n,
            at=self._clock.now_us(),
            kind=seen.kind,
            name=cut(self._redact.text(seen.name), 1_000),
            says=cut(self._redact.text(seen.says), 4_000),
            ref=seen.ref[:200],
            failed=seen.failed,
            usage=seen.usage,
            data=self._redact.data(seen.data),
            diff=self._redact.text(diff),
            added=added,
            removed=removed,
        )
        self._seen.put(encode_observation(observation))

    def _touched(self, file: str) -> None:
        if file not in self._files and len(self._files) < MAX_FILES and self._files_size + len(file) <= MAX_FILES_SIZE:
            self._files[file] = None
            self._files_size += len(file)
            self.changed = True


def _differs(before: Used, now: Used) -> bool:
    """By more than a tenth in any figure."""
    pairs = zip(msgspec.structs.astuple(before), msgspec.structs.astuple(now), strict=True)
    return any(abs(new - old) * 10 > old for old, new in pairs)
