"""How long `switchtower up` takes to a page that can be used."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
import time
from pathlib import Path

import httpx2

from bench.figures import Figure
from bench.machine import Quiet
from bench.processes import Failed, Process, module

WITHIN_S = 30.0


async def up(*, times: int) -> list[Figure]:
    """The first start in a new folder, then again on the same data: until the page behind the login link is there."""
    quiet = Quiet()
    with tempfile.TemporaryDirectory(prefix="switchtower-bench-") as folder:
        spans = [await _once(Path(folder)) for _ in range(times + 1)]
    noise = quiet.read()
    return [
        Figure(
            scenario="start", name="up → usable page, first", unit="s", values=spans[:1], better="less", noise=noise
        ),
        Figure(
            scenario="start", name="up → usable page, again", unit="s", values=spans[1:], better="less", noise=noise
        ),
    ]


async def _once(folder: Path) -> float:
    log = folder / "up.log"
    log.unlink(missing_ok=True)
    began = time.monotonic()
    argv = module("console.cli", "up", "--data", str(folder / "data"), "--port", "0", "--json")
    process = Process("up", argv, folder=folder)
    try:
        async with httpx2.AsyncClient(follow_redirects=True, timeout=10.0) as browser:
            while (link := _login_url(log)) is None:
                process.check()
                if time.monotonic() - began > WITHIN_S:
                    raise Failed(f"up was not ready within {WITHIN_S:g} s: {process.said()}")
                await asyncio.sleep(0.01)
            page = await browser.get(link)
            if page.status_code != 200:
                raise Failed(f"{link.partition('?')[0]} answered {page.status_code}")
        return time.monotonic() - began
    finally:
        process.end(signal.SIGINT)


def _login_url(log: Path) -> str | None:
    """From the JSON document among the lines it says."""
    text = log.read_text(errors="replace")
    start, end = text.find('{"'), text.rfind("}")
    if start < 0 or end < start:
        start = text.find("{\n")
    try:
        return str(json.loads(text[start : end + 1])["login_url"]) if 0 <= start < end else None
    except (json.JSONDecodeError, KeyError):
        return None
