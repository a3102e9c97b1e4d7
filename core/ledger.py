"""The seam between the system and its log: append, read, follow.

Two implementations, one contract suite (``tests/test_ledger.py``): ``MemoryLedger`` in ``core/memory.py`` and
``JetStreamLedger`` in ``core/jetstream.py``. Everybody else takes a ``Ledger``.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

Stream = Literal["COMMANDS", "EVENTS", "OBSERVATIONS", "OUTPUT"]

KEPT_FOR_EVER: frozenset[Stream] = frozenset({"COMMANDS", "EVENTS"})  # the others forget by age and size

MAX_BATCH = 400  # messages an append may hold; the server takes 1,000 and a command makes at most 400 facts
MAX_LIST = 5_000  # messages a reader hands over at once
MAX_COMMAND_BYTES = 256 << 10  # the body of one command
MAX_FACT_BYTES = 512 << 10  # the body of a message of any other stream
MAX_HEADER_BYTES = 16 << 10  # all headers of one message
MAX_APPEND_BYTES = 32 << 20  # one append, so that it can be stored within its timeout


class Message(msgspec.Struct, frozen=True, gc=False):
    """What is about to be appended. ``headers`` are the caller's own, never the server's."""

    subject: str
    data: bytes
    headers: Mapping[str, str] | None = None


class Stored(msgspec.Struct, frozen=True, gc=False):
    """What the stream holds. ``at`` is the stream's time in microseconds since the epoch, UTC."""

    seq: int
    subject: str
    at: int
    data: bytes
    headers: Mapping[str, str] | None = None


class LedgerError(Exception):
    """Something the log would not do."""


class Conflict(LedgerError):
    """The stream's last sequence was not the expected one: somebody else wrote. Read again, then decide again."""


class TooLarge(LedgerError):
    """One message, or the number of them, is over the limit. Never retried: nothing was stored."""


class Malformed(LedgerError):
    """A subject or header the log cannot carry. Never retried: nothing was sent."""


class Forbidden(LedgerError):
    """This user may not write there. Never retried: nothing was stored."""


class Busy(LedgerError):
    """The server cannot just now (no leader, link down, too many open batches). Nothing was stored; wait, try again."""


class Full(LedgerError):
    """The stream is at its limit. Nothing was stored and nothing will be until an operator makes room."""


class Duplicate(LedgerError):
    """A message id in the batch was seen before; the whole batch was refused. Send the messages apart."""


class Unknown(LedgerError):
    """No answer in time, or the link broke: stored or not, only reading tells."""


class Gap(LedgerError):
    """A sequence is missing or went backwards. The reader stops here rather than fold on."""


class Head(msgspec.Struct, frozen=True):
    """Where a stream stands. ``created`` (microseconds) tells a stream from one made again under its name."""

    last_seq: int
    created: int
    first_seq: int = 1
    bytes: int = 0
    max_bytes: int = -1


class Ledger(Protocol):
    """A set of append-only streams with expected-sequence appends and readers that keep their own position."""

    async def send(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> Future[int]:
        """Hand the messages to the log and return at once with the future of their last sequence.

        One message is a plain append; several are one atomic batch, all or none, with consecutive sequences. (OUTPUT,
        not fsynced, takes no batches: there they go one behind the other, answered by the last, and expect nothing.)
        Calls are stored in the order they are made, so appends may be chained: the next one expects the sequence this
        one ends at. ``expect`` is the stream's last sequence before the first message. The future fails with one of
        the errors above; ``TooLarge`` and ``Malformed`` are raised at once, before anything leaves.

        A single message whose ``Nats-Msg-Id`` header is known (two minutes) is not stored again: its future has the
        sequence of the first. ``tests/test_ledger.py`` says in which order sequence and ids are checked; on a
        replicated stream a single message's id comes before its sequence (measured), so rely on neither.
        """
        ...

    async def append(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> int:
        """``send`` and wait: the last sequence, acknowledged and therefore on disk."""
        ...

    async def head(self, stream: Stream) -> Head:
        """The stream's last sequence and creation time, from its leader."""
        ...

    def follow(
        self, stream: Stream, *, after: int, subjects: Sequence[str] = (), idle: float | None = None
    ) -> AsyncGenerator[list[Stored], None]:
        """Everything after sequence ``after``, in order, for ever, in lists of what has arrived (never above 5,000).

        With ``subjects`` (NATS wildcards) only those. ``idle`` seconds without news yield an empty list, so that the
        caller can look around; None waits. Survives reconnects and server restarts by asking again from its own last
        sequence; raises ``Gap`` when contiguity is broken, the stream ends before ``after`` or is another one than
        before, and, for COMMANDS and EVENTS, when it begins after ``after`` + 1 (OBSERVATIONS and OUTPUT forget by age:
        there a reader starts at what is left). Closing the iterator releases the consumer: use ``contextlib.aclosing``
        wherever the loop may be left early.
        """
        ...

    def read(
        self, stream: Stream, *, after: int = 0, until: int | None = None, subjects: Sequence[str] = ()
    ) -> AsyncGenerator[list[Stored], None]:
        """As ``follow``, but ends at ``until`` (the last sequence at the moment of the call, when None)."""
        ...
