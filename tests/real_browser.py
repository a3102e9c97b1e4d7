"""A real chromium, signed in to a tower's console: the windows, and the marks of the tests that need one."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from console.__main__ import Server
from console.login import issue
from tests.console.tower import Tower

CHROMIUM = shutil.which("chromium")
IN_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH (Debian: apt install chromium)"),
]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


class Window:
    """A signed-in browser window that remembers everything it complained about."""

    def __init__(self, page: Page, base: str) -> None:
        self.page, self.base = page, base
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.on("console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith(base) or self.foreign.append(asked.url))

    async def go(self, path: str) -> Page:
        await self.page.goto(self.base + path)
        return self.page

    async def live(self) -> None:
        await expect(self.page.locator("#lamp")).to_have_attribute("data-live", "on", timeout=15_000)


@asynccontextmanager
async def serving(tower: Tower) -> AsyncIterator[str]:
    """The tower's console on a real port."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    server = Server(tower.app, on_stop=tower.hub.stop, port=0, lifespan="off")
    running = asyncio.ensure_future(server.serve([held]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
    finally:
        tower.hub.stop()
        server.should_exit = True
        await asyncio.wait_for(running, 10)


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """The system's chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@asynccontextmanager
async def window(browser: Browser, tower: Tower, base: str, **how: object) -> AsyncIterator[Window]:
    context = await browser.new_context(**how)  # type: ignore[arg-type]
    opened = Window(await context.new_page(), base)
    await opened.go(f"/login?token={issue(tower.data, tower.clock)}")
    await opened.page.get_by_role("button", name="Sign in").click()
    await opened.page.wait_for_url(f"{base}/")
    yield opened
    assert opened.foreign == []
    await context.close()
