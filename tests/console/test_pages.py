"""Every page shows the fleet now, and as it stood at any fact; what it says of the past cannot be pressed."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest

from core.domain import worker
from tests.console.tower import Tower

PAGES = [
    "/", "/agents", "/agents/w1/a0", "/queues", "/tasks", "/tasks/new", "/tasks/default/load", "/tasks/default/broken",
    "/tasks/default/odd", "/tasks/default/later", "/tasks/default/schema", "/runs/default/load~1",
    "/runs/default/broken~1", "/commands", "/timeline", "/timeline?by=task", "/timeline?view=table", "/replay",
    "/replay/compare",
    "/board", "/board?by=lane", "/tasks?peek=default/report", "/queues?task=default/report",
]  # fmt: skip


class Page(HTMLParser):
    """What matters of a page: its elements, its ids, its buttons, and that every tag is closed by its own."""

    VOID = frozenset({"meta", "link", "input", "br", "col", "img", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_whole_and_well_formed(busy: Tower, path: str):
    answer = await busy.client.get(path)
    assert answer.status_code == 200, answer.text
    page = Page(answer.text)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert page.all("title")
    assert not [attrs for _, attrs in page.tags if "style" in attrs or any(name.startswith("on") for name in attrs)]
    assert all("src" in attrs for attrs in page.all("script"))


async def test_no_link_is_dead(busy: Tower):
    """Whatever can be reached from the first page, now and in the past, answers; nothing points into a later issue."""
    seen, waiting = {"/"}, ["/"]
    while waiting:
        path = waiting.pop(0)  # what is nearest first: there are more links than are followed
        answer = await busy.client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        if not answer.headers["content-type"].startswith("text/html") or path.count("at=") or len(seen) > 150:
            continue
        for link in sorted({attrs.get("href") or "" for attrs in Page(answer.text).all("a")}):
            bare = link.partition("#")[0]
            if bare.startswith("/") and bare not in seen and not ("at=" in bare and len(seen) > 60):
                seen.add(bare)
                waiting.append(bare)
    assert {"/agents", "/queues", "/tasks", "/commands", "/tasks/default/load", "/runs/default/load~1"} <= seen


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/tasks/new"])
async def test_every_page_can_be_looked_at_as_it_stood(busy: Tower, path: str):
    last = await busy.folded()
    answer = await busy.client.get(path, params={"at": last})
    assert answer.status_code == 200, answer.text
    page = Page(answer.text)
    assert "You are looking at" in answer.text
    assert f"fact {last}" in answer.text
    orders = [attrs for attrs in page.all("button") if "btn" in (attrs.get("class") or "") and "disabled" not in attrs]
    orders = [attrs for attrs in orders if attrs.get("type") != "button"]  # those of the player order nothing
    kept = [attrs for attrs in orders if attrs.get("title", "") and "heme" not in (attrs.get("title") or "")]
    assert [attrs for attrs in kept if attrs.get("title") != "Sign out"] == []
    assert "/live?" not in answer.text


async def test_the_past_shows_what_was_and_not_what_is(busy: Tower):
    now = (await busy.client.get("/tasks/default/schema")).text
    timeline = (await busy.machine.get("/api/timeline", params={"task": "default/schema"})).json()["entries"]
    assigned = next(entry for entry in timeline if entry["type"] == "worker.assigned")
    then = (await busy.client.get("/tasks/default/schema", params={"at": assigned["seq"]})).text
    before = await busy.client.get("/tasks/default/schema", params={"at": 1})
    assert "Done" in now
    assert "Running" in then
    assert "Done</span>" not in then
    assert before.status_code == 404


async def test_a_link_in_the_past_stays_in_the_past(busy: Tower):
    last = await busy.folded()
    page = Page((await busy.client.get("/tasks", params={"at": last})).text)
    rows = [attrs["href"] for attrs in page.all("a") if (attrs.get("href") or "").startswith("/tasks/default/")]
    assert rows
    assert all(f"at={last}" in (href or "") for href in rows)


@pytest.mark.parametrize(
    "at", ["0", "999999999", "yesterday", "2999-01-01T00:00:00", "2026-13-01", "-5y", "1e3", "١", "<script>"]
)
async def test_a_moment_that_cannot_be_is_told_with_what_to_write_instead(busy: Tower, at: str):
    answer = await busy.client.get("/", params={"at": at})
    assert answer.status_code == 422
    assert "<script>" not in answer.text
    assert "fact" in answer.text


async def test_a_page_waits_for_what_its_reader_has_seen_or_says_that_it_lags(busy: Tower):
    last = await busy.folded()
    assert "Catching up" not in (await busy.client.get("/", params={"seen": last})).text
    began = busy.clock.monotonic()
    lagging = await busy.client.get("/", params={"seen": last + 1_000})
    assert "Catching up" in lagging.text
    assert busy.clock.monotonic() - began < 2.0
    assert (await busy.client.get("/", params={"seen": "soon"})).status_code == 422


async def test_a_page_of_what_is_not_folded_yet_says_so_and_asks_again_by_itself(busy: Tower):
    last = await busy.folded()
    early = await busy.client.get("/tasks/default/just-ordered", params={"seen": last + 1_000})
    assert early.status_code == 503
    assert "Catching up" in early.text
    assert '<meta http-equiv="refresh" content="1">' in early.text
    gone = await busy.client.get("/tasks/default/just-ordered", params={"seen": last})
    assert gone.status_code == 404
    assert "refresh" not in gone.text


async def test_a_run_lost_with_its_worker_says_so_and_how_long_it_lasted(busy: Tower):
    lost = worker.Lose(worker_id="w1", epoch=busy.epoch("w1"))
    assert (await busy.order(lost)).outcome == "done"
    await busy.folded()
    for path in ("/tasks/default/load", "/agents/w1/a0", "/runs/default/load~1"):
        page = (await busy.client.get(path)).text
        assert "it reported its end" not in page, path
    attempts = (await busy.client.get("/tasks/default/load")).text
    assert "lost with its worker" in attempts
    assert ">0\u00a0ms<" not in attempts
    assert "its worker was lost" in (await busy.client.get("/agents/w1/a0")).text
    now = (await busy.client.get("/?part=ticker")).text
    assert re.search(r'data-state="lost".*?>w1</a> worker lost', now, re.DOTALL)


async def test_agents_that_are_gone_are_not_counted_among_all(busy: Tower):
    assert (await busy.order(worker.Leave(worker_id="shells", epoch=busy.epoch("shells")))).outcome == "done"
    await busy.folded()
    assert (await busy.client.get("/agents")).text.count("registered, and beats") == 1  # of the one that is left
    for path in ("/agents", "/agents?state=gone"):
        assert 'All <span class="count">3</span>' in (await busy.client.get(path)).text


async def test_a_command_names_its_task_once(busy: Tower):
    page = (await busy.client.get("/commands?type=task.submit,lane.pause&reports=true")).text
    assert "pause lane</a>" in page
    assert "pause lane B" not in page


async def test_without_a_plan_the_first_page_says_how_to_bring_one(tower: Tower):
    page = (await tower.client.get("/")).text
    assert "bin/up --demo" in page
    assert "plan import" in page
    assert 'href="/tasks/new"' in page
    assert "none has registered yet" in page


async def test_the_first_page_turns_into_now_when_work_arrives(tower: Tower):
    await tower.submit("first")
    await tower.folded()
    answer = await tower.client.get("/?part=first_checks", headers={"HX-Request": "true"})
    assert answer.headers["hx-refresh"] == "true"
    assert "Waiting on you" in (await tower.client.get("/")).text


async def test_empty_lists_say_what_would_fill_them(tower: Tower):
    assert "bin/switchtower worker" in (await tower.client.get("/agents")).text
    assert "Bring a plan or write one task" in (await tower.client.get("/tasks")).text
    assert "Nothing matches this address" in (await tower.client.get("/tasks?text=zebra")).text
    assert "Every task that is open is running" in (await tower.client.get("/queues")).text


async def test_filters_stand_in_the_address(busy: Tower):
    failed = (await busy.client.get("/tasks?state=failed")).text
    assert "Sharpen the saw" in failed
    assert "Load the rows" not in failed
    lane = (await busy.client.get("/tasks", params={"lane": "B", "text": "report"})).text
    assert "Write the report" in lane
    assert "Sharpen" not in lane


async def test_a_filter_that_does_not_fit_is_named(busy: Tower):
    answer = await busy.client.get("/tasks?limit=many")
    assert answer.status_code == 422
    assert "limit" in answer.text


@pytest.mark.parametrize("limit", ["-1", "9" * 12])
@pytest.mark.parametrize("path", ["/tasks", "/commands", "/api/tasks", "/api/timeline"])
async def test_a_number_of_rows_that_cannot_be_is_no_defect(busy: Tower, path: str, limit: str):
    answer = await busy.client.get(path, params={"limit": limit})
    assert answer.status_code == 422
    assert "limit" in answer.text


async def test_a_task_says_why_it_is_not_running_by_the_schedulers_own_conditions(busy: Tower):
    page = (await busy.client.get("/tasks/default/odd")).text
    assert "no agent offers quantum" in page
    assert "no agent offers quantum" in (await busy.client.get("/?part=needs")).text
    queues = (await busy.client.get("/queues")).text
    assert "no agent offers quantum" in queues
    assert "needs default/load, which is running" in queues


async def test_a_paused_lane_says_who_and_why(busy: Tower):
    page = (await busy.client.get("/queues")).text
    assert "Paused by api: freeze" in page


async def test_a_run_shows_its_output_its_tools_its_files_and_usage(busy: Tower):
    page = (await busy.client.get("/runs/default/load~1")).text
    assert '<span class="sgr-green">loaded 40</span>' in page
    assert "psql -f load.sql" in page
    assert "src/a.py" in page
    assert "1.20" not in page
    assert "1\u00a0k" in page
    assert "I load the rows in batches." in page


async def test_a_runs_output_is_shown_as_it_stood(busy: Tower):
    last = await busy.folded()
    assert "loaded 40" in (await busy.client.get("/runs/default/load~1", params={"at": last})).text
    assigned = next(
        entry["seq"]
        for entry in (await busy.machine.get("/api/timeline", params={"run": "default/load~1"})).json()["entries"]
        if entry["type"] == "worker.assigned"
    )
    assert "loaded 40" not in (await busy.client.get("/runs/default/load~1", params={"at": assigned})).text


async def test_output_is_downloaded_as_it_was_printed_and_never_as_a_page(busy: Tower):
    answer = await busy.client.get("/runs/default/load~1/output")
    assert answer.content == b"\x1b[32mloaded 40\x1b[0m\nof 100\n"
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"].startswith("attachment")


async def test_a_hole_in_the_output_is_shown(busy: Tower):
    busy.say("default/load~1", "after the hole\n", offset=5_026)
    page = (await busy.client.get("/runs/default/load~1")).text
    assert re.search(r"5.kB lost here", page)


async def test_everything_a_fact_holds_is_text_on_every_page(busy: Tower):
    evil = '<img src=x onerror=alert(1)>"\'><script>alert(1)</script><b hx-get="/x" hx-trigger="load">'
    await busy.submit("evil", title=evil, prompt=evil, labels=[evil[:20]], files=[evil], command=evil)
    named = {"name": "a&<b", "model": evil, "pool": evil, "adapter": "shell", "capabilities": [evil, "shell"]}
    await busy.register("evil", agents=1, **named)
    await busy.folded()
    runs = (await busy.machine.get("/api/runs", params={"task": "default/evil"})).json()["rows"]
    run_id = runs[0]["run_id"]
    worker = runs[0]["worker_id"]
    busy.say(run_id, evil + "\n")
    busy.see(run_id, 1, "text", says=evil)
    busy.see(run_id, 2, "tool", name=evil, says=evil, ref="1")
    await busy.progress(run_id, evil[:200], 3, worker)
    await busy.finish(run_id, "failed", worker, error_class="exit", error=evil, summary=evil, files=[evil])
    await busy.folded()
    for path in ("/", "/agents", "/tasks", "/queues", "/commands?reports=1", "/tasks/default/evil", f"/runs/{run_id}",
                 "/agents/evil/a%26%3Cb", "/agents?by=worker"):  # fmt: skip
        answer = await busy.client.get(path)
        assert answer.status_code == 200, path
        page = Page(answer.text)
        assert not page.all("img")
        assert "alert(1)</script>" not in answer.text
        assert not [attrs for _, attrs in page.tags if attrs.get("hx-trigger") == "load"]


async def test_what_would_deceive_the_eye_is_written_out_in_titles_too(busy: Tower):
    await busy.submit("bidi", title="user\u202enimda \u200b hidden")
    await busy.folded()
    page = (await busy.client.get("/tasks")).text
    assert "user⟨U+202E⟩nimda ⟨U+200B⟩ hidden" in page


@pytest.mark.parametrize("path", ["/nowhere", "/tasks/default/ghost", "/runs/default/ghost~1", "/agents/w9/a",
                                  "/runs/default/ghost~1/output"])  # fmt: skip
async def test_what_is_not_there_is_a_designed_404(busy: Tower, path: str):
    answer = await busy.client.get(path)
    assert answer.status_code == 404
    assert "There is no such thing" in answer.text
    Page(answer.text)


async def test_a_defect_is_a_designed_500_that_says_nothing_of_the_inside(busy: Tower, monkeypatch: pytest.MonkeyPatch):
    def boom(*_: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr("console.pages.commands._commands", boom)
    answer = await busy.client.get("/commands")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "defect of the console" in answer.text


async def test_the_theme_is_kept_in_a_cookie_and_drawn_by_the_server(busy: Tower):
    assert "data-theme" not in (await busy.client.get("/")).text
    answer = await busy.client.post("/theme", data={"theme": "dark", "back": "/queues"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/queues")
    assert '<html lang="en" data-theme="dark">' in (await busy.client.get("/")).text
    await busy.client.post("/theme", data={"theme": "system", "back": "//evil.example"})
    assert "data-theme" not in (await busy.client.get("/")).text


async def test_a_read_model_that_does_not_follow_says_so_on_every_page(busy: Tower, monkeypatch: pytest.MonkeyPatch):
    folded = busy.read_model.positions()
    for doing, says in (("rebuilding", "Rebuilding what is known"), ("stopped", "EVENTS was rolled back")):
        there = msgspec.structs.replace(folded, doing=doing, progress=0.42, problem="EVENTS was rolled back")
        monkeypatch.setattr(busy.read_model, "positions", lambda there=there: there)
        assert says in (await busy.client.get("/tasks")).text
        assert (await busy.stranger.get("/readyz")).status_code == 503
