"""Every order is a plain form: carried out it leads back and says so, refused it says why, misshapen it is not sent."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.console.tower import Tower

HTMX = {"HX-Request": "true"}


async def state_of(tower: Tower, name: str) -> str:
    await tower.folded()
    return (await tower.machine.get(f"/api/tasks/default/{name}")).json()["row"]["state"]


async def test_an_order_carried_out_leads_back_to_its_page_which_says_so(busy: Tower):
    answer = await busy.client.post(
        "/orders", data={"type": "task.pause", "task_id": "default/odd", "back": "/tasks?state=ready"}
    )
    assert answer.status_code == 303
    back = urlsplit(answer.headers["location"])
    assert back.path == "/tasks"
    asked = parse_qs(back.query)
    assert asked["state"] == ["ready"]
    page = (await busy.client.get(answer.headers["location"])).text
    command = (await busy.machine.get("/api/commands", params={"text": asked["told"][0]})).json()["rows"][0]
    assert command["outcome"] == "done"
    assert f"command {command['command_seq']}" in page
    assert await state_of(busy, "odd") == "paused"


async def test_a_page_drawn_anew_does_not_tell_of_the_order_for_ever(busy: Tower):
    answer = await busy.client.post("/orders", data={"type": "task.pause", "task_id": "default/odd", "back": "/tasks"})
    page = (await busy.client.get(answer.headers["location"])).text
    assert "told=" not in page.split('hx-get="', 1)[1].split('"', 1)[0]


async def test_with_htmx_the_answer_is_a_toast(busy: Tower):
    answer = await busy.client.post("/orders", data={"type": "agent.pause", "agent_id": "w1/a1"}, headers=HTMX)
    assert answer.status_code == 200
    assert 'class="toast" data-state="done"' in answer.text
    assert "Agent paused" in answer.text
    assert "command" in answer.text


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
async def test_a_refused_order_is_a_409_with_its_reason(busy: Tower, headers: dict[str, str]):
    order = {"type": "task.retry", "task_id": "default/load", "back": "/tasks/default/load"}
    answer = await busy.client.post("/orders", data=order, headers=headers)
    assert answer.status_code == 409
    assert "default/load" in answer.text
    assert "running" in answer.text
    if headers:
        assert answer.headers["hx-retarget"] == "#toasts"
    else:
        assert "Not carried out" in answer.text


async def test_what_is_so_already_changes_nothing_and_says_so(busy: Tower):
    answer = await busy.client.post("/orders", data={"type": "lane.pause", "lane": "B"})
    assert answer.status_code == 409
    assert "lane B is paused already" in answer.text


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"type": "task.explode", "task_id": "default/load"},
        {"type": "task.cancel"},
        {"type": "task.cancel", "task_id": "default/load", "colour": "red"},
        {"type": "task.reprioritise", "task_id": "default/load", "priority": "9"},
        {"type": "task.reprioritise", "task_id": "default/load", "priority": "high"},
        {"type": "lane.configure", "lane": "A", "concurrency": "-1"},
        {"type": "run.finish", "run_id": "default/load~1", "worker_id": "w1", "epoch": "2", "result": "succeeded"},
        {"type": "worker.register", "worker_id": "w9", "boot_id": "b", "agents": "a"},
        {"type": "core.begin", "commands_created": "1", "events_created": "1"},
        {"type": "task.wake", "task_id": "default/load", "after_run": "1"},
    ],
)
async def test_a_misshapen_order_is_a_422_and_never_sent(busy: Tower, order: dict[str, str]):
    before = busy.ledger.logs["COMMANDS"].last_seq
    answer = await busy.client.post("/orders", data=order)
    assert answer.status_code == 422
    assert busy.ledger.logs["COMMANDS"].last_seq == before


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"type": "lane.pause", "lane": "A"}'),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("application/x-www-form-urlencoded", b"type=%ff%fe"),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % i for i in range(1_000))),
    ],
)
async def test_a_body_that_is_no_form_is_a_422(busy: Tower, kind: str, body: bytes):
    answer = await busy.client.post("/orders", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 422


async def test_a_new_task_is_written_in_a_form_and_shown_on_its_own_page(busy: Tower):
    order = {
        "type": "task.submit", "session": "default", "name": "", "spec.title": "Paint the fence, twice!",
        "spec.prompt": "Two coats.\r\nDry between.", "spec.priority": "1", "spec.lane": "B", "spec.command": "",
        "spec.depends_on": "load, report", "spec.needs": "", "spec.policy.max_attempts": "5",
    }  # fmt: skip
    answer = await busy.client.post("/orders", data=order)
    assert answer.status_code == 303, answer.text
    path = urlsplit(answer.headers["location"]).path
    assert path.startswith("/tasks/default/paint-the-fence-twice-")
    page = (await busy.client.get(answer.headers["location"])).text
    assert "Two coats." in page
    spec = (await busy.machine.get(f"/api{path}")).json()["spec"]
    assert spec["depends_on"] == ["default/load", "default/report"]
    assert spec["priority"] == 1
    assert spec["policy"]["max_attempts"] == 5


async def test_a_form_sent_twice_makes_one_task(busy: Tower):
    page = (await busy.client.get("/tasks/new")).text
    command_id = page.split('name="id" value="', 1)[1].split('"', 1)[0]
    order = {"type": "task.submit", "id": command_id, "name": "once", "spec.title": "Only once"}
    first = await busy.client.post("/orders", data=order)
    second = await busy.client.post("/orders", data=order)
    assert (first.status_code, second.status_code) == (303, 409)
    await busy.folded()
    found = (await busy.machine.get("/api/tasks", params={"text": "only once"})).json()
    assert found["total"] == 1


async def test_every_action_of_the_pages_goes_through(busy: Tower):
    """Cancel, pause, resume, retry, priority; lane pause, resume, limit; agent pause, resume; worker drain."""
    for order, then in (
        ({"type": "task.reprioritise", "task_id": "default/report", "priority": "0"}, None),
        ({"type": "task.pause", "task_id": "default/report", "reason": "not now"}, "paused"),
        ({"type": "task.resume", "task_id": "default/report"}, "blocked"),
        ({"type": "task.cancel", "task_id": "default/report", "reason": "no longer wanted"}, "cancelled"),
        ({"type": "task.retry", "task_id": "default/report"}, "blocked"),
        ({"type": "lane.resume", "lane": "B"}, None),
        ({"type": "lane.configure", "lane": "B", "concurrency": "3"}, None),
        ({"type": "lane.configure", "lane": "B", "concurrency": ""}, None),
        ({"type": "agent.pause", "agent_id": "w1/a1"}, None),
        ({"type": "agent.resume", "agent_id": "w1/a1"}, None),
        ({"type": "worker.drain", "worker_id": "w1"}, None),
    ):
        answer = await busy.client.post("/orders", data=order)
        assert answer.status_code == 303, (order, answer.text)
        if then:
            assert await state_of(busy, "report") == then
    await busy.folded()
    lanes = (await busy.machine.get("/api/lanes")).json()
    lane = next(lane for lane in lanes if lane["lane"] == "B")
    assert (lane["paused"], lane["concurrency"]) == (False, None)


async def test_who_ordered_what_and_why_stands_under_commands(busy: Tower):
    await busy.client.post("/orders", data={"type": "task.cancel", "task_id": "default/odd", "reason": "too rare"})
    await busy.client.post("/orders", data={"type": "task.retry", "task_id": "default/ghost"})
    await busy.folded()
    page = (await busy.client.get("/commands")).text
    assert "operator" in page
    assert "Refused" in page
    refused = (await busy.client.get("/commands?outcome=refused")).text
    assert "there is no task &#39;default/ghost&#39;" in refused
    assert "too rare" not in refused


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_an_order_never_leads_to_another_site(busy: Tower, back: str):
    answer = await busy.client.post("/orders", data={"type": "lane.pause", "lane": "A", "back": back})
    assert answer.status_code == 303
    assert urlsplit(answer.headers["location"]).netloc == ""
    assert urlsplit(answer.headers["location"]).path == "/"


async def test_a_core_that_does_not_answer_is_told_as_accepted_and_not_as_an_error(
    busy: Tower, monkeypatch: pytest.MonkeyPatch
):
    busy.engine.stop()
    order = busy.door.order

    async def impatient(command, **named):
        return await order(command, **(named | {"wait_s": 0.05}))

    monkeypatch.setattr(busy.door, "order", impatient)
    answer = await busy.client.post("/orders", data={"type": "lane.pause", "lane": "C"}, headers=HTMX)
    assert answer.status_code == 200
    assert "Accepted, not decided yet" in answer.text
    body = {"command": {"type": "lane.pause", "lane": "D"}, "wait_s": 0.05}
    api = await busy.machine.post("/api/commands", json=body)
    assert api.status_code == 202
    assert api.json()["outcome"] == "pending"
