"""What stands beside a page while facts come by the hundred: some seconds old, and counted again for the next page."""

from __future__ import annotations

import re

import msgspec
import pytest

from console import sides
from console.alarms import alarms
from console.look import now_of
from tests.console.tower import Tower


@pytest.fixture(autouse=True)
def busy_log(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sides, "BUSY", 0)


async def tasks_beside(tower: Tower, path: str = "/cost") -> int:
    page = (await tower.client.get(path)).text
    nav = page[page.index('id="nav"') :]
    return int(re.findall(r'href="/tasks"[^>]*>.*?<span class="n"[^>]*>([0-9,]+)', nav, re.DOTALL)[0].replace(",", ""))


async def one_more_than_counted(tower: Tower) -> tuple[int, int]:
    """How many tasks were counted before another came, and the last fact that is folded now."""
    await tower.submit("one")
    await tower.folded()
    counted = await tasks_beside(tower)
    await tower.submit("two")
    return counted, await tower.folded()


async def test_a_page_does_not_wait_for_a_count_of_this_very_moment(tower: Tower, monkeypatch: pytest.MonkeyPatch):
    first, _ = await one_more_than_counted(tower)
    assert await tasks_beside(tower) == first
    monkeypatch.setattr(sides, "KEPT_US", 0)  # as if a second had gone
    assert await tasks_beside(tower) == first
    counting = tower.app.state.desk.beside.counting
    assert counting is not None
    await counting
    assert await tasks_beside(tower) == first + 1


async def test_who_ordered_something_is_shown_what_came_of_it(tower: Tower):
    first, seq = await one_more_than_counted(tower)
    assert await tasks_beside(tower, f"/cost?seen={seq}") == first + 1


async def test_what_is_too_old_is_counted_before_the_page_is_drawn(tower: Tower, monkeypatch: pytest.MonkeyPatch):
    first, _ = await one_more_than_counted(tower)
    monkeypatch.setattr(sides, "MOST_US", 0)
    assert await tasks_beside(tower) == first + 1


async def test_what_is_known_of_now_is_not_told_of_the_same_moment_as_past(tower: Tower):
    await tower.register(agents=1)
    for name in ("one", "two"):
        await tower.submit(name)
    seq = await tower.folded()
    look = now_of(tower.app.state.desk, "/")
    live = await alarms(tower.app.state.desk, look, [])  # as if all agents had left in the facts that come next
    assert [each.kind for each in live.waiting] == ["no_agent"]
    past = msgspec.structs.replace(look, at=msgspec.structs.replace(look.at, live=False))
    assert past.at.events_seq == seq
    assert (await alarms(tower.app.state.desk, past)).waiting == []
