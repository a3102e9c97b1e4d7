"""One consumer on the server and what it has delivered: credit, heartbeats, contiguity. It is never resumed.

A consumer lives until something is wrong with it (``lost`` says what); then its reader makes a new one at its own
position. Acks are off: the server's idea of what was read does not matter.
"""

from __future__ import annotations

import asyncio
import secrets
from asyncio import Future
from collections.abc import Sequence
from typing import Any

import msgspec

from core.api import call
from core.headers import Headers
from core.ledger import MAX_LIST, LedgerError, Stored
from core.link import Ear, Link
from core.replies import status_of

HEARTBEAT_S = 1.0
SILENCE_S = 3.0  # of waiting without a heartbeat; only waiting counts, a busy process does not blame the server
PULL_EXPIRES_S = 30.0
FORGOTTEN_AFTER_S = 30.0  # the server deletes a consumer nobody pulls from, so a killed reader leaves nothing behind
PULL_BYTES = 8 << 20
REQUEST_TIMEOUT, CONFLICT = 408, 409
JUST_AGAIN = (b"Message Size Exceeds MaxBytes", b"Batch Completed")  # ends a pull, says nothing about the consumer

_NS = 1_000_000_000


class Consumer:
    """Made by ``make``. ``take`` what has arrived, ``wait`` for more, ``close`` at the end."""

    def __init__(self, link: Link, stream: str, *, after: int, contiguous: bool) -> None:
        self.stream = stream
        self.name = f"sw-{secrets.token_hex(8)}"
        self.lost: str | None = None
        self.skipped: tuple[int, int] | None = None  # (the sequence that was due, the one that came)
        self._link = link
        self._contiguous = contiguous
        self._seq = after
        self._delivered = 0  # the consumer's own sequence of the last message
        self._pending_at_start = 0
        self._last_reply = b""
        self._arrived: list[Stored] = []
        self._credit = 0  # messages the pull in flight may still bring; 0: none in flight
        self._silent_s = 0.0
        self._inbox = f"_INBOX.{self.name}"
        self._waiter: Future[None] | None = None
        self._ear: Ear | None = None
        self._pull_bytes = max(PULL_BYTES, 2 * link.max_payload)
        self._unwatch = link.on_change(self._link_changed)

    @classmethod
    async def make(
        cls, link: Link, stream: str, *, after: int, subjects: Sequence[str] = (), contiguous: bool
    ) -> Consumer:
        """A consumer that delivers what follows ``after``, pulling already. ``contiguous``: no sequence may lack."""
        consumer = cls(link, stream, after=after, contiguous=contiguous)
        try:
            await consumer._create(subjects)
        except BaseException:
            await consumer.close()
            raise
        return consumer

    @property
    def pending(self) -> int:
        """How many fitting messages the server had left when it sent the last one."""
        return int(tokens(self._last_reply)[4]) if self._last_reply else self._pending_at_start

    @property
    def holding(self) -> bool:
        """Whether something has arrived that was not taken."""
        return bool(self._arrived)

    def take(self) -> list[Stored]:
        """What has arrived and was not taken yet, at most ``MAX_LIST``. Asks for more when little is left."""
        if len(self._arrived) <= MAX_LIST:
            taken, self._arrived = self._arrived, []
        else:
            taken, self._arrived = self._arrived[:MAX_LIST], self._arrived[MAX_LIST:]
        if not self._credit and not self._arrived and self.lost is None:
            self._pull()
        return taken

    async def wait(self, within_s: float) -> None:
        """Return when something arrived or went wrong, or after ``within_s``, at most a heartbeat's time."""
        if self._arrived or self.lost is not None:
            return
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        bound = min(within_s, HEARTBEAT_S)
        began, alarm = loop.time(), loop.call_later(bound, _wake, waiter)
        try:
            await waiter
        finally:
            alarm.cancel()
            self._waiter = None
        self._silent_s += min(loop.time() - began, bound)
        if self._silent_s > SILENCE_S and self._credit:
            self._lose(f"no heartbeat for {SILENCE_S:g} s")

    async def close(self) -> None:
        """Stop listening and delete the consumer if the server can be told; else it forgets it by itself."""
        self._unwatch()
        self.lost = self.lost or "closed"
        if self._ear is not None:
            ear, self._ear = self._ear, None
            await ear.close()
            if self._link.up:
                try:
                    self._link.publish(f"$JS.API.CONSUMER.DELETE.{self.stream}.{self.name}")
                except LedgerError:
                    return  # the server deletes it after FORGOTTEN_AFTER_S

    async def _create(self, subjects: Sequence[str]) -> None:
        self._ear = await self._link.listen(self._inbox, self._hear)
        config: dict[str, Any] = {
            "name": self.name,
            "ack_policy": "none",
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._seq + 1,
            "inactive_threshold": int(FORGOTTEN_AFTER_S * _NS),
            "mem_storage": True,
            "num_replicas": 1,
        }
        where = f"CONSUMER.CREATE.{self.stream}.{self.name}"
        if len(subjects) == 1:
            # The filter in the subject lets a server's permissions limit who may read what.
            where, config["filter_subject"] = f"{where}.{subjects[0]}", subjects[0]
        elif subjects:
            config["filter_subjects"] = list(subjects)
        made = await call(self._link, where, {"stream_name": self.stream, "action": "create", "config": config})
        self._pending_at_start = int(made["num_pending"])
        self._pull()

    def _pull(self) -> None:
        request = {
            "batch": MAX_LIST,
            "max_bytes": self._pull_bytes,
            "expires": int(PULL_EXPIRES_S * _NS),
            "idle_heartbeat": int(HEARTBEAT_S * _NS),
        }
        next_ = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self.name}"
        try:
            self._link.publish(next_, msgspec.json.encode(request), reply=self._inbox.encode())
        except LedgerError as error:
            self._lose(str(error))
            return
        self._credit, self._silent_s = MAX_LIST, 0.0

    def _hear(self, subject: bytes, reply: bytes, head: bytes, data: bytes) -> None:
        """The tap: called once a message, so kept short."""
        self._silent_s = 0.0
        if self.lost is not None:
            return
        if not reply:
            self._status(head)
            return
        words = reply.split(b".")
        stream_seq, delivered, nanoseconds = words[5:8] if len(words) == 9 else words[7:10]
        seq = int(stream_seq)
        self._delivered += 1
        if int(delivered) != self._delivered or seq <= self._seq:
            self._lose(f"delivery {int(delivered)} (sequence {seq}) came where delivery {self._delivered} was due")
            return
        if seq != self._seq + 1 and self._contiguous:
            if self.skipped is None:
                self.skipped = (self._seq + 1, seq)
            self._lose(f"sequence {seq} came where {self._seq + 1} was due")
            return
        self._seq = seq
        self._last_reply = reply
        self._credit -= 1
        self._arrived.append(
            Stored(seq, subject.decode(), int(nanoseconds) // 1000, data, Headers(head) if head else None)
        )
        if self._waiter is not None:
            _wake(self._waiter)

    def _status(self, head: bytes) -> None:
        status = status_of(head)
        if status == 100:
            return
        if status == REQUEST_TIMEOUT or (status == CONFLICT and any(each in head for each in JUST_AGAIN)):
            self._credit = 0
            if not self._arrived:
                self._pull()
            return
        self._lose(head.split(b"\r\n", 1)[0].decode(errors="replace"))

    def _link_changed(self, _up: bool) -> None:
        self._lose("the link broke")

    def _lose(self, why: str) -> None:
        self.lost = self.lost or why
        if self._waiter is not None:
            _wake(self._waiter)


def tokens(reply: bytes) -> list[bytes]:
    """Deliveries, stream sequence, consumer sequence, nanoseconds and pending of ``$JS.ACK.…``, in both its forms."""
    words = reply.split(b".")
    return words[4:9] if len(words) == 9 else words[6:11]


def _wake(waiter: Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
