"""The board: cards by state, in swimlanes, with limits that are marked, and moves that are orders."""

from __future__ import annotations

import re
from html import unescape

import pytest

from core.domain.spec import TaskSpec
from tests.console.tower import Tower


def column(page: str, name: str) -> list[str]:
    """The cards of a column, in order, over all swimlanes."""
    found = re.findall(rf'<li class="col" data-column="{name}">(.*?)</ul></li>', page, re.DOTALL)
    return [unescape(card).partition("/")[2] for part in found for card in re.findall(r'id="card-([^"]+)"', part)]


def move(page: str, name: str, to: str) -> dict[str, str] | None:
    """What the card's button for a column sends; None where there is no such button."""
    [card] = re.findall(rf'<li class="card-of" id="card-default/{name}".*?</li>', page, re.DOTALL)
    found = re.search(rf'name="type" value="([^"]+)" data-to="{to}"', card)
    return {"type": found[1], "task_id": f"default/{name}", "back": "/board"} if found else None


async def shown(tower: Tower, **asked: str) -> str:
    await tower.folded()
    answer = await tower.client.get("/board", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_every_task_stands_in_the_column_of_its_state(busy: Tower):
    page = await shown(busy)
    assert column(page, "done") == ["schema"]
    assert column(page, "running") == ["load"]
    assert column(page, "blocked") == ["report"]
    assert column(page, "failed") == ["broken"]
    assert column(page, "paused") == ["later"]
    assert column(page, "ready") == ["odd"]
    assert "no agent offers quantum" in page
    assert 'href="/tasks?q=containers%3Ano+state%3Afailed%2Cquarantined"' in page


async def test_the_number_over_a_column_leads_to_its_list(busy: Tower):
    page = await shown(busy, q="lane:C")
    [href] = re.findall(r'class="n-of" href="([^"]+failed[^"]+)"', page)
    listed = (await busy.client.get(unescape(href))).text
    assert re.findall(r'<tr id="task-([^"]+)"', listed) == ["default/broken"]


@pytest.mark.parametrize(("by", "lanes"), [("lane", ["A", "B", "C", "D"]), ("session", ["default"])])
async def test_swimlanes_cut_the_board_by_the_address(busy: Tower, by: str, lanes: list[str]):
    page = await shown(busy, by=by)
    assert re.findall(r'<h3 class="swim">.*?<a [^>]*>([^<]*)</a>', page) == lanes
    assert column(page, "failed") == ["broken"]
    assert (await busy.client.get("/board?by=colour")).status_code == 422


async def test_a_card_is_moved_where_that_is_an_order(busy: Tower):
    for name, to, then in (
        ("odd", "paused", "paused"), ("later", "ready", "running"), ("broken", "ready", "running"),
        ("load", "paused", "paused"),
    ):  # fmt: skip
        pressed = move(await shown(busy), name, to)
        assert pressed is not None, name
        assert (await busy.client.post("/orders", data=pressed)).status_code == 303
        if name == "load":
            await busy.finish("default/load~1", "interrupted")
        assert name in column(await shown(busy), then) or then == "running", (name, then)
    page = await shown(busy)
    assert move(page, "schema", "ready") is None  # what is done stays done
    assert "/tasks/bulk?do=cancel&amp;pick=default%2Freport" in page  # cancelling asks first


async def test_a_limit_that_is_passed_is_marked_in_shape_and_word(tower: Tower):
    await tower.bring_plan(**{f"t{n}": TaskSpec(title=f"Task {n}") for n in range(3)})
    page = await shown(tower)
    assert "over" not in page.partition('class="kanban"')[2].partition("</ol>")[0].replace("data-over", "")
    order = {"type": "board.limit", "column": "ready", "most": "2", "back": "/board"}
    assert (await tower.client.post("/orders", data=order)).status_code == 303
    page = await shown(tower)
    assert "3 / 2" in page
    assert "1 over" in page
    assert 'data-over="true"' in page
    assert (await tower.client.post("/orders", data=order | {"most": "0"})).status_code == 303
    assert "1 over" not in await shown(tower)


async def test_a_long_column_is_cut_and_says_how_many_more_there_are(tower: Tower):
    await tower.bring_plan(**{f"t{n}": TaskSpec(title=f"Task {n}", lane="AB"[n % 2]) for n in range(30)})
    page = await shown(tower)
    assert len(column(page, "ready")) == 12
    assert "18 more" in page
    page = await shown(tower, by="lane")
    assert len(column(page, "ready")) == 8
    assert page.count("11 more") == 2


async def test_containers_stand_apart_with_how_far_they_are(tower: Tower):
    await tower.bring_plan(whole=TaskSpec(title="The whole"), part=TaskSpec(title="A part", parents=["default/whole"]))
    page = await shown(tower)
    assert column(page, "ready") == ["part"]
    assert "0 of 1 parts over" in page


async def test_an_empty_board_says_what_would_fill_it(tower: Tower):
    assert "Bring a plan or write one task" in await shown(tower)
    await tower.submit("one")
    assert "Nothing matches this address" in await shown(tower, q="lane:D")


async def test_in_the_past_no_card_moves(busy: Tower):
    last = await busy.folded()
    page = await shown(busy, at=str(last))
    assert column(page, "ready") == ["odd"]
    assert 'draggable="true"' not in page
    assert "data-to=" not in page


async def test_a_view_of_the_board_is_kept_under_a_name(busy: Tower):
    page = await shown(busy, q="lane:C", by="session")
    [query] = re.findall(r'name="query" value="([^"]+)"', page)
    order = {"type": "view.save", "view_id": "Saws", "page": "/board", "query": unescape(query), "back": "/board"}
    assert (await busy.client.post("/orders", data=order)).status_code == 303
    page = await shown(busy)
    [href] = re.findall(r'<a class="chip" href="([^"]+)"[^>]*>Saws', page)
    assert unescape(href) == "/board?q=lane%3AC&by=session"
    assert "Saws" not in (await busy.client.get("/tasks")).text  # it is a view of this page


async def test_what_a_task_says_is_text_on_its_card(tower: Tower):
    evil = '<img src=x onerror=alert(1)>"\u202e<script>alert(1)</script>'
    await tower.submit("evil", title=evil, command=evil, labels=[evil[:20]])
    for path in ("/board", "/board?by=session", "/queues", "/tasks?peek=default/evil", "/tasks/bulk?do=pause&all=1"):
        await tower.folded()
        page = (await tower.client.get(path)).text
        assert "default/evil" in page, path
        assert "<img" not in page, path
        assert "alert(1)</script>" not in page, path
        assert "\u202e" not in page, path
