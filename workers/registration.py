"""Registering a worker: ask the core until it answers, wait for a name that is still in use, learn our epoch."""

from __future__ import annotations

import logging
import os
import socket
from contextlib import aclosing

from core.clock import Clock
from core.domain import worker
from core.domain.words import token
from core.door import Door
from core.envelope import Answer, decode_fact
from core.ledger import Ledger, LedgerError
from workers.crew import Crew
from workers.journal import Journal

log = logging.getLogger(__name__)

TRY_AGAIN_S = 0.5
SAY_SO_EVERY_S = 10.0


class NotWanted(Exception):
    """The core will not have this worker; the text is its reason."""


class Registration:
    """Asks the core to take a worker in, once an epoch."""

    def __init__(
        self,
        worker_id: str,
        crew: Crew,
        *,
        ledger: Ledger,
        door: Door,
        clock: Clock,
        journal: Journal,
        replace: bool,
        version: str,
        ttl_s: float,
    ) -> None:
        self.worker_id = worker_id
        self._crew = crew
        self._ledger, self._door, self._clock = ledger, door, clock
        self._journal = journal
        self._replace = replace
        self._version = version
        self._ttl_s = ttl_s

    async def epoch(self, boot_id: str) -> int:
        """Our epoch: the sequence of ``worker.registered``. Tries until the core answers; says so while it does not."""
        self._journal.begin(boot_id)
        began = said = self._clock.monotonic()
        refused_since: float | None = None
        while True:
            try:
                answer = await self._ask(boot_id)
                if answer is not None and answer.outcome in ("done", "already_so"):
                    return await self._epoch_of(boot_id, answer.seq)
                if answer is not None and self._crew.has_hired and "still beats" not in answer.reason:
                    log.warning("goes on without those hired worker_id=%s: %s", self.worker_id, answer.reason)
                    self._crew.dismiss()
                    continue
                if answer is not None:
                    refused_since = self._refused(answer, refused_since)
                waits_for = "the core's answer" if answer is None else f"its name ({answer.reason})"
            except (LedgerError, TimeoutError) as error:
                waits_for = str(error)
            now = self._clock.monotonic()
            if now - said >= SAY_SO_EVERY_S:
                said = now
                log.warning("waits %.0f s to register worker_id=%s: %s", now - began, self.worker_id, waits_for)
            await self._clock.sleep(TRY_AGAIN_S)

    async def _ask(self, boot_id: str) -> Answer | None:
        """The outcome of registering, None when it is not known yet."""
        if not (await self._ledger.head("EVENTS")).last_seq:
            return None  # no core has begun this log: it would only refuse us
        register = worker.Register(
            worker_id=self.worker_id,
            boot_id=boot_id,
            agents=self._crew.specs,
            host=socket.gethostname()[:200],
            pid=os.getpid(),
            version=self._version,
            replace=self._replace or await self._ours_before(),
        )
        answer = await self._door.order(register)
        return answer if isinstance(answer, Answer) else None

    def _refused(self, answer: Answer, since: float | None) -> float:
        """A name in use is free again once its holder is lost; so wait for that, not longer, and for nothing else."""
        now = self._clock.monotonic()
        since = now if since is None else since
        if "still beats" not in answer.reason or now - since > 3 * self._ttl_s:
            raise NotWanted(answer.reason)
        return since

    async def _ours_before(self) -> bool:
        """Whether the last process registered under our name was ours: it is dead, as we hold its journal."""
        last = ""
        subject = f"evt.worker.{token(self.worker_id)}.registered"
        async with aclosing(self._ledger.read("EVENTS", subjects=[subject])) as news:
            async for stored in news:
                fact = decode_fact(stored[-1].data).fact
                last = fact.boot_id if isinstance(fact, worker.Registered) else last
        return last in self._journal.boot_ids

    async def _epoch_of(self, boot_id: str, until: int) -> int:
        subject = f"evt.worker.{token(self.worker_id)}.registered"
        async with aclosing(self._ledger.read("EVENTS", until=until, subjects=[subject])) as news:
            async for stored in news:
                for each in reversed(stored):
                    fact = decode_fact(each.data).fact
                    if isinstance(fact, worker.Registered) and fact.boot_id == boot_id:
                        return each.seq
        raise NotWanted(f"worker {self.worker_id!r} was registered, says the core, but EVENTS does not")
