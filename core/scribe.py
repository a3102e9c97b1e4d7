"""Decides commands and writes down what comes of them: facts as chained messages, and what whoever asked is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from core.committer import Committer, Pending
from core.domain import machine, system
from core.domain.machine import CommandRefused, Received, Recorded
from core.envelope import INBOX, MAX_FACT, Answer, encode_fact
from core.ledger import Stored
from core.recovery import Recovered, Unusable

log = logging.getLogger("core")


class Scribe:
    """``state`` and ``chain`` are at the last fact decided; what a crash left half written is met first.

    ``begun`` is asked about the fact with which a log begins.
    """

    def __init__(self, recovered: Recovered, committer: Committer, begun: Callable[[system.Genesis], None]) -> None:
        self.state, self.chain = recovered.state, recovered.chain
        self._tail, self._committer, self._begun = recovered.tail, committer, begun

    def write(self, received: Received, stored: Stored) -> int:
        """Decide one command, queue its facts, and return how many."""
        try:
            records = machine.step(self.state, received)
        except Exception:
            log.critical("stops at command %d (%s): its facts cannot be folded", stored.seq, stored.subject)
            raise
        if isinstance(records[0].fact, system.Genesis):
            self._begun(records[0].fact)
        inbox = stored.headers.get(INBOX, "") if stored.headers is not None else ""
        answer = self._outcome(records, stored.seq) if inbox else None
        for recorded in records:
            message, self.chain = encode_fact(recorded, self.chain)
            if len(message.data) > MAX_FACT:
                raise Unusable(f"command {stored.seq} makes a fact of {len(message.data):,} bytes ({message.subject})")
            if self._tail:
                self._meet_tail(message.data)
                continue
            self._committer.add(Pending(message, inbox if recorded.end else "", answer if recorded.end else None))
        return len(records)

    def _meet_tail(self, data: bytes) -> None:
        """A crash left this command half written: what stands there must be what is decided now."""
        stored = self._tail.pop(0)
        if stored.data != data:
            raise Unusable(f"EVENTS {stored.seq} is not what its command decides: the log was written by other rules")
        self._committer.committed += 1

    def _outcome(self, records: Sequence[Recorded], command_seq: int) -> Answer:
        for recorded in records:
            if isinstance(recorded.fact, CommandRefused):
                fact = recorded.fact
                return Answer(outcome=fact.outcome, seq=self.state.seq, reason=fact.reason, command_seq=command_seq)
        return Answer(outcome="done", seq=self.state.seq, command_seq=command_seq)
