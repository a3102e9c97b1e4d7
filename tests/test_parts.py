"""A live part is, byte for byte, inside the page: there is one template for both, and no twin in the browser."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.console.tower import Tower

PAGES = [
    "/", "/agents", "/agents/w1/a0", "/queues", "/tasks", "/tasks?state=failed", "/tasks/default/load",
    "/runs/default/load~1", "/commands", "/commands/8", "/cost", "/cost?by=run", "/system", "/system/setup",
    "/timeline?view=table", "/replay", "/replay/compare?a=3&b=now", "/board", "/board?by=lane",
    "/tasks?peek=default/report", "/queues?task=default/report",
]  # fmt: skip

TIMES = re.compile(r'<time datetime="[^"]*"[^>]*>[^<]*</time>|\d+\u00a0m?s\b')


def still(html: str) -> str:
    """The text with its ages taken out: two requests may lie in two seconds."""
    return TIMES.sub("<time>", html)


@pytest.mark.parametrize("path", PAGES)
async def test_the_live_part_is_byte_for_byte_inside_the_page(busy: Tower, path: str):
    page = (await busy.client.get(path)).text
    sources = [unescape(source) for source in re.findall(r'hx-get="([^"]+part=[^"]+)"', page)]
    assert len(sources) >= 2  # the navigation and at least one panel of the page's own
    for source in sources:
        answer = await busy.client.get(source, headers={"HX-Request": "true"})
        assert answer.status_code == 200
        # three say something only when something is the matter, the fourth when something was printed
        assert answer.text or re.search(r"part=(model|halted|task_why|agent_output)$", source)
        for _ in range(5):  # a run's line grows with the time, so the two must be drawn in one second
            if still(answer.text) in still(page):
                break
            page = (await busy.client.get(path)).text
            answer = await busy.client.get(source, headers={"HX-Request": "true"})
        assert still(answer.text) in still(page), source


@pytest.mark.parametrize("path", PAGES)
async def test_every_panel_is_told_by_the_stream_and_redrawn_on_a_reset(busy: Tower, path: str):
    page = (await busy.client.get(path)).text
    stream = unescape(re.findall(r'hx-sse:connect="([^"]+)"', page)[0])
    for name, trigger in re.findall(r'<div id="(\w+)"[^>]*hx-get="[^"]+" hx-trigger="([^"]+)"', page):
        assert "reset from:#live" in trigger
        pushed = f"cells={name}" in stream
        assert pushed or f"{name} from:#live" in trigger
        assert pushed or f"panel={name}+" in stream or name == "model"  # no commit tells that none comes


async def test_a_part_that_did_not_change_is_not_sent_again(busy: Tower):
    first = await busy.client.get("/?part=plan", headers={"HX-Request": "true"})
    again = await busy.client.get("/?part=plan", headers={"HX-Request": "true", "HX-PTag": first.headers["hx-ptag"]})
    assert again.status_code == 304
    assert again.content == b""
    page = (await busy.client.get("/")).text
    assert f'hx-ptag="{first.headers["hx-ptag"]}"' in page


async def test_a_part_the_page_does_not_have_is_not_found(busy: Tower):
    assert (await busy.client.get("/?part=fleet2", headers={"HX-Request": "true"})).status_code == 404


async def test_a_hundred_open_pages_of_one_moment_ask_the_read_model_once(busy: Tower, monkeypatch: pytest.MonkeyPatch):
    asked = []
    query = busy.read_model.query
    monkeypatch.setattr(busy.read_model, "query", lambda ask, *args: asked.append(ask.__name__) or query(ask, *args))
    for _ in range(100):
        await busy.client.get("/?part=plan", headers={"HX-Request": "true"})
    assert asked.count("counts") <= 2
