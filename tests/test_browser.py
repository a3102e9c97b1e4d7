"""The pages in a real browser: a plan comes in and is done before the reader's eyes, in both themes, on a phone too."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from core.domain.spec import TaskSpec
from tests.console.tower import ONE_TRY, Tower, at_work
from tests.real_browser import IN_CHROMIUM, serving, window

pytestmark = IN_CHROMIUM
PAGES = [
    "/", "/agents", "/agents/w1/a0", "/queues", "/tasks", "/tasks/new", "/tasks/default/load", "/tasks/default/broken",
    "/runs/default/load~1", "/commands",
]  # fmt: skip


async def test_a_plan_comes_in_and_is_done_before_the_readers_eyes(tower: Tower, base: str, browser: Browser):
    async with window(browser, tower, base) as seen:
        page = seen.page
        await expect(page.locator("#first_checks")).to_contain_text("none has registered yet")
        await seen.live()
        await tower.register(agents=1)
        await expect(page.locator("#first_checks")).to_contain_text("1 agent ready on 1 worker")
        for command in (
            {"type": "plan.begin", "plan_id": "p1", "session_id": "default", "source": "test"},
            {"type": "plan.add", "plan_id": "p1", "tasks": [
                {"task_id": "default/one", "spec": {"title": "Lay the track"}},
                {"task_id": "default/two", "spec": {"title": "Run the train", "depends_on": ["default/one"]}},
            ]},
            {"type": "plan.seal", "plan_id": "p1"},
        ):  # fmt: skip
            assert (await tower.machine.post("/api/commands", json={"command": command})).status_code == 200
        await expect(page.locator("#at_work")).to_contain_text("Lay the track")  # the first page became Now by itself
        await seen.live()
        await tower.start("default/one~1")
        await tower.progress("default/one~1", "bending rails", 60)
        await expect(page.locator("#at_work")).to_contain_text("bending rails")
        await expect(page.locator("#at_work")).to_contain_text("60 %")
        await tower.finish("default/one~1", checks=["gauge"])
        await expect(page.locator("#at_work")).to_contain_text("Run the train")
        await tower.finish("default/two~1")
        await expect(page.locator("#plan .end")).to_have_text("2 of 2")
        await expect(page.locator("#at_work")).to_contain_text("No run is under way")
        assert seen.complaints == []


async def test_cancel_retry_and_pause_by_their_buttons(tower: Tower, base: str, browser: Browser):
    await tower.register(agents=1)
    await tower.bring_plan(
        one=TaskSpec(title="Goes wrong", policy=ONE_TRY), two=TaskSpec(title="Not wanted", lane="B"),
    )  # fmt: skip
    await tower.start("default/one~1")
    await tower.finish("default/one~1", "failed", error_class="exit", error="exit 3", exit_code=3)
    await tower.folded()
    async with window(browser, tower, base) as seen:
        page = await seen.go("/tasks/default/one")
        await seen.live()
        await expect(page.locator("#task")).to_contain_text("exit 3")
        await page.locator("#task_bar").get_by_role("button", name="Retry").click()
        await expect(page.locator(".toast")).to_contain_text("Trying again")
        await expect(page.locator("#task_bar").get_by_role("button", name="Pause")).to_be_visible()

        await seen.go("/tasks/default/two")
        await seen.live()
        await page.locator("summary", has_text="Cancel").click()
        await page.get_by_label("Reason").fill("no longer wanted")
        await page.get_by_role("button", name="Cancel task").click()
        await expect(page.locator(".toast")).to_contain_text("Cancelled")
        await expect(page.locator("#task")).to_contain_text("no longer wanted")

        await seen.go("/queues")
        await seen.live()
        await page.get_by_role("button", name="Pause lane A").click()
        await expect(page.locator("#lane-A")).to_contain_text("What runs goes on, nothing starts")
        await page.get_by_role("button", name="Open lane A").click()
        await expect(page.locator("#lane-A")).not_to_contain_text("nothing starts")
        assert seen.complaints == []


async def test_a_refusal_shows_its_reason(tower: Tower, base: str, browser: Browser):
    await tower.submit("one")
    await tower.folded()
    async with window(browser, tower, base) as seen:
        page = await seen.go("/tasks/default/one")
        await seen.live()
        await page.locator("summary", has_text="Cancel").click()
        tower.hub.publish = lambda _: None  # type: ignore[method-assign]  # this page will not hear of what comes
        await tower.machine.post("/api/commands", json={"command": {"type": "task.cancel", "task_id": "default/one"}})
        await page.get_by_role("button", name="Cancel task").click()
        await expect(page.locator(".toast")).to_contain_text("cannot cancel task default/one: it is cancelled")


async def test_everything_can_be_done_without_script(tower: Tower, base: str, browser: Browser):
    async with window(browser, tower, base, java_script_enabled=False) as seen:
        page = await seen.go("/tasks/new")
        await page.get_by_label("Title").fill("By hand")
        await page.get_by_role("button", name="Submit task").click()
        await expect(page.locator("h1")).to_have_text("By hand")
        await expect(page.locator(".toast")).to_contain_text("command")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("#task")).to_contain_text("Paused")
        await page.get_by_role("button", name="Resume").click()
        await page.locator("summary", has_text="Cancel").click()
        await page.get_by_label("Reason").fill("enough")
        await page.get_by_role("button", name="Cancel task").click()
        await expect(page.locator("#task")).to_contain_text("enough")
        await page.locator(".nav-foot").get_by_role("button", name=re.compile("Theme")).click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "light")


async def test_a_past_moment_stands_still_and_says_so(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    last = await tower.folded()
    async with window(browser, tower, base) as seen:
        page = await seen.go(f"/?at={last}")
        await expect(page.locator(".banner")).to_contain_text(f"fact {last}")
        before = await page.locator("#main").inner_text()
        await tower.submit("later-on")
        await tower.folded()
        await page.wait_for_timeout(600)
        assert await page.locator("#main").inner_text() == before
        assert await page.locator("#main button:not([disabled])").count() == 0
        await page.get_by_role("link", name="One fact back").click()
        await expect(page.locator(".banner")).to_contain_text(f"fact {last - 1}")
        await page.get_by_role("link", name="Back to now").click()
        await expect(page.locator(".banner")).to_have_count(0)
        assert seen.complaints == []


async def test_an_update_leaves_alone_what_the_reader_has_open_or_typed(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = await seen.go("/tasks/default/odd")
        await seen.live()
        await page.locator("summary", has_text="Cancel").click()
        await page.get_by_label("Reason").fill("half a sent")
        await page.locator("#priority").select_option("4")
        await tower.order_and_fold({"type": "task.reprioritise", "task_id": "default/odd", "priority": 3})
        await expect(page.locator("#task")).to_contain_text("P3")
        await expect(page.get_by_label("Reason")).to_be_visible()
        await expect(page.get_by_label("Reason")).to_have_value("half a sent")


async def test_what_a_run_prints_appears_as_it_is_printed(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = await seen.go("/runs/default/load~1")
        await seen.live()
        await expect(page.locator(".log")).to_contain_text("of 100")
        tower.say("default/load~1", "loaded 80\n", offset=26)
        await expect(page.locator(".log")).to_contain_text("loaded 80")
        tower.see("default/load~1", 9, "text", says="Nearly there.")
        await expect(page.locator("#run_seen")).to_contain_text("Nearly there.")
        assert seen.complaints == []


async def test_a_page_whose_stream_breaks_says_so_and_comes_back_without_a_gap(
    tower: Tower, base: str, browser: Browser
):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = await seen.go("/tasks")
        await seen.live()
        tower.hub.stop()
        await expect(page.locator("#lamp")).not_to_have_attribute("data-live", "on", timeout=15_000)
        await tower.submit("meanwhile", title="Came meanwhile")
        await tower.folded()
        tower.hub._stopping = False
        await seen.live()
        await expect(page.locator("#tasks")).to_contain_text("Came meanwhile")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_complains_in_either_theme_nor_is_wider_than_a_phone(
    tower: Tower, base: str, browser: Browser, scheme: str
):
    """No console message, no policy report, nothing asked of another site, no sideways scrolling at 360 px."""
    await at_work(tower)
    last = await tower.folded()
    for size in ({"width": 1440, "height": 900}, {"width": 360, "height": 780}):
        async with window(browser, tower, base, viewport=size, color_scheme=scheme) as seen:
            for path in [*PAGES, f"/?at={last}", f"/queues?at={last}"]:
                page = await seen.go(path)
                wider = await page.evaluate(
                    "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert wider <= 0, (path, size)
                dark = await page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
                assert dark == (scheme == "dark")
            assert seen.complaints == []


async def test_stopping_the_console_ends_open_pages_streams_within_a_second(tower: Tower, browser: Browser):
    async with serving(tower) as address, window(browser, tower, address) as seen:
        await seen.live()
        began = tower.clock.monotonic()
    assert tower.clock.monotonic() - began < 3.0
