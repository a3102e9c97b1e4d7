"""One task's page: what it is, why it stands where it stands, what can be done with it, and nothing twice."""

from __future__ import annotations

import re

from core.domain.spec import TaskSpec
from tests.console.tower import Tower


async def page_of(tower: Tower, name: str, query: str = "") -> str:
    answer = await tower.client.get(f"/tasks/default/{name}{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def buttons(page: str, label: str) -> int:
    return len(re.findall(rf"<button[^>]*>(?:<svg.*?</svg>)?{label}</button>", page))


async def test_a_failed_task_has_one_retry_and_says_why_it_failed(busy: Tower):
    page = await page_of(busy, "broken")
    assert buttons(page, "Retry") == 1
    assert "exit 1: dull" in page


async def test_a_description_is_drawn_as_markdown_and_kept_as_the_agent_gets_it(busy: Tower):
    await busy.submit("told", prompt="Do **this**:\n\n- one\n- <script>two</script>", needs=["quantum"])
    await busy.folded()
    page = await page_of(busy, "told")
    assert "<strong>this</strong>" in page
    assert "<li>one</li>" in page
    assert "Do **this**:\n\n- one" in page
    assert "<script>two" not in page


async def test_where_an_imported_task_comes_from_is_told_in_that_places_words(busy: Tower):
    source = {"format": "beads", "id": "bd-7", "meta": {"a": [1, 2]}}
    await busy.submit("imported", source=source, needs=["quantum"])
    await busy.folded()
    facts = (await page_of(busy, "imported")).split("Comes from", 1)[1]
    for words in ("beads", "bd-7", "{&#34;a&#34;:[1,2]}"):
        assert words in facts


async def test_its_attempts_lead_to_their_runs_and_to_a_comparison_of_the_last_two(busy: Tower):
    await busy.submit("twice")
    await busy.start("default/twice~1")
    await busy.finish("default/twice~1", "interrupted")
    await busy.folded()
    page = await page_of(busy, "twice")
    assert "/runs/default/twice~1" in page
    assert "/runs/default/twice~2?tab=compare&amp;with=default%2Ftwice~1" in page


async def test_what_it_waits_for_can_be_changed_on_its_page_and_not_in_the_past(busy: Tower):
    before = await busy.folded()
    order = {"type": "task.depend", "task_id": "default/odd", "on": "default/report", "back": "/tasks/default/odd"}
    assert (await busy.client.post("/orders", data=order)).status_code == 303
    await busy.folded()
    page = await page_of(busy, "odd")
    assert 'id="need-default/report"' in page
    assert "needs default/report, which is blocked" in page
    past = await page_of(busy, "odd", f"?at={before}")
    assert "need-default/report" not in past
    assert 'name="on"' not in past
    assert "/tasks/default/odd/edit" not in past


async def test_a_ready_task_can_be_put_before_another_of_its_priority(busy: Tower):
    for name in ("early", "late"):
        await busy.submit(name, needs=["quantum"], lane="C", priority=1)
    await busy.folded()
    assert '<option value="default/early">before early</option>' in await page_of(busy, "late")
    order = {"type": "task.place", "task_id": "default/late", "before": "default/early", "back": "/tasks/default/late"}
    assert (await busy.client.post("/orders", data=order)).status_code == 303
    await busy.folded()
    line = (await busy.machine.get("/api/tasks", params={"lane": "C", "order": "queue", "state": "ready"})).json()[
        "rows"
    ]
    assert [row["task_id"] for row in line] == ["default/late", "default/early"]


async def test_a_containers_parts_are_counted_by_state_and_the_many_are_folded_away(tower: Tower):
    parts = {f"part-{n}": TaskSpec(title=f"Part {n}", parents=["default/box"]) for n in range(40)}
    await tower.bring_plan(box=TaskSpec(title="The whole", kind="epic"), **parts)
    await tower.folded()
    page = await page_of(tower, "box")
    assert "0 of 40 over" in page
    assert "40 ready" in page
    assert "16 more" in page
    assert page.count('id="part-default/') == 40


async def test_a_task_alone_in_the_world_has_no_graph(busy: Tower):
    assert "reach-box" not in await page_of(busy, "later")
