"""Cost, Commands and System in a real browser: reprice, prove the log and watch it, filter, rebuild; clean for axe."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from core.domain import lane
from core.domain.words import Usage
from tests.console.tower import Tower, at_work
from tests.real_browser import IN_CHROMIUM, serving, window

pytestmark = IN_CHROMIUM
PAGES = [
    "/cost", "/cost?by=model&as=claude-haiku-4-5", "/cost?by=hour&since=all", "/commands", "/commands?outcome=refused",
    "/commands/8", "/system", "/system/setup",
]  # fmt: skip


@pytest.fixture
async def busy(tmp_path: Path) -> AsyncIterator[Tower]:
    """In the middle of its day, and a dollar by an agent of a model with a price."""
    async with Tower(tmp_path).running() as running:
        await at_work(running)
        await running.register("w9", agents=1, model="claude-sonnet-4-5", capabilities=["dear"])
        await running.submit("dear", needs=["dear"], lane="D", title="Think it over")
        await running.start("default/dear~1", "w9")
        await running.finish("default/dear~1", worker_id="w9", usage=Usage(input_tokens=1_000_000))
        await running.folded()
        yield running


async def test_costs_are_repriced_and_lead_to_their_runs(busy: Tower, browser: Browser):
    async with serving(busy) as base, window(browser, busy, base) as seen:
        page = await seen.go("/cost")
        await expect(page.locator("#cost_now")).to_contain_text("$3.00")
        await page.get_by_role("link", name="Model", exact=True).click()
        row = page.locator("tbody tr", has_text="claude-sonnet-4-5")
        await expect(row).to_contain_text("Estimated")
        await page.get_by_label("Same work by").fill("claude-haiku-4-5")
        await page.get_by_role("button", name="Reprice").click()
        await expect(row).to_contain_text("−$2.00")
        await expect(page.locator(".reprice")).to_contain_text("$1.00 instead of $3.00")
        await row.get_by_role("link", name="$3.00").click()
        await expect(page.locator("#cost_table")).to_contain_text("default/dear~1")
        await page.get_by_role("link", name="default/dear~1").click()
        await page.wait_for_url(f"{base}/runs/default/dear~1")
        assert seen.complaints == []


async def test_the_log_is_proved_from_the_page_with_its_progress(busy: Tower, browser: Browser):
    for n in range(400):
        await busy.door.order(lane.Pause(lane="A") if n % 2 else lane.Resume(lane="A"))
    await busy.folded()
    async with serving(busy) as base, window(browser, busy, base) as seen:
        page = await seen.go("/commands")
        await seen.live()
        proof = page.locator("#proof")
        await expect(proof).to_contain_text("Not proved since this console started")
        await proof.get_by_role("button", name="Prove the log").click()
        await expect(proof).to_contain_text("The log is what its orders make of it", timeout=30_000)
        await expect(proof).to_contain_text("tables folded again, all equal")
        await proof.get_by_role("button", name="Check the chain").click()
        await expect(proof).to_contain_text("The chain holds", timeout=30_000)
        assert seen.complaints == []


async def test_commands_are_filtered_and_one_is_opened(busy: Tower, browser: Browser):
    async with serving(busy) as base, window(browser, busy, base) as seen:
        page = await seen.go("/commands")
        await page.get_by_label("Order", exact=True).select_option("lane.pause")
        await page.get_by_label("Outcome").select_option("already_so")
        await page.get_by_role("button", name="Search").click()
        await expect(page).to_have_url(re.compile("type=lane.pause&outcome=already_so"))
        rows = page.locator("#commands tbody tr")
        await expect(rows).to_have_count(1)
        await rows.locator("a").first.click()
        await expect(page.locator("h1")).to_contain_text("Command")
        await expect(page.locator("#command")).to_contain_text('"lane": "B"')
        fact = page.locator(".facts-of summary").first
        await fact.click()
        await expect(page.locator(".facts-of pre").first).to_be_visible()
        await page.go_back()
        await expect(rows).to_have_count(1)
        assert seen.complaints == []


async def test_the_read_model_is_rebuilt_and_the_page_shows_that_it_follows_again(busy: Tower, browser: Browser):
    async with serving(busy) as base, window(browser, busy, base) as seen:
        page = await seen.go("/system")
        await expect(page.locator("#model_state")).to_contain_text("Follows")
        await page.locator("summary", has_text="Rebuild").click()
        await page.get_by_role("button", name="Rebuild the read model").click()
        await expect(page.locator("#model_state")).to_contain_text("Follows", timeout=20_000)
        await seen.go("/cost")
        await expect(page.locator("#cost_now")).to_contain_text("$3.00")


async def test_all_of_it_works_without_script(busy: Tower, browser: Browser):
    async with serving(busy) as base, window(browser, busy, base, java_script_enabled=False) as seen:
        page = await seen.go("/commands")
        await page.get_by_role("button", name="Check the chain").click()
        for _ in range(50):
            if "The chain holds" in await page.locator("#proof").inner_text():
                break
            await page.reload()
        await expect(page.locator("#proof")).to_contain_text("The chain holds")
        await seen.go("/cost?by=model")
        await page.get_by_label("Same work by").fill("claude-haiku-4-5")
        await page.get_by_role("button", name="Reprice").click()
        await expect(page.locator("#cost_table")).to_contain_text("−$2.00")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_and_a_phone_need_not_scroll_sideways(busy: Tower, browser: Browser, scheme: str):
    last, wrong = await busy.folded(), []
    for size in ({"width": 1440, "height": 900}, {"width": 360, "height": 780}):
        how = {"viewport": size, "color_scheme": scheme}
        async with serving(busy) as base, window(browser, busy, base, **how) as seen:
            for path in [*PAGES, f"/cost?at={last}", f"/system?at={last}"]:
                page = await seen.go(path)
                wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wider <= 0, (path, size)
                found = await Axe().run(page)
                wrong += [f"{path} {size}\n{found.generate_report()}"] if found.violations_count else []
            assert seen.complaints == []
    assert wrong == []
