"""A task and a session in a real browser: graph, needs, two who edit, a fork; open to closed; clean for axe."""

from __future__ import annotations

import random
import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from core.domain import plan, task
from core.domain.spec import TaskSpec
from tests.console.tower import Tower
from tests.real_browser import IN_CHROMIUM, serving, window

pytestmark = IN_CHROMIUM
PROMPT = "Take a **list** of postings.\n\n- one\n- two\n\n| case | answer |\n|---|---|\n| empty | `422` |\n"
PAGES = [
    "/tasks/default/load", "/tasks/default/broken", "/tasks/default/t-150?depth=all", "/tasks/default/load/edit",
    "/tasks/new", "/tasks/new?from=default/t-1", "/sessions", "/sessions/default",
]  # fmt: skip
BOXES = "all => all.map(each => each.getBoundingClientRect()).map(box => [box.x, box.y, box.width, box.height])"


async def bring_three_hundred(tower: Tower) -> None:
    """A plan of 300 tasks that all hang together."""
    chance = random.Random(7)
    planned = []
    for number in range(300):
        needs = (
            {f"default/t-{chance.randrange(max(0, number - 50), number)}" for _ in range(chance.choice((1, 1, 2)))}
            if number
            else set()
        )
        title = f"Post {chance.choice(('entries', 'balances', 'very long names of statements'))} {number}"
        spec = TaskSpec(title=title, depends_on=sorted(needs), prompt=PROMPT, labels=["journal"], files=["src/a.py"])
        planned.append(plan.Planned(task_id=f"default/t-{number}", spec=spec))
    for order in (
        plan.Begin(plan_id="big", session_id="default"),
        *(plan.Add(plan_id="big", tasks=planned[at : at + 150]) for at in (0, 150)),
        plan.Seal(plan_id="big"),
    ):
        assert (await tower.order(order)).outcome == "done"
    await tower.folded()


async def test_the_graph_of_three_hundred_tasks_can_be_read_and_follows_their_states(busy: Tower, browser: Browser):
    await bring_three_hundred(busy)
    async with serving(busy) as base, window(browser, busy, base) as seen:
        page = await seen.go("/tasks/default/t-150?depth=all")
        boxes = await page.locator("#reach-box .node rect").evaluate_all(BOXES)
        assert len(boxes) == 300
        for number, (x, y, width, height) in enumerate(boxes):
            assert width >= 150
            assert height >= 40
            for x2, y2, width2, height2 in boxes[number + 1 :]:
                assert x + width <= x2 or x2 + width2 <= x or y + height <= y2 or y2 + height2 <= y
        # its own task stands in the middle of the box, and the page itself does not scroll sideways
        mine, frame = page.locator("#reach-box .node.me"), page.locator("#reach-box")
        me, around = await mine.bounding_box(), await frame.bounding_box()
        assert me is not None
        assert around is not None
        assert around["x"] < me["x"]
        assert me["x"] + me["width"] < around["x"] + around["width"]
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

        await seen.live()
        await busy.order(task.Cancel(task_id="default/t-150"))
        await expect(mine).to_have_attribute("data-state", "cancelled", timeout=10_000)
        first = page.locator("#reach-box .node", has_text="t-0 ·")
        await first.click()
        await expect(page).to_have_url(re.compile(r"/tasks/default/t-0\?depth=all"))
        assert seen.complaints == []


async def test_a_need_is_added_and_taken_away_and_a_circle_is_refused_by_name(busy: Tower, browser: Browser):
    async with serving(busy) as base, window(browser, busy, base) as seen:
        page = await seen.go("/tasks/default/odd")
        await seen.live()
        await page.get_by_label("One more task it must wait for").fill("default/report")
        await page.get_by_role("button", name="Add need").click()
        need = page.locator("#needs li", has_text="report")
        await expect(need).to_be_visible(timeout=10_000)
        await expect(page.locator("#reach-box .node")).to_have_count(3)

        await seen.go("/tasks/default/report")
        await page.get_by_label("One more task it must wait for").fill("default/odd")
        await page.get_by_role("button", name="Add need").click()
        await expect(page.locator("#toasts")).to_contain_text("default/odd")
        await expect(page.locator("#toasts .toast")).to_have_attribute("data-state", "cancelled")

        await seen.go("/tasks/default/odd")
        await page.get_by_role("button", name="No longer needs report").press("Enter")
        await expect(need).to_have_count(0, timeout=10_000)
        # what had the focus is gone: it is beside it, not nowhere
        await expect(
            page.locator("#task a:focus, #task input:focus, #task button:focus, #task summary:focus")
        ).to_have_count(1)


async def test_two_operators_edit_one_task_and_neither_loses_a_word(busy: Tower, browser: Browser):
    async with (
        serving(busy) as base,
        window(browser, busy, base) as first,
        window(browser, busy, base, java_script_enabled=False) as second,
    ):
        one, two = await first.go("/tasks/default/odd/edit"), await second.go("/tasks/default/odd/edit")
        await one.get_by_label("Title").fill("The first one's title")
        await one.get_by_label("Description").fill("Count.\nThen count again.")
        await one.get_by_role("button", name="Save").click()
        await expect(one.get_by_role("heading", level=1)).to_have_text("The first one's title")

        await two.get_by_label("Title").fill("The second one's title")
        await two.get_by_role("button", name="Save").click()
        await expect(two.locator(".conflict")).to_contain_text("Somebody was quicker")
        await expect(two.locator("#changed-title")).to_contain_text("you both changed it")
        await expect(two.locator("#changed-prompt")).to_contain_text("Then count again.")
        await expect(two.get_by_label("Title", exact=True)).to_have_value("The second one's title")
        await two.get_by_role("button", name="Save mine on top").click()
        await expect(two.get_by_role("heading", level=1)).to_have_text("The second one's title")
        await expect(two.locator(".md")).to_contain_text("Then count again.")
        assert first.complaints == []


async def test_a_fork_carries_every_word_and_leads_to_its_own_page(busy: Tower, browser: Browser):
    async with serving(busy) as base, window(browser, busy, base) as seen:
        page = await seen.go("/tasks/default/load")
        await page.get_by_role("link", name="Fork").click()
        await expect(page.get_by_label("Description")).to_have_value("Load them all.\nThen count.")
        await page.get_by_label("Name").fill("load-again")
        await page.get_by_role("button", name="Submit task").click()
        await expect(page).to_have_url(re.compile("/tasks/default/load-again"))
        await expect(page.locator("#needs")).to_contain_text("schema")
        assert seen.complaints == []


async def test_a_session_is_opened_worked_in_and_closed_with_a_summary(busy: Tower, browser: Browser):
    async with serving(busy) as base, window(browser, busy, base) as seen:
        page = await seen.go("/sessions")
        await page.get_by_label("Name").fill("billing")
        await page.get_by_label("Goal").fill("Post in batches")
        await page.get_by_label("Budget, dollars").fill("12.50")
        await page.get_by_role("button", name="Open session").click()
        await expect(page).to_have_url(re.compile("/sessions/billing"))
        await expect(page.locator("#session")).to_contain_text("$12.50")

        await page.get_by_role("link", name="New task").click()
        await page.get_by_label("Title").fill("First of all")
        await page.get_by_label("Abilities").fill("quantum")
        await page.get_by_role("button", name="Submit task").click()
        await expect(page).to_have_url(re.compile("/tasks/billing/first-of-all"))

        await seen.go("/sessions/billing")
        await page.get_by_text("Close…").click()
        await expect(page.locator("#close-it")).to_contain_text("1 task is open")
        await page.get_by_label("Summary").fill("We stop here")
        await page.get_by_label("Cancel 1 open task").check()
        await page.get_by_role("button", name="Close session").click()
        await expect(page.locator("#session")).to_contain_text("We stop here", timeout=10_000)
        await seen.go("/tasks/billing/first-of-all".replace("first-of-all", await _name(busy)))
        await expect(page.locator("#task")).to_contain_text("session billing was closed")
        assert seen.complaints == []


async def _name(tower: Tower) -> str:
    rows = (await tower.machine.get("/api/tasks", params={"session": "billing"})).json()["rows"]
    return str(rows[0]["task_id"].partition("/")[2])


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_and_no_page_is_wider_than_a_phone(busy: Tower, browser: Browser, scheme: str):
    await bring_three_hundred(busy)
    for size in ({"width": 1440, "height": 900}, {"width": 360, "height": 780}):
        async with serving(busy) as base, window(browser, busy, base, viewport=size, color_scheme=scheme) as seen:
            for path in PAGES:
                page = await seen.go(path)
                wider = await page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert wider <= 0, (path, size)
                found = await Axe().run(page)
                wrong = [
                    (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
                    for each in found.response["violations"]
                ]
                assert wrong == [], (path, size)
            assert seen.complaints == []
