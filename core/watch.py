"""What time brings, turned into orders by the leading core: waits that are over, workers that fell silent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from core.clock import Clock
from core.domain import system, task, worker
from core.domain.machine import Command
from core.domain.state import State

AHEAD_US = 60_000_000  # stream time this far ahead of the core's clock is not trusted
INSIST_S = 2.0  # after which what is still due is ordered again
MOST_REMEMBERED = 10_000
STOPPED_S = 1.0  # a gap between two looks that means that we stood still, and heard nothing


class Beats(Protocol):
    """Who was heard of: ``last(worker_id, epoch)`` is (our monotonic seconds, the worker's wall microseconds)."""

    def last(self, worker_id: str, epoch: int) -> tuple[float, int] | None: ...


class Watch:
    """Looks at the state now and then. Its orders have derived ids: giving one twice changes nothing."""

    def __init__(
        self,
        clock: Clock,
        beats: Beats | None,
        order: Callable[[Command, str], Awaitable[None]],
        *,
        beat_ttl_s: float,
    ) -> None:
        self._clock, self._beats, self._order, self._beat_ttl_s = clock, beats, order, beat_ttl_s
        self._ordered: dict[str, float] = {}
        self._present_since: dict[tuple[str, int], float] = {}
        self._heard_since = self._looked_at = 0.0
        self._ahead_us = 0

    def start_anew(self) -> None:
        """We lead from now on: everyone has a whole TTL to be heard of."""
        self._ordered.clear()
        self._present_since.clear()
        self.forgive()

    def forgive(self) -> None:
        """We could not hear: nobody's silence until now counts."""
        self._heard_since = self._clock.monotonic()

    def compare(self, stream_us: int) -> None:
        """A command of this stream time was decided: far ahead of our clock, it is not to be trusted."""
        self._ahead_us = max(self._ahead_us, stream_us - self._clock.now_us())

    def once(self, order_id: str) -> bool:
        """Whether to order this now: not again within ``INSIST_S``."""
        now = self._clock.monotonic()
        if now - self._ordered.get(order_id, -INSIST_S) < INSIST_S:
            return False
        if len(self._ordered) >= MOST_REMEMBERED:
            self._ordered = {name: at for name, at in self._ordered.items() if now - at < INSIST_S}
        self._ordered[order_id] = now
        return True

    async def look(self, state: State) -> None:
        """Order all that is due. After a gap (stopped, swapped out, asleep, unable to write) beats may be unread."""
        began = self._clock.monotonic()
        if began - self._looked_at > STOPPED_S:
            self.forgive()
        self._looked_at = began
        # Who is silent is settled here, before anything is waited for: while we wait we may be stopped as well.
        silent = self._silent(state, self._beats) if self._beats is not None else []
        for lose in silent:
            if self.once(f"~lose/{lose.worker_id}/{lose.epoch}"):
                await self._order(lose, f"~lose/{lose.worker_id}/{lose.epoch}")
        if self._ahead_us > AHEAD_US and not state.clock_suspected:
            await self._suspect_clock(state)
        elif not state.clock_suspected:
            await self._wake_tasks(state)
        self._ahead_us = 0

    async def _suspect_clock(self, state: State) -> None:
        if self.once("~suspect"):
            suspect = system.SuspectClock(ahead_s=round(self._ahead_us / 1e6, 1))
            await self._order(suspect, f"~suspect/{state.command_seq}")

    async def _wake_tasks(self, state: State) -> None:
        now = self._clock.now_us()
        due = state.next_due()
        if due is None or due[0] > now:
            return
        for task_id in [name for name, at in state.timers.items() if at <= now]:
            waiting = state.tasks.get(task_id)
            if waiting is None:
                continue  # it moved on while we ordered the ones before
            order_id = f"~wake/{task_id}/{waiting.runs}/{waiting.retry_at}"
            if self.once(order_id):
                await self._order(task.Wake(task_id=task_id, after_run=waiting.runs), order_id)

    def _silent(self, state: State, beats: Beats) -> list[worker.Lose]:
        """Workers we believe alive that were not heard of for a whole TTL in which we could hear."""
        now = self._clock.monotonic()
        found = []
        for held in state.workers.values():
            if held.state not in ("live", "draining"):
                continue
            heard = beats.last(held.worker_id, held.epoch)
            since = self._present_since.setdefault((held.worker_id, held.epoch), now)
            last = max(heard[0] if heard else 0.0, since, self._heard_since)
            if now - last > self._beat_ttl_s:
                last_beat = heard[1] if heard else 0
                found.append(worker.Lose(worker_id=held.worker_id, epoch=held.epoch, last_beat=last_beat))
        return found
