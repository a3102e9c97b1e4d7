"""A worker's life: register, beat, work, and begin anew whenever its epoch is over; drain and leave when asked to."""

from __future__ import annotations

import asyncio
import logging
import os
from asyncio import Future
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from core.artifacts import Artifacts
from core.clock import Clock
from core.domain import worker
from core.door import Door
from core.heartbeat import BEAT_S, MARGIN_S, TTL_S, Beat, beat_key, encode_beat
from core.ids import new_id
from core.ledger import Ledger, LedgerError
from workers.crew import Crew
from workers.journal import Journal
from workers.lease import Lease
from workers.observe import Redactor
from workers.outbox import Outbox
from workers.pools import Pool
from workers.process import Processes
from workers.registration import TRY_AGAIN_S, Registration
from workers.shift import End, Shift
from workers.within import within

log = logging.getLogger(__name__)

FLUSH_WITHIN_S = 1.5
STOP_WITHIN_S = 3.0  # for interrupting all that runs, when asked to stop


class Heart(Protocol):
    """The bucket of heartbeats."""

    async def put(self, key: str, value: bytes, *, ttl_s: int | None = None, within_s: float = 5.0) -> int: ...


class Worker:
    """Hosts the agents of its pools. ``run`` returns when it was asked to stop and has left."""

    def __init__(
        self,
        worker_id: str,
        pools: Sequence[Pool],
        *,
        ledger: Ledger,
        door: Door,
        heart: Heart,
        clock: Clock,
        journal: Journal,
        secrets: Sequence[str] = (),
        artifacts: Artifacts | None = None,
        folder: Path | None = None,
        replace: bool = False,
        version: str = "",
        beat_s: float = BEAT_S,
        ttl_s: float = TTL_S,
        margin_s: float = MARGIN_S,
    ) -> None:
        self.worker_id = worker_id
        self.processes = Processes(journal, clock)
        self.shift: Shift | None = None
        self._ledger, self._door, self._heart, self._clock = ledger, door, heart, clock
        self._crew = Crew(worker_id, pools, journal)
        self._artifacts, self._folder = artifacts, folder
        self._redact = Redactor(secrets)
        self._registration = Registration(
            worker_id, self._crew, ledger=ledger, door=door, clock=clock, journal=journal, replace=replace,
            version=version, ttl_s=ttl_s,
        )  # fmt: skip
        self._beat_s, self._ttl_s, self._margin_s = beat_s, ttl_s, margin_s
        self._stop: Future[float] = asyncio.get_running_loop().create_future()

    def stop(self, *, drain_s: float) -> None:
        """Finish what runs, at most ``drain_s`` seconds; then interrupt the rest, and leave."""
        if not self._stop.done():
            self._stop.set_result(drain_s)

    async def run(self) -> None:
        """Register and work until stopped. ``NotWanted`` when the core refuses, ``Gap`` when the log is broken."""
        self._sights = Outbox(self._ledger, "OBSERVATIONS", self._clock, name=f"{self.worker_id}/{new_id(self._clock)}")
        self._output = Outbox(self._ledger, "OUTPUT", self._clock, name=self.worker_id)
        posting = [asyncio.ensure_future(box.run()) for box in (self._sights, self._output)]
        try:
            while not self._stop.done():
                await self._one_epoch()
        finally:
            self.processes.kill_all()
            await self.processes.gone()
            for post in posting:
                post.cancel()
            await asyncio.gather(*posting, return_exceptions=True)

    # -- one epoch ------------------------------------------------------------------------------------------------

    async def _one_epoch(self) -> None:
        boot_id = new_id(self._clock)
        self.processes.boot_id = boot_id
        await self.processes.reap_leftovers()
        registering = asyncio.ensure_future(self._registration.epoch(boot_id))
        await _first(registering, self._stop)
        if not registering.done():
            registering.cancel()
            await asyncio.wait({registering})
            return
        epoch = registering.result()
        lease = await self._first_beat(boot_id, epoch)
        if lease is None:
            return
        self.shift = shift = Shift(
            self.worker_id,
            epoch,
            ledger=self._ledger,
            door=self._door,
            clock=self._clock,
            processes=self.processes,
            pools=self._crew.pools,
            sights=self._sights,
            output=self._output,
            redact=self._redact,
            lease=lease,
            hire=self._crew.hire,
            artifacts=self._artifacts,
            folder=self._folder,
        )
        log.info("works worker_id=%s epoch=%d agents=%d", self.worker_id, epoch, len(self._crew.pools))
        beating = asyncio.ensure_future(self._beat(boot_id, shift, lease))
        working = asyncio.ensure_future(shift.work())
        try:
            await _first(working, self._stop)
            if not working.done():
                await self._wind_up(shift, working, self._stop.result())
            why = await working
        finally:
            beating.cancel()
            working.cancel()
            await asyncio.gather(beating, working, return_exceptions=True)
            self.shift = None
        await self._close(epoch, why)

    async def _wind_up(self, shift: Shift, working: Future[End], drain_s: float) -> None:
        """Asked to stop: nothing new, time for what runs, then interrupt it."""
        drain = worker.Drain(worker_id=self.worker_id, reason="its process was asked to stop")
        ordering = asyncio.ensure_future(self._try_order(drain, f"~drain/{self.worker_id}/{shift.epoch}"))
        shift.drain()
        with suppress(TimeoutError):
            await within(self._clock, drain_s, asyncio.shield(working))
        if not working.done():
            with suppress(TimeoutError):
                await within(self._clock, STOP_WITHIN_S, shift.interrupt_all())
            with suppress(TimeoutError):
                await within(self._clock, 0.5, asyncio.shield(working))
        if not working.done():
            working.cancel()
        ordering.cancel()

    async def _close(self, epoch: int, why: End) -> None:
        """What was said is stored before anything else; whoever drained says good-bye and is done."""
        saying = asyncio.gather(self._door.flush(), self._sights.emptied(), self._output.emptied())
        try:
            await within(self._clock, FLUSH_WITHIN_S, saying)
        except TimeoutError:
            log.warning("not all was stored observations=%d output=%d", len(self._sights), len(self._output))
        if why == "drained" or self._stop.done():
            self.stop(drain_s=0)
            leave = worker.Leave(worker_id=self.worker_id, epoch=epoch)
            await self._try_order(leave, f"~leave/{self.worker_id}/{epoch}")
            self._crew.dismiss()

    async def _try_order(self, command: worker.Command, command_id: str) -> None:
        try:
            await within(self._clock, FLUSH_WITHIN_S, self._door.order(command, command_id=command_id, wait_s=1.0))
        except (LedgerError, TimeoutError) as error:
            log.warning("not said: %s: %s", command_id, error)

    # -- beating --------------------------------------------------------------------------------------------------

    async def _first_beat(self, boot_id: str, epoch: int) -> Lease | None:
        """The lease begins with the first beat that is acknowledged; nothing is run before. None: asked to stop."""
        while not self._stop.done():
            sent_at = self._clock.monotonic()
            if await self._put_beat(boot_id, epoch, 0):
                lease = Lease(self._clock, sent_at=sent_at, ttl_s=self._ttl_s, margin_s=self._margin_s)
                self.processes.lease(lease.until)
                return lease
            await self._clock.sleep(TRY_AGAIN_S)
        return None

    async def _beat(self, boot_id: str, shift: Shift, lease: Lease) -> None:
        """Beat until cancelled; every acknowledged beat renews the lease, and with it that of every process tree."""
        while True:
            await self._clock.sleep(self._beat_s)
            sent_at = self._clock.monotonic()
            if await self._put_beat(boot_id, shift.epoch, shift.busy) and lease.renew(sent_at):
                self.processes.lease(lease.until)

    async def _put_beat(self, boot_id: str, epoch: int, busy: int) -> bool:
        beat = Beat(
            worker_id=self.worker_id,
            epoch=epoch,
            boot_id=boot_id,
            at=self._clock.now_us(),
            agents_busy=busy,
            load1=round(os.getloadavg()[0], 2),
            rss_mb=_resident_mb(),
        )
        ttl_s = max(1, round(self._ttl_s))
        try:
            await self._heart.put(beat_key(self.worker_id), encode_beat(beat), ttl_s=ttl_s, within_s=self._beat_s)
        except LedgerError as error:
            log.info("beat not acknowledged worker_id=%s: %s", self.worker_id, error)
            return False
        return True


async def _first(*futures: Future[Any]) -> None:
    await asyncio.wait(set(futures), return_when=asyncio.FIRST_COMPLETED)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20), 1)
