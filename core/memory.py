"""The log in memory: what JetStream does with appends and readers, without a server, on a clock passed in.

For tests, the simulation and what-if replays. An append is stored before ``send`` returns and nothing here depends on
chance or on the machine's speed. The order of checks is the server's own (``tests/test_ledger.py`` holds both to it).
"""

from __future__ import annotations

import asyncio
import re
from asyncio import Future
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Self

import msgspec

from core.clock import Clock, SystemClock
from core.frames import header_block, subject_bytes
from core.ledger import (
    KEPT_FOR_EVER,
    MAX_LIST,
    Conflict,
    Duplicate,
    Full,
    Gap,
    Head,
    LedgerError,
    Message,
    Stored,
    Stream,
)
from core.limits import check, header_bytes

DUPLICATE_WINDOW_US = 120_000_000
MESSAGE_ID = "Nats-Msg-Id"
STREAMS: tuple[Stream, ...] = ("COMMANDS", "EVENTS", "OBSERVATIONS", "OUTPUT")


class Log(msgspec.Struct):
    """One stream: its messages (consecutive sequences), and the message ids of the last two minutes."""

    created: int
    messages: list[Stored] = []
    ids: dict[str, tuple[int, int]] = {}  # message id: sequence, time
    first_seq: int = 1
    bytes: int = 0
    max_bytes: int = -1

    @property
    def last_seq(self) -> int:
        return self.first_seq + len(self.messages) - 1

    def after(self, seq: int) -> list[Stored]:
        """At most ``MAX_LIST`` messages following ``seq``."""
        start = max(seq + 1 - self.first_seq, 0)
        return self.messages[start : start + MAX_LIST]


class MemoryLedger:
    """A ``Ledger`` in this process's memory. ``logs`` may be read, and broken, by tests."""

    def __init__(self, clock: Clock | None = None, *, max_bytes: Mapping[Stream, int] | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        limits = max_bytes or {}
        now = self.clock.now_us()
        self.logs: dict[Stream, Log] = {name: Log(now, max_bytes=limits.get(name, -1)) for name in STREAMS}
        self._waiting: dict[Stream, set[Future[None]]] = {}

    def copy(self) -> Self:
        """An independent ledger with the same content; messages are shared, they never change."""
        twin = type(self)(self.clock)
        for name, log in self.logs.items():
            twin.logs[name] = msgspec.structs.replace(log, messages=list(log.messages), ids=dict(log.ids))
        return twin

    def put(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> int:
        """Append at once: the last sequence, or one of the ledger's errors."""
        self._check(stream, messages, expect)
        if stream == "OUTPUT" and len(messages) > 1:  # no batches there: one behind the other
            return [self.put(stream, [each]) for each in messages][-1]
        log, now = self.logs[stream], self.clock.now_us()
        self._forget_old_ids(log, now)
        known = self._refuse(stream, log, messages, expect)
        if known is not None:
            return known
        size = sum(len(each.subject) + len(each.data) + header_bytes(each) for each in messages)
        if 0 <= log.max_bytes < log.bytes + size:
            raise Full(f"{stream} is full: {log.bytes} of {log.max_bytes} bytes; raise its max_bytes")
        for message in messages:
            seq = log.last_seq + 1
            log.messages.append(Stored(seq, message.subject, now, message.data, dict(message.headers or {}) or None))
            if message.headers and MESSAGE_ID in message.headers:
                log.ids[message.headers[MESSAGE_ID]] = (seq, now)
        log.bytes += size
        self._wake(stream)
        return log.last_seq

    async def send(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> Future[int]:
        self._check(stream, messages, expect)
        future: Future[int] = asyncio.get_running_loop().create_future()
        try:
            future.set_result(self.put(stream, messages, expect=expect))
        except LedgerError as error:
            future.set_exception(error)
        return future

    async def append(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> int:
        return await (await self.send(stream, messages, expect=expect))

    async def head(self, stream: Stream) -> Head:
        log = self.logs[stream]
        return Head(log.last_seq, log.created, log.first_seq, log.bytes, log.max_bytes)

    async def follow(
        self, stream: Stream, *, after: int, subjects: Sequence[str] = (), idle: float | None = None
    ) -> AsyncGenerator[list[Stored], None]:
        wanted = matcher(subjects)
        at, created = after, self.logs[stream].created
        while True:
            bell = self._bell(idle)
            fitting: list[Stored] = []
            while not fitting and not bell.done():
                found = self._after(stream, at, created)
                at = found[-1].seq if found else at
                fitting = [each for each in found if wanted(each.subject)]
                if not found:
                    await self._news(stream, bell)
            bell.cancel()
            yield fitting

    async def read(
        self, stream: Stream, *, after: int = 0, until: int | None = None, subjects: Sequence[str] = ()
    ) -> AsyncGenerator[list[Stored], None]:
        wanted = matcher(subjects)
        end = self.logs[stream].last_seq if until is None else until
        at, created = after, self.logs[stream].created
        while at < end:
            found = self._after(stream, at, created)
            at = found[-1].seq if found else at
            fitting = [each for each in found if each.seq <= end and wanted(each.subject)]
            if fitting:
                yield fitting
            elif not found:
                await self._news(stream, self._bell(None))

    def _check(self, stream: Stream, messages: Sequence[Message], expect: int | None) -> None:
        check(stream, messages, expect=expect)
        for message in messages:
            subject_bytes(message.subject)
            header_block(message.headers or {})

    def _refuse(self, stream: Stream, log: Log, messages: Sequence[Message], expect: int | None) -> int | None:
        """Raise what the server would answer; the first sequence of a single message that is already there.

        One replica checks a single message's expected sequence before its id, but inside a batch each message's id
        before the (first one's) expected sequence: so a batch whose first message is known is a duplicate, one whose
        second is known and whose expectation is stale a conflict.
        """
        ids = [(each.headers or {}).get(MESSAGE_ID) for each in messages]
        stale = expect is not None and expect != log.last_seq
        conflict = Conflict(f"{stream} ends at {log.last_seq}, not at the expected {expect}: read on, decide again")
        if len(messages) == 1:
            if stale:
                raise conflict
            return log.ids[ids[0]][0] if ids[0] in log.ids else None
        seen: set[str] = set()
        for place, each in enumerate(ids):
            if each is not None and (each in log.ids or each in seen):
                raise Duplicate(f"{stream}: message id {each!r} is known; nothing was stored, send the messages apart")
            if place == 0 and stale:
                raise conflict
            if each is not None:
                seen.add(each)
        return None

    def _after(self, stream: Stream, at: int, created: int) -> list[Stored]:
        log = self.logs[stream]
        if log.created != created:
            raise Gap(f"{stream} is another stream than the one followed so far: it was made again under its name")
        if log.last_seq < at:
            raise Gap(f"{stream} ends at {log.last_seq}, before {at} which was read: rolled back?")
        if log.first_seq > at + 1 and stream in KEPT_FOR_EVER:
            raise Gap(f"{stream} begins at {log.first_seq}: {at + 1} is no longer there; start from a snapshot")
        found = log.after(at)
        expected = max(at + 1, log.first_seq)
        for each in found:
            if each.seq != expected:
                raise Gap(f"{stream}: {each.seq} came where {expected} was due")
            expected += 1
        return found

    def _forget_old_ids(self, log: Log, now: int) -> None:
        while log.ids:
            oldest = next(iter(log.ids))
            if log.ids[oldest][1] + DUPLICATE_WINDOW_US >= now:
                return
            del log.ids[oldest]

    def _wake(self, stream: Stream) -> None:
        for each in self._waiting.pop(stream, ()):
            if not each.done():
                each.set_result(None)

    def _bell(self, idle: float | None) -> Future[None]:
        """Done when ``idle`` seconds of the clock have passed; never, for None."""
        if idle is None:
            return asyncio.get_running_loop().create_future()
        return asyncio.ensure_future(self.clock.sleep(idle))

    async def _news(self, stream: Stream, bell: Future[None]) -> None:
        """Wait for the next append to ``stream``, or for the bell."""
        news: Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(stream, set()).add(news)
        try:
            await asyncio.wait({news, bell}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.get(stream, set()).discard(news)


class matcher:  # noqa: N801  # called like a function
    """Does a subject fit any of these NATS patterns (``*`` one token, ``>`` the rest)? No pattern fits all."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._any = not patterns
        self._fits = re.compile("|".join(f"(?:{_regex(each)})" for each in patterns)).fullmatch

    def __call__(self, subject: str) -> bool:
        return self._any or self._fits(subject) is not None


def _regex(pattern: str) -> str:
    wild = {"*": "[^.]+", ">": ".+"}
    return r"\.".join(wild.get(each) or re.escape(each) for each in pattern.split("."))
