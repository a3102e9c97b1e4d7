"""A page in a chromium that is asked questions through its debugger and left alone between them.

A driver of browsers listens to all a page fetches, and the browser keeps that for it: tens of megabytes that no
operator's tab has. Here nothing is listened to. The debugger speaks JSON with a NUL behind each message, on the
descriptors 3 and 4 of the browser.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

from bench.fleet import Fleet
from bench.pixel import FLAGS, WINDOW, program
from bench.processes import Failed
from bench.work import bounded
from console.login import issue

ANSWERS_WITHIN_S = 30.0
LONGEST = 64 << 20  # bytes of one answer
BETWEEN = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
SIGN_IN = "document.querySelector('form[action=\"/login\"] button').click()"


class Debugged:
    """One page."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._page = ""
        self._asked = 0

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer. ``Failed`` when it is an error, or does not come."""
        self._asked += 1
        asked = {"id": self._asked, "method": method, "params": parameters}
        if self._page:
            asked["sessionId"] = self._page
        self._writer.write(json.dumps(asked).encode() + b"\0")
        answer = await bounded(self._answer(self._asked), ANSWERS_WITHIN_S, f"chromium did not answer {method}")
        if "error" in answer:
            raise Failed(f"chromium refuses {method}: {answer['error']['message']}")
        return answer["result"]

    async def evaluate(self, script: str) -> Any:
        """The value of an expression in the page. ``Failed`` when it throws."""
        told = await self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in told:
            raise Failed(f"{script[:60]!r} threw: {told['exceptionDetails'].get('text')}")
        return told["result"].get("value")

    async def open(self) -> None:
        """Attach to a new page, and to nothing else."""
        target = await self.ask("Target.createTarget", url="about:blank")
        attached = await self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._page = attached["sessionId"]
        await self.ask("Performance.enable")

    async def go(self, url: str) -> None:
        """Leave for ``url`` and wait until it is there."""
        await self.ask("Page.navigate", url=url)
        await self.until(f"location.href == {json.dumps(url)} && document.readyState == 'complete'")

    async def until(self, holds: str) -> None:
        """Wait until an expression is true in the page."""

        async def asking() -> None:
            while not await self.evaluate(holds):  # noqa: ASYNC110 - the page's event, not ours
                await asyncio.sleep(0.05)

        await bounded(asking(), ANSWERS_WITHIN_S, f"it was not so that {holds}")

    async def _answer(self, number: int) -> dict[str, Any]:
        while True:
            message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
            if message.get("id") == number:
                return message


@asynccontextmanager
async def debugged(fleet: Fleet, path: str) -> AsyncIterator[Debugged]:
    """A page of the console, signed in, in a browser with an empty profile."""
    ours, theirs = _pipe(), _pipe()
    size = f"--window-size={WINDOW['width']},{WINDOW['height']}"
    where = ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={fleet.home / 'profile'}", size]
    between = [sys.executable, "-c", BETWEEN, str(ours[0]), str(theirs[1])]
    fleet.run("chromium", [*between, program(), *FLAGS, *where, "about:blank"], pass_fds=(ours[0], theirs[1]))
    os.close(ours[0])
    os.close(theirs[1])
    reader, writer = await _streams(theirs[0], ours[1])
    with closing(writer):
        page = Debugged(reader, writer)
        await page.open()
        await page.go(f"{fleet.console_url}/login?token={issue(fleet.home, fleet.clock)}")
        await page.evaluate(SIGN_IN)
        await page.until(f"location.href == {json.dumps(fleet.console_url + '/')}")
        await page.go(fleet.console_url + path)
        try:
            yield page
        finally:
            fleet.end("chromium")


def _pipe() -> tuple[int, int]:
    """Both ends of a pipe, above the descriptors that mean something to a child."""
    ends = os.pipe()
    above = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return above[0], above[1]


async def _streams(read_end: int, write_end: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LONGEST)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", 0))
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(write_end, "wb", 0))
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)
