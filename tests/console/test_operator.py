"""What an operator meets who opens the console for the first time, on a log that is a few minutes old."""

from __future__ import annotations

import re
from html import unescape

import msgspec
import pytest

from core.domain import session, task, worker
from core.domain.spec import TaskSpec
from projections import moments
from tests.console.tower import ONE_TRY, Tower


async def text(tower: Tower, path: str) -> str:
    answer = await tower.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def order_of(page: str, *said: str) -> list[str]:
    """What was looked for, in the order in which the page says it."""
    return sorted(said, key=page.index)


async def test_now_shows_the_steps_to_the_first_run_until_an_agent_is_connected(tower: Tower):
    await tower.submit("first")
    await tower.folded()
    page = await text(tower, "/")
    assert "No agent is connected." in page
    assert "bin/switchtower worker --agents sim:4,shell:2" in page
    assert "Waiting on you" in page  # what needs a person stands below
    answer = await tower.client.get("/?part=setup", headers={"HX-Request": "true"})
    assert "No agent is connected." in answer.text
    await tower.register(agents=1)
    await tower.folded()
    answer = await tower.client.get("/?part=setup", headers={"HX-Request": "true"})
    assert answer.headers["hx-refresh"] == "true"
    assert "Worker</span>" not in await text(tower, "/")


async def test_an_operator_whose_last_worker_is_lost_sees_how_to_bring_one(busy: Tower):
    for name in ("w1", "shells"):
        lost = worker.Lose(worker_id=name, epoch=busy.epoch(name), last_beat=busy.clock.now_us())
        assert (await busy.order(lost)).outcome == "done"
    await busy.folded()
    assert "No agent is connected." in await text(busy, "/")


async def test_the_reason_of_a_stuck_task_is_the_first_thing_its_page_says(busy: Tower):
    page = await text(busy, "/tasks/default/broken")
    said = order_of(page, "<b>Failed.</b>", "Attempts</h2>", "Description</h2>")
    assert said[0] == "<b>Failed.</b>"
    page = await text(busy, "/tasks?state=blocked")
    blocked = re.search(r'href="(/tasks/default/[^"?]+)" title', page)
    assert blocked is not None
    page = await text(busy, blocked[1])
    assert order_of(page, "Why it is not running", 'id="task_graph"')[0] == "Why it is not running"


async def test_whoever_ticked_no_agent_is_told_so_and_stops_nobody(busy: Tower):
    """The bar below the list is for those that are ticked; all at once has buttons of its own."""
    answer = await busy.client.get("/agents/all?do=stop&of=picked")
    assert answer.status_code == 422
    assert "No agent was chosen" in answer.text
    assert "Every agent there is" in await text(busy, "/agents/all?do=stop")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/tasks?after=zz", "after=zz is no place in a list"),
        ("/queues?line=zzz", "?line=zzz is no lane of this moment: there are A, B"),
        ("/agents/compare?pick=w1/a0&pick=w1/a1&pick=w1/a0", "two are compared"),
    ],
)
async def test_what_an_address_asks_for_and_cannot_have_is_said_with_the_way_on(busy: Tower, path: str, says: str):
    answer = await busy.client.get(path)
    assert answer.status_code == 422
    assert says in unescape(answer.text)


async def test_every_fact_that_led_to_a_run_can_be_looked_at(busy: Tower):
    page = await text(busy, "/runs/default/load~1")
    chain = page[page.index("Why it run") : page.index("Since then")]
    led = re.findall(r'<a href="([^"]+)" title="As it was at this fact"', chain)
    assert len(led) > 1
    for path in led:
        assert (await busy.client.get(path.replace("&amp;", "&"))).status_code == 200, path


async def test_a_tape_says_on_every_page_that_it_is_one_and_offers_no_order(busy: Tower):
    busy.app.state.desk = msgspec.structs.replace(busy.app.state.desk, tape="lantern.jsonl.gz")
    for path in ("/", "/agents", "/tasks", "/queues", "/board", "/system"):
        page = await text(busy, path)
        assert "A tape: lantern.jsonl.gz" in page
        assert "as it ends" in page
        assert not re.search(r'<button(?![^>]*\bdisabled)[^>]*value="task\.', page), path
        assert 'id="lamp"' not in page


async def test_a_task_at_the_end_of_a_chain_names_what_holds_it_up_at_its_beginning(tower: Tower):
    await tower.register(agents=1)
    await tower.bring_plan(
        dig=TaskSpec(title="Dig", policy=ONE_TRY),
        pour=TaskSpec(title="Pour", depends_on=["default/dig"]),
        wall=TaskSpec(title="Wall", depends_on=["default/pour"]),
        roof=TaskSpec(title="Roof", depends_on=["default/wall"]),
    )
    await tower.start("default/dig~1")
    await tower.folded()
    assert "Stuck on" not in await text(tower, "/tasks/default/roof")  # what it waits for goes on by itself
    await tower.finish("default/dig~1", "failed", error_class="exit", error="rock", exit_code=1)
    await tower.folded()
    page = await text(tower, "/tasks/default/roof")
    assert re.search(r'Stuck on</b> <a class="link" href="/tasks/default/dig">default/dig Dig</a> \(failed\)', page)
    assert order_of(page, "Stuck on", "Why it is not running")[0] == "Stuck on"


async def test_what_waits_for_a_container_is_not_stuck_for_want_of_an_agent_for_it(tower: Tower):
    await tower.bring_plan(
        whole=TaskSpec(title="The whole", needs=["hsm"]),
        part=TaskSpec(title="Its part", parents=["default/whole"], policy=ONE_TRY),
        after=TaskSpec(title="After the whole", depends_on=["default/whole"]),
    )
    await tower.register(agents=1)
    await tower.start("default/part~1")
    await tower.folded()
    assert "Stuck on" not in await text(tower, "/tasks/default/after")  # nobody ever does the whole itself
    await tower.finish("default/part~1", "failed", error_class="exit", error="rock", exit_code=1)
    await tower.folded()
    assert "default/whole The whole</a> (failed)" in await text(tower, "/tasks/default/after")


async def test_a_task_whose_chain_begins_with_one_no_agent_can_do_names_what_is_lacking(tower: Tower):
    """On its own page, in the closer look, and on Now, where agents can be added."""
    await tower.register(agents=1)
    await tower.bring_plan(
        sign=TaskSpec(title="Sign the archives", needs=["hsm"]),
        pack=TaskSpec(title="Pack the archives", depends_on=["default/sign"]),
        notes=TaskSpec(title="Publish the notes", depends_on=["default/pack"]),
    )
    await tower.folded()
    lacking = "(ready: no agent offers hsm)"
    assert lacking in await text(tower, "/tasks/default/notes")
    assert lacking in await text(tower, "/tasks?state=blocked&peek=default/notes")
    now = await text(tower, "/")
    assert order_of(now, "Sign the archives", "no agent offers hsm · holds up 1 task", 'href="/agents/add"')


async def test_a_task_tried_again_by_hand_is_not_at_attempt_two_of_one(tower: Tower):
    await tower.register(agents=1)
    await tower.submit("again", policy=ONE_TRY)
    await tower.start("default/again~1")
    await tower.finish("default/again~1", "failed", error_class="exit", error="exit 1", exit_code=1)
    await tower.order(task.Retry(task_id="default/again"))
    await tower.folded()
    assert "2 of 1" not in await text(tower, "/tasks")
    assert "2 of 1" not in await text(tower, "/tasks/default/again")


async def test_before_the_log_began_nothing_is_said_to_be_calm(busy: Tower):
    page = await text(busy, f"/?at={moments.second_of('-6h', busy.clock.now_us())}")
    assert "All calm" not in page
    assert "The log had not begun" in page
    assert re.search(r'href="/\?at=1">go to its first fact', page)


async def test_replay_offers_to_go_no_further_back_than_the_log_reaches(busy: Tower):
    page = await text(busy, "/replay")
    assert '<input name="at" value="1"' in page
    assert '<input name="a" value="1"' in page


async def test_a_minute_of_a_young_log_is_not_spread_over_an_hour(busy: Tower):
    tokens = re.search(r"Tokens</dt>.*?<a [^>]*>([^<]*)</a><small>([^<]*) a minute", await text(busy, "/"), re.DOTALL)
    assert tokens is not None
    assert tokens[1] == tokens[2]  # the log is not a minute old: what there is, is the minute's


async def test_an_idle_pool_stands_below_those_that_worked(tower: Tower):
    await tower.register(agents=1)
    await tower.register("a0", agents=1, adapter="shell", pool="archive")
    await tower.submit("work", needs=["sim"])
    await tower.start("default/work~1")
    await tower.folded()
    page = await text(tower, "/timeline")  # by name alone the archive would come first
    assert order_of(page, '<b title="archive">', '<b title="sim">')[0] == '<b title="sim">'


async def test_a_session_marked_as_broken_says_how_much_and_leads_there(busy: Tower):
    page = await text(busy, "/sessions")
    assert re.search(r'href="/tasks\?session=default&amp;state=failed%2Cquarantined"[^>]*>.*?1 broken', page)


LISTS = (
    "/", "/tasks", "/board", "/queues", "/replay", "/timeline?view=table", "/palette?q=sharpen",
    "/replay/compare?a=1&b=now",
)  # fmt: skip


async def test_where_sessions_stand_together_each_task_is_named_with_its_own(tower: Tower):
    await tower.register(agents=2)
    await tower.order(session.Open(session_id="night", goal="The same again"))
    for task_id in ("default/saw", "night/saw"):
        await tower.order(task.Submit(task_id=task_id, spec=TaskSpec(title="Sharpen the saw", policy=ONE_TRY)))
        await tower.start(f"{task_id}~1")
        await tower.finish(f"{task_id}~1", "failed", error_class="exit", error="dull", exit_code=1)
    await tower.order(task.Submit(task_id="night/next", spec=TaskSpec(title="Next", needs=["rare"])))
    await tower.order(task.Submit(task_id="default/next", spec=TaskSpec(title="Next", needs=["rare"])))
    await tower.folded()
    for path in LISTS:
        said = re.sub(r"<[^>]*>", " ", (await text(tower, path)).partition('id="main"')[2])
        for whose in ("night", "default"):
            named = rf"(saw|next)\s+{whose}" if path == "/board" else rf"{whose}/(saw|next)"
            assert re.search(rf"\s{named}", said), path


async def test_the_tasks_of_one_session_bear_their_names_alone(busy: Tower):
    for path in LISTS:
        assert not re.search(r">\s*default/(schema|load|broken)", await text(busy, path)), path


async def test_the_ways_in_name_the_folder_of_this_very_instance(tower: Tower):
    page = await text(tower, "/")
    assert f"--agents sim:4,shell:2 --data {tower.data}" in page
    assert f"--dry-run --data {tower.data}" in page
    assert f"$(cat {tower.data}/console/api-token)" in page
