"""Templates in a real browser: written with the builder, used, and their tasks seen to run; without script, too."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from core.domain import template
from core.domain.template_spec import Draft, Param, TemplateSpec
from tests.console.tower import Tower
from tests.real_browser import IN_CHROMIUM, window

pytestmark = IN_CHROMIUM

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
CLEAN = ("/templates", "/templates/first?version=2&against=1", "/templates/first/use", "/templates/first/edit")
HOSTILE = "<img src=x onerror=alert(1)>{{7*7}}'\""


async def clean(page: Page) -> None:
    """axe finds nothing on the page's own sheet."""
    found = await Axe().run(page, context="#main", options=RULES)
    assert found.violations_count == 0, found.generate_report()


async def write(page: Page) -> None:
    """A template of two tasks and two parameters, by the builder's buttons."""
    await fill(page, title="Paint a wall")
    await page.get_by_role("button", name="Add a parameter").click()
    await page.locator("#params-1 select").select_option(label="Number")
    await fill(page, **{"params.1.name": "coats", "params.1.most": "3", "params.1.default": "2"})
    await page.get_by_role("button", name="Add a task").click()
    texts = {"tasks.1.name": "dry", "tasks.1.title": "Wait for {{coats}} coats", "tasks.1.depends_on": "do"}
    await fill(page, **texts)
    await page.get_by_role("button", name="Look first").click()
    await expect(page.locator("#preview")).to_contain_text("Wait for 2 coats")


async def fill(page: Page, **texts: str) -> None:
    for name, text in texts.items():
        await page.locator(f'[name="{name}"]').fill(text)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_a_template_is_built_used_and_its_tasks_run(tower: Tower, base: str, browser: Browser, script: bool):
    await tower.register(agents=1)
    async with window(browser, tower, base, java_script_enabled=script) as seen:
        page = await seen.go("/templates")
        await expect(page.locator("#templates")).to_contain_text("No template yet.")
        await page.get_by_role("link", name="Write one").click()
        await write(page)
        await page.get_by_role("button", name="Save").click()
        await page.wait_for_url("**/templates/paint_a_wall*")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Paint a wall")
        await page.get_by_role("link", name="Use").click()
        await page.get_by_label("Goal").fill("Paint the hall")
        await page.get_by_label("coats").fill("7")
        await page.get_by_role("button", name="Make the tasks").click()
        await expect(page.locator("#wrong-coats")).to_have_text("7 is more than 3")
        await page.get_by_label("coats").fill("3")
        await page.get_by_role("button", name="Make the tasks").click()
        await page.wait_for_url("**/tasks?*")
        await expect(page.locator("#main")).to_contain_text("Paint the hall")
        await tower.start("default/paint-a-wall-1-do~1")
        await tower.finish("default/paint-a-wall-1-do~1")
        await tower.start("default/paint-a-wall-1-dry~1")
        await tower.folded()
        await seen.go("/templates/paint_a_wall")
        await expect(page.locator("#uses")).to_contain_text("1 done")
        await expect(page.locator("#uses")).to_contain_text("1 running")
        assert [said for said in seen.complaints if "422" not in said] == []


async def test_the_page_of_a_template_follows_its_tasks(tower: Tower, base: str, browser: Browser):
    await tower.register(agents=1)
    spec = TemplateSpec(title="One thing", tasks=[Draft(name="a", title="A thing")])
    await tower.order(template.Define(template_id="one", spec=spec))
    await tower.folded()
    async with window(browser, tower, base) as seen:
        page = await seen.go("/templates/one")
        await seen.live()
        await tower.order(template.Use(template_id="one", session_id="default", prefix="p"))
        await expect(page.locator("#uses")).to_contain_text("p-…")
        await tower.start("default/p-a~1")
        await tower.finish("default/p-a~1")
        await expect(page.locator("#uses")).to_contain_text("1 done")
        assert seen.complaints == []


async def test_fields_follow_the_kind_of_a_parameter(tower: Tower, base: str, browser: Browser):
    async with window(browser, tower, base) as seen:
        page = await seen.go("/templates/new")
        card = page.locator("#params-0")
        await expect(card.get_by_label("Choices")).to_be_hidden()
        await card.get_by_label("Kind").select_option(label="Choice")
        await expect(card.get_by_label("Choices")).to_be_visible()
        await expect(card.get_by_label("Most")).to_be_hidden()
        await clean(page)


async def test_every_page_of_templates_is_clean_in_both_themes_and_fits_a_phone(
    tower: Tower, base: str, browser: Browser
):
    spec = TemplateSpec(
        title=HOSTILE.replace("{{", "[["),
        description=f"{HOSTILE}\n\n# Head\n\n[link](javascript:alert(1))",
        params=[
            Param(name="word", label=HOSTILE, default=HOSTILE, help="x" * 400),
            Param(name="kind", kind="choice", choices=[HOSTILE, "y" * 200]),
            Param(name="many", kind="list", most=3),
            Param(name="flag", kind="yes_no"),
        ],
        tasks=[
            Draft(name="a" * 60, title="{{word}}", prompt="{{word}}"),
            Draft(name="b", title="b", command="x {{word}}"),
        ],
    )
    for name in ("first", "second"):
        await tower.order(template.Define(template_id=name, spec=spec))
    await tower.order(
        template.Use(template_id="first", session_id="default", prefix="p" * 30, params={"word": HOSTILE})
    )
    changed = TemplateSpec(title="Other words", params=spec.params, tasks=spec.tasks)
    await tower.order(template.Define(template_id="first", spec=changed, base=1))
    await tower.order(template.Retire(template_id="second", reason=HOSTILE))
    await tower.folded()
    paths = [
        "/templates", "/templates/first", "/templates/second", "/templates/first?version=2&against=1",
        "/templates/first/use", "/templates/first/edit", "/templates/new", "/templates/first?at=4",
        "/templates/first/use?at=4",
    ]  # fmt: skip
    for theme in ("light", "dark"):
        async with window(
            browser, tower, base, color_scheme=theme, viewport={"width": 360, "height": 780}, reduced_motion="reduce"
        ) as seen:
            for path in paths:
                page = await seen.go(path)
                if path in CLEAN:
                    await clean(page)
                assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
                assert await page.locator("img").count() == 0
            assert seen.complaints == []
