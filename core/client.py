"""nats-py's client, with our parser and transport in the places it has for them, and an end that comes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any
from urllib.parse import ParseResult

from nats.aio.client import Client as NatsClient
from nats.aio.transport import TcpTransport

from core.parser import Parser

READ_BYTES = 1 << 18  # one read may bring some hundred messages; nats-py's own 32 KiB brings eighty
END_WITHIN_S = 2.0


async def bounded(work: Coroutine[Any, Any, object], within_s: float) -> bool:
    """Whether ``work`` ended within that time; what it raised is raised.

    ``asyncio.wait_for`` will not do: nats-py swallows a cancellation here and there and goes on trying, and wait_for
    would wait for it. So it is cancelled until it heeds.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=within_s)
        if task.done():
            task.result()
            return True
        return False
    finally:
        for _ in range(20):
            if task.done():
                break
            task.cancel()
            await asyncio.wait({task}, timeout=0.1)


class Transport(TcpTransport):
    """nats-py's TCP transport with larger reads, and a close that does not wait for a peer that is gone."""

    _left = False

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:  # noqa: ARG002
        self.close()  # of an attempt that was refused: nats-py would leave its socket to the collector
        await super().connect(uri, READ_BYTES, connect_timeout)

    async def read(self, buffer_size: int) -> bytes:  # noqa: ARG002
        return bytes(await super().read(READ_BYTES))

    def close(self) -> None:
        # close() would first flush to a peer that no longer reads, and wait_closed() wait for it: a frozen server would
        # hold the reconnect for as long as the kernel retries, a quarter of an hour.
        if self._bare_io_writer is not None:
            self._bare_io_writer.transport.abort()

    def leave(self) -> None:
        """Close for good: what somebody still writes goes nowhere, and is nobody's error."""
        self._left = True
        self.close()

    async def drain(self) -> None:
        if not self._left:
            await super().drain()  # type: ignore[no-untyped-call]

    async def ended(self) -> None:
        """Return when the socket is closed."""
        try:
            await asyncio.wait_for(self.wait_closed(), END_WITHIN_S)  # type: ignore[no-untyped-call]
        except OSError:
            return  # it was broken before it was closed (or, TimeoutError, will not say)

    def __bool__(self) -> bool:
        return True  # else nats-py puts its own in our place


class Client(NatsClient):
    """nats-py's client with our parser and transport in its place for them."""

    def __init__(self) -> None:
        super().__init__()
        self.parser = Parser(self)
        self.transport = Transport()  # type: ignore[no-untyped-call]
        self._ps = self.parser  # type: ignore[assignment]
        self._transport = self.transport

    async def end(self) -> None:
        """Close for good, the socket too. What was not sent by now is not."""
        # Not the other way round: nats-py's close() waits for a socket that a frozen server may never empty.
        self.forget_unsent()
        self.transport.leave()
        await bounded(self.close(), END_WITHIN_S)
        await self.transport.ended()

    def forget_unsent(self) -> None:
        """Drop what waits to be sent: subscriptions are replayed anyway, the rest must not arrive late."""
        self._pending: list[bytes] = []
        self._pending_data_size = 0
