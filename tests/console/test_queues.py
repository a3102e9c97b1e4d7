"""Queues: the lanes as tracks, the line in front of one, and why what does not run does not."""

from __future__ import annotations

import re
from html import unescape

from core.domain import task
from core.domain.spec import TaskSpec
from tests.console.tower import Tower


def line(page: str) -> list[str]:
    """The tasks in line, next first."""
    return [unescape(found).partition("/")[2] for found in re.findall(r'<tr id="in-([^"]+)"', page)]


def button(page: str, name: str, move: str) -> dict[str, str] | None:
    """What the button sends; None where it is off."""
    [row] = re.findall(rf'<tr id="in-default/{name}".*?</tr>', page, re.DOTALL)
    [found] = re.findall(rf'<button [^>]*name="before" value="([^"]*)" data-move="{move}"([^>]*)>', row)
    if "disabled" in found[1]:
        return None
    return {"type": "task.place", "task_id": f"default/{name}", "before": unescape(found[0]), "back": "/queues"}


async def in_line(tower: Tower) -> str:
    await tower.folded()
    return (await tower.client.get("/queues?line=B")).text


async def test_a_lane_that_is_full_says_so_with_its_slots(tower: Tower):
    await tower.register(agents=1)
    await tower.order_and_fold({"type": "lane.configure", "lane": "B", "concurrency": 1})
    await tower.bring_plan(**{f"t{n}": TaskSpec(title=f"Task {n}", lane="B") for n in range(3)})
    page = await in_line(tower)
    assert "All slots in use (1/1)" in page
    assert "2 ready tasks in line" in page
    assert line(page) == ["t1", "t2"]


async def test_a_lane_tells_how_it_did_in_the_last_five_minutes(busy: Tower):
    page = (await busy.client.get("/queues")).text
    assert "Lane A: done per 10 s, last 5 minutes" in page
    assert re.search(r"of slots used", page)  # lane A has a limit of two
    assert re.search(r"at once", page)  # the others have none


async def test_the_line_is_ordered_by_its_buttons(tower: Tower):
    await tower.bring_plan(
        **{f"t{n}": TaskSpec(title=f"Task {n}", lane="B") for n in range(4)},
        urgent=TaskSpec(title="Urgent", lane="B", priority=0),
    )
    page = await in_line(tower)
    assert line(page) == ["urgent", "t0", "t1", "t2", "t3"]
    assert button(page, "urgent", "down") is None  # it is alone of its priority
    assert button(page, "t0", "up") is None
    for name, move, then in (
        ("t3", "up", ["t0", "t1", "t3", "t2"]), ("t0", "down", ["t1", "t0", "t3", "t2"]),
        ("t2", "first", ["t2", "t1", "t0", "t3"]), ("t1", "last", ["t2", "t0", "t3", "t1"]),
    ):  # fmt: skip
        pressed = button(page, name, move)
        assert pressed is not None
        assert (await tower.client.post("/orders", data=pressed)).status_code == 303
        page = await in_line(tower)
        assert line(page) == ["urgent", *then], (name, move)
    assert "t1" in (await tower.client.get("/commands?type=task.place")).text  # it is audited


async def test_in_the_past_nothing_is_moved(tower: Tower):
    await tower.bring_plan(**{f"t{n}": TaskSpec(title=f"Task {n}", lane="B") for n in range(2)})
    last = await tower.folded()
    page = (await tower.client.get("/queues", params={"line": "B", "at": str(last)})).text
    assert line(page) == ["t0", "t1"]
    assert button(page, "t0", "down") is None
    assert 'draggable="true"' not in page


async def test_the_matrix_says_of_each_task_what_is_missing_in_a_word(busy: Tower):
    page = (await busy.client.get("/queues")).text
    [odd] = re.findall(r'<tr id="why-default/odd".*?</tr>', page, re.DOTALL)
    assert re.search(r"<b>none</b>.*not met", odd, re.DOTALL)
    assert "no agent offers quantum" in odd
    [report] = re.findall(r'<tr id="why-default/report".*?</tr>', page, re.DOTALL)
    assert "<b>1 left</b>" in report
    assert "<b>paused</b>" in report  # its lane, too


async def test_one_tasks_conditions_are_told_in_full(busy: Tower):
    page = (await busy.client.get("/queues?task=default/report")).text
    assert "needs default/load, which is running" in page
    assert "It starts when these hold" in page
    assert page.count("not met") == 2
    assert 'href="/queues?task=default%2Fload"' in page  # and from there on to what that one waits for
    assert "There was no task default/ghost" in (await busy.client.get("/queues?task=default/ghost")).text
    assert (
        "is at it" in (await busy.client.get("/queues?task=default/load&part=why")).text
        or "counting rows" in (await busy.client.get("/queues?task=default/load&part=why")).text
    )


async def test_a_task_that_could_start_but_for_its_turn_says_so(tower: Tower):
    await tower.register(agents=1)
    await tower.submit("one")
    await tower.submit("two")
    await tower.order(task.Pause(task_id="default/two", reason="later"))
    await tower.folded()
    assert "paused: later" in (await tower.client.get("/queues?task=default/two")).text


async def test_all_lanes_are_paused_and_opened_with_one_button_each_by_its_own_order(tower: Tower):
    await tower.order_and_fold({"type": "lane.pause", "lane": "B", "reason": "a release"})
    page = (await tower.client.get("/queues")).text
    assert "Pause 3 lanes…" in page
    listed = re.findall(r'name="do" value="pause"><textarea name="lanes" hidden>\s*([^<]*)</textarea>', page)
    assert listed == ["A\nC\nD"]
    sent = {"do": "pause", "lanes": "A\r\nC\r\nD", "reason": "the disk is full"}
    answer = await tower.client.post("/queues/all", data=sent)
    assert answer.status_code == 303
    page = (await tower.client.get(answer.headers["location"])).text
    assert page.count("Paused by operator: the disk is full") == 3
    assert "Lane paused" in page
    assert "a release" in page  # who was paused before keeps its own reason
    assert "Open all 4 lanes" in page
    answer = await tower.client.post("/queues/all", data={"do": "resume", "lanes": "A\r\nB\r\nC\r\nD"})
    page = (await tower.client.get(answer.headers["location"])).text
    assert "Pause all 4 lanes…" in page
    audit = (await tower.client.get("/commands?type=lane.pause")).text
    assert audit.count("pause lane") == 4


async def test_an_order_for_all_lanes_that_names_none_says_what_to_order_instead(tower: Tower):
    for sent in ({"do": "close", "lanes": "A"}, {"do": "pause", "lanes": ""}):
        answer = await tower.client.post("/queues/all", data=sent)
        assert (answer.status_code, "pause or resume those that Queues lists" in answer.text) == (422, True)


async def test_in_the_past_no_lane_is_paused(tower: Tower):
    last = await tower.folded()
    assert "/queues/all" not in (await tower.client.get(f"/queues?at={last}")).text
