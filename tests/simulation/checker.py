"""Watches the server's logs as they grow: every fact is checked in the moment it is stored.

EVENTS must be, byte for byte, what a core without any fault makes of COMMANDS; its chain must hold; every fact must
keep the promises (``oracle``), the state behind it must be sound (``tests/domain/laws``), an outcome told is stored.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from core import envelope
from core.domain import machine, plan, worker
from core.domain.machine import CommandRefused, Received, tag
from core.domain.state import State
from core.envelope import Answer
from core.ledger import Stored, Stream
from tests.domain import laws
from tests.simulation.oracle import Oracle, Violation
from tests.simulation.server import Server

LAWS_EVERY = 8  # commands between two recounts of the whole state
SILENT_S = 4.0  # who was never silent for so long cannot be lost
UNDER_WAY_S = 2.5  # how long an order may have been under way: the worker may have been heard of again since


class Checker:
    """``failed`` is the first promise broken; ``state`` what a core without faults knows."""

    def __init__(self, server: Server, seen: Counter[str]) -> None:
        self.state = State()
        self.oracle = Oracle()
        self.failed: BaseException | None = None
        self.outcomes: dict[int, tuple[str, int]] = {}  # command sequence: outcome, last EVENTS sequence
        self._server, self._seen = server, seen
        self._expected: list[tuple[str, bytes]] = []
        self._received: Received | None = None
        self.misled: set[str] = set()  # tasks whose waits are wrong for good, by rules of the past
        self._chain = envelope.GENESIS_CHAIN
        self._outcome = ""
        server.watchers.append(self.stored)

    def stored(self, stream: Stream, stored: Stored) -> None:
        if self.failed is not None:
            return
        try:
            if stream == "EVENTS":
                self._event(stored)
            elif stream == "COMMANDS":
                self._command(stored)
        except AssertionError as error:
            self.failed = error

    def told(self, answer: Answer) -> None:
        """A core tells a door an outcome."""
        stored = self.outcomes.get(answer.command_seq)
        if stored != (answer.outcome, answer.seq) and self.failed is None:
            self.failed = Violation(f"C1 command {answer.command_seq}: told {answer}, stored {stored}")

    @property
    def undecided(self) -> bool:
        """Whether a command is half written."""
        return bool(self._expected)

    @property
    def chain(self) -> str:
        return self._chain

    def _event(self, stored: Stored) -> None:
        if not self._expected:
            self._decide(self.state.command_seq + 1, stored)
        subject, body = self._expected.pop(0)
        if (stored.subject, envelope.unchained(stored.data)) != (subject, body):
            raise Violation(f"C1 EVENTS {stored.seq} is {stored.data!r}, not {body!r}")
        link = envelope.chained(self._chain, stored.subject, body)
        if link != envelope.chain_of(stored.data):
            raise Violation(f"L2 EVENTS {stored.seq} does not continue the chain")
        self._chain = link
        recorded = envelope.decode_fact(stored.data)
        assert self._received is not None
        self.oracle.take(recorded, self._received)
        self._seen[tag(recorded.fact)] += 1
        if isinstance(recorded.fact, CommandRefused):
            self._outcome = recorded.fact.outcome
            self._seen[f"outcome {recorded.fact.outcome}"] += 1
            self._seen["a decider raised"] += recorded.fact.reason.startswith("internal: ")
            self._seen["garbage refused"] += recorded.fact.reason.startswith("not a command")
        if isinstance(recorded.fact, worker.Lost):
            self._seen["quarantined"] += sum(each.then == "quarantined" for each in recorded.fact.released)
        if recorded.end:
            self.outcomes[recorded.command_seq] = (self._outcome, stored.seq)
            self._end()

    def _command(self, stored: Stored) -> None:
        """A core that orders the loss of a worker must not have missed that it beats."""
        received = envelope.decode_command(stored)
        order = received.command
        if isinstance(order, worker.Lose) and received.id.startswith("~lose/"):
            heard = self._server.beats.get((order.worker_id, order.epoch), [])
            silent_s = _longest_silence(heard, asyncio.get_running_loop().time())
            if silent_s < SILENT_S:
                raise Violation(f"W3 {order.worker_id} is called lost, but was silent for {silent_s:.1f} s at most")

    def _decide(self, seq: int, stored: Stored) -> None:
        """What command ``seq`` makes, by a core that never fails."""
        commands = self._server.messages("COMMANDS")
        if seq > len(commands):
            raise Violation(f"C1 EVENTS {stored.seq} was caused by no command: {stored.data!r}")
        self._received = envelope.decode_command(commands[seq - 1])
        order = self._received.command
        sealed = self.state.plans.get(order.plan_id) if isinstance(order, plan.Seal) else None
        facts = machine.step(self.state, self._received)
        if sealed is not None:
            self.misled |= laws.misled(sealed.staged, [each.fact for each in facts], self.state)
        self._expected = [(m.subject, envelope.unchained(m.data)) for m, _ in map(_encoded, facts)]
        self._outcome = "done"
        self._seen["left over"] += self.state.pending

    def _end(self) -> None:
        if not self.state.pending:
            self.oracle.said_all()
        if self.state.command_seq % LAWS_EVERY == 0:
            laws.sound(self.state, self.misled)
            laws.the_log_tells(self.state, self.oracle.told)


def _encoded(recorded: machine.Recorded) -> tuple[envelope.Message, str]:
    return envelope.encode_fact(recorded, envelope.GENESIS_CHAIN)


def _longest_silence(heard: list[float], now: float) -> float:
    """The longest time without a beat that ended just now, or while the order was under way."""
    longest, after = 0.0, now
    for beat in reversed([-SILENT_S, *heard]):
        longest = max(longest, after - beat)
        if beat < now - UNDER_WAY_S:
            break
        after = beat
    return longest
