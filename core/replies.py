"""Answers by inbox: many requests in flight on one subscription, each with a bound."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from core.ledger import Forbidden, LedgerError, Message, Unknown

SWEEP_EVERY_S = 0.25


class Reply(msgspec.Struct, frozen=True, gc=False):
    """An answer. ``status`` is that of NATS's header line (503: nobody there), 0 for an ordinary answer."""

    data: bytes
    status: int = 0


class _Waiting(msgspec.Struct, gc=False):
    future: Future[Any]
    settle: Callable[[Reply], Any]
    deadline: float
    sent: Sequence[Message]  # what is to be answered, known by its subjects


class Replies:
    """Futures by the last token of their reply subject; one timer for all of them, since most never need it."""

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        self._skip = len(prefix)
        self._next = 0
        self._waiting: dict[bytes, _Waiting] = {}
        self._timer: asyncio.TimerHandle | None = None

    def expect(
        self, settle: Callable[[Reply], Any], *, within_s: float, sent: Sequence[Message] = ()
    ) -> tuple[bytes, Future[Any]]:
        """A fresh reply subject, and the future of what ``settle`` returns or raises: ``Unknown`` after that time."""
        loop = asyncio.get_running_loop()
        self._next += 1
        key = b"%d" % self._next
        future: Future[Any] = loop.create_future()
        self._waiting[key] = _Waiting(future, settle, loop.time() + within_s, sent)
        if self._timer is None:
            self._timer = loop.call_later(SWEEP_EVERY_S, self._sweep)
        return self.prefix + key, future

    def settle(self, subject: bytes, _reply: bytes, head: bytes, data: bytes) -> None:
        """The tap of the inbox."""
        waiting = self._waiting.pop(subject[self._skip :], None)
        if waiting is None or waiting.future.done():
            return  # came after its time, or its caller went away
        try:
            waiting.future.set_result(waiting.settle(Reply(data, status_of(head))))
        except LedgerError as error:
            waiting.future.set_exception(error)
        except msgspec.MsgspecError as error:
            waiting.future.set_exception(Unknown(f"an answer that cannot be read ({error}): {data[:200]!r}"))

    def fail(self, why: str) -> None:
        """End all that wait with ``Unknown``."""
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            if not each.future.done():
                each.future.set_exception(Unknown(f"{why}: stored or not, only reading tells"))

    def forbid(self, subject: str) -> None:
        """End those that sent something to ``subject`` (lower case), which the server did not let pass."""
        for key, each in list(self._waiting.items()):
            if any(message.subject.lower() == subject for message in each.sent):
                del self._waiting[key]
                if not each.future.done():
                    each.future.set_exception(
                        Forbidden(
                            f"{subject}: this NATS user may not publish there; use one that may, or see nats.conf"
                        )
                    )

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        late = [key for key, each in self._waiting.items() if each.deadline <= now or each.future.done()]
        for key in late:
            future = self._waiting.pop(key).future
            if not future.done():
                future.set_exception(Unknown("no answer in time: stored or not, only reading tells"))
        self._timer = loop.call_later(SWEEP_EVERY_S, self._sweep) if self._waiting else None


def status_of(head: bytes) -> int:
    """The status in a header block's first line (``NATS/1.0 503``), 0 when there is none."""
    return int(head[9:12]) if head[8:9] == b" " else 0
