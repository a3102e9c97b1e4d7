"""Every order is a plain form: carried out it leads back and says so, refused it says why, misshapen it is not sent."""

from __future__ import annotations

import typing
from urllib.parse import parse_qs, urlsplit

import pytest

from console import words
from console.forms import Order
from core.domain import task
from core.domain.spec import TaskSpec
from core.door import Pending
from core.ids import new_id
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


async def test_a_page_of_an_order_that_is_not_decided_yet_says_so_and_looks_again(busy: Tower):
    busy.engine.stop()
    command_id = new_id(busy.clock)
    order = task.Submit(task_id="default/late", spec=TaskSpec(title="Late"))
    assert isinstance(await busy.door.order(order, command_id=command_id, wait_s=0.01), Pending)
    answer = await busy.client.get("/tasks/default/late", params={"told": command_id})
    assert answer.status_code == 503
    assert "The order is kept" in answer.text
    assert "looks again" in answer.text


async def test_a_page_of_an_order_that_was_refused_meanwhile_says_why(busy: Tower):
    command_id = new_id(busy.clock)
    await busy.door.order(task.Submit(task_id="nowhere/late", spec=TaskSpec(title="Late")), command_id=command_id)
    await busy.folded()
    answer = await busy.client.get("/tasks/nowhere/late", params={"told": command_id})
    assert answer.status_code == 404
    assert "the order was refused: there is no session" in answer.text


async def test_a_page_of_an_order_nobody_ever_gave_is_not_waited_for(busy: Tower):
    old = "01900000-0000-7000-8000-000000000001"
    assert (await busy.client.get("/tasks/default/nobody", params={"told": old})).status_code == 404


async def test_a_change_of_a_task_is_a_form_and_what_is_left_empty_is_emptied(busy: Tower):
    await busy.submit("worded", prompt="in verse", labels=["a"], lane="C")
    order = {
        "type": "task.amend", "task_id": "default/worded", "base": "0", "changes.title": "Worded anew",
        "changes.prompt": "", "changes.labels": "", "changes.lane": "", "changes.policy.max_attempts": "7",
    }  # fmt: skip
    assert (await busy.client.post("/orders", data=order)).status_code == 303
    await busy.folded()
    spec = (await busy.machine.get("/api/tasks/default/worded")).json()["spec"]
    assert (spec["title"], spec.get("prompt"), spec.get("labels"), spec["lane"]) == ("Worded anew", None, None, "C")
    assert spec["policy"] == {"max_attempts": 7}


NEW_ORDERS = [
    {"type": "run.hold", "run_id": "default/load~1"}, {"type": "run.continue", "run_id": "default/load~1"},
    {"type": "run.message", "run_id": "default/load~1", "text": "mind the tests"},
    {"type": "agent.restart", "agent_id": "w1/a1"}, {"type": "agent.stop", "agent_id": "w1/a0"},
    {"type": "core.halt", "reason": "the build is red"}, {"type": "core.release"},
    {"type": "worker.hire", "worker_id": "w1", "adapter": "sim", "count": "2", "capabilities": "python docs"},
    {"type": "task.depend", "task_id": "default/odd", "on": "default/load"},
    {"type": "task.undepend", "task_id": "default/odd", "on": "default/load"},
    {"type": "view.save", "view_id": "Broken on B", "page": "/tasks", "query": "state=failed&lane=B"},
    {"type": "view.remove", "view_id": "Broken on B"},
    {"type": "bookmark.set", "bookmark_id": "b1", "seq": "1", "title": "the beginning"},
    {"type": "bookmark.remove", "bookmark_id": "b1"}, {"type": "board.limit", "column": "running", "most": "8"},
    {"type": "session.amend", "session_id": "default", "goal": "odd jobs", "budget_uusd": "5000000"},
]  # fmt: skip


async def test_every_new_order_is_a_form_that_says_what_it_did(busy: Tower):
    for order in NEW_ORDERS:
        answer = await busy.client.post("/orders", data=order, headers=HTMX)
        assert answer.status_code == 200, (order, answer.text)
        assert order["type"] not in answer.text, "the toast speaks words, not tags"


def test_every_order_a_person_gives_is_told_in_words():
    tags = {str(order.__struct_config__.tag) for order in typing.get_args(Order)}
    assert {each for each in tags if each not in words.ORDERED and not each.startswith("plan.")} == set()
