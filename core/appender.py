"""Appends: pipelined, in call order, one message plain and several as one atomic batch, each with a bounded answer."""

from __future__ import annotations

import secrets
from asyncio import Future
from collections.abc import Sequence

import msgspec

from core.api import ApiError, refusal
from core.frames import publish_frame
from core.ledger import Busy, LedgerError, Message, Stream, Unknown
from core.limits import check
from core.link import Link
from core.replies import Reply

ANSWER_WITHIN_S = 5.0
EXPECTED = "Nats-Expected-Last-Sequence"


class _Ack(msgspec.Struct, frozen=True, gc=False):
    seq: int = 0
    error: ApiError | None = None


_ack = msgspec.json.Decoder(_Ack).decode


class Appender:
    """Sends appends over one link. Any number may be in flight; the link's loss ends them all with ``Unknown``."""

    def __init__(self, link: Link, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._link = link
        self._within_s = answer_within_s
        self._batches = 0
        self._batch_prefix = secrets.token_urlsafe(6)  # two appenders must never use one batch id

    async def send(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> Future[int]:
        """The future of the last message's sequence. See ``Ledger.send``; ``Busy`` at once while the link is down."""
        check(stream, messages, max_payload=self._link.max_payload)
        reply, future = self._link.expect(_sequence(stream, expect), within_s=self._within_s)
        try:
            # One write without an await before it: two callers' appends cannot interleave.
            self._link.write(self._frames(messages, expect, reply))
        except Busy as busy:
            future.set_exception(busy)
            return future
        except LedgerError:
            future.cancel()
            raise
        await self._link.drained()
        return future

    def _frames(self, messages: Sequence[Message], expect: int | None, reply: bytes) -> bytes:
        if len(messages) == 1:
            return _frame(messages[0], {} if expect is None else {EXPECTED: str(expect)}, reply)
        self._batches += 1
        batch, last, frames = f"{self._batch_prefix}{self._batches:x}", len(messages), []
        for place, message in enumerate(messages, 1):
            heads = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(place)}
            if place == 1 and expect is not None:
                heads[EXPECTED] = str(expect)
            if place == last:
                heads["Nats-Batch-Commit"] = "1"
            frames.append(_frame(message, heads, reply if place == last else b""))
        return b"".join(frames)


class _sequence:  # noqa: N801  # called like a function
    """Makes a sequence, or the right error, of an append's answer."""

    __slots__ = ("expect", "stream")

    def __init__(self, stream: Stream, expect: int | None) -> None:
        self.stream = stream
        self.expect = expect

    def __call__(self, reply: Reply) -> int:
        if reply.status == 503:
            raise Busy(f"nobody takes appends to {self.stream}: no such stream, or no leader yet; nothing was stored")
        ack = _ack(reply.data)
        if ack.error is not None:
            expected = "" if self.expect is None else f" (expected last sequence {self.expect})"
            raise refusal(f"append to {self.stream}{expected} refused", ack.error)
        if ack.seq == 0:
            raise Unknown(f"an append to {self.stream} was answered without a sequence: {reply.data[:200]!r}")
        return ack.seq


def _frame(message: Message, added: dict[str, str], reply: bytes) -> bytes:
    return publish_frame(message.subject, message.data, reply=reply, headers={**(message.headers or {}), **added})
