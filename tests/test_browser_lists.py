"""Task list, queues and board in a real browser: search, act on many, reorder by keyboard and hand, move a card."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from core.domain import task
from core.domain.spec import TaskSpec
from tests.console.tower import ONE_TRY, Tower, at_work
from tests.real_browser import IN_CHROMIUM, window

pytestmark = IN_CHROMIUM

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


async def clean(page: Page) -> None:
    """axe finds nothing on the page's own sheet."""
    found = await Axe().run(page, context="#main", options=RULES)
    assert found.violations_count == 0, found.generate_report()


async def ids(page: Page, rows: str) -> list[str]:
    found = await page.locator(rows).evaluate_all("rows => rows.map(row => row.id)")
    return [each.partition("/")[2] for each in found]


async def test_many_are_found_by_a_line_and_retried_together(tower: Tower, base: str, browser: Browser):
    await tower.register(agents=1)
    await tower.bring_plan(
        **{f"t{n}": TaskSpec(title=f"Task {n}", lane="B", policy=ONE_TRY) for n in range(3)},
        z=TaskSpec(title="Another", lane="A"),
    )
    for n in range(3):
        await tower.start(f"default/t{n}~1")
        await tower.finish(f"default/t{n}~1", "failed", error_class="exit", error="exit 1", exit_code=1)
    await tower.folded()
    async with window(browser, tower, base) as seen:
        page = await seen.go("/tasks")
        await seen.live()
        await page.keyboard.press("/")
        await page.keyboard.type("state:fai")
        await expect(page.locator("#hints option").first).to_have_attribute("value", "state:failed")
        await page.keyboard.type("led lane:B")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/tasks?q=*")
        await expect(page.locator("#task-rows tr")).to_have_count(3)
        assert await ids(page, "#task-rows tr") == ["t0", "t1", "t2"]
        await page.get_by_label("Select t0").check()
        await page.get_by_label("Select t2").check()
        await expect(page.locator("[data-picked]")).to_have_text("2 selected")
        await tower.submit("news")  # the list is drawn anew; what is ticked stays ticked
        await expect(page.locator(".nav")).to_contain_text("5")
        await expect(page.locator("[data-picked]")).to_have_text("2 selected")
        await page.get_by_role("button", name="Retry…").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Retry 2 of 2 tasks?")
        await clean(page)
        await page.get_by_role("button", name="Retry 2 tasks").click()
        await expect(page.locator("#given")).to_contain_text("2 of 2 ordered")
        await expect(page.locator("#given")).to_contain_text("Done2")
        await page.get_by_role("link", name="Back to the list").click()
        assert seen.complaints == []


async def test_thousands_go_on_batch_by_batch_by_themselves(
    tower: Tower, base: str, browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("console.pages.bulk.BATCH", 2)
    await tower.bring_plan(**{f"t{n}": TaskSpec(title=f"Task {n}") for n in range(5)})
    await tower.folded()
    async with window(browser, tower, base) as seen:
        page = await seen.go("/tasks")
        await page.get_by_label("all 5 that match").check()
        await page.get_by_role("button", name="Pause…").click()
        await page.get_by_role("button", name="Pause 5 tasks").click()
        await expect(page.locator("#given")).to_contain_text("5 of 5 ordered", timeout=15_000)
        assert seen.complaints == []


async def test_a_closer_look_keeps_the_list_where_it_is(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = await seen.go("/tasks")
        await seen.live()
        await page.get_by_label("Select report").check()
        await page.locator("#task-rows").get_by_role("link", name="Write the report").click()
        await expect(page.locator("#peek")).to_contain_text("needs default/load, which is running")
        assert "peek=default%2Freport" in page.url
        await expect(page.get_by_label("Select report")).to_be_checked()
        await clean(page)
        await page.keyboard.press("Escape")
        await page.locator("body").press("Escape")
        await expect(page.locator("#peek aside")).to_have_count(0)
        assert seen.complaints == []


async def test_a_list_with_a_closer_look_beside_it_stays_as_wide_when_something_arrives(
    tower: Tower, base: str, browser: Browser
):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = await seen.go("/tasks?peek=default/report")
        await seen.live()
        rows, peek = page.locator("#task-rows"), page.locator("#peek aside")
        before, beside = await rows.bounding_box(), await peek.bounding_box()
        await rows.locator("tr").first.hover()
        await tower.submit("late", title="Comes later")
        await tower.folded()
        await expect(page.locator("button.arrivals")).to_have_text("1 new")
        assert (await rows.bounding_box(), await peek.bounding_box()) == (before, beside)
        await page.set_viewport_size({"width": 700, "height": 800})
        assert before is not None
        below, first = await rows.bounding_box(), await peek.bounding_box()
        assert below is not None
        assert first is not None
        assert first["y"] + first["height"] <= below["y"]  # on a narrow window one stands above the other
        assert seen.complaints == []


@pytest.mark.parametrize(("path", "rows"), [("/queues?line=A", "#line-A tr"), ("/board", "#cards-ready-all > li[id]")])
async def test_the_line_and_the_board_stand_still_under_the_hand(
    tower: Tower, base: str, browser: Browser, path: str, rows: str
):
    await tower.register(agents=1)
    await tower.bring_plan(**{f"t{n}": TaskSpec(title=f"Task {n}") for n in range(4)})
    await tower.start("default/t0~1")
    await tower.folded()
    async with window(browser, tower, base) as seen:
        page = await seen.go(path)
        await seen.live()
        before = await ids(page, rows)
        await page.locator(rows).nth(1).hover()
        await tower.submit("first", title="Before all others", priority=0)
        await tower.folded()
        await expect(page.locator("button.arrivals").first).to_be_visible()
        assert await ids(page, rows) == before
        await page.locator("h1").hover()
        await expect(page.locator("button.arrivals")).to_have_count(0)
        await expect(page.locator(rows)).to_have_count(len(before) + 1)
        assert await ids(page, rows) == ["first", *before]
        assert seen.complaints == []


async def test_after_an_order_from_what_opens_at_a_button_the_focus_is_on_that_button(
    tower: Tower, base: str, browser: Browser
):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = await seen.go("/queues")
        await page.locator("#slots-A summary").click()
        await page.locator("#slots-A [name=concurrency]").fill("3")
        await page.keyboard.press("Enter")
        await expect(page.locator("#toasts")).to_contain_text("Lane set")
        await expect(page.locator("#slots-A summary")).to_be_focused()
        assert seen.complaints == []


async def test_what_was_ticked_is_still_counted_when_the_reader_comes_back(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = await seen.go("/tasks")
        await page.get_by_label("Select report").check()
        await page.locator("#task-rows a.id", has_text="report").click()
        await page.wait_for_url("**/tasks/default/report*")
        await page.go_back()
        box = page.get_by_label("Select report")
        await expect(page.locator("[data-picked]")).to_have_text(
            "1 selected" if await box.is_checked() else "With those ticked"
        )
        assert seen.complaints == []


async def test_a_stuck_tasks_reason_is_three_clicks_from_now(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    async with window(browser, tower, base) as seen:
        page = seen.page
        await page.locator(".nav").get_by_role("link", name="Queues").click()
        await page.locator("#why-rows tr", has_text="Write the report").locator("td.verdict a").click()
        await expect(page.locator("#why-not")).to_contain_text("needs default/load, which is running")
        await expect(page.locator("#why-not")).to_contain_text("lane B is paused")
        await clean(page)
        assert seen.complaints == []


async def test_the_line_is_reordered_by_keyboard_and_by_hand(tower: Tower, base: str, browser: Browser):
    await tower.bring_plan(**{f"t{n}": TaskSpec(title=f"Task {n}", lane="B") for n in range(4)})
    await tower.folded()
    async with window(browser, tower, base) as seen:
        page = await seen.go("/queues")
        await seen.live()
        rows = page.locator("#line-B tr")
        await page.locator("#line-B").get_by_role("link", name="t2").focus()
        await page.keyboard.press("Alt+ArrowUp")
        await expect(rows.nth(1)).to_have_attribute("data-task", "default/t2")
        await expect(page.locator("#line-B").get_by_role("link", name="t2")).to_be_focused()
        await page.keyboard.press("Alt+ArrowUp")
        await expect(rows.nth(0)).to_have_attribute("data-task", "default/t2")
        await rows.nth(3).drag_to(rows.nth(1), target_position={"x": 300, "y": 4})
        await expect(rows.nth(1)).to_have_attribute("data-task", "default/t3")
        assert await ids(page, "#line-B tr") == ["t2", "t3", "t0", "t1"]
        await clean(page)
        assert seen.complaints == []


async def test_a_card_is_moved_by_hand_and_by_its_menu(tower: Tower, base: str, browser: Browser):
    await at_work(tower)
    await tower.order(task.Pause(task_id="default/odd"))
    await tower.folded()
    async with window(browser, tower, base, viewport={"width": 1600, "height": 900}) as seen:
        page = await seen.go("/board")
        await seen.live()
        await clean(page)
        column = page.locator('.col[data-column="{}"]'.format("ready"))
        await page.locator('[id="card-default/odd"]').drag_to(column)
        await expect(column.locator('[id="card-default/odd"]')).to_have_count(1)
        await page.locator('[id="card-default/report"] summary').click()
        await page.locator('[id="card-default/report"]').get_by_role("button", name="Paused").click()
        await expect(page.locator('.col[data-column="paused"] [id="card-default/report"]')).to_have_count(1)
        await page.goto(f"{base}/board?by=lane")
        await clean(page)
        assert seen.complaints == []


async def test_without_script_lists_are_searched_lines_reordered_and_cards_moved(
    tower: Tower, base: str, browser: Browser
):
    await tower.bring_plan(**{f"t{n}": TaskSpec(title=f"Task {n}", lane="B") for n in range(3)})
    await tower.folded()
    async with window(browser, tower, base, java_script_enabled=False) as seen:
        page = await seen.go("/tasks")
        await page.get_by_label("Search tasks").fill("lane:B task")
        await page.get_by_role("button", name="Search").click()
        await page.get_by_label("Select t1").check()
        await page.get_by_role("button", name="Pause…").click()
        await page.get_by_label("Reason").fill("not today")
        await page.get_by_role("button", name="Pause 1 task").click()
        await expect(page.locator("#given")).to_contain_text("1 of 1 ordered")
        page = await seen.go("/queues")
        await page.get_by_role("button", name="t2: up").click()
        await page.wait_for_url("**/queues?**")
        assert await ids(page, "#line-B tr") == ["t2", "t0"]
        page = await seen.go("/board")
        await page.locator('[id="card-default/t1"] summary').click()
        await page.locator('[id="card-default/t1"]').get_by_role("button", name="Ready").click()
        await page.wait_for_url("**/board?**")
        await expect(page.locator('.col[data-column="ready"] [id="card-default/t1"]')).to_have_count(1)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_on_a_phone_nothing_is_wider_than_the_window_and_axe_finds_nothing(
    tower: Tower, base: str, browser: Browser, theme: str
):
    await at_work(tower)
    how = {"viewport": {"width": 360, "height": 780}, "color_scheme": theme}
    async with window(browser, tower, base, **how) as seen:
        for path in ("/tasks?peek=default/odd", "/tasks?q=stat:x", "/tasks/bulk?do=cancel&all=1", "/queues", "/board",
                     "/board?by=session&at=20", "/queues?task=default/odd"):  # fmt: skip
            page = await seen.go(path)
            wider = await page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, path
            await clean(page)
        unread = [said for said in seen.complaints if "422" not in said]
        assert unread == [], re.sub(r"\s+", " ", str(unread))
