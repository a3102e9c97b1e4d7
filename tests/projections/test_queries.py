"""What pages are told, from one small story: three tasks, one worker, a failure, a refusal, some tool calls."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest

from core.domain import lane, run, task, worker
from core.domain.words import Policy, Usage
from core.ledger import Stored
from core.observation import Observation, encode_observation
from projections import queries
from projections.queries import BadMoment
from projections.rows import At
from projections.rows.record import CommandFilter, TimelineFilter
from projections.rows.runs import RunFilter
from projections.rows.tasks import TaskFilter, TaskOrder
from tests.projections.folded import Folded
from tests.projections.history import NOON, History, wandering

SECOND = 1_000_000
ONE_TRY = Policy(max_attempts=1)


def story() -> History:
    """build succeeds, test (which needs it) fails for good, ship (which needs that) is blocked; docs has no agent."""
    told = History()
    told.order(
        worker.Register(
            worker_id="anvil", boot_id="b", agents=[worker.AgentSpec(name="ada", adapter="sim", model="m1")]
        )
    )
    told.order(
        task.Submit(task_id="default/build", spec=task.TaskSpec(title="Build it", lane="A", priority=1)),
        task.Submit(
            task_id="default/test", spec=task.TaskSpec(title="Test it", depends_on=["default/build"], policy=ONE_TRY)
        ),
        task.Submit(task_id="default/ship", spec=task.TaskSpec(title="Ship it", depends_on=["default/test"], lane="B")),
        task.Submit(task_id="default/docs", spec=task.TaskSpec(title="Write it down", needs=["french"], lane="C")),
        by="maria",
    )
    epoch = told.state.workers["anvil"].epoch
    told.order(run.Start(run_id="default/build~1", worker_id="anvil", epoch=epoch), later_ms=500, by="anvil")
    told.order(
        run.Progress(run_id="default/build~1", worker_id="anvil", epoch=epoch, step="compiling", percent=40,
                     usage=Usage(input_tokens=100, tool_calls=1, cost_uusd=2_000)),
        later_ms=1_000, by="anvil",
    )  # fmt: skip
    told.order(
        run.Finish(run_id="default/build~1", worker_id="anvil", epoch=epoch, result="succeeded", checks=["make test"],
                   usage=Usage(input_tokens=300, output_tokens=50, tool_calls=2, cost_uusd=9_000), duration_ms=3_000,
                   files=["a.py"], summary="built"),
        later_ms=2_000, by="anvil",
    )  # fmt: skip
    told.order(
        run.Finish(run_id="default/test~1", worker_id="anvil", epoch=epoch, result="failed", error_class="exit",
                   error="2 tests failed", exit_code=1, duration_ms=1_000),
        later_ms=5_000, by="anvil",
    )  # fmt: skip
    told.order(task.Cancel(task_id="default/nobody"), lane.Pause(lane="C", reason="not today"), by="maria")
    return told


def sightings() -> list[Stored]:
    seen = [
        Observation(
            run_id="default/build~1", n=1, at=NOON + 2 * SECOND, kind="tool", name="Read", says="a.py", ref="c1"
        ),
        Observation(run_id="default/build~1", n=2, at=NOON + 3 * SECOND, kind="tool_result", ref="c1", says="40 lines"),
        Observation(
            run_id="default/build~1", n=3, at=NOON + 3 * SECOND, kind="tool", name="Bash", says="make", ref="c2"
        ),
        Observation(run_id="default/test~1", n=1, at=NOON + 6 * SECOND, kind="text", says="Let me see"),
    ]
    messages = [encode_observation(each) for each in seen]
    return [Stored(n, m.subject, each.at, m.data) for n, (m, each) in enumerate(zip(messages, seen, strict=True), 1)]


@pytest.fixture
async def seen(folded) -> Folded:
    model: Folded = await folded()
    await model.take(story())
    await model.model.take("OBSERVATIONS", sightings())
    return model


@pytest.fixture
async def now(seen: Folded) -> At:
    return await seen.ask(queries.latest, NOON + 10 * SECOND)


# ------------------------------------------------------------------ moments


async def test_a_moment_is_a_fact_a_time_or_so_long_ago(seen: Folded, now: At):
    built = next(n for n, each in enumerate(story().recorded, 1) if isinstance(each.fact, run.Succeeded))
    at_us = story().recorded[built - 1].at
    by_number = await seen.ask(queries.moment, str(built), now.at)
    iso = datetime.fromtimestamp(at_us / 1e6, UTC).isoformat()
    by_time = await seen.ask(queries.moment, iso, now.at)
    ago = await seen.ask(queries.moment, "-5s", now.at)
    assert (by_number.events_seq, by_number.at, by_number.live) == (built, at_us, False)
    assert by_time.at == at_us
    assert by_time.events_seq == built + 1  # the assignment the success made possible is of the same time
    assert ago.at == now.at - 5 * SECOND
    assert ago.observations_seq == 3  # of before then
    assert (await seen.ask(queries.moment, "", now.at)).live


@pytest.mark.parametrize(
    "asked", ["0", "99999", "yesterday", "-5y", "2026-13-01", "1e3", "'; drop table tasks", "9" * 400]
)
async def test_a_moment_that_cannot_be_says_what_could(seen: Folded, now: At, asked: str):
    with pytest.raises(BadMoment, match="There is no fact|is no moment: give"):
        await seen.ask(queries.moment, asked, now.at)


async def test_before_the_first_fact_there_is_nothing_and_nothing_breaks(seen: Folded, now: At):
    before = await seen.ask(queries.moment, "2001-01-01", now.at)
    assert before.events_seq == 0
    assert (await seen.ask(queries.tasks, before, TaskFilter())).total == 0
    assert (await seen.ask(queries.counts, before)).all_tasks == 0
    assert await seen.ask(queries.lanes, before) == []
    assert (await seen.ask(queries.hour, before)).success_share is None
    assert await seen.ask(queries.attention, before) == []


# ------------------------------------------------------------------ tasks


async def test_every_task_says_why_it_is_in_its_state(seen: Folded, now: At):
    rows = (await seen.ask(queries.tasks, now, TaskFilter())).rows
    assert {row.name: (row.shown, row.because) for row in rows} == {
        "build": ("done", "verified by its checks"),
        "test": ("failed", "exit: 2 tests failed"),
        "ship": ("blocked", "needs default/test, which failed"),
        "docs": ("ready", "lane C is paused"),
    }
    assert [row.name for row in rows] == ["test", "docs", "ship", "build"]  # what asks for a person first


async def test_a_running_task_shows_its_step_as_of_then(seen: Folded, now: At):
    then = await seen.ask(queries.moment, "-7s", now.at)
    [row] = (await seen.ask(queries.tasks, then, TaskFilter(states=("running",)))).rows
    assert (row.name, row.because, row.percent, row.tokens, row.cost_uusd) == ("build", "compiling", 40, 100, 2_000)


async def test_a_task_page_has_all_that_hangs_on_it(seen: Folded, now: At):
    page = await seen.ask(queries.task, now, "default/test")
    assert [(link.name, link.state) for link in page.needs] == [("build", "done")]
    assert [(link.name, link.state) for link in page.dependents] == [("ship", "blocked")]
    assert [(each.run_id, each.state, each.exit_code) for each in page.runs] == [("default/test~1", "failed", 1)]
    assert [entry.says for entry in page.timeline] == [
        "failed (exit): 2 tests failed, task failed",
        "given to anvil/ada, attempt 1",
        "ready: default/build is done",
        "submitted, blocked",
    ]
    assert page.why == []
    assert await seen.ask(queries.task, now, "default/nobody") is None


async def test_filters_narrow_and_totals_count_what_matches(seen: Folded, now: At):
    async def names(**wanted: object) -> list[str]:
        return sorted(row.name for row in (await seen.ask(queries.tasks, now, TaskFilter(**wanted))).rows)

    assert await names(states=("failed", "done")) == ["build", "test"]
    assert await names(lanes=("B", "C")) == ["docs", "ship"]
    assert await names(text="WRITE") == ["docs"]
    assert await names(text="default/sh") == ["ship"]
    assert await names(agent="anvil/ada") == ["build", "test"]
    assert await names(sessions=("nowhere",)) == []
    found = await seen.ask(queries.tasks, now, TaskFilter(states=("failed",), limit=1))
    assert (found.total, found.by_state) == (1, {"failed": 1, "done": 1, "blocked": 1, "ready": 1})


@pytest.mark.parametrize("order", ["need", "queue", "recent", "cost", "id"])
async def test_pages_one_after_the_other_give_every_task_once(folded, order: TaskOrder):
    history = wandering(51, 300)
    seen: Folded = await (await folded()).take(history)
    now = await seen.ask(queries.latest, history.now)
    whole = [row.task_id for row in (await seen.ask(queries.tasks, now, TaskFilter(order=order, limit=0))).rows]
    paged, after = [], ""
    while True:
        page = await seen.ask(queries.tasks, now, TaskFilter(order=order, limit=7, after=after))
        paged += [row.task_id for row in page.rows]
        after = page.after
        if not after:
            break
    assert paged == whole
    assert len(set(paged)) == len(paged) == page.total


async def test_a_cursor_nobody_made_is_refused_with_a_way_on(seen: Folded, now: At):
    with pytest.raises(queries.BadPlace, match="is no place in a list: take one from a page's own link"):
        await seen.ask(queries.tasks, now, TaskFilter(after="%%% nonsense"))


# ------------------------------------------------------------------ runs, agents


async def test_a_run_page_has_stages_and_totals(seen: Folded, now: At):
    page = await seen.ask(queries.run, now, "default/build~1")
    assert [stage.state for stage in page.stages] == ["assigned", "running", "succeeded"]
    assert all(stage.until == following.at for stage, following in zip(page.stages, page.stages[1:], strict=False))
    assert page.run.usage == Usage(input_tokens=300, output_tokens=50, tool_calls=2, cost_uusd=9_000)
    assert (page.run.files, page.run.checks, page.run.model) == (("a.py",), ("make test",), "m1")
    assert (page.tool_calls, page.observed) == (2, 3)


async def test_tool_calls_come_with_their_results(seen: Folded, now: At):
    calls = await seen.ask(queries.tool_calls, now, "default/build~1")
    assert [(each.call.name, each.result.says if each.result else None) for each in calls] == [
        ("Read", "40 lines"),
        ("Bash", None),
    ]
    early = At(events_seq=now.events_seq, observations_seq=1, at=now.at)
    assert [each.result for each in await seen.ask(queries.tool_calls, early, "default/build~1")] == [None]


async def test_runs_by_filter_newest_first_and_paged(seen: Folded, now: At):
    both = await seen.ask(queries.runs, now, RunFilter(agent_id="anvil/ada"))
    assert [each.run_id for each in both.rows] == ["default/test~1", "default/build~1"]
    first = await seen.ask(queries.runs, now, RunFilter(limit=1))
    second = await seen.ask(queries.runs, now, RunFilter(limit=1, before=first.before))
    assert [first.rows[0].run_id, second.rows[0].run_id] == ["default/test~1", "default/build~1"]
    assert (first.total, second.before) == (2, "")


async def test_an_agent_is_busy_with_its_run_and_idle_after_it(seen: Folded, now: At):
    then = await seen.ask(queries.moment, "-7s", now.at)
    [busy] = await seen.ask(queries.agents, then)
    assert (busy.state, busy.run.run_id, busy.run.step, busy.tokens) == ("busy", "default/build~1", "compiling", 100)
    [idle] = await seen.ask(queries.agents, now)
    assert (idle.state, idle.run, idle.done, idle.failed) == ("idle", None, 1, 1)
    page = await seen.ask(queries.agent, now, "anvil/ada")
    assert [each.state for each in page.runs] == ["failed", "succeeded"]


# ------------------------------------------------------------------ the fleet


async def test_the_last_hour_in_figures(seen: Folded, now: At):
    hour = await seen.ask(queries.hour, now)
    assert (hour.done, hour.failed, hour.success_share, hour.first_try_share) == (1, 1, 0.5, 0.5)
    assert (hour.run_median_ms, hour.tokens, hour.cost_uusd) == (2_000, 350, 9_000)
    assert hour.wait_median_ms == 0  # given out as soon as they were ready
    assert len(hour.minutes) == 60
    assert (hour.minutes[-1].done, hour.minutes[-1].failed) == (1, 1)


async def test_usage_by_model_task_and_agent(seen: Folded, now: At):
    [by_model] = await seen.ask(queries.usage, now, "model")
    assert (by_model.key, by_model.runs, by_model.done, by_model.failed, by_model.usage.cost_uusd) == (
        "m1",
        2,
        1,
        1,
        9_000,
    )
    assert [row.key for row in await seen.ask(queries.usage, now, "task")] == ["default/build", "default/test"]


async def test_lanes_count_what_stands_in_them(seen: Folded, now: At):
    lanes = {each.lane: each for each in await seen.ask(queries.lanes, now)}
    assert (lanes["C"].paused, lanes["C"].paused_because, lanes["C"].paused_by, lanes["C"].ready) == (
        True, "not today", "maria", 1,
    )  # fmt: skip
    assert (lanes["A"].done_last_hour, lanes["A"].failed_last_hour, lanes["B"].blocked) == (1, 1, 1)


async def test_what_needs_a_person_comes_ranked_and_the_longest_waiting_first(seen: Folded, now: At):
    found = await seen.ask(queries.attention, now)
    assert [(each.kind, each.title, each.says) for each in found] == [
        ("no_agent", "Write it down", "no agent offers french"),
        ("failed", "Test it", "exit: 2 tests failed · holds up 1 task"),
    ]
    later = At(events_seq=now.events_seq, observations_seq=4, at=now.at + 3_600 * SECOND)
    assert [each.kind for each in await seen.ask(queries.attention, later)][-1] == "paused"


# ------------------------------------------------------------------ the record


async def test_the_timeline_is_one_order_of_facts_and_observations(seen: Folded, now: At):
    entries = (await seen.ask(queries.timeline, now, TimelineFilter())).entries
    assert [entry.at for entry in entries] == sorted((entry.at for entry in entries), reverse=True)
    assert {entry.stream for entry in entries} == {"events", "observations"}
    of_task = (await seen.ask(queries.timeline, now, TimelineFilter(task_id="default/build"))).entries
    assert "Read: a.py" in [entry.says for entry in of_task]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_timeline_pages_one_after_the_other_give_every_entry_once(folded, limit: int):
    seen: Folded = await (await folded()).take(story())
    await seen.model.take("OBSERVATIONS", sightings())
    now = await seen.ask(queries.latest, NOON + 10 * SECOND)
    whole = (await seen.ask(queries.timeline, now, TimelineFilter(limit=1_000))).entries
    paged, before = [], ""
    while True:
        page = await seen.ask(queries.timeline, now, TimelineFilter(limit=limit, before=before))
        paged += page.entries
        before = page.before
        if not before:
            break
    assert paged == whole


async def test_commands_say_who_what_and_what_came_of_it(seen: Folded, now: At):
    shown = await seen.ask(queries.commands, now, CommandFilter(by="maria"))
    assert [(row.says, row.outcome, row.reason) for row in shown.rows][:2] == [
        ("pause lane C", "done", ""),
        ("cancel task default/nobody", "refused", "there is no task 'default/nobody'"),
    ]
    assert {row.latency_us for row in shown.rows} == {2_000}
    assert shown.total == 6
    refused = await seen.ask(queries.commands, now, CommandFilter(outcomes=("refused",)))
    assert (refused.total, [row.type for row in refused.rows]) == (1, ["task.cancel"])
    everything = await seen.ask(queries.commands, now, CommandFilter(reports=True, limit=0))
    assert everything.total == len(story().commands)


async def test_a_command_is_pending_until_its_last_fact_is_there(seen: Folded, now: At):
    then = await seen.ask(queries.moment, "1", now.at)
    before = At(events_seq=then.events_seq, observations_seq=0, commands_seq=3, at=then.at, live=False)
    shown = await seen.ask(queries.commands, before, CommandFilter(reports=True))
    assert [(row.type, row.outcome) for row in shown.rows] == [
        ("task.submit", "pending"),
        ("worker.register", "pending"),
        ("core.begin", "done"),
    ]


async def test_every_query_answers_at_random_moments_of_a_random_history(folded):
    history = wandering(52, 200)
    seen: Folded = await (await folded()).take(history)
    rng = Random(52)
    for _ in range(6):
        at = await seen.ask(queries.moment, str(rng.randint(1, len(history.events))), history.now)
        for ask, args in [
            (queries.counts, ()), (queries.hour, ()), (queries.attention, ()), (queries.plans, ()),
            (queries.sessions, ()), (queries.timeline, (TimelineFilter(text="task"),)),
            (queries.commands, (CommandFilter(text="t"),)), (queries.usage, ("lane",)),
        ]:  # fmt: skip
            await seen.ask(ask, at, *args)
        counts = await seen.ask(queries.counts, at)
        listed = await seen.ask(queries.tasks, at, TaskFilter(containers=False, limit=0))
        assert counts.all_tasks == listed.total == len(listed.rows)
