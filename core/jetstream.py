"""The log on JetStream: an appender, followers and the streams' heads behind the ``Ledger`` protocol."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import AsyncGenerator, Sequence

from core.appender import ANSWER_WITHIN_S, Appender
from core.follower import Follower, head, stored_at
from core.ledger import KEPT_FOR_EVER, Head, LedgerError, Message, Stored, Stream
from core.link import Link

LOOK_AGAIN_S = 1.0
FEW = 8  # messages that are asked for one by one: a consumer takes three round trips


class JetStreamLedger:
    """A ``Ledger`` over one link. The streams are made and checked by ``core.streams`` before."""

    def __init__(self, link: Link, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self.link = link
        self._appender = Appender(link, answer_within_s=answer_within_s)

    async def send(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> Future[int]:
        return await self._appender.send(stream, messages, expect=expect)

    async def append(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> int:
        return await (await self.send(stream, messages, expect=expect))

    async def head(self, stream: Stream) -> Head:
        return await head(self.link, stream)

    async def follow(
        self, stream: Stream, *, after: int, subjects: Sequence[str] = (), idle: float | None = None
    ) -> AsyncGenerator[list[Stored], None]:
        follower = self._follower(stream, after, subjects)
        try:
            while True:
                yield await follower.next(idle)
        finally:
            await follower.close()

    async def read(
        self, stream: Stream, *, after: int = 0, until: int | None = None, subjects: Sequence[str] = ()
    ) -> AsyncGenerator[list[Stored], None]:
        end = (await self.head(stream)).last_seq if until is None else until
        if after >= end:
            return
        if end - after <= FEW and not subjects and (few := await self._few(stream, after, end)):
            yield few
            return
        follower = self._follower(stream, after, subjects)
        try:
            async for found in _until(follower, end):
                yield found
        finally:
            await follower.close()

    async def _few(self, stream: Stream, after: int, end: int) -> list[Stored]:
        """These messages, or none: a follower waits for a server that is away, and tells why one is not there."""
        asked = (stored_at(self.link, stream, seq) for seq in range(after + 1, end + 1))
        try:
            return await asyncio.gather(*asked)
        except LedgerError:
            return []

    def _follower(self, stream: Stream, after: int, subjects: Sequence[str]) -> Follower:
        return Follower(self.link, stream, after=after, subjects=subjects, forgets=stream not in KEPT_FOR_EVER)


async def _until(follower: Follower, end: int) -> AsyncGenerator[list[Stored], None]:
    """What the follower brings up to ``end``. A filtered one may have nothing at ``end``: then the tail tells."""
    while follower.position < end:
        await follower.ready()
        if follower.caught_up and await follower.check_tail() and follower.stream_end >= end:
            return
        found = await follower.next(LOOK_AGAIN_S)
        if found and found[-1].seq > end:
            found = [each for each in found if each.seq <= end]
        if found:
            yield found
