"""The list of tasks: found, sorted, looked at closely, taken away as a file, and ordered about in numbers."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from html import unescape

import pytest

from core.domain import task
from core.domain.spec import TaskSpec
from core.domain.words import Usage
from tests.console.tower import ONE_TRY, Tower


def names(page: str) -> list[str]:
    """The ids of the rows shown, in order."""
    return [unescape(found).partition("/")[2] for found in re.findall(r'<tr id="task-([^"]+)"', page)]


async def listed(busy: Tower, **asked: str) -> list[str]:
    answer = await busy.client.get("/tasks", params=asked)
    assert answer.status_code == 200, answer.text
    return names(answer.text)


async def test_a_search_line_finds_what_it_says(busy: Tower):
    assert await listed(busy, q="state:failed lane:C") == ["broken"]
    assert await listed(busy, q="agent:a0 state:running") + await listed(busy, q="agent:w1/a0 state:running") in (
        ["load", "load"], [],
    )  # fmt: skip
    assert await listed(busy, q="label:db") == ["schema"]
    assert await listed(busy, q="rows load") == ["load"]
    assert await listed(busy, q='"rows load"') == []
    assert await listed(busy, q="priority:0") == ["schema"]
    assert set(await listed(busy, q="since:1h")) == {"schema", "load", "report", "broken", "later", "odd"}


async def test_a_links_own_parameters_are_terms_of_the_line(busy: Tower):
    page = (await busy.client.get("/tasks?state=failed&lane=C")).text
    assert names(page) == ["broken"]
    assert 'value="state:failed lane:C"' in page


async def test_a_line_that_cannot_be_read_lists_nothing_and_says_what_goes(busy: Tower):
    answer = await busy.client.get("/tasks", params={"q": "stat:failed"})
    assert answer.status_code == 422
    assert "stat: is no qualifier; state, lane, agent" in answer.text
    assert names(answer.text) == []
    assert 'value="stat:failed"' in answer.text  # to be mended, not typed anew
    assert (await busy.client.get("/tasks", params={"order": "colour"})).status_code == 422


@pytest.mark.parametrize("order", ["title", "lane", "priority", "agent", "attempt", "cost", "tokens", "age", "need"])
async def test_every_order_goes_both_ways_and_page_by_page(busy: Tower, order: str):
    there = await listed(busy, order=order)
    assert len(there) == 6
    assert await listed(busy, order=f"-{order}") == there[::-1]
    for way in (order, f"-{order}"):
        walked, after = [], ""
        while True:
            page = (await busy.client.get("/tasks", params={"order": way, "limit": "2", "after": after})).text
            walked += names(page)
            more = re.search(r'href="[^"]*after=([^"&]+)[^"]*" rel="next"', page)
            if more is None:
                break
            after = unescape(more[1])
        assert walked == await listed(busy, order=way)


async def test_a_cursor_of_another_order_begins_at_the_first_page(busy: Tower):
    page = (await busy.client.get("/tasks?order=title&limit=2")).text
    after = re.search(r"after=([^&\"]+)", page)
    assert after
    assert len(await listed(busy, order="cost", limit="2", after=after[1])) == 2


@pytest.mark.parametrize(
    "asked", [{"since": "9" * 40}, {"cost_least": "-1"}, {"priority": "9" * 30}, {"cost_most": "lots"}]
)
async def test_a_bound_no_task_can_have_is_told_to_programs_too(busy: Tower, asked: dict[str, str]):
    assert (await busy.machine.get("/api/tasks", params=asked)).status_code == 422


@pytest.mark.parametrize("keys", ["[1,2]", "{}", "nonsense"])
async def test_what_is_no_place_in_a_list_is_refused_with_a_way_on(busy: Tower, keys: str):
    after = base64.urlsafe_b64encode(keys.encode()).decode().rstrip("=")
    answer = await busy.machine.get("/api/tasks", params={"after": after})
    assert answer.status_code == 422
    assert "take one from a page's own link" in answer.json()["detail"]


@pytest.mark.parametrize("keys", [f'[{"9" * 50},0,0,"x"]', '[1e300,0,0,"x"]', '["a","b","c","d"]'])
async def test_a_cursor_that_was_made_up_begins_at_the_first_page(busy: Tower, keys: str):
    after = base64.urlsafe_b64encode(keys.encode()).decode().rstrip("=")
    for order in ("need", "title", "-cost"):
        assert len(await listed(busy, order=order, after=after)) == 6


async def test_a_closer_look_stands_beside_the_list_and_in_the_address(busy: Tower):
    page = (await busy.client.get("/tasks?state=blocked&peek=default/report")).text
    assert names(page) == ["report"]
    assert "A closer look" in page
    assert "needs default/load, which is running" in page
    assert "no task default/ghost" in (await busy.client.get("/tasks?peek=default/ghost")).text


async def test_what_could_be_typed_next_is_offered(busy: Tower):
    offered = (await busy.client.get("/tasks/suggest", params={"q": "saw st"})).text
    assert 'value="saw state:"' in offered
    offered = (await busy.client.get("/tasks/suggest", params={"q": "lane:A,"})).text
    assert 'value="lane:A,B"' in offered
    assert 'value="lane:A,A"' not in offered
    assert 'value="label:db"' in (await busy.client.get("/tasks/suggest", params={"q": "label:"})).text


async def test_the_list_is_a_file_too_and_no_cell_of_it_a_formula(busy: Tower):
    await busy.submit("evil", title='=HYPERLINK("http://evil.test","x")', lane="C")
    await busy.folded()
    answer = await busy.client.get("/tasks.csv", params={"q": "lane:C", "order": "title"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["task_id"] for row in rows] == ["default/evil", "default/broken"]
    assert rows[0]["title"].startswith("'=")
    assert rows[1]["because"] == "exit: exit 1: dull"
    lines = (await busy.client.get("/tasks.jsonl", params={"q": "lane:C", "order": "title"})).text.splitlines()
    assert [json.loads(line)["task_id"] for line in lines] == ["default/evil", "default/broken"]
    assert (await busy.client.get("/tasks.csv?q=stat:x")).status_code == 422


async def test_a_view_is_kept_under_a_name_for_everybody_and_taken_away(busy: Tower):
    page = (await busy.client.get("/tasks?state=failed&order=-cost")).text
    [query] = re.findall(r'name="query" value="([^"]+)"', page)
    order = {"type": "view.save", "view_id": "Broken & dear", "page": "/tasks", "query": unescape(query)}
    assert (await busy.client.post("/orders", data=order)).status_code == 303
    await busy.folded()
    page = (await busy.client.get("/tasks")).text
    [href] = re.findall(r'<a class="chip" href="([^"]+)"[^>]*>Broken &amp; dear', page)
    assert unescape(href) == "/tasks?q=state%3Afailed&order=-cost"
    kept = (await busy.client.get(unescape(href))).text
    assert names(kept) == ["broken"]
    assert re.search(r'>Broken &amp; dear <span class="count">1</span>', kept)
    retry = {"type": "task.retry", "task_id": "default/broken", "back": "/tasks"}
    assert (await busy.client.post("/orders", data=retry)).status_code == 303
    await busy.folded()
    assert re.search(r'>Broken &amp; dear <span class="count">0</span>', (await busy.client.get("/tasks")).text)
    assert re.search(r'aria-current="true"[^>]*>Broken &amp; dear', kept)
    await busy.client.post("/orders", data={"type": "view.remove", "view_id": "Broken & dear", "back": "/tasks"})
    await busy.folded()
    assert "Broken &amp; dear" not in (await busy.client.get("/tasks")).text


# ── one order for many


def fields_of(page: str) -> dict[str, str]:
    """The fields of the form that gives the orders."""
    [form] = re.findall(r'<form method="post" action="/tasks/bulk".*?</form>', page, re.DOTALL)
    return {name: unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', form)}


async def test_many_are_shown_before_they_are_retried_and_each_outcome_after(tower: Tower):
    specs = {f"t{n}": TaskSpec(title=f"Task {n}", lane="B") for n in range(5)}
    await tower.bring_plan(**specs, other=TaskSpec(title="Other", lane="A"))
    for n in range(4):
        await tower.order(task.Cancel(task_id=f"default/t{n}"))
    await tower.folded()
    look = await tower.client.get("/tasks/bulk", params={"do": "retry", "all": "1", "q": "lane:B"})
    assert "Retry 4 of 5 tasks?" in look.text
    assert "have not failed and were not cancelled" in look.text
    assert "default/t3" in look.text
    await tower.order(task.Retry(task_id="default/t0"))  # somebody was faster
    await tower.submit("late", lane="B")
    given = await tower.client.post("/tasks/bulk", data=fields_of(look.text))
    assert given.status_code == 303
    await tower.folded()
    came = (await tower.client.get(given.headers["location"])).text
    assert "4 of 4 ordered" in came
    assert re.search(r"<dt>Done</dt><dd><b>3</b>", came)
    assert "default/t0" in came
    assert "now ready" in came
    assert "is ready" in came  # why t0 was refused
    again = await tower.client.post("/tasks/bulk", data=fields_of(look.text))
    assert again.status_code == 303  # sent twice, each is still one order
    await tower.folded()
    assert "4 of 4 ordered" in (await tower.client.get(again.headers["location"])).text
    assert (await tower.client.get("/tasks", params={"q": "state:cancelled"})).text.count("<tr id=") == 0


async def test_a_retry_says_what_it_may_cost(tower: Tower):
    await tower.register(agents=1)
    await tower.submit("dear", policy=ONE_TRY)
    await tower.start("default/dear~1")
    used = Usage(input_tokens=10, cost_uusd=1_250_000)
    await tower.finish("default/dear~1", "failed", error_class="exit", error="exit 1", usage=used)
    await tower.submit("unused")
    await tower.order(task.Cancel(task_id="default/unused"))
    await tower.folded()
    assert "$1.25" in (await tower.client.get("/tasks/bulk?do=retry&pick=default/dear")).text
    page = (await tower.client.get("/tasks/bulk?do=retry&all=1")).text
    assert "as much as 1 of their last attempts" in page
    assert "has a price" in (await tower.client.get("/tasks/bulk?do=retry&pick=default/unused")).text


async def test_only_what_is_ticked_is_cancelled_and_the_reason_is_kept(busy: Tower):
    look = await busy.client.get("/tasks/bulk?do=cancel&pick=default/report&pick=default/schema")
    assert "Cancel 1 of 2 tasks?" in look.text
    given = await busy.client.post("/tasks/bulk", data=fields_of(look.text) | {"reason": "not needed"})
    assert given.status_code == 303
    await busy.folded()
    page = (await busy.client.get("/tasks?state=cancelled")).text
    assert names(page) == ["report"]
    assert "not needed" in page


async def test_many_are_moved_to_another_lane(busy: Tower):
    look = await busy.client.get("/tasks/bulk?do=move&lane=D&all=1&q=lane:B,D")
    assert "Move 1 of 2 tasks?" in look.text
    assert (await busy.client.post("/tasks/bulk", data=fields_of(look.text))).status_code == 303
    await busy.folded()
    assert set(await listed(busy, q="lane:D")) == {"report", "later"}
    unknown = await busy.client.get("/tasks/bulk?do=move&lane=Z&all=1")
    assert unknown.status_code == 422
    assert "no lane" in unknown.text


async def test_a_quarantine_is_lifted_only_when_said_so(busy: Tower):
    plain = (await busy.client.get("/tasks/bulk?do=retry&all=1")).text
    assert "Retry 1 of 6 tasks?" in plain
    assert "quarantine" not in plain


async def test_thousands_go_in_batches_that_say_how_far_they_are(tower: Tower, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("console.pages.bulk.BATCH", 2)
    await tower.bring_plan(**{f"t{n}": TaskSpec(title=f"Task {n}") for n in range(5)})
    await tower.folded()
    page = (await tower.client.get("/tasks/bulk?do=pause&all=1")).text
    for done in (2, 4, 5):
        given = await tower.client.post("/tasks/bulk", data=fields_of(page))
        assert given.status_code == 303, given.text
        await tower.folded()
        page = (await tower.client.get(given.headers["location"])).text
        assert f"{done} of 5 ordered" in page
    assert "data-go-on" not in page


async def test_an_order_for_many_that_cannot_be_is_told(busy: Tower):
    assert "Nothing is selected" in (await busy.client.get("/tasks/bulk?do=retry")).text
    for path, says in (
        ("/tasks/bulk?do=delete&all=1", "cannot be done to many"),
        ("/tasks/bulk?do=retry&all=1&q=stat:x", "no qualifier"),
        ("/tasks/bulk?do=retry&all=1&at=3", "past"), ("/tasks/bulk?id=x&do=retry", "no id"),
        ("/tasks/bulk?do=reprioritise&to=9&all=1", "0 to 4"),
    ):  # fmt: skip
        answer = await busy.client.get(path)
        assert answer.status_code == 422, path
        assert says in answer.text, path
    page = (await busy.client.get("/tasks/bulk?do=pause&all=1")).text
    changed = await busy.client.post("/tasks/bulk", data=fields_of(page) | {"count": "99"})
    assert changed.status_code == 422
    assert "look at it again" in changed.text
