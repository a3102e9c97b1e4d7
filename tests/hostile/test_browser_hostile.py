"""A real browser looks at what hostile agents wrote: no script of theirs runs, nothing is asked of another host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.console.tower import Tower
from tests.hostile.hostile import cut, poison
from tests.hostile.payloads import CORPUS, GROUPS
from tests.real_browser import IN_CHROMIUM, launched, serving, window

pytestmark = [
    *IN_CHROMIUM,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]
# What a browser would tell if it had been taken in: the canary, a policy report, elements that no template draws.
WATCH = """
  window.reports = [];
  const told = (event) => reports.push(event.blockedURI + ' ' + event.violatedDirective);
  addEventListener('securitypolicyviolation', told);
"""
TAKEN_IN = """() => {
  const found = [...reports];
  if (window.canary || top.canary) found.push('a script ran');
  const foreign = 'script:not([src^="/static/"]), iframe, object, embed, base, style, frame';
  for (const each of document.querySelectorAll(foreign))
    found.push(each.outerHTML.slice(0, 100));
  for (const each of document.querySelectorAll('*'))
    for (const name of each.getAttributeNames())
      if (/^on|^style$|^srcdoc$|^hx-on|^hx-vals|^hx-headers|^data-hx/.test(name)) found.push(each.tagName + ' ' + name);
  for (const each of document.querySelectorAll('a[href]'))
    if (!/^(https?|mailto):$/.test(new URL(each.getAttribute('href'), location).protocol))
      found.push(each.getAttribute('href').slice(0, 100));
  return found;
}"""
PAGES = [
    "/", "/agents", "/agents?by=pool", "/queues", "/board", "/tasks?limit=0", "/tasks?limit=0&peek=default/h-3",
    "/timeline", "/replay", "/cost?by=task", "/sessions", "/templates", "/commands?reports=true",
    "/commands?outcome=refused", "/system", "/palette?text=script", "/tasks/new", "/tasks/new?from=default/heap-0",
]  # fmt: skip
TABS = ("output", "calls", "files", "artifacts", "cost", "compare")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def poisoned(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tower]:
    async with Tower(Path(tmp_path_factory.mktemp("hostile"))).running() as tower:
        yield await poison(tower)


@pytest_asyncio.fixture(loop_scope="module")
async def quiet(tmp_path: Path) -> AsyncIterator[Tower]:
    """Eight agents, and nobody has said anything yet."""
    async with Tower(tmp_path).running() as tower:
        await tower.register(agents=8, capabilities=["sim"])
        yield tower


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with launched() as started:
        yield started


async def test_T4_no_browser_is_taken_in_by_any_page(poisoned: Tower, chromium: Browser):
    heaps = [f"/tasks/default/heap-{number}" for number in range(0, 300, 60)]
    runs = [f"/runs/default/h-{number}~1" for number in range(0, len(CORPUS), 29)]
    tabs = [f"{run}?tab={tab}" for run, tab in zip(runs, TABS * 3, strict=False)]
    paths = [*PAGES, *heaps, heaps[1] + "/edit", heaps[0] + "?depth=all", *runs[:4], *tabs]
    async with serving(poisoned) as base, window(chromium, poisoned, base) as seen:
        dialogs: list[str] = []
        seen.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        await seen.page.add_init_script(WATCH)
        wrong = {}
        for path in paths:
            page = await seen.go(path)
            if taken_in := await page.evaluate(TAKEN_IN):
                wrong[path] = taken_in[:3]
        assert wrong == {}
        assert dialogs == []
        refused = [said for said in seen.complaints if "status of 404" not in said]
        assert refused == []  # the policy's own reports come here, too


async def test_T4_what_arrives_while_a_page_is_open_is_text_too(quiet: Tower, chromium: Browser):
    async with serving(quiet) as base, window(chromium, quiet, base) as seen:
        await seen.page.add_init_script(WATCH)
        for path, place in (("/", "#main"), ("/agents", "#roster")):
            page = await seen.go(path)
            await seen.live()
            for number, payload in enumerate(GROUPS["tags"][::6] + GROUPS["htmx"][::2] + GROUPS["lines"][:4]):
                name = f"late-{place[1:]}-{number}"
                await quiet.submit(name, title=cut(payload, 500), needs=["sim"], priority=0)
                await quiet.start(f"default/{name}~1")
                await quiet.progress(f"default/{name}~1", cut(payload, 500) or "?", 50)
                await quiet.finish(f"default/{name}~1", "failed", error=cut(payload, 500), error_class="invalid")
            await quiet.submit(f"mark-{place[1:]}", title="The last to come", needs=["sim"], priority=0)
            await quiet.start(f"default/mark-{place[1:]}~1")
            await quiet.progress(f"default/mark-{place[1:]}~1", "the very last step", 10)
            await page.get_by_text("the very last step").first.wait_for(timeout=20_000)
            assert await page.evaluate(TAKEN_IN) == []
        assert seen.complaints == []
