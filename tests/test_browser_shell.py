"""The shell in a real browser: find or do, keys, halt, rows, arrivals; Now and Agents by their main acts."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from core.domain.spec import TaskSpec
from tests.console.tower import ONE_TRY, Tower, at_work
from tests.real_browser import IN_CHROMIUM, window

pytestmark = IN_CHROMIUM
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}}


async def clean(page: Page, where: str) -> None:
    found = await Axe().run(page, options=RULES)
    told = [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found.response["violations"]]
    assert told == [], (where, told)


async def test_whatever_is_wanted_is_found_and_done_from_the_keyboard(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = seen.page
        await seen.live()
        await page.locator("#main").focus()
        await page.keyboard.press("Control+k")
        await expect(page.locator("#palette-text")).to_be_focused()
        await page.keyboard.type("load the")
        await expect(page.locator(".hit[aria-current]")).to_contain_text("Load the rows")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{base}/tasks/default/load")

        await page.keyboard.press("Control+k")
        await page.keyboard.type("pause lane")
        await expect(page.locator(".hit[aria-current]")).to_contain_text("Pause lane A")
        await page.keyboard.press("ArrowDown")
        await expect(page.locator(".hit[aria-current]")).to_contain_text("Pause lane C")
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("Enter")
        await expect(page.locator(".toast")).to_contain_text("Lane paused")

        await page.keyboard.press("Control+k")
        await page.keyboard.type("nothing is called so")
        await expect(page.locator("#palette-found")).to_contain_text("Nothing is called that")
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog[open]")).to_have_count(0)
        assert seen.complaints == []


async def test_every_key_does_what_the_list_of_keys_says(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    last = await tower.folded()
    async with window(browser, tower, base) as seen:
        page = seen.page
        for key, path in (("a", "/agents"), ("q", "/queues"), ("r", "/tasks"), ("u", "/commands"), ("n", "/")):
            await page.keyboard.press("g")
            await page.keyboard.press(key)
            await page.wait_for_url(f"{base}{path}")
        await page.keyboard.press("?")
        await expect(page.locator("dialog#keys")).to_contain_text("halt the fleet, after a typed word")
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog[open]")).to_have_count(0)

        await seen.go("/agents")
        await seen.live()
        await page.keyboard.press("j")
        await expect(page.locator("tr:has(:focus)")).to_have_id("agent-shells/a0")
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        await page.keyboard.press("x")
        await expect(page.get_by_label("Pick a1")).to_be_checked()
        await page.keyboard.press("k")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{base}/agents/w1/a0")

        await seen.live()
        await page.keyboard.press(".")
        await expect(page.locator("#lamp")).to_contain_text("Held since")
        await page.keyboard.press(".")
        await seen.live()
        await page.keyboard.press("[")
        await page.wait_for_url(f"**/agents/w1/a0?at={last - 1}")
        await expect(page.locator(".banner").first).to_contain_text(f"fact {last - 1}")
        await page.keyboard.press("]")
        await page.wait_for_url(f"**/agents/w1/a0?at={last}")
        await page.keyboard.press("]")
        await page.wait_for_url(f"{base}/agents/w1/a0")
        await page.keyboard.press("/")
        await expect(page.locator("#palette-text")).to_be_focused()
        assert seen.complaints == []


async def test_the_fleet_is_halted_after_the_word_and_released_again(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = seen.page
        await seen.live()
        await page.keyboard.press("!")
        halt = page.locator("dialog#halt")
        await expect(halt).to_contain_text("1 run is under way")
        await halt.get_by_role("button", name="Halt 1 run").click()
        await expect(halt).to_be_visible()  # the word is missing
        await halt.get_by_label("Reason").fill("smoke in the yard")
        await page.locator("#halt-word").fill("halt fleet")
        await page.keyboard.press("Enter")
        await expect(page.locator(".banner.halted")).to_contain_text("by operator: smoke in the yard")
        await seen.go("/queues")
        await seen.live()
        await page.locator(".banner.halted").get_by_role("button", name="Release").click()
        await expect(page.locator(".banner.halted")).to_have_count(0)
        assert seen.complaints == []


async def test_without_script_the_fleet_is_found_and_halted_all_the_same(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    async with window(browser, tower, base, java_script_enabled=False) as seen:
        page = seen.page
        await page.get_by_role("link", name="Find or do").click()
        await page.locator("#palette-text").fill("saw")
        await page.keyboard.press("Enter")
        await expect(page.locator("#palette-found")).to_contain_text("Sharpen the saw")
        await page.get_by_role("link", name="Halt fleet").click()
        await page.locator("#main").get_by_role("button", name="Halt the fleet").click()
        await expect(page).to_have_url(f"{base}/halt")  # the browser itself asks for the word
        await page.locator("#halt-word").fill("halt fleet")
        await page.locator("#main").get_by_role("button", name="Halt the fleet").click()
        await expect(page.locator(".banner.halted")).to_contain_text("The fleet is halted")


async def test_now_ranks_what_is_broken_and_the_tab_says_how_much(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = seen.page
        await seen.live()
        await expect(page.locator("#broken")).to_contain_text("Sharpen the saw")
        await expect(page.locator("#waits")).to_contain_text("no agent offers quantum")
        await expect(page).to_have_title(re.compile(r"^\(2\) Now"))
        assert "icon-broken" in str(await page.locator("link[rel=icon]").get_attribute("href"))
        await page.locator("#broken").get_by_role("button", name="Retry").click()
        await expect(page.locator(".toast")).to_contain_text("Trying again")
        await expect(page.locator("#broken")).to_have_count(0)
        await expect(page).to_have_title(re.compile(r"^\(1\) Now"))
        assert "icon-asks" in str(await page.locator("link[rel=icon]").get_attribute("href"))
        await tower.order_and_fold({"type": "task.cancel", "task_id": "default/odd"})
        await expect(page.locator("#needs")).to_contain_text("All calm")
        assert seen.complaints == []


async def test_what_arrives_waits_while_the_hand_is_in_the_list(tower: Tower, base: str, browser: Browser):
    await tower.register(agents=3)
    await tower.bring_plan(one=TaskSpec(title="First of all"))
    await tower.start("default/one~1")
    await tower.folded()
    async with window(browser, tower, base) as seen:
        page = seen.page
        await seen.live()
        row = page.locator("#at-work tr")
        await row.first.hover()
        await tower.progress("default/one~1", "half way", 50)
        await expect(row.first).to_contain_text("50 %")  # what is there goes on telling
        await tower.submit("two", title="Comes later")
        await tower.folded()
        await expect(page.locator("button.arrivals", has_text="1 new").last).to_be_visible()
        await expect(row).to_have_count(1)
        await page.locator("h1").hover()
        await expect(row).to_have_count(2)
        await expect(page.locator("#at_work + button.arrivals, button.arrivals + #at_work")).to_have_count(0)
        assert seen.complaints == []


async def test_the_focus_stays_where_it_is_while_its_row_is_drawn_anew(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = seen.page
        await seen.live()
        row = page.locator('[id="at-default/load~1"]')
        await row.get_by_role("link").first.focus()
        await tower.progress("default/load~1", "counting on", 70)
        await expect(row).to_contain_text("70 %")
        await expect(row.get_by_role("link").first).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(row.get_by_role("link").first).not_to_be_focused()


async def test_no_page_of_the_shell_is_wider_than_a_phone_or_a_window_at_twice_the_size(
    tower: Tower,
    base: str,
    browser: Browser,
):
    await at_work(tower)
    await tower.order_and_fold({"type": "core.halt", "gently": True, "reason": "a reason as long as one may be" * 4})
    for width, height in ((360, 780), (720, 450)):
        async with window(browser, tower, base, viewport={"width": width, "height": height}) as seen:
            for path in ("/", "/#nav", "/agents", "/agents/w1/a1", "/agents/compare?a=w1/a0&b=w1/a1",
                         "/agents/all?do=stop", "/agents/add", "/palette?q=load", "/keys", "/halt"):  # fmt: skip
                page = await seen.go(path)
                wider = await page.evaluate(
                    "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert wider <= 0, (path, width)
            await page.keyboard.press("Control+k")
            await expect(page.locator("dialog#palette")).to_be_in_viewport(ratio=1)


async def test_agents_are_paused_stopped_messaged_and_compared(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = await seen.go("/agents")
        await seen.live()
        await page.get_by_role("button", name="Pause a2").click()
        await expect(page.locator("tr", has_text="a2")).to_contain_text("Paused")
        await page.get_by_role("button", name="Resume a2").click()
        await expect(page.locator("tr", has_text="a2")).to_contain_text("Idle")
        await page.get_by_label("Pick a1").check()
        await page.get_by_label("Pick a2").check()
        await page.get_by_role("button", name="Compare two").click()
        await expect(page.locator(".compared")).to_contain_text("Load the rows")

        await seen.go("/agents/w1/a1")
        await seen.live()
        await expect(page.locator("#agent_output")).to_contain_text("loaded 40")
        await page.locator("summary", has_text="Message").click()
        await page.get_by_label("What to say to a1").fill("Mind the gap")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator(".toast")).to_contain_text("Message sent")
        await page.locator("summary", has_text="Stop").click()
        await page.get_by_label("Reason").fill("it wanders")
        await page.get_by_role("button", name="Stop agent").click()
        await expect(page.locator("#agent")).to_contain_text("being interrupted")

        await seen.go("/agents/all?do=stop")
        await expect(page.locator("h1")).to_have_text("Stop 3 of 4 agents?")
        await page.get_by_role("button", name="Stop 3 agents").click()
        await page.wait_for_url(f"{base}/agents*")
        await expect(page.locator("#roster .chip", has_text="Paused")).to_contain_text("3")
        assert seen.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nobody_is_shut_out(tower: Tower, base: str, browser: Browser, scheme: str):
    """axe, WCAG 2.2 AA and best practice: every page of the shell, its dialogs open, the past, a halted fleet."""
    await at_work(tower)
    last = await tower.folded()
    how = {"color_scheme": scheme, "reduced_motion": "reduce", "viewport": {"width": 1440, "height": 900}}
    async with window(browser, tower, base, **how) as seen:
        page = seen.page
        for path in ("/", "/agents", "/agents/w1/a0", "/agents/compare?a=w1/a0&b=w1/a1", "/agents/all?do=stop",
                     "/agents/add", "/palette?q=load", "/keys", "/halt", f"/?at={last}"):  # fmt: skip
            await seen.go(path)
            await clean(page, path)
        await seen.go("/")
        for key in ("Control+k", "?", "!"):
            await page.keyboard.press(key)
            await expect(page.locator("dialog[open]")).to_be_visible()
            await clean(page, key)
            await page.keyboard.press("Escape")
            await expect(page.locator("dialog[open]")).to_have_count(0)
        await tower.order_and_fold({"type": "core.halt", "reason": "smoke"})
        await seen.go("/")
        await clean(page, "halted")


async def test_the_first_page_plays_a_tape_when_an_agent_can(tower: Tower, base: str, browser: Browser):
    async with window(browser, tower, base) as seen:
        page = seen.page
        await seen.live()
        await expect(page.locator("#first_routes")).to_contain_text("needs a worker")
        await tower.register(agents=1, adapter="tape", pool="tape")
        await page.get_by_role("button", name="Play it").click()
        await expect(page.locator("#at_work")).to_contain_text("Play the sample tape")
        assert seen.complaints == []


async def test_what_needs_a_person_is_in_the_title_and_the_tab_s_picture_without_the_page_s_asking(
    tower: Tower, base: str, browser: Browser
):
    await tower.register(agents=1)
    async with window(browser, tower, base) as seen:
        page = await seen.go("/templates")
        await seen.live()
        asked: list[str] = []
        page.on("request", lambda each: asked.append(each.url))
        await tower.submit("load", policy=ONE_TRY)
        await tower.start("default/load~1")
        await tower.finish("default/load~1", "failed")
        await expect(page).to_have_title(re.compile(r"^\(1\) "), timeout=10_000)
        await expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("icon-broken"))
        await expect(page.locator("#nav .n[data-state=failed]")).to_have_text("1")
        await expect(page.locator("#nav a[aria-current=page]")).to_have_text(re.compile("Templates"))
        assert not [url for url in asked if "part=nav" in url]
        assert seen.complaints == []
