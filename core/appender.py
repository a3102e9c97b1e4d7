"""Appends: pipelined, in call order, one message plain and several as one atomic batch, each with a bounded answer."""

from __future__ import annotations

import secrets
from asyncio import Future
from collections.abc import Sequence
from functools import partial

from core.api import sequence
from core.frames import publish_frame
from core.ledger import Busy, LedgerError, Message, Stream
from core.limits import check
from core.link import Link

ANSWER_WITHIN_S = 5.0
EXPECTED = "Nats-Expected-Last-Sequence"


class Appender:
    """Sends appends over one link. Any number may be in flight; the link's loss ends them all with ``Unknown``."""

    def __init__(self, link: Link, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._link = link
        self._within_s = answer_within_s
        self._batches = 0
        self._batch_prefix = secrets.token_urlsafe(6)  # two appenders must never use one batch id

    async def send(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> Future[int]:
        """The future of the last message's sequence. See ``Ledger.send``; ``Busy`` at once while the link is down."""
        check(stream, messages, expect=expect, max_payload=self._link.max_payload)
        expected = "" if expect is None else f" (expected last sequence {expect})"
        reply, future = self._link.expect(
            partial(sequence, f"append to {stream}{expected}"), within_s=self._within_s, sent=messages
        )
        try:
            # One write without an await before it: two callers' appends cannot interleave.
            self._link.write(self._frames(messages, expect, reply, atomic=stream != "OUTPUT"))
        except Busy as busy:
            future.set_exception(busy)
            return future
        except LedgerError:
            future.cancel()
            raise
        await self._link.drained()
        return future

    def _frames(self, messages: Sequence[Message], expect: int | None, reply: bytes, *, atomic: bool) -> bytes:
        if len(messages) == 1:
            return _frame(messages[0], {} if expect is None else {EXPECTED: str(expect)}, reply)
        if not atomic:
            return b"".join([*(_frame(each, {}, b"") for each in messages[:-1]), _frame(messages[-1], {}, reply)])
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


def _frame(message: Message, added: dict[str, str], reply: bytes) -> bytes:
    return publish_frame(message.subject, message.data, reply=reply, headers={**(message.headers or {}), **added})
