"""A run in a real browser: its output arrives while it is watched, is searched; a diff is opened, an artifact taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from core.domain.words import Artifact
from tests.console.tower import Tower
from tests.real_browser import IN_CHROMIUM, serving, window
from workers.adapters.pretend import picture

pytestmark = IN_CHROMIUM
RUN = "default/load~1"
SAID = len("\x1b[32mloaded 40\x1b[0m\nof 100\n")  # what the tower's run has printed
DIFF = "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n"
PAINTS = (  # what a terminal would obey and a page must not
    "\x1b]0;owned\x07\x1b[2J<script>document.title='owned'</script>"
    "<img src=x onerror=\"document.title='owned'\">\u202e\n"
)


async def test_output_is_followed_searched_and_a_diff_and_an_artifact_are_opened(busy: Tower, browser: Browser):
    async with serving(busy) as base, window(browser, busy, base) as seen:
        page = await seen.go(f"/runs/{RUN}")
        await seen.live()
        log = page.locator("#output .log")
        await log.evaluate("log => log.mark = 'mine'")

        asked: list[str] = []
        page.on("request", lambda request: "part=run_" in request.url and asked.append(request.url))
        text = "".join(f"row {n}\n" for n in range(3, 400))
        busy.say(RUN, text, offset=SAID)
        await expect(log.locator("li")).to_have_count(399)
        assert await log.evaluate("log => log.mark") == "mine"  # lines were added, the list was not drawn anew
        assert [url for url in asked if "part=run_output" in url] == []
        at_end = "log => log.scrollHeight - log.scrollTop - log.clientHeight < 40"
        assert await log.evaluate(at_end)  # it is followed
        await log.evaluate("log => log.scrollTop = 0")
        await expect(page.locator(".follow")).to_have_text("Follow")
        busy.say(RUN, "the last line", offset=SAID + len(text))
        await expect(log.locator("li")).to_have_count(400)
        assert await log.evaluate("log => log.scrollTop") == 0  # whoever reads further up stays there
        await page.locator(".follow").click()
        assert await log.evaluate(at_end)

        rest = "".join(f"\nmore {n}" for n in range(2_500))
        busy.say(RUN, rest, offset=SAID + len(text) + len("the last line"))
        await expect(log.locator("li").last).to_contain_text("more 2499")
        await expect(log.locator("li")).to_have_count(2_000)  # however long it is followed

        await page.get_by_label("Search the output").fill("ROW 39")
        await page.keyboard.press("Enter")
        await expect(page.locator(".found")).to_contain_text("11 places in 11 lines")
        await page.get_by_role("link", name="Show only them").click()
        await expect(log.locator("li")).to_have_count(11)

        busy.see(RUN, 5, "file", name="src/x.py", says="changed", diff=DIFF, added=1, removed=1)
        await page.goto(f"{base}/runs/{RUN}")
        await page.get_by_role("link", name="x.py").click()
        await expect(page.locator(".diff tr.add")).to_contain_text("new")

        kept = await busy.artifacts.keep(b"# What I did\n\n<script>document.title='owned'</script>\n")
        report = Artifact(name="report.md", sha256=kept, size=50, media_type="text/markdown")
        painted = await busy.artifacts.keep(picture([1, 5, 3]))
        bars = Artifact(name="bars.png", sha256=painted, size=90, media_type="image/png")
        await busy.finish(RUN, checks=["pytest"], artifacts=[report, bars])
        await page.get_by_role("link", name="Artifacts 2").click()
        await expect(page.locator(".prose")).to_contain_text("What I did")
        async with page.expect_download() as taken:
            await page.get_by_role("link", name="Download").click()
        download = await taken.value
        assert download.suggested_filename == "report.md"
        assert Path(await download.path()).read_bytes().startswith(b"# What I did")
        assert "owned" not in await page.title()
        await page.get_by_role("link", name="bars.png").click()
        wide = "async (img) => { await img.decode(); return img.naturalWidth; }"
        assert await page.locator("img.painted").evaluate(wide) == 24
        assert seen.complaints == []


RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_tab_complains_nor_is_wider_than_a_phone(busy: Tower, browser: Browser, scheme: str):
    """axe finds nothing on any tab, in either theme; at 360 px nothing is wider than the window."""
    busy.see(RUN, 5, "file", name="src/x.py", says="changed", diff=DIFF, added=1, removed=1)
    kept = await busy.artifacts.keep(b"# What I did\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    report = Artifact(name="report.md", sha256=kept, size=50, media_type="text/markdown")
    await busy.finish(RUN, "failed", artifacts=[report], error_class="exit", error="exit 1")
    await busy.folded()
    phone = {"viewport": {"width": 360, "height": 780}, "color_scheme": scheme}
    async with serving(busy) as base, window(browser, busy, base, **phone) as seen:
        for tab in ("", "output&find=of", "calls", "files", "artifacts", "cost", "compare"):
            page = await seen.go(f"/runs/{RUN}?tab={tab}")
            found = await Axe().run(page, context="#main", options=RULES)
            assert found.violations_count == 0, f"{tab}: {found.generate_report()}"
            assert await page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0, tab
        assert seen.complaints == []


async def test_hostile_output_paints_nothing(busy: Tower, browser: Browser):
    async with serving(busy) as base, window(browser, busy, base) as seen:
        page = await seen.go(f"/runs/{RUN}?tab=output")
        await seen.live()
        busy.say(RUN, PAINTS, offset=SAID)
        log = page.locator("#output .log")
        await expect(log).to_contain_text("⟨ESC⟩]0;owned⟨BEL⟩⟨ESC⟩[2J<script>")
        await expect(log).to_contain_text("⟨U+202E⟩")
        assert await log.locator("script, img").count() == 0
        assert "owned" not in await page.title()
        assert seen.complaints == []


async def test_a_run_is_read_searched_and_steered_without_script(busy: Tower, browser: Browser):
    async with serving(busy) as base, window(browser, busy, base, java_script_enabled=False) as seen:
        page = await seen.go(f"/runs/{RUN}")
        await expect(page.locator("#output .log")).to_contain_text("of 100")
        await page.get_by_label("Search the output").fill("loaded")
        await page.keyboard.press("Enter")
        await expect(page.locator("#output mark")).to_have_text("loaded")
        await page.get_by_role("link", name="Tool calls 2").click()
        await page.locator("summary", has_text="psql -f load.sql").click()
        await expect(page.locator("#run_calls .exchange").first).to_contain_text("Called with")
        await page.goto(f"{base}/runs/{RUN}")
        await page.locator("#message-it summary").click()
        await page.get_by_label("To a1").fill("Mind the tests")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("#toasts")).to_contain_text("Message sent")
        await expect(page.locator("#run_facts")).to_contain_text("to w1/a1: Mind the tests")
        await page.get_by_role("button", name="Hold").click()
        await expect(page.locator("#run_line")).to_contain_text("Held")
        await page.get_by_role("button", name="Continue").click()
        await expect(page.locator("#run_line")).to_contain_text("Running")
