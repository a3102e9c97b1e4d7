"""What a browser that takes gzip is sent: pages and files compressed, the live stream and pictures as they are."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.compressed import SMALLEST
from console.render import asset
from core.domain.words import Artifact
from tests.console.tower import Tower, at_work

GZIP, PLAIN = {"Accept-Encoding": "gzip, br"}, {"Accept-Encoding": "identity"}


@pytest.fixture
async def tower(tmp_path: Path) -> AsyncIterator[Tower]:
    async with Tower(tmp_path).running() as tower:
        yield tower


async def raw(tower: Tower, path: str, headers: dict[str, str]) -> tuple[dict[str, str], bytes]:
    """The answer's headers and its bytes as they were sent."""
    async with tower.client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, path
        return dict(answer.headers), b"".join([piece async for piece in answer.aiter_raw()])


@pytest.mark.parametrize("path", ["/", "/agents", "/tasks", "/agents?part=roster", "/api/tasks", "/tasks.csv"])
async def test_a_page_is_compressed_for_who_asks_and_is_the_same_page(
    tower: Tower, path: str, monkeypatch: pytest.MonkeyPatch
):
    await at_work(tower)
    now = tower.clock.now_us()
    monkeypatch.setattr(tower.clock, "now_us", lambda: now)  # a page of the past says how long ago that was
    at = f"{path}{'&' if '?' in path else '?'}at={await tower.folded()}"
    headers, sent = await raw(tower, at, GZIP)
    assert headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in headers["vary"]
    plain_headers, plain = await raw(tower, at, PLAIN)
    assert "content-encoding" not in plain_headers
    assert "Accept-Encoding" in plain_headers["vary"]
    assert len(sent) < len(plain) / 2
    assert gzip.decompress(sent) == plain


async def test_a_short_answer_is_sent_as_it_is(tower: Tower):
    headers, sent = await raw(tower, "/healthz", GZIP)
    assert "content-encoding" not in headers
    assert len(sent) < SMALLEST


async def test_a_compressed_part_still_says_when_there_is_nothing_new(tower: Tower):
    await at_work(tower)
    first = await tower.client.get("/commands?part=commands", headers=GZIP)
    again = await tower.client.get("/commands?part=commands", headers={**GZIP, "hx-ptag": first.headers["hx-ptag"]})
    assert first.headers["vary"] == "HX-Request, Accept-Encoding"
    assert (again.status_code, again.content) == (304, b"")
    assert "content-encoding" not in again.headers


async def test_a_static_file_is_compressed_once_and_keeps_its_tag(tower: Tower):
    path = asset("vendor/htmx.js")
    headers, sent = await raw(tower, path, GZIP)
    plain_headers, plain = await raw(tower, path, PLAIN)
    assert gzip.decompress(sent) == plain
    assert len(sent) < len(plain) / 2
    assert headers["content-length"] == str(len(sent))
    assert headers["etag"] == plain_headers["etag"]
    assert headers["etag"].startswith("W/")
    assert headers["content-type"] == plain_headers["content-type"]
    assert headers["vary"] == plain_headers["vary"] == "Accept-Encoding"
    assert headers["cache-control"] == plain_headers["cache-control"] == "public, max-age=31536000, immutable"
    for encoding in (GZIP, PLAIN):
        again = await tower.client.get(path, headers={**encoding, "If-None-Match": headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["etag"], again.headers["vary"]) == (headers["etag"], "Accept-Encoding")


async def test_a_piece_of_a_file_is_a_piece_of_what_it_says(tower: Tower):
    answer = await tower.client.get("/static/tokens.css", headers={**GZIP, "Range": "bytes=0-9"})
    assert answer.status_code == 206
    assert "content-encoding" not in answer.headers
    assert answer.content == (await tower.client.get("/static/tokens.css", headers=PLAIN)).content[:10]


async def test_the_live_stream_is_never_compressed_and_says_at_once_what_it_has_to_say(tower: Tower):
    address = tower.client.build_request("GET", "/live?panel=nav+tasks&cells=agent", headers=GZIP)
    cookies = "; ".join(f"{name}={value}" for name, value in tower.client.cookies.items())
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/live", "raw_path": b"/live", "query_string": address.url.query, "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8420),
        "headers": [*((name.lower(), value) for name, value in address.headers.raw), (b"cookie", cookies.encode())],
    }  # fmt: skip
    said: asyncio.Queue[dict] = asyncio.Queue()
    streaming = asyncio.create_task(tower.app(scope, asyncio.Event().wait, said.put))
    try:
        start = await asyncio.wait_for(said.get(), 5)
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        assert headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in headers
        assert b"event: hello" in (await asyncio.wait_for(said.get(), 5))["body"]
        await tower.submit("new", prompt="x" * 5_000)
        assert b"event: nav" in (await asyncio.wait_for(said.get(), 5))["body"]
    finally:
        streaming.cancel()
        await asyncio.gather(streaming, return_exceptions=True)


async def test_a_picture_is_not_packed_a_second_time(tower: Tower):
    await at_work(tower)
    png = b"\x89PNG\r\n\x1a\n" + bytes(8_000)
    sha256 = await tower.artifacts.keep(png)
    left = Artifact(name="shot.png", sha256=sha256, size=len(png))
    await tower.finish("default/load~1", artifacts=[left])
    await tower.folded()
    headers, sent = await raw(tower, f"/runs/default/load~1/artifacts/{sha256}?show=1", GZIP)
    assert "content-encoding" not in headers
    assert sent == png
