"""A new operator's hands in a real browser: keys where nothing has the focus, one button for all lanes, the way in."""

from __future__ import annotations

import re

from playwright.async_api import Browser, expect

from tests.console.tower import Tower
from tests.real_browser import IN_CHROMIUM, window

pytestmark = IN_CHROMIUM


async def test_the_timelines_keys_work_before_anything_is_pressed(busy: Tower, base: str, browser: Browser):
    async with window(browser, busy, base) as seen:
        page = await seen.go("/timeline?from=-5m")
        await expect(page.locator(".swim canvas")).to_have_count(1)
        await page.keyboard.press("+")
        await page.wait_for_url(re.compile(r"from=[^&]+&to="))
        zoomed = page.url
        await page.keyboard.press("ArrowLeft")
        await page.wait_for_url(lambda url: url != zoomed)
        assert seen.complaints == []


async def test_sessions_are_walked_and_opened_by_keys(busy: Tower, base: str, browser: Browser):
    async with window(browser, busy, base) as seen:
        page = await seen.go("/sessions")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/sessions/default")
        page = await seen.go("/cost?since=all")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/cost?*session=default*")
        assert seen.complaints == []


async def test_all_lanes_are_paused_after_saying_why_and_opened_again(busy: Tower, base: str, browser: Browser):
    async with window(browser, busy, base) as seen:
        page = await seen.go("/queues")
        await page.get_by_text("Pause 3 lanes…").click()
        await page.locator("#pause-all [name=reason]").fill("a release")
        await page.get_by_role("button", name="Pause 3 lanes").click()
        await expect(page.locator("#lanes")).to_contain_text("Paused by operator: a release")
        await expect(page.locator("#toasts")).to_contain_text("and 2 more like it")
        await page.get_by_role("button", name="Open all 4 lanes").click()
        await expect(page.locator("#lanes")).to_contain_text("Pause all 4 lanes…")
        assert seen.complaints == []


async def test_now_turns_from_the_steps_into_the_fleet_when_an_agent_comes(tower: Tower, base: str, browser: Browser):
    await tower.submit("first")
    await tower.folded()
    async with window(browser, tower, base) as seen:
        page = await seen.go("/")
        await expect(page.locator("#setup")).to_contain_text("No agent is connected.")
        await seen.live()
        await tower.register(agents=1)
        await expect(page.locator("#fleet")).to_contain_text("1 at work", timeout=15_000)
        assert seen.complaints == []
