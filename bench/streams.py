"""Fact → pixel with very many pages open: a real browser beside a thousand live streams.

The streams are those of a room's pages in turn. They are heard to the end and thrown away: what a thousand browsers
would fetch besides is not part of it, as hidden tabs fetch nothing.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from bench.agents import at_work
from bench.figures import Figure, percentile
from bench.fleet import Fleet
from bench.machine import Quiet
from bench.pages import delays_ms, stream_of
from bench.pixel import browser_page, cores, painting
from bench.processes import Failed
from bench.work import bounded
from console.login import api_token

ROOM = (
    "/", "/agents", "/queues", "/board", "/tasks", "/timeline", "/cost", "/sessions", "/commands", "/system",
)  # fmt: skip
AT_ONCE = 50  # opened together
OPEN_WITHIN_S = 30.0
GATE_MS = 500.0


class Stream(asyncio.Protocol):
    """One open stream: how much it was told."""

    def __init__(self) -> None:
        self.bytes = self.messages = 0
        self.began, self.ended = asyncio.Event(), False

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        self.messages += data.count(b"\nid: ")
        if self.messages:
            self.began.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it ended is all the same
        self.ended = True


async def streams(fleet: Fleet, *, agents: int, count: int, seconds: float) -> list[Figure]:
    """One browser on the roster of a fleet at work, beside ``count`` streams of other pages."""
    await at_work(fleet, agents, seconds + count / AT_ONCE)
    alone_mb = fleet.resident()["console"]
    async with listening(fleet, count) as heard, browser_page(fleet, "/agents") as page:
        grown_mb = fleet.resident()["console"] - alone_mb
        quiet, used, began = Quiet(), fleet.used(), time.monotonic()
        before = [(each.messages, each.bytes) for each in heard]
        facts, painted = await painting(fleet, page, seconds)
        took, shares, noise = time.monotonic() - began, cores(fleet, used, began), quiet.read()
        told = [each.messages - had for each, (had, _) in zip(heard, before, strict=True)]
        sent_mb = sum(each.bytes - had for each, (_, had) in zip(heard, before, strict=True)) / 2**20
        if lost := sum(each.ended for each in heard):
            raise Failed(f"{lost} of {count:,} streams ended")
    delays = delays_ms(facts, painted)
    note = (
        f"{agents} agents, {len(facts) / seconds:.0f} facts a second on a row; {sum(told) / took:,.0f} messages and "
        f"{sent_mb / took:.1f} MB a second, {min(told) / took:.1f} messages a second to the slowest; {shares}"
    )
    return [
        Figure(
            scenario="streams", name=f"fact → row painted beside {count:,} streams, {name}", unit="ms",
            values=[percentile(delays, share)], gate=gate, better="less", noise=noise, note=said,
        )
        for name, share, gate, said in (("p50", 0.5, None, note), ("p95", 0.95, GATE_MS, f"{len(delays)} facts"))
    ] + [
        Figure(
            scenario="streams", name="console's memory, a stream", unit="KB", values=[1024 * grown_mb / count],
            better="less",
        )
    ]  # fmt: skip


@asynccontextmanager
async def listening(fleet: Fleet, count: int) -> AsyncIterator[Sequence[Stream]]:
    """So many streams, each of which has been told something."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pages = [(await fleet.pages.get(path)).raise_for_status().text for path in ROOM]
    requests = [_request(fleet, stream_of(text)) for text in pages]
    where = urlsplit(fleet.console_url)
    loop = asyncio.get_running_loop()
    transports, heard = [], []
    try:
        for n in range(count):
            transport, stream = await loop.create_connection(Stream, where.hostname, where.port)
            transport.write(requests[n % len(requests)])
            transports.append(transport)
            heard.append(stream)
            if n % AT_ONCE == 0:
                await bounded(stream.began.wait(), OPEN_WITHIN_S, f"stream {n:,} was told nothing")
        for stream in heard:
            await bounded(stream.began.wait(), OPEN_WITHIN_S, "one of the streams was told nothing")
        yield heard
    finally:
        for each in transports:
            each.close()


def _request(fleet: Fleet, address: str) -> bytes:
    host = urlsplit(fleet.console_url).netloc
    token = api_token(fleet.home)
    return f"GET {address} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
