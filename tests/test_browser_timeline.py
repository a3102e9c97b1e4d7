"""Timeline and replay in a real browser: move, zoom, press; play, step, scrub, mark; files come down; axe agrees."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.console.tower import Tower
from tests.real_browser import IN_CHROMIUM, window

pytestmark = IN_CHROMIUM
PAGES = [
    "/timeline", "/timeline?by=task&from=start", "/timeline?view=table", "/timeline?text=none-such", "/replay",
    "/replay/compare?a=3&b=now", "/?at=20", "/timeline?at=20", "/replay?at=20",
]  # fmt: skip
RANGE = re.compile(r"from=([^&]+)&to=([^&]+)")


async def drawn(page: Page) -> None:
    """The canvas has taken over from the server's drawing."""
    await expect(page.locator(".swim canvas")).to_have_count(1)


async def at_fact(page: Page, seq: int, within_s: float = 10) -> None:
    await expect(page.locator(".n-fact")).to_have_text(str(seq), timeout=within_s * 1_000)
    await expect(page.locator("body")).to_have_attribute("data-seq", str(seq))


async def on_a_bar(page: Page) -> None:
    """Rest the pointer on some bar of the drawing."""
    canvas = page.locator(".swim canvas")
    box = await canvas.bounding_box()
    assert box is not None
    for y in json.loads(await page.locator(".swim").get_attribute("data-rows") or ""):
        for share in range(4, 98, 6):
            await page.mouse.move(box["x"] + box["width"] * share / 100, box["y"] + y + 12)
            if await page.locator(".swim-tip").is_visible():
                return
    raise AssertionError("no bar under the pointer anywhere")


async def test_the_timeline_is_dragged_zoomed_and_pointed_at(busy: Tower, base: str, browser: Browser):
    async with window(browser, busy, base) as seen:
        page = await seen.go("/timeline?from=-5m")
        await drawn(page)
        canvas = page.locator(".swim canvas")
        box = await canvas.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + 100
        await page.mouse.move(x, y)
        await page.mouse.down()
        await page.mouse.move(x + 200, y, steps=4)
        await page.mouse.up()
        await page.wait_for_url(RANGE)
        dragged = RANGE.search(page.url)[0]  # type: ignore[index]
        await canvas.press("+")
        await page.wait_for_function("was => !location.search.includes(was)", arg=dragged)
        await page.get_by_role("link", name="Zoom out").click()
        await page.get_by_role("link", name="Zoom out").click()
        await page.get_by_role("link", name="All", exact=True).click()
        await drawn(page)
        await on_a_bar(page)
        await expect(page.locator(".swim-tip")).to_contain_text("default/")
        assert await page.evaluate("() => performance.getEntriesByName('timeline draw').length") == 1
        await page.mouse.down()
        await page.mouse.up()
        await page.wait_for_url("**/runs/default/**")
        assert seen.complaints == []


async def test_a_run_that_ends_ends_on_the_timeline_too(busy: Tower, base: str, browser: Browser):
    async with window(browser, busy, base) as seen:
        page = await seen.go("/timeline?by=task&from=start")
        await seen.live()
        await drawn(page)
        await busy.submit("fresh", title="Came just now", lane="A")
        await busy.folded()
        await expect(page.locator(".swim-names")).to_contain_text("fresh")
        assert seen.complaints == []


async def test_the_table_and_the_filters_work_without_script(busy: Tower, base: str, browser: Browser):
    async with window(browser, busy, base, java_script_enabled=False) as seen:
        page = await seen.go("/timeline?from=start")
        await expect(page.locator(".swim-plot .bar-bad")).to_have_count(1)
        await page.get_by_role("link", name="Zoom in").click()
        assert RANGE.search(page.url)
        await page.get_by_role("link", name="All", exact=True).click()
        await page.get_by_label("State").select_option("failed")
        await page.get_by_role("button", name="Show").click()
        await page.get_by_role("link", name="As a table").click()
        await expect(page.locator("#spans tbody tr")).to_have_count(1)
        await expect(page.locator("#spans")).to_contain_text("exit 1: dull")


async def test_what_is_shown_comes_down_as_files_that_open(busy: Tower, base: str, browser: Browser, tmp_path: Path):
    async with window(browser, busy, base) as seen:
        page = await seen.go("/timeline?from=start")
        for name, opens in (
            ("CSV", lambda file: file.read_bytes().count(b"\r\n") == 4),
            ("JSON lines", lambda file: [json.loads(line)["state"] for line in file.read_text().splitlines()]),
            ("Parquet", lambda file: pq.read_table(file).num_rows == 3),
            ("Perfetto", lambda file: json.loads(file.read_text())["traceEvents"]),
        ):
            await page.locator("summary", has_text="Export").click()
            async with page.expect_download() as coming:
                await page.get_by_role("link", name=name, exact=True).click()
            file = tmp_path / (await coming.value).suggested_filename
            await (await coming.value).save_as(file)
            assert opens(file), name
            await page.keyboard.press("Escape")
            await seen.go("/timeline?from=start")


async def test_the_player_steps_plays_and_stops_without_leaving_the_page(busy: Tower, base: str, browser: Browser):
    last = await busy.folded()
    async with window(browser, busy, base) as seen:
        page = await seen.go("/?at=5")
        await page.evaluate("() => { document.body.dataset.same = 'yes'; }")
        await page.keyboard.press("]")
        await at_fact(page, 6)
        await page.get_by_role("link", name="One fact back").click()
        await at_fact(page, 5)
        await page.keyboard.press("f")
        await expect(page.locator("#main")).to_contain_text("Sharpen the saw")
        assert "at=5" not in page.url
        await seen.go("/?at=5")
        await page.evaluate("() => { document.body.dataset.same = 'yes'; }")
        await page.get_by_label("Speed").select_option("100")
        await page.get_by_role("button", name="Play").click()
        await expect(page.get_by_role("button", name="Pause")).to_be_visible()
        await at_fact(page, last, within_s=40)
        await expect(page.locator(".player-says")).to_have_text("This is the last fact so far.")
        await expect(page.get_by_role("button", name="Play")).to_be_visible()
        await page.keyboard.press("[")
        await at_fact(page, last - 1)
        assert await page.locator("body").get_attribute("data-same") == "yes"
        await page.reload()
        await expect(page.locator(".n-fact")).to_have_text(str(last - 1))
        assert seen.complaints == []


async def test_the_strip_is_scrubbed_by_key_and_a_moment_is_marked(busy: Tower, base: str, browser: Browser):
    async with window(browser, busy, base) as seen:
        page = await seen.go("/agents?at=12")
        scrub = page.get_by_label("Moment", exact=True)
        await scrub.focus()
        await scrub.press("Home")
        await expect(page.locator(".banner")).to_contain_text("fact 0")
        await seen.go("/agents?at=12")
        await page.keyboard.press("b")
        await page.locator("#bookmark").get_by_role("textbox").fill("Before the rush")
        await page.keyboard.press("Enter")
        await expect(page.locator(".toast")).to_contain_text("command")
        assert "/agents" in page.url
        await seen.go("/replay")
        await expect(page.locator("#moments")).to_contain_text("Before the rush")
        await page.locator("#moments li", has_text="Before the rush").get_by_role("link", name="Go there").click()
        await expect(page.locator(".banner")).to_contain_text("fact 12")
        assert seen.complaints == []


async def test_a_timeline_of_the_past_is_drawn_anew_as_the_player_goes_on(busy: Tower, base: str, browser: Browser):
    async with window(browser, busy, base) as seen:
        page = await seen.go("/timeline?from=start&at=14")
        await drawn(page)
        await page.keyboard.press("]")
        await at_fact(page, 15)
        await drawn(page)
        assert seen.complaints == []


async def test_the_strip_is_walked_with_the_arrow_keys(busy: Tower, base: str, browser: Browser):
    async with window(browser, busy, base) as seen:
        page = await seen.go("/?at=8")
        by = page.locator(".scrub-by")
        await by.focus()
        times = [await page.locator(".player-in").get_attribute("data-time")]
        for _ in range(2):
            await page.keyboard.press("ArrowRight")
            await expect(page.locator(".player-in")).not_to_have_attribute("data-time", times[-1] or "")
            await expect(by).to_be_focused()
            times.append(await page.locator(".player-in").get_attribute("data-time"))
        assert seen.complaints == []


async def test_two_moments_are_compared(busy: Tower, base: str, browser: Browser):
    async with window(browser, busy, base) as seen:
        page = await seen.go("/?at=9")
        await page.get_by_role("link", name="Compare with now").click()
        await expect(page.locator("#changes")).to_contain_text("Tasks in another state")
        await page.locator("#changes tbody tr", has_text="Sharpen the saw").get_by_role("link").first.click()
        await expect(page.locator("h1")).to_have_text("Sharpen the saw")
        assert "at=" in page.url
        assert seen.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_and_a_phone_need_not_scroll_sideways(
    busy: Tower, base: str, browser: Browser, scheme: str
):
    wrong = []
    for size in ({"width": 1440, "height": 900}, {"width": 360, "height": 780}):
        async with window(browser, busy, base, viewport=size, color_scheme=scheme) as seen:
            for path in PAGES:
                page = await seen.go(path)
                if path.startswith("/timeline") and "view" not in path and "none" not in path:
                    await drawn(page)
                wider = await page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
                assert wider <= 0, (path, size)
                found = await Axe().run(page)
                wrong += [f"{path} {size}\n{found.generate_report()}"] if found.violations_count else []
            assert seen.complaints == []
    assert wrong == []
