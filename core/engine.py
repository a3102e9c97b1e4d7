"""The core process: lead, read commands, decide, commit, answer; stand by when another one leads.

Everything outside comes in by ports, so the simulator runs this very code on virtual time with injected faults.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any, Protocol

from core.clock import Clock
from core.committer import SINGLY, Committer, Deposed
from core.domain import system
from core.domain.machine import Command
from core.domain.state import State
from core.envelope import Answer, Sent, decode_command, encode_answer, encode_command
from core.ledger import (
    MAX_BATCH,
    Busy,
    Forbidden,
    Full,
    Gap,
    Ledger,
    LedgerError,
    Malformed,
    Stored,
    TooLarge,
)
from core.recovery import NewerRules, Snapshots, Unusable, recover
from core.scribe import Scribe
from core.watch import Beats, Watch

log = logging.getLogger("core")

RENEW_S = 1.0
TRY_AGAIN_S = 0.5  # between tries to take the lease, and after a failed read of the log
LOOK_S = 0.25  # how often timers and beats are looked at
SNAPSHOT_FACTS = 50_000


class Lease(Protocol):
    """The leader's lease. It only makes two leaders rare; the expected sequence of EVENTS makes them harmless."""

    async def acquire(self) -> bool: ...

    async def renew(self) -> bool: ...

    async def release(self) -> None: ...


class Answers(Protocol):
    """The way an outcome goes back to whoever waits for it."""

    def tell(self, inbox: str, data: bytes) -> None: ...


class Engine:
    """One core. ``run`` returns after ``stop``; it raises only what a person has to look at."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        lease: Lease | None = None,
        beats: Beats | None = None,
        answers: Answers | None = None,
        snapshots: Snapshots | None = None,
        build: str = "",
        beat_ttl_s: float = 6.0,
    ) -> None:
        self.state = State()
        self.leading = False
        self._ledger, self._clock = ledger, clock
        self._lease, self._answers, self._snapshots = lease, answers, snapshots
        self._build = build
        self._watch = Watch(clock, beats, self._order, beat_ttl_s=beat_ttl_s)
        self._stopped = False
        self._wake = asyncio.Event()
        self._read: deque[Stored] = deque()
        self._lost_lease = False
        self._failed: BaseException | None = None
        self._saved_seq = 0

    async def run(self) -> None:
        """Stand by, lead, stand by again, until stopped."""
        while not self._stopped:
            if self._lease is not None and not await self._taken():
                await self._pause(TRY_AGAIN_S)
                continue
            try:
                await self._lead()
            except Deposed as why:
                log.warning("stands by: %s", why)
                await self._pause(RENEW_S)
            except NewerRules as why:
                log.warning("stands by: %s", why)
                await self._give_way()
            except (Gap, Unusable):
                raise
            except LedgerError as error:
                log.warning("starts over from the log: %s", error)
                await self._pause(TRY_AGAIN_S)
            finally:
                self.leading = False
        if self._lease is not None:
            with suppress(LedgerError):
                await self._lease.release()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    async def _taken(self) -> bool:
        assert self._lease is not None
        try:
            return await self._lease.acquire()
        except LedgerError as error:
            log.info("cannot ask for the lease: %s", error)
            return False

    async def _give_way(self) -> None:
        """Leave the lease to a core that can use it."""
        if self._lease is not None:
            with suppress(LedgerError):
                await self._lease.release()
        await self._pause(10 * RENEW_S)

    async def _pause(self, seconds: float) -> None:
        end = self._clock.monotonic() + seconds
        while not self._stopped and (left := end - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(left, TRY_AGAIN_S))

    # -- leading --------------------------------------------------------------------------------------------------

    async def _lead(self) -> None:
        self._read.clear()
        self._lost_lease, self._failed = False, None
        # The lease is kept from here on: reading a long log takes longer than it lasts.
        helpers = [] if self._lease is None else [self._beside(self._renew())]
        try:
            await self._take_over()
            helpers += [self._beside(self._follow(self.state.command_seq)), self._beside(self._look())]
            await self._turn_for_ever()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _take_over(self) -> None:
        recovered = await recover(self._ledger, self._snapshots)
        self.state = recovered.state
        self._committer = Committer(self._ledger, self.state.seq, self._answer, self._wake.set)
        self._scribe = Scribe(recovered, self._committer, self._check_beginning)
        self._watch.start_anew()
        self._saved_seq = self.state.seq
        if not self.state.rules:
            await self._begin()
        log.info("leads from event %d, command %d, rules %d", recovered.seq, self.state.command_seq, self.state.rules)
        self.leading = True

    async def _begin(self) -> None:
        """Order the log to begin. Two cores may both: the second order finds it begun already."""
        commands, events = self._heads = await self._ledger.head("COMMANDS"), await self._ledger.head("EVENTS")
        begin = system.Begin(
            commands_created=commands.created,
            events_created=events.created,
            rules=system.NEWEST_RULES,
            build=self._build,
        )
        await self._order(begin, "~begin")

    def _check_beginning(self, genesis: system.Genesis) -> None:
        if (genesis.commands_created, genesis.events_created) != tuple(head.created for head in self._heads):
            raise Unusable(
                "COMMANDS begins another log than these streams: one of them was made again; "
                "restore both from one backup, or start with an empty data folder"
            )

    async def _turn_for_ever(self) -> None:
        while not self._stopped:
            if self._failed is not None:
                raise self._failed
            if self._lost_lease:
                raise Deposed("the lease went to another core")
            if self._committer.broken is not None:
                await self._mend(self._committer.broken)
                continue
            if self._committer.unsent:
                await self._committer.flush()
            elif self._read and self._committer.has_room:
                await self._turn()
            else:
                await self._rest()

    async def _rest(self) -> None:
        """Nothing to decide, or too much on the wire: sleep until something happens."""
        if not self._read and self.state.pending:
            await self._order_to_go_on()
        if not (self._read and self._committer.has_room) and self._committer.broken is None:
            self._wake.clear()
            if not (self._stopped or self._lost_lease or self._failed):
                await self._wake.wait()
        await asyncio.sleep(0)

    async def _order_to_go_on(self) -> None:
        order_id = f"~continue/{self.state.command_seq}"
        if self._watch.once(order_id):
            try:
                await self._order(system.Continue(), order_id)
            except LedgerError as error:
                log.info("cannot order what was left over: %s", error)

    async def _mend(self, why: LedgerError) -> None:
        if isinstance(why, TooLarge | Malformed | Forbidden):
            raise Unusable(f"EVENTS does not take what this core writes: {why}") from why
        log.info("reads EVENTS again after %d: %s", self._committer.committed, why)
        self._watch.forgive()
        if isinstance(why, Full | Busy):  # sending again at once would only ask the same question
            await self._pause(TRY_AGAIN_S)
        try:
            await self._committer.mend()
        except Gap:
            raise
        except LedgerError as error:
            log.info("EVENTS cannot be read yet: %s", error)
            await self._pause(TRY_AGAIN_S)

    async def _turn(self) -> None:
        """Decide what has arrived, up to one batch, and send the facts off together."""
        facts = 0
        while self._read and facts < MAX_BATCH:
            stored = self._read.popleft()
            if stored.seq <= self.state.command_seq:
                continue
            facts += self._decide(stored)
        await self._committer.flush(singly=facts <= SINGLY)
        self._keep_snapshot()

    def _decide(self, stored: Stored) -> int:
        """Decide one command, queue its facts, and return how many."""
        received = decode_command(stored)
        facts = self._scribe.write(received, stored)
        self._watch.compare(received.at)
        return facts

    def _answer(self, inbox: str, answer: Answer) -> None:
        if self._answers is not None:
            self._answers.tell(inbox, encode_answer(answer))

    # -- helpers that run beside ----------------------------------------------------------------------------------

    def _beside(self, helper: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it beside the turn; what it fails with, the turn raises. Half a core must not go on."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                self._failed = task.exception()
                self._wake.set()

        task = asyncio.ensure_future(helper)
        task.add_done_callback(ended)
        return task

    async def _follow(self, after: int) -> None:
        async with aclosing(self._ledger.follow("COMMANDS", after=after)) as arriving:
            async for stored in arriving:
                self._read.extend(stored)
                self._wake.set()
                while len(self._read) > 20_000:  # the log holds the rest
                    await self._clock.sleep(0.01)

    async def _renew(self) -> None:
        assert self._lease is not None
        while True:
            await self._clock.sleep(RENEW_S)
            try:
                if not await self._lease.renew():
                    self._lost_lease = True
                    self._wake.set()
                    return
            except LedgerError:
                # Not reachable just now. Nobody's silence counts while we cannot hear.
                self._watch.forgive()

    async def _look(self) -> None:
        while True:
            await self._clock.sleep(LOOK_S)
            if self.state.pending:  # the order to go on may have been lost
                self._wake.set()
            if self._committer.broken is None:  # it may have come due while the one before was being written
                self._keep_snapshot()
            try:
                await self._watch.look(self.state)
            except LedgerError as error:
                log.info("cannot order what is due: %s", error)

    async def _order(self, command: Command, order_id: str) -> None:
        await self._ledger.append("COMMANDS", [encode_command(Sent(id=order_id, by="core", command=command))])

    def _keep_snapshot(self) -> None:
        if self._snapshots is None or self.state.seq - self._saved_seq < SNAPSHOT_FACTS:
            return
        if self._snapshots.keep(self.state, self._scribe.chain):
            self._saved_seq = self.state.seq
