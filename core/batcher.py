"""Group commit for whoever says much: what collects while an append is under way goes as the next atomic batch.

One append is in flight at a time, so what was put is stored in the order it was put, whatever goes wrong on the way.
"""

from __future__ import annotations

import asyncio
import random
from asyncio import Future
from collections import deque
from typing import Literal

import msgspec

from core.clock import Clock, SystemClock
from core.ledger import MAX_BATCH, Busy, Duplicate, Ledger, LedgerError, Message, Stream, Unknown
from core.limits import check

MOST_BYTES = 1 << 20  # of one batch: small enough to be stored well within its timeout
MOST_WAITING = 100_000
TRY_AGAIN_S = (0.02, 1.0)  # the first and the longest wait, each with jitter, doubled from try to try


class _Put(msgspec.Struct):
    message: Message
    stored: Future[int]


class Batcher:
    """``put`` messages for one stream; each future is its message's sequence, or the error that ended the matter.

    ``Busy`` waits and sends again; ``Duplicate`` sends apart (a known message then gets its first sequence). After
    ``Unknown`` the batch is sent again too: a repeat must be harmless, as that of a command is (its id is in its body)
    and that of a message with a ``Nats-Msg-Id``. Where it is not, say ``on_unknown="fail"``.
    ``patience_s`` of trying in vain fail a batch with the last error.
    """

    def __init__(
        self,
        ledger: Ledger,
        stream: Stream,
        *,
        clock: Clock | None = None,
        on_unknown: Literal["again", "fail"] = "again",
        patience_s: float = 30.0,
    ) -> None:
        self._ledger, self._stream = ledger, stream
        self._clock: Clock = clock or SystemClock()
        self._again = (Busy, Unknown) if on_unknown == "again" else (Busy,)
        self._patience_s = patience_s
        self._waiting: deque[_Put] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._chance = random.SystemRandom()

    def put(self, message: Message) -> Future[int]:
        """Queue one message. Raises ``TooLarge`` or ``Malformed`` for it alone, ``Busy`` when too many wait already."""
        check(self._stream, [message])
        if len(self._waiting) >= MOST_WAITING:
            raise Busy(f"{MOST_WAITING:,} messages wait to be stored in {self._stream}: the log does not keep up")
        put = _Put(message, asyncio.get_running_loop().create_future())
        self._waiting.append(put)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.ensure_future(self._send_all())
        return put.stored

    async def flush(self) -> None:
        """Return when everything put so far is stored or has failed. Bounded by ``patience_s`` for each batch."""
        while self._sending is not None and not self._sending.done():
            await asyncio.wait({self._sending})

    def __len__(self) -> int:
        return len(self._waiting)

    async def _send_all(self) -> None:
        while self._waiting:
            batch = self._next()
            try:
                await self._store(batch)
            except LedgerError as error:
                for put in batch:
                    if not put.stored.done():
                        put.stored.set_exception(type(error)(*error.args))
            except asyncio.CancelledError:
                for put in (*batch, *self._waiting):
                    put.stored.cancel()
                raise

    def _next(self) -> list[_Put]:
        batch: list[_Put] = []
        size = 0
        while self._waiting and len(batch) < MAX_BATCH:
            size += len(self._waiting[0].message.data)
            if batch and size > MOST_BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _store(self, batch: list[_Put]) -> None:
        try:
            last = await self._insist([put.message for put in batch])
        except Duplicate:
            for put in batch:
                _settle(put.stored, await self._insist([put.message]))
            return
        for sequence, put in enumerate(batch, last - len(batch) + 1):
            _settle(put.stored, sequence)

    async def _insist(self, messages: list[Message]) -> int:
        """Append, again and again while that may help."""
        pause, most = TRY_AGAIN_S
        end = self._clock.monotonic() + self._patience_s
        while True:
            try:
                return await self._ledger.append(self._stream, messages)
            except self._again:
                if self._clock.monotonic() >= end:
                    raise
            await self._clock.sleep(pause * self._chance.uniform(0.5, 1.5))
            pause = min(pause * 2, most)


def _settle(stored: Future[int], sequence: int) -> None:
    if not stored.done():
        stored.set_result(sequence)
