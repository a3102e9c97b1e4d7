"""Screenshots of a running console, for looking at and for the README.

    python -m tests.shots --data .switchtower --out docs/screenshots [--pages / /queues …] [--all]

Without ``--all``: the pages of the README, light and dark, at 1440 x 900. With it every page in both themes at
1440 x 900 and 360 x 780, and a word about each that is wider than its window or complains.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
from pathlib import Path

import msgspec
from playwright.async_api import Browser, Page, async_playwright

from console.login import issue
from core.clock import SystemClock
from tests.real_browser import FLAGS

DESK, PHONE = (1440, 900), (360, 780)
README = ["/", "/queues"]
EVERY = ["/", "/agents", "/queues", "/tasks", "/tasks/new", "/templates", "/templates/new", "/commands",
         "/commands/8", "/cost", "/cost?by=task&since=all", "/system", "/system/setup"]  # fmt: skip


async def main() -> None:
    asked = _arguments()
    url = msgspec.json.decode((asked.data / "run.json").read_bytes())["console_url"]
    asked.out.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{url}/login?token={issue(asked.data, SystemClock())}")
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{url}/")
        paths = asked.pages or ([*EVERY, *await _linked(page, url)] if asked.all else README)
        kept = await context.storage_state()
        for theme in ("light", "dark"):
            for width, height in (DESK, PHONE) if asked.all else (DESK,):
                await _round(browser, kept, url, paths, asked.out, theme, (width, height), asked.all)
        await browser.close()


async def _linked(page: Page, url: str) -> list[str]:
    """One of each kind of thing: a running and a failed task, a run, an agent; and a moment of the past."""
    found = []
    for start, link in (
        ("/tasks?state=running", "#tasks tbody th a"), ("/tasks?state=failed,waiting", "#tasks tbody th a"),
        ("/tasks?state=blocked", "#tasks tbody th a"), ("/tasks?state=done", "#tasks tbody th a"),
        ("/tasks?state=running", "#tasks td.num a"), ("/agents", "#roster tbody th a"),
        ("/tasks?state=done", "#tasks td.num a"),
    ):  # fmt: skip
        await page.goto(url + start)
        if await page.locator(link).count():
            found.append(str(await page.locator(link).first.get_attribute("href")))
    return [*dict.fromkeys(found), "/?at=-20s", "/queues?at=-20s"]


async def _round(  # noqa: PLR0917 - a script's own loop body
    browser: Browser,
    kept: object,
    url: str,
    paths: list[str],
    out: Path,
    theme: str,
    size: tuple[int, int],
    every: bool,
) -> None:
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,  # type: ignore[arg-type]
        storage_state=kept,  # type: ignore[arg-type]
    )
    page = await context.new_page()
    width = f"-{size[0]}" if every else ""
    page.on("console", lambda said: said.type in ("error", "warning") and print(f"says: {said.text}"))
    for path in paths:
        await page.goto(url + path)
        await page.wait_for_timeout(500)
        wider = await page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        if wider > 0:
            print(f"{path} is {wider} px wider than {size[0]}")
        name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "now"
        await page.screenshot(path=str(out / f"{name}{width}-{theme}.png"))
    await context.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(".switchtower"))
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"))
    parser.add_argument("--pages", nargs="*", default=[])
    parser.add_argument("--all", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
