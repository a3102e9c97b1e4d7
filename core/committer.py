"""Facts on their way into EVENTS: chained commits, several in flight, one way to mend whatever goes wrong.

Every commit expects the sequence the one before it ends at, so a failing one fails all after it and leaves no hole.
"""

from __future__ import annotations

from asyncio import Future
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from itertools import islice

import msgspec

from core.envelope import Answer
from core.ledger import MAX_BATCH, Conflict, Ledger, LedgerError, Message, Unknown

# Facts that are sent as plain appends when they are all there is. A batch takes 2.6 ms, whatever its size; a fact alone
# takes 0.4 ms and each one behind it 0.17 more (measured, every write synced): they meet at 12.
SINGLY = 8
WINDOW = 12  # what may be on the wire: a fact alone counts 1
BATCH_WEIGHT = 3  # and a batch this: four of them
BATCH_BYTES = 2 << 20  # of one commit, so that it is stored well within its timeout


class Deposed(Exception):
    """EVENTS holds facts this core did not write: somebody else leads."""


class Pending(msgspec.Struct, frozen=True):
    """A fact not yet acknowledged; on the last one of a command the answer to give when it is."""

    message: Message
    inbox: str = ""
    answer: Answer | None = None


class Committer:
    """Writes facts to EVENTS after sequence ``seq``, in order. ``answered`` is told what was committed for whom."""

    def __init__(
        self, ledger: Ledger, seq: int, answered: Callable[[str, Answer], None], wake: Callable[[], None]
    ) -> None:
        self.committed = seq
        self.broken: LedgerError | None = None
        self._ledger = ledger
        self._answered = answered
        self._wake = wake
        self._pending: deque[Pending] = deque()  # everything after ``committed``, sent or not
        self._unsent = 0  # how many at the end of ``_pending`` are not on the wire
        self._commits: deque[tuple[Future[int], int, int]] = deque()  # its last sequence, its weight
        self._on_the_wire = 0
        self._generation = 0

    @property
    def has_room(self) -> bool:
        """Whether another commit may go out now."""
        return self.broken is None and self._on_the_wire < WINDOW

    @property
    def is_idle(self) -> bool:
        return not self._pending

    @property
    def unsent(self) -> int:
        return self._unsent

    def add(self, pending: Pending) -> None:
        """Queue a fact behind the others; ``flush`` sends it."""
        self._pending.append(pending)
        self._unsent += 1

    async def flush(self, *, singly: bool = False) -> None:
        """Send what is queued: as atomic batches, or one by one when that is sooner there."""
        while self._unsent and self.broken is None:
            first = len(self._pending) - self._unsent
            messages = self._next_commit(first, 1 if singly else MAX_BATCH)
            size, expect = len(messages), self.committed + first
            self._unsent -= size
            try:
                future = await self._ledger.send("EVENTS", messages, expect=expect)
            except LedgerError as error:
                self._unsent += size
                self._break(error)
                return
            weight = 1 if size == 1 else BATCH_WEIGHT
            self._on_the_wire += weight
            self._commits.append((future, expect + size, weight))
            future.add_done_callback(self._done_of(self._generation))

    def _next_commit(self, first: int, most: int) -> list[Message]:
        messages: list[Message] = []
        size = 0
        for pending in islice(self._pending, first, first + most):
            size += len(pending.message.data)
            if messages and size > BATCH_BYTES:
                break
            messages.append(pending.message)
        return messages

    async def mend(self) -> None:
        """After an error or no answer: read what EVENTS holds, keep what is ours, send the rest again.

        Raises ``Deposed`` when it holds something else, ``LedgerError`` when it cannot be read yet.
        """
        self._generation += 1
        self._commits.clear()
        self._on_the_wire = 0
        async with aclosing(self._ledger.read("EVENTS", after=self.committed)) as reading:
            async for stored in reading:
                for fact in stored:
                    if not self._pending or self._pending[0].message.data != fact.data:
                        raise Deposed(f"EVENTS {fact.seq} ({fact.subject}) was written by another core")
                    self._acknowledge()
        self._unsent = len(self._pending)
        self.broken = None
        await self.flush()

    def _done_of(self, generation: int) -> Callable[[Future[int]], None]:
        def done(future: Future[int]) -> None:
            if generation == self._generation:
                self._settle()
            elif not future.cancelled():
                future.exception()  # a commit that was mended meanwhile: looked at, so that asyncio does not complain

        return done

    def _settle(self) -> None:
        """Acknowledge, oldest first, all that is known to be stored."""
        while self.broken is None and self._commits and self._commits[0][0].done():
            future, last, weight = self._commits.popleft()
            self._on_the_wire -= weight
            error = Unknown("the append was given up") if future.cancelled() else future.exception()
            if error is not None:
                self._break(error)
                break
            if future.result() != last:
                self._break(Conflict(f"EVENTS ended at {future.result()}, not {last}"))
                break
            while self.committed < last:
                self._acknowledge()
        self._wake()

    def _break(self, error: BaseException) -> None:
        if not isinstance(error, LedgerError):
            error = Unknown(f"{type(error).__name__}: {error}")
        self.broken = error
        self._wake()

    def _acknowledge(self) -> None:
        pending = self._pending.popleft()
        self.committed += 1
        if pending.answer is not None and pending.inbox:
            self._answered(pending.inbox, pending.answer)
