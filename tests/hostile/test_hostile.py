"""Whatever agents, plans and operators write, every page shows it as text, and every file and stream keeps its lines.

T4 (stored scripts), T5 (terminal, bidirectional and line forging), T6 (paths), T7 (templates), T8 (depth, numbers).
"""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import httpx2
import msgspec
import pytest
import pytest_asyncio

from console.listener import parse_panels
from console.terminal import visible
from core.domain import task
from core.domain.spec import TaskSpec
from tests.console.tower import Tower
from tests.hostile.hostile import cut, poison
from tests.hostile.payloads import CORPUS, GROUPS
from tests.hostile.reading import Reading

SEEDS = [
    "/", "/agents", "/queues", "/board", "/tasks?limit=0", "/timeline", "/replay", "/cost", "/sessions", "/templates",
    "/commands?reports=true", "/system", "/palette?text=a", "/keys", "/halt",
]  # fmt: skip
EACH, MOST = 3, 250  # addresses of one kind that are looked at, and of all
FILES = (
    "text/csv", "application/x-ndjson", "application/jsonl", "application/json", "application/octet-stream",
    "text/plain; charset=utf-8", "text/plain; version=0.0.4", "application/vnd.apache.parquet", "image/png",
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def poisoned(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tower]:
    async with Tower(Path(tmp_path_factory.mktemp("hostile"))).running() as tower:
        yield await poison(tower)


pytestmark = pytest.mark.asyncio(loop_scope="module")


def kind_of(path: str) -> str:
    """Addresses of one kind lead to the same page about another thing."""
    parts = urlsplit(path)
    asked = dict(parse_qsl(parts.query))
    ours = sorted(name for name in asked if re.fullmatch(r"[a-z]{1,9}", name))
    last = parts.path.rpartition("/")[2][:4] if parts.path.count("/") > 3 else ""
    return (
        f"{parts.path.split('/')[1]} {parts.path.count('/')} {last} {ours} {asked.get('tab', '')}{asked.get('by', '')}"
    )


def faults_of(answer: httpx2.Response) -> list[str]:
    """What is wrong with an answer, whatever kind it is of."""
    kind = answer.headers["content-type"]
    found = [] if answer.headers["x-content-type-options"] == "nosniff" else ["may be sniffed"]
    if kind == "text/html; charset=utf-8":
        return found + Reading(answer.text).faults
    if not kind.startswith(FILES):
        found.append(f"content type {kind}")
    if kind.startswith(("application/octet-stream", "text/plain; charset")) and "attachment" not in answer.headers.get(
        "content-disposition", ""
    ):
        found.append("not an attachment")
    return found


async def test_the_corpus_has_more_than_two_hundred_payloads():
    assert len(CORPUS) > 200
    assert min(len(group) for group in GROUPS.values()) >= 5


async def test_T4_no_page_that_can_be_reached_holds_anything_but_what_our_templates_draw(poisoned: Tower):
    seen: Counter[str] = Counter()
    done, waiting, wrong = set[str](), list(SEEDS), dict[str, list[str]]()
    while waiting and len(done) < MOST:
        path = waiting.pop(0)
        if path in done or seen[kind_of(path)] >= EACH:
            continue
        done.add(path)
        seen[kind_of(path)] += 1
        answer = await poisoned.client.get(path)
        if answer.status_code not in (200, 303, 304, 404):
            wrong[path] = [f"answers {answer.status_code}"]
            continue
        if found := faults_of(answer):
            wrong[path] = found[:3]
        if answer.headers["content-type"].startswith("text/html"):
            links = dict.fromkeys(link.partition("#")[0] for link in Reading(answer.text).links)
            waiting += [
                link for link in links if link.startswith("/") and not link.startswith(("/static", "/logout", "/live"))
            ]
    assert wrong == {}
    assert len(done) > 150
    assert {"/tasks", "/runs", "/agents", "/sessions", "/commands"} <= {
        "/" + path.split("/")[1].split("?")[0] for path in done
    }


async def test_T4_every_payload_is_shown_on_its_tasks_page_as_it_was_written(poisoned: Tower):
    wrong = {}
    for number, payload in enumerate(CORPUS):
        answer = await poisoned.client.get(f"/tasks/default/h-{number}")
        page = Reading(answer.text)
        title = cut(payload, 500) or "?"
        shown = page.texts.get("h1", "")
        if page.faults or " ".join(shown.split()) != " ".join(visible(title).split()):
            wrong[payload[:60]] = page.faults[:3] or [shown[:80]]
    assert wrong == {}


async def test_T4_every_payload_a_run_said_is_text_on_each_of_its_tabs(poisoned: Tower):
    runs = (await poisoned.machine.get("/api/runs", params={"limit": 0})).json()["rows"]
    said = [each["run_id"] for each in runs if re.fullmatch(r"default/h-\d+~1", each["run_id"])]
    assert len(said) == len(CORPUS)
    first = Reading((await poisoned.client.get(f"/runs/{said[0]}")).text).links
    tabs = sorted({tab for link in first for tab in re.findall(r"[?&](?:tab|view)=([a-z]+)", link)}) or [""]
    wrong = {}
    for number, run_id in enumerate(said):
        for tab in (tabs[number % len(tabs)],):
            answer = await poisoned.client.get(f"/runs/{run_id}" + (f"?tab={tab}" if tab else ""))
            if answer.status_code != 200 or (found := faults_of(answer)):
                wrong[f"{run_id} {tab}"] = [answer.status_code, *(found if answer.status_code == 200 else [])][:3]
    assert wrong == {}


async def test_T8_the_api_gives_every_payload_back_unchanged(poisoned: Tower):
    for number, payload in enumerate(CORPUS):
        answer = await poisoned.machine.get(f"/api/tasks/default/h-{number}")
        assert answer.headers["content-type"] == "application/json"
        spec = answer.json()["spec"]
        assert spec["title"] == (cut(payload, 500) or "?")
        assert spec.get("prompt", "") == payload
        assert spec["source"][payload] == payload


@pytest.mark.parametrize(
    ("sheet", "lines"),
    [
        ("/tasks.csv", "/tasks.jsonl"),
        ("/timeline/export?format=csv&range=all", "/timeline/export?format=jsonl&range=all"),
        ("/cost/export.csv?by=task", "/cost/export.jsonl?by=task"),
        ("/cost/export.csv?by=agent", "/cost/export.jsonl?by=agent"),
    ],
)
async def test_T5_a_sheet_has_a_row_for_each_thing_and_no_cell_is_a_formula(poisoned: Tower, sheet: str, lines: str):
    answer = await poisoned.client.get(sheet)
    if answer.status_code == 422:  # not by that
        pytest.skip(answer.text)
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    cells = [cell for row in rows for cell in row if not re.fullmatch(r"-?[\d.]+", cell)]
    assert [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n")] == []
    told = (await poisoned.client.get(lines)).content.rstrip(b"\n").split(b"\n")
    assert len(told) == len(rows) - 1
    assert all(isinstance(msgspec.json.decode(line), dict) for line in told)


async def test_T5_the_live_stream_holds_no_line_that_somebody_else_wrote(poisoned: Tower):
    """Cells are drawn from agents' words and pushed: each frame is an id, an event of ours, and data."""
    drawing = poisoned.app.state.drawing
    wanted = parse_panels(["tasks tasks", "agents agents"])
    listener = poisoned.hub.open(wanted, "", "", cells=frozenset(drawing.rows), shared=frozenset(drawing.shared))
    stream = poisoned.hub.messages(listener, lambda: True)
    told = (await asyncio.wait_for(anext(stream), 5)).decode()
    for number, payload in enumerate(GROUPS["lines"] + GROUPS["htmx"]):
        await poisoned.submit(f"pushed-{number}", title=cut(payload, 500) or "?", needs=["sim"])
        await poisoned.start(f"default/pushed-{number}~1")
        await poisoned.progress(f"default/pushed-{number}~1", cut(payload, 500), 50)
        await poisoned.folded()
        told += (await asyncio.wait_for(anext(stream), 5)).decode()
        await poisoned.finish(f"default/pushed-{number}~1", summary=cut(payload, 500))
    await poisoned.folded()
    names = set()
    for frame in told.split("\n\n"):
        for line in filter(None, frame.split("\n")):
            assert "\r" not in line
            field, _, value = line.partition(": ")
            assert field in ("id", "event", "data", "retry"), line[:120]
            if field == "event":
                names.add(value)
            if field == "data" and "<" in value:
                assert [fault for fault in Reading(value).faults if not fault.startswith(("left open", "</"))] == []
    assert names <= {"hello", "reset", "tasks", "agents", "message", "cells"}


async def test_T5_no_answers_header_is_forged(poisoned: Tower):
    for payload in GROUPS["lines"] + GROUPS["paths"]:
        name, text = quote(payload, safe=""), quote(payload)
        for path in (f"/sessions/{name}", f"/tasks?text={text}", f"/login?next={text}", f"/agents/{name}/x"):
            answer = await poisoned.client.get(path)
            assert answer.status_code in (200, 303, 404, 405, 422), path
            assert "canary" not in str(answer.headers)


async def test_T6_no_path_in_a_name_leads_out_of_the_house(poisoned: Tower):
    for payload in GROUPS["paths"]:
        for base in ("/static/", "/runs/default/", "/runs/default/h-0~1/artifacts/", "/sessions/"):
            for form in (quote(payload, safe=""), payload.replace("\\", "%5C").replace("\x00", "%00")):
                answer = await poisoned.client.get(base + quote(form, safe="%/."))
                assert "root:" not in answer.text
                assert answer.status_code in (200, 303, 307, 400, 404, 405, 422), (base, payload)
                assert answer.headers.get("location", "/").startswith(("/", "http://127.0.0.1:8420/"))


async def test_T7_a_search_is_never_a_pattern_and_answers_at_once(poisoned: Tower):
    for payload in [*GROUPS["bombs"], *CORPUS[::5]]:
        began = poisoned.clock.monotonic()
        answer = await poisoned.client.get("/tasks", params={"text": payload, "q": payload})
        assert answer.status_code in (200, 422), payload
        assert poisoned.clock.monotonic() - began < 3.0, payload
        assert Reading(answer.text).faults == [], payload


async def test_T8_every_form_and_filter_answers_nonsense_with_a_sentence(poisoned: Tower):
    for payload in CORPUS[::4]:
        order = {"type": "task.cancel", "task_id": payload, "reason": payload, "back": payload}
        answer = await poisoned.client.post("/orders", data=order)
        assert answer.status_code in (409, 413, 422), payload
        assert Reading(answer.text).faults == [], payload
        asked = await poisoned.client.get(
            "/tasks", params={"limit": payload, "after": payload, "at": payload, "state": payload}
        )
        assert asked.status_code in (200, 422), payload
        assert Reading(asked.text).faults == [], payload
        name = await poisoned.client.post("/sessions", data={"session_id": payload, "goal": payload, "budget": payload})
        assert name.status_code in (303, 409, 422), payload
        assert Reading(name.text).faults == [], payload


@pytest.mark.parametrize("body", GROUPS["deep"] + GROUPS["numbers"] + ["[" * 100_000, '{"command":' * 5_000])
async def test_T8_depth_and_huge_numbers_are_refused_as_problems(poisoned: Tower, body: str):
    answer = await poisoned.machine.post("/api/commands", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 413, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_T8_a_lone_surrogate_or_a_huge_number_within_a_command_stops_nothing(poisoned: Tower):
    for text in (r'"\ud800"', r'"\udfff\ud800"', "1e999", "9" * 400, "-0", r'"\u0000"'):
        body = f'{{"command": {{"type": "session.open", "session_id": {text}, "budget_uusd": {text}}}}}'
        answer = await poisoned.machine.post(
            "/api/commands", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (200, 400, 409, 422), text
    assert (
        await poisoned.order(task.Submit(task_id="default/after", spec=TaskSpec(title="Still here")))
    ).outcome == "done"


async def test_hidden_characters_are_written_out_whatever_alphabet_they_come_from():
    for payload in GROUPS["hidden"]:
        assert not Reading(f"<p>{visible(payload)}</p>".replace("&", "")).faults, payload
