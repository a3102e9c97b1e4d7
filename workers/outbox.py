"""What a worker saw, on its way to a stream that is for looking at: in order, in batches, as long as memory allows."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque

from core.clock import Clock
from core.ledger import MAX_BATCH, Duplicate, Ledger, LedgerError, Malformed, Message, Stream, TooLarge

log = logging.getLogger(__name__)

MAX_BYTES = 1 << 20  # of one batch: small enough to be stored well within its timeout
KEEP_BYTES = 32 << 20  # held while the log cannot be reached
# After an append: the server makes each durable by itself, and a fleet of 200 that says 700 things a second had it do
# that 400 times a second, for a fifth of a core.
REST_S = 0.02
TRY_AGAIN_S = (0.05, 2.0)  # the first and the longest wait between two tries
MESSAGE_ID = "Nats-Msg-Id"


class Outbox:
    """Takes messages at once and appends what collected while the append before was under way.

    Unlike a report, what is only looked at may be lost: beyond ``keep_bytes`` the oldest are dropped and counted. An
    append whose answer was lost is made again. In OBSERVATIONS a message id on a batch's first message keeps it from
    being stored twice; in OUTPUT, which is not fsynced and takes no atomic batches, a chunk's offset shows it.
    """

    def __init__(
        self, ledger: Ledger, stream: Stream, clock: Clock, *, name: str, keep_bytes: int = KEEP_BYTES
    ) -> None:
        self._ledger, self._stream, self._clock, self._name = ledger, stream, clock, name
        self._keep_bytes = keep_bytes
        self._atomic = stream != "OUTPUT"
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._batches = 0
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._jitter = random.Random(name)  # noqa: S311 - spreads tries, guards nothing
        self.dropped = 0

    def put(self, message: Message) -> None:
        """Say it, some time soon."""
        self._waiting.append(message)
        self._bytes += len(message.data)
        while self._bytes > self._keep_bytes:
            self._bytes -= len(self._waiting.popleft().data)
            self.dropped += 1
        self._empty.clear()
        self._news.set()

    def __len__(self) -> int:
        return len(self._waiting)

    async def emptied(self) -> None:
        """Wait until all that was put is stored. Bound it at the caller."""
        await self._empty.wait()

    async def run(self) -> None:
        """Append until cancelled. The first of what comes goes at once."""
        while True:
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
            await self._store(self._next())
            if not self._waiting:
                self._empty.set()
            await self._clock.sleep(REST_S)

    def _next(self) -> list[Message]:
        batch: list[Message] = []
        size = 0
        while self._waiting and len(batch) < MAX_BATCH:
            size += len(self._waiting[0].data)
            if batch and size > MAX_BYTES:
                break
            batch.append(self._waiting.popleft())
            self._bytes -= len(batch[-1].data)
        self._batches += 1
        if self._atomic:
            first = batch[0]
            batch[0] = Message(first.subject, first.data, {MESSAGE_ID: f"{self._name}/{self._batches}"})
        return batch

    async def _store(self, batch: list[Message]) -> None:
        """Until it is stored, or never will be."""
        pause, longest = TRY_AGAIN_S
        while True:
            try:
                await self._append(batch)
                return
            except Duplicate:
                return  # the try before was stored, only its answer was lost
            except (TooLarge, Malformed) as error:
                if len(batch) > 1:
                    for each in batch:
                        await self._store([each])
                else:
                    self.dropped += 1
                    log.warning("dropped stream=%s subject=%s: %s", self._stream, batch[0].subject, error)
                return
            except LedgerError as error:
                log.info("not stored, trying again stream=%s messages=%d: %s", self._stream, len(batch), error)
                await self._clock.sleep(pause * self._jitter.uniform(0.5, 1.0))
                pause = min(pause * 2, longest)

    async def _append(self, batch: list[Message]) -> None:
        if self._atomic:
            await self._ledger.append(self._stream, batch)
            return
        futures = [await self._ledger.send(self._stream, [each]) for each in batch]
        results = await asyncio.gather(*futures, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
