"""Programs use the same doors: JSON in and out, problem details when something is wrong."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from core.clock import SystemClock
from core.ids import new_id
from tests.console.tower import Tower

_DEEP = b'{"command":{"type":"task.submit","task_id":"default/a","spec":{"title":"x","source":{"a":' + b"[" * 90_000


async def order(tower: Tower, **command: object):
    return await tower.machine.post("/api/commands", json={"command": command})


async def test_a_command_gets_its_outcome_and_where_to_see_it(tower: Tower):
    answer = await order(tower, type="task.submit", task_id="default/a", spec={"title": "A"})
    assert answer.status_code == 200
    told = answer.json()
    assert told["outcome"] == "done"
    seen = await tower.machine.get("/api/tasks", params={"seen": told["seq"]})
    assert [row["task_id"] for row in seen.json()["rows"]] == ["default/a"]
    assert seen.headers["switchtower-at"].startswith(str(told["seq"]))


async def test_a_refusal_is_a_409_with_problem_details(tower: Tower):
    answer = await order(tower, type="task.cancel", task_id="default/ghost")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 409
    assert problem["outcome"] == "refused"
    assert "there is no task 'default/ghost'" in problem["detail"]
    assert problem["command_seq"] == tower.ledger.logs["COMMANDS"].last_seq


async def test_the_same_id_twice_counts_once(tower: Tower):
    body = {"id": new_id(SystemClock()), "command": {"type": "lane.pause", "lane": "A"}}
    first = await tower.machine.post("/api/commands", json=body)
    second = await tower.machine.post("/api/commands", json=body)
    assert (first.status_code, second.status_code) == (200, 409)
    assert second.json()["outcome"] == "already_so"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b'{"command": {"type": "lane.pause", "lane": "A"}', 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 422),
        (_DEEP, 422),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"command": {}}', 422),
        (b'{"command": {"type": "task.explode"}}', 422),
        (b'{"command": {"type": "lane.pause", "lane": 7}}', 422),
        (b'{"command": {"type": "lane.pause", "lane": "A", "extra": 1}}', 422),
        (b'{"command": {"type": "lane.pause", "lane": "A"}, "extra": 1}', 422),
        (b'{"command": {"type": "run.start", "run_id": "a/b~1", "worker_id": "w", "epoch": 1}}', 422),
        (b'{"command": {"type": "core.continue"}}', 422),
        (b'{"command": {"type": "lane.pause", "lane": "A"}, "wait_s": 1e9}', 422),
        (b'{"command": {"type": "lane.pause", "lane": "A"}, "wait_s": NaN}', 400),
        (b'{"command": {"type": "lane.configure", "lane": "A", "concurrency": 1e400}}', 422),
        (b'{"command": {"type": "task.reprioritise", "task_id": "default/a", "priority": 99999999999999999999}}', 422),
        (b'{"__proto__": {"x": 1}, "command": {"type": "lane.pause", "lane": "A"}}', 422),
    ],
)
async def test_a_bad_body_is_told_and_never_sent(tower: Tower, body: bytes, status: int):
    before = tower.ledger.logs["COMMANDS"].last_seq
    answer = await tower.machine.post("/api/commands", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert tower.ledger.logs["COMMANDS"].last_seq == before


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_only_json_is_taken_for_json(tower: Tower, kind: str):
    body = b'{"command": {"type": "lane.pause", "lane": "A"}}'
    answer = await tower.machine.post("/api/commands", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 422


async def test_an_id_or_target_that_cannot_be_is_refused_by_the_core(tower: Tower):
    for command in (
        {"type": "task.submit", "task_id": "no-session", "spec": {"title": "x"}},
        {"type": "task.submit", "task_id": "default/a b", "spec": {"title": "x"}},
        {"type": "task.submit", "task_id": "default/>", "spec": {"title": "x"}},
        {"type": "lane.pause", "lane": "Z"},
    ):
        assert (await order(tower, **command)).status_code == 409


async def test_every_list_answers_now_and_as_of_any_moment(busy: Tower):
    last = await busy.folded()
    for path in (
        "/status", "/tasks", "/tasks/default/load", "/runs", "/runs/default/load~1", "/runs/default/load~1/tool-calls",
        "/runs/default/load~1/observations", "/runs/default/load~1/output", "/agents", "/agents/w1/a0", "/workers",
        "/lanes", "/sessions", "/plans", "/attention", "/hour", "/usage", "/commands", "/timeline",
    ):  # fmt: skip
        for asked in ({}, {"at": last}, {"at": "-1s"} if path == "/hour" else {"at": str(last)}):
            answer = await busy.machine.get(f"/api{path}", params=asked)
            assert answer.status_code == 200, (path, asked, answer.text)
            msgspec.json.decode(answer.content)


async def test_lists_take_the_filters_of_the_command_line(busy: Tower):
    async def ids(**asked: object) -> set[str]:
        rows = (await busy.machine.get("/api/tasks", params=asked)).json()["rows"]  # type: ignore[arg-type]
        return {row["task_id"].partition("/")[2] for row in rows}

    assert await ids(state="failed") == {"broken"}
    assert await ids(state=["failed", "paused"]) == {"broken", "later"}
    assert await ids(state="failed,paused") == {"broken", "later"}
    assert await ids(lane="B") == {"report"}
    assert await ids(session="nobody") == set()
    assert len(await ids(limit=2)) == 2
    assert len(await ids(limit=0)) == 6
    assert (await busy.machine.get("/api/tasks", params={"limit": "-"})).status_code == 422


async def test_what_is_not_there_is_a_404_of_problem_details(tower: Tower):
    for path in ("/api/tasks/default/ghost", "/api/runs/default/ghost~1", "/api/agents/w/a", "/api/nothing"):
        answer = await tower.machine.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_description_names_every_route_and_resolves(tower: Tower):
    answer = await tower.machine.get("/openapi.json")
    described = answer.json()
    assert {"/api/commands", "/api/tasks", "/api/status", "/healthz"} <= set(described["paths"])
    text = answer.text
    names = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert names <= set(described["components"]["schemas"])
    assert "x-kind" not in text
    assert "x-filter" not in text
    filters = {each["name"] for each in described["paths"]["/api/tasks"]["get"]["parameters"]}
    assert {"at", "seen", "state", "lane", "session", "limit"} <= filters


async def test_status_tells_the_whole_at_a_glance(busy: Tower):
    status = (await busy.machine.get("/api/status")).json()
    assert status["tasks"] == {"done": 1, "running": 1, "blocked": 1, "failed": 1, "paused": 1, "ready": 1}
    assert status["positions"]["events"]["seq"] == busy.ledger.logs["EVENTS"].last_seq
    assert status["version"]


async def test_the_live_stream_tells_what_changed_and_goes_on_where_it_was(busy: Tower):
    """Over HTTP: a change is told by its panel's name, with an id that a reconnect goes on from."""

    async def told_after(change, *, last_id: str = "") -> tuple[list[str], str]:
        names: list[str] = []
        headers = {"Last-Event-ID": last_id} if last_id else {}
        seen = ""
        listening = busy.hub.open({"rows": frozenset({"tasks"})}, headers.get("Last-Event-ID", ""), "")
        stream = busy.hub.messages(listening, lambda: True)
        assert b"hello" in await anext(stream)
        if change is not None:
            await change
        message = (await asyncio.wait_for(anext(stream), 5)).decode()
        names += [line[7:] for line in message.splitlines() if line.startswith("event: ")]
        seen = message.split("id: ")[1].split("\n")[0]
        await stream.aclose()
        busy.hub.close(listening)
        return names, seen

    names, position = await told_after(busy.submit("fresh"))
    assert names == ["rows"]
    await busy.submit("missed")
    await busy.folded()
    await asyncio.sleep(0.05)
    names, later = await told_after(None, last_id=position)
    assert names == ["rows"]
    assert int(later.split(".")[0]) > int(position.split(".")[0])
