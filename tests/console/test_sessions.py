"""Sessions: opened with a goal and a budget, looked at, changed, closed with a summary, taken away as one file."""

from __future__ import annotations

import pytest

from core.domain import task
from core.domain.spec import TaskSpec
from projections import played
from tests.console.tower import Tower


async def open_one(tower: Tower, **fields: str):
    form = {"session_id": "billing", "goal": "Post in batches", "root": "/srv/billing", "budget": "12.50"}
    return await tower.client.post("/sessions", data=form | fields)


async def test_a_session_is_opened_with_goal_root_and_budget_and_leads_to_its_page(tower: Tower):
    answer = await open_one(tower)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith("/sessions/billing?")
    page = (await tower.client.get(answer.headers["location"])).text
    for words in ("Post in batches", "/srv/billing", "$12.50", "Session opened"):
        assert words in page


async def test_the_list_says_how_far_each_is_and_what_it_cost(busy: Tower):
    await open_one(busy)
    await busy.folded()
    page = (await busy.client.get("/sessions")).text
    assert "2 open of 2" in page
    assert "Post in batches" in page
    assert "1 / 6" in page.split('id="session-default"', 1)[1]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"session_id": "a b"}, "cannot be used"),
        ({"session_id": "default"}, "exists and is open"),
        ({"session_id": ""}, "length &gt;= 1"),
        ({"budget": "twelve"}, "is no amount"),
        ({"budget": "-3"}, "is not between"),
        ({"budget": "NaN"}, "is not between"),
        ({"budget": "1e400"}, "is not between"),
        ({"root": "x" * 501}, "length &lt;= 500"),
    ],
)
async def test_what_does_not_fit_is_said_and_the_words_are_kept(tower: Tower, fields: dict[str, str], says: str):
    await tower.folded()
    answer = await open_one(tower, **fields)
    assert answer.status_code in (409, 422)
    assert says in answer.text
    assert "Post in batches" in answer.text


async def test_goal_root_and_budget_can_be_changed(tower: Tower):
    await open_one(tower)
    await tower.folded()
    answer = await tower.client.post("/sessions/billing", data={"goal": "All in batches", "root": "", "budget": "20"})
    assert answer.status_code == 303, answer.text
    page = (await tower.client.get(answer.headers["location"])).text
    assert "All in batches" in page
    assert "$20.00" in page
    assert "/srv/billing" not in page


async def test_closing_says_before_that_open_tasks_forbid_it_and_is_refused_until_they_may_be_cancelled(tower: Tower):
    await open_one(tower)
    await tower.order(task.Submit(task_id="billing/t-1", spec=TaskSpec(title="Still open")))
    await tower.folded()
    assert "Closing is refused while they are" in (await tower.client.get("/sessions/billing")).text
    order = {"type": "session.close", "session_id": "billing", "summary": "All done", "back": "/sessions/billing"}
    refused = await tower.client.post("/orders", data=order)
    assert refused.status_code == 409
    assert "1 open task" in refused.text
    closed = await tower.client.post("/orders", data=order | {"cancel_open": "true"})
    assert closed.status_code == 303, closed.text
    page = (await tower.client.get(closed.headers["location"])).text
    assert "All done" in page
    assert "Close…" not in page


async def test_the_session_of_all_else_is_never_closed(tower: Tower):
    await tower.folded()
    assert "Close…" not in (await tower.client.get("/sessions/default")).text


async def test_one_session_is_taken_away_as_one_file_that_can_be_opened_again(busy: Tower):
    await open_one(busy)
    await busy.folded()
    answer = await busy.client.get("/sessions/default/export")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="default.tape.jsonl"'
    read = played.read(answer.content.splitlines())
    assert read.header.session == "default"
    assert read.events > 10
    assert b"Post in batches" not in answer.content


async def test_a_session_nobody_opened_is_a_404_with_its_name(tower: Tower):
    for path in ("/sessions/ghost", "/sessions/ghost/export"):
        answer = await tower.client.get(path)
        assert answer.status_code == 404
        assert "ghost" in answer.text


async def test_a_session_is_seen_as_it_stood(tower: Tower):
    await open_one(tower)
    before = await tower.folded()
    await tower.client.post("/sessions/billing", data={"goal": "Changed", "root": "", "budget": ""})
    await tower.folded()
    page = (await tower.client.get(f"/sessions/billing?at={before}")).text
    assert "Post in batches" in page
    assert "Changed" not in page
