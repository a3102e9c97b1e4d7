"""The line to NATS: one connection that notices a dead server in seconds, never gives up, and costs little per message.

With ``core.client`` this is all that imports nats-py. nats-py connects, authenticates, answers pings and reconnects;
the bytes of messages go past its machinery, because one message there costs two coroutines, a queue and a task switch:

* ``Link.publish`` frames a message and hands it to the socket at once, in call order. While the link is down nothing is
  buffered, so nothing is sent late, behind the back of a caller who was told "unknown".
* ``Link.listen`` gives a plain function ("a tap") every message of one subscription, headers unparsed.
* ``Link.ask`` is a request with a bound: the answer, or ``Busy`` (nobody there) or ``Unknown`` (no answer).
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import nats.errors
from nats.aio.subscription import Subscription

from core.client import Client, bounded
from core.frames import publish_frame
from core.ledger import Busy, LedgerError, Message
from core.parser import Tap
from core.replies import Replies, Reply

log = logging.getLogger(__name__)

PING_EVERY_S = 1.0  # two unanswered pings end a connection: a half-open link is noticed within 3 s
UNANSWERED_PINGS = 2
RECONNECT_AFTER_S = 0.25
CONNECT_WITHIN_S = 2  # one try; nats-py wants whole seconds
ASK_WITHIN_S = 5.0
FORBIDDEN = re.compile(r'permissions violation for publish to "([^"]+)"')


class Unreachable(LedgerError):
    """Nobody answered at the server's address, or it would not let us in."""


async def connect(
    url: str,
    *,
    name: str,
    user: str | None = None,
    password: str | None = None,
    wait_s: float = 5.0,
    on_closed: Callable[[], None] | None = None,
) -> Link:
    """A link that is up, or ``Unreachable`` after ``wait_s`` seconds. ``url`` may list servers, comma-separated.

    ``on_closed`` is called when the connection is closed for good by the other side (the server threw us out, or
    nats-py gave up): it should end the process. It is not called for our own ``close``.
    """
    link = Link(url, name=name, on_closed=on_closed)
    await link._open(user=user, password=password, wait_s=wait_s)
    return link


class Link:
    """One connection. Made by ``connect``."""

    def __init__(self, url: str, *, name: str, on_closed: Callable[[], None] | None = None) -> None:
        self.url = url
        self.name = name
        self.up = False  # False from the moment a loss is noticed until subscriptions are back in place
        self._on_closed = on_closed
        self._client = Client()
        self._changed: list[Callable[[bool], None]] = []
        self._came_up = asyncio.Event()
        self._replies = Replies(self._client.new_inbox().encode() + b".")
        self._closing = False
        self._last_error: Exception | None = None
        self._refused: Exception | None = None  # that we were not let in says more than what came after it

    @property
    def server(self) -> Mapping[str, Any]:
        """What the server said of itself at the last connect: ``version``, ``server_id``, ``max_payload`` …"""
        return self._client._server_info

    @property
    def max_payload(self) -> int:
        """Bytes of headers and body together that this server takes in one message."""
        return self._client.max_payload

    def publish(
        self, subject: str, data: bytes = b"", *, reply: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send one message now, after all sent before; ``Busy`` when the link is down (then nothing was sent).

        Nothing is said about its arrival. Whoever sends much awaits ``drained`` from time to time.
        """
        self.write(publish_frame(subject, data, reply=reply, headers=headers, wildcards=True))

    def write(self, frame: bytes) -> None:
        """Send whole protocol frames, in one piece and in call order; ``Busy`` when the link is down."""
        if not self.up or not self._client.is_connected:
            raise Busy(f"the link to {self.url} is down; nothing was sent, try again when it is back")
        self._client.transport.write(frame)  # type: ignore[no-untyped-call]

    async def drained(self) -> None:
        """Wait while the socket holds more than it should; returns at once when the link is down."""
        if self.up:
            try:
                await self._client.transport.drain()
            except OSError:
                return  # the loss is noticed and told by the reader

    def expect(
        self, settle: Callable[[Reply], Any], *, within_s: float, sent: Sequence[Message] = ()
    ) -> tuple[bytes, Future[Any]]:
        """A reply subject, and the future of what ``settle`` makes of its answer, or ``Unknown`` after ``within_s``.

        ``sent`` is what will be sent with it: ``Forbidden`` when the server does not let one of its subjects pass.
        """
        return self._replies.expect(settle, within_s=within_s, sent=sent)

    async def ask(
        self,
        subject: str,
        data: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        within_s: float = ASK_WITHIN_S,
    ) -> Reply:
        """The answer to a request; ``Busy`` when the link is down or nobody serves ``subject``, ``Unknown`` if late."""
        reply, future = self.expect(_nothing_but, within_s=within_s, sent=(Message(subject, b""),))
        try:
            self.publish(subject, data, reply=reply, headers=headers)
        except LedgerError:
            future.cancel()
            raise
        answer: Reply = await future
        if answer.status == 503:
            raise Busy(f"nobody answers {subject} at {self.url}: no JetStream, no leader yet, or no such consumer")
        return answer

    async def listen(self, subject: str, tap: Tap) -> Ear:
        """Call ``tap`` with each message on ``subject`` from now on, across reconnects, until the ear is closed."""
        subscription = await self._client.subscribe(subject)
        self._client.parser.taps[subscription._id] = tap
        return Ear(self._client, subscription)

    def on_change(self, tell: Callable[[bool], None]) -> Callable[[], None]:
        """Have ``tell(up)`` called whenever the link goes or comes; returns what undoes it."""
        self._changed.append(tell)
        return lambda: self._changed.remove(tell)

    async def until_up(self) -> None:
        """Wait for the link to be up; raise ``LedgerError`` when it is closed for good. Bound it at the caller."""
        while not self.up:
            if self._client.is_closed or self._closing:
                raise LedgerError(f"the link to {self.url} is closed for good: {self._last_error or 'closed by us'}")
            self._came_up.clear()
            await self._came_up.wait()

    async def close(self) -> None:
        """Send what is still in the socket and leave. Everything waiting ends with ``Unknown``."""
        self._closing = True
        if self.up:
            try:
                await self._client.flush(timeout=2)
            except (TimeoutError, nats.errors.Error, OSError) as error:
                log.info("closing the link to %s without a last answer: %s", self.url, error)
        self._down("the link was closed")
        await self._client.end()
        self._came_up.set()

    async def _open(self, *, user: str | None, password: str | None, wait_s: float) -> None:
        connecting = self._client.connect(
            servers=[each.strip() for each in self.url.split(",")],
            name=self.name,
            user=user,
            password=password,
            ping_interval=PING_EVERY_S,  # type: ignore[arg-type]  # annotated int, used only in sleep()
            max_outstanding_pings=UNANSWERED_PINGS,
            max_reconnect_attempts=-1,
            # Spread the return of many clients after a server's restart.
            reconnect_time_wait=RECONNECT_AFTER_S * random.SystemRandom().uniform(0.6, 1.4),  # type: ignore[arg-type]
            connect_timeout=CONNECT_WITHIN_S,
            pending_size=64 << 20,
            error_cb=self._heard_error,
            disconnected_cb=self._went_down,
            reconnected_cb=self._came_back,
            closed_cb=self._was_closed,
        )
        try:
            if not await bounded(connecting, wait_s):
                raise self._refused or self._last_error or TimeoutError("no answer")
            await self._replies_listen()
        except (nats.errors.Error, OSError) as error:
            self._closing = True
            await self._client.end()
            raise Unreachable(
                f"cannot reach NATS at {self.url} within {wait_s:g} s: {error}. "
                "Start it (`switchtower up`, or `nats-server -c nats.conf`), or give the right address and user."
            ) from error
        self._up()

    async def _replies_listen(self) -> None:
        await self.listen(self._replies.prefix.decode() + "*", self._replies.settle)
        await self._client.flush(timeout=CONNECT_WITHIN_S)

    def _up(self) -> None:
        self.up = True
        self._came_up.set()
        self._tell()

    def _down(self, why: str) -> None:
        was_up, self.up = self.up, False
        self._replies.fail(f"{why} before {self.url} answered")
        if was_up:
            self._tell()

    def _tell(self) -> None:
        for tell in list(self._changed):
            tell(self.up)

    async def _went_down(self) -> None:
        self._client.forget_unsent()
        if not self._closing:
            log.warning("link down url=%s name=%s", self.url, self.name)
        self._down("the link broke")

    async def _came_back(self) -> None:
        log.warning("link up again url=%s name=%s", self.url, self.name)
        self._up()

    async def _was_closed(self) -> None:
        self._down("the link was closed")
        self._came_up.set()
        if not self._closing:
            log.error("link closed for good url=%s name=%s why=%s", self.url, self.name, self._client.last_error)
            if self._on_closed is not None:
                self._on_closed()

    async def _heard_error(self, error: Exception) -> None:
        self._last_error = error
        if "authoriz" in str(error).lower():
            self._refused = error
        forbidden = FORBIDDEN.search(str(error))
        if forbidden is not None:
            self._replies.forbid(forbidden[1])
        log.log(
            logging.WARNING if forbidden else logging.INFO,
            "link trouble url=%s name=%s %s: %s",
            self.url,
            self.name,
            type(error).__name__,
            error,
        )


class Ear:
    """One subscription of a link."""

    def __init__(self, client: Client, subscription: Subscription) -> None:
        self._client = client
        self._subscription = subscription

    async def close(self) -> None:
        """Hear nothing more."""
        self._client.parser.taps.pop(self._subscription._id, None)
        if not self._client.is_closed:
            try:
                await self._subscription.unsubscribe()
            except nats.errors.Error as error:
                log.info("unsubscribing %s: %s", self._subscription.subject, error)


def _nothing_but(reply: Reply) -> Reply:
    return reply
