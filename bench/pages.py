"""An open page without a browser: it hears the live stream and fetches what it is told of."""

from __future__ import annotations

import asyncio
import html
import re
import time
from bisect import bisect_left
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx2

from bench.processes import Failed

_STREAM = re.compile(r'hx-sse:connect="([^"]+)"')
_ROW = "[id=&quot;agent-"  # where a pushed row has its place
_PANEL = re.compile(r'hx-get="([^"]+)" hx-trigger="(\w+) from:#live')


class OpenPage:
    """(wall microseconds, EVENTS sequence) of what came: ``told`` of each message about panels, ``pushed`` of each one
    with rows, ``drawn`` of each panel that was fetched."""

    def __init__(self, client: httpx2.AsyncClient, path: str = "/") -> None:
        self.told: list[tuple[int, int]] = []
        self.pushed: list[tuple[int, int]] = []
        self.drawn: list[tuple[int, int]] = []
        self._client, self._path = client, path
        self._at = 0
        self._bells: dict[str, asyncio.Event] = {}

    async def live(self) -> None:
        """Stay open until cancelled. ``Failed`` when the stream ends, an HTTP error when a panel cannot be had."""
        text = (await self._client.get(self._path)).raise_for_status().text
        address = stream_of(text)
        sources = {name: html.unescape(source) for source, name in _PANEL.findall(text)}
        self._bells = {name: asyncio.Event() for name in sources}
        async with self._client.stream("GET", address, timeout=None) as answer:
            fetching = [asyncio.ensure_future(self._keep(name, source)) for name, source in sources.items()]
            both = [asyncio.ensure_future(self._hear(answer)), *fetching]
            try:
                await asyncio.gather(*both)
            finally:
                for each in both:
                    each.cancel()
                await asyncio.gather(*both, return_exceptions=True)

    async def _hear(self, answer: httpx2.Response) -> None:
        name, rows = "", False
        async for line in answer.aiter_lines():
            field, _, value = line.partition(": ")
            if not line:
                name, rows = "", False
            elif field == "event":
                name = value
            elif field == "data":
                rows = rows or _ROW in value
            elif field == "id":
                self._at = int(value.partition(".")[0])
                if name or rows:
                    (self.told if name else self.pushed).append((now_us(), self._at))
                with suppress(KeyError):
                    self._bells[name].set()
        raise Failed(f"the live stream of {self._path} ended")

    async def _keep(self, name: str, source: str) -> None:
        """Fetch one panel whenever it is told of, not twice at once."""
        tag = ""
        while True:
            await self._bells[name].wait()
            self._bells[name].clear()
            at = self._at
            answer = await self._client.get(source, headers={"hx-ptag": tag} if tag else {})
            if answer.status_code not in {200, 304}:
                answer.raise_for_status()
            tag = answer.headers.get("HX-PTag", "")
            self.drawn.append((now_us(), at))


def stream_of(text: str) -> str:
    """The address of a page's live stream. ``Failed`` where it has none."""
    found = _STREAM.search(text)
    if found is None:
        raise Failed("the page has no live stream")
    return html.unescape(found[1])


@asynccontextmanager
async def opened(client: httpx2.AsyncClient, count: int, path: str = "/") -> AsyncIterator[list[OpenPage]]:
    """So many open pages until the block ends. What ended one of them before is raised then."""
    pages = [OpenPage(client, path) for _ in range(count)]
    living = [asyncio.ensure_future(each.live()) for each in pages]
    try:
        yield pages
    finally:
        for each in living:
            each.cancel()
        ended = await asyncio.gather(*living, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error


def delays_ms(facts: list[tuple[int, int]], seen: list[tuple[int, int]]) -> list[float]:
    """For each fact (sequence, wall microseconds) how long until the first of ``seen`` that is not before it."""
    highest, ends = 0, []
    for at, seq in seen:
        highest = max(highest, seq)
        ends.append((highest, at))
    found = []
    for seq, at in facts:
        place = bisect_left(ends, (seq, 0))
        if place < len(ends):
            found.append((ends[place][1] - at) / 1e3)
    return found


def now_us() -> int:
    return time.time_ns() // 1000
