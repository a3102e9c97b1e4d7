"""Runs as stretches of time: where each stood on its track, as of any moment, and the same however it is asked for."""

from __future__ import annotations

from itertools import accumulate
from random import Random

import pytest

from core.domain import run, steer, task, worker
from projections import spans
from projections.rows import At
from projections.spans import BYS, SpanFilter
from tests.projections.crowd import BEGAN, crowd
from tests.projections.folded import Folded
from tests.projections.history import NOON, History, wandering

FOREVER = SpanFilter(since=0, until=2**60)
HOUR = 3_600_000_000


def at_end(history: History) -> At:
    return At(events_seq=len(history.events), observations_seq=0, at=history.now, live=True)


def story() -> History:
    """Ada builds, which takes two seconds and waited for one; her test fails; a third run is held, then goes on."""
    told = History()
    told.order(task.Submit(task_id="default/build", spec=task.TaskSpec(title="Build it")))
    told.order(
        worker.Register(worker_id="anvil", boot_id="b", agents=[worker.AgentSpec(name="ada", adapter="sim")]),
        later_ms=1_000,
    )
    epoch = told.state.workers["anvil"].epoch

    def reports(name: str, **end: object) -> None:
        told.order(run.Start(run_id=name, worker_id="anvil", epoch=epoch), later_ms=10)
        told.order(run.Finish(run_id=name, worker_id="anvil", epoch=epoch, **end), later_ms=2_000)  # type: ignore[arg-type]

    reports("default/build~1", result="succeeded")
    told.order(task.Submit(task_id="default/test", spec=task.TaskSpec(title="Test it", lane="B")))
    reports("default/test~1", result="failed", error_class="exit", error="2 tests failed")
    told.order(task.Cancel(task_id="default/test"))
    told.order(task.Submit(task_id="default/ship", spec=task.TaskSpec(title="Ship it")))
    told.order(run.Start(run_id="default/ship~1", worker_id="anvil", epoch=epoch))
    told.order(steer.Hold(run_id="default/ship~1", reason="wait for the tide"), later_ms=500)
    told.order(steer.Continue(run_id="default/ship~1"), later_ms=3_000)
    told.order(task.Submit(task_id="default/late", spec=task.TaskSpec(title="Sweep up")), later_ms=1_000)
    return told


@pytest.fixture
async def told(folded) -> tuple[Folded, History]:
    history = story()
    return await (await folded()).take(history), history


async def test_a_run_stands_from_given_out_to_its_end_with_the_wait_before_it(told: tuple[Folded, History]):
    model, history = told
    ship, test, build = (await model.ask(spans.spans, at_end(history), FOREVER, limit=10)).rows
    assert (build.run_id, build.look, build.state) == ("default/build~1", "run", "succeeded")
    assert build.wait_us == 1_000_000
    assert build.ended_at - build.started_at == build.took_us == 2_000_000
    assert (test.look, test.because) == ("bad", "2 tests failed")
    assert (ship.look, ship.state, ship.ended_at, ship.until) == ("live", "running", 0, history.now)


async def test_a_held_run_shows_since_when_and_until_when_it_was_held(told: tuple[Folded, History]):
    model, history = told
    (part,) = await model.ask(spans.parts, at_end(history), FOREVER, "agent")
    assert (part.what, part.track, part.until - part.since) == ("held", "anvil/ada", 3_000_000)
    still = At(events_seq=len(history.events) - 3, observations_seq=0, at=history.now, live=False)
    (part,) = await model.ask(spans.parts, still, FOREVER, "agent")
    assert (part.what, part.until) == ("held", history.now)


async def test_the_past_knows_nothing_of_what_came_later(told: tuple[Folded, History]):
    """As of a fact, the spans are those of a read model that has folded no further."""
    model, history = told
    for seq in range(3, len(history.events) + 1, 5):
        at = At(events_seq=seq, observations_seq=0, at=history.recorded[seq - 1].at, live=False)
        young = await (await Folded().open()).take(history, until=seq)
        assert await model.ask(spans.spans, at, FOREVER, limit=50) == await young.ask(
            spans.spans, at, FOREVER, limit=50
        ), seq
        young.model.store.close()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"states": ("running",)}, ["ship"]), ({"states": ("failed", "done")}, ["test", "build"]),
        ({"lanes": ("B",)}, ["test"]), ({"text": "IT"}, ["ship", "test", "build"]),
        ({"agents": ("anvil/ada",)}, ["ship", "test", "build"]),
        ({"text": "build~1"}, ["build"]), ({"tasks": ("default/test",)}, ["test"]), ({"sessions": ("other",)}, []),
    ],
)  # fmt: skip
async def test_filters_leave_what_fits(told: tuple[Folded, History], asked: dict[str, object], found: list[str]):
    model, history = told
    wanted = SpanFilter(since=0, until=2**60, **asked)  # type: ignore[arg-type]
    rows = (await model.ask(spans.spans, at_end(history), wanted, limit=10)).rows
    assert [row.task_id.partition("/")[2] for row in rows] == found
    assert (await model.ask(spans.totals, at_end(history), wanted)).spans == len(found)


async def test_a_range_holds_the_runs_that_touch_it(told: tuple[Folded, History]):
    model, history = told
    build = (await model.ask(spans.spans, at_end(history), FOREVER, limit=10)).rows[-1]
    for since, until, there in (
        (build.assigned_at - 10, build.assigned_at, False), (build.assigned_at - 10, build.assigned_at + 1, True),
        (build.started_at + 1, build.started_at + 2, True), (build.ended_at, build.ended_at + 1, True),
        (build.ended_at + 1, build.ended_at + 2, False),
    ):  # fmt: skip
        found = await model.ask(spans.spans, at_end(history), SpanFilter(since=since, until=until), limit=10)
        assert (build.run_id in {row.run_id for row in found.rows}) is there, (since, until)


async def test_pages_follow_each_other_without_a_gap_in_either_direction(folded):
    history = wandering(41, 250)
    model = await (await folded()).take(history)
    at = at_end(history)
    every = await model.ask(spans.spans_after, at, FOREVER, 0, 10_000)
    newest, before = [], 0
    while True:
        page = await model.ask(spans.spans, at, FOREVER, limit=3, before=before)
        newest += page.rows
        before = page.before
        if not before:
            break
    assert newest == every[::-1]
    assert len(every) > 10


async def test_no_track_ever_holds_two_spans_at_once(folded):
    history = wandering(41, 300)
    model = await (await folded()).take(history)
    for by in BYS:
        tracks = [track.key for track in await model.ask(spans.tracks, at_end(history), FOREVER, by)]
        columns = await model.ask(spans.columns, at_end(history), FOREVER, by, tracks)
        ends: dict[int, int] = {}
        for track, start, took in zip(columns.track, accumulate(columns.start), columns.took, strict=True):
            assert start >= ends.get(track, -(2**62)) - 1  # given out in the very millisecond the last one ended
            ends[track] = start + took


async def test_columns_say_the_same_as_rows(folded):
    history = wandering(44, 250)
    model = await (await folded()).take(history)
    at, wanted = at_end(history), SpanFilter(since=NOON, until=history.now + 1)
    tracks = sorted(track.key for track in await model.ask(spans.tracks, at, wanted, "agent"))
    columns = await model.ask(spans.columns, at, wanted, "agent", tracks)
    rows = await model.ask(spans.spans_after, at, wanted, 0, 10_000)
    assert list(accumulate(columns.born)) == [row.born for row in rows]
    assert [tracks[place] for place in columns.track] == [row.agent_id for row in rows]
    assert list(accumulate(columns.start)) == [(row.assigned_at - NOON) // 1_000 for row in rows]
    assert [spans.LOOKS[look] for look in columns.look] == [row.look for row in rows]


async def test_pieces_cover_what_the_spans_cover_and_nothing_else(folded):
    model = await folded()
    at = await crowd(model, 3_000)
    for seed in range(4):
        rng = Random(seed)
        since = BEGAN + rng.randrange(60_000_000)
        wanted = SpanFilter(since=since, until=since + rng.choice((1_000_000, 20_000_000, HOUR)))
        tracks = sorted(track.key for track in await model.ask(spans.tracks, at, wanted, "agent"))
        found = await model.ask(spans.pieces, at, wanted, "agent", tracks, columns=500)
        step = max(1, (wanted.until - wanted.since) // 500)
        covered = {(tracks[each.place], x) for each in found if each.look != "end"
                   for first, last in zip(each.x, each.x2, strict=True) for x in range(first, last)}  # fmt: skip
        rows = await model.ask(spans.spans_after, at, wanted, 0, 100_000)
        wanted_columns = {
            (row.agent_id, x)
            for row in rows
            for x in range(max(0, (row.assigned_at - since) // step), min(500, (row.until - since) // step + 1))
        }
        assert covered == wanted_columns
        ends = {(tracks[each.place], x) for each in found if each.look == "end" for x in each.x}
        assert {agent for agent, _ in ends} == {
            row.agent_id for row in rows if row.look == "bad" and row.until < wanted.until
        }


async def test_levels_are_what_ran_and_what_was_ready_at_each_instant(folded):
    model = await folded()
    at = await crowd(model, 400, agents=5)
    wanted = SpanFilter(since=BEGAN, until=BEGAN + 60_000_000)
    rows = await model.ask(spans.spans_after, at, wanted, 0, 1_000)
    found = await model.ask(spans.levels, at, wanted)
    for level in found[:: max(1, len(found) // 40)]:
        after = level.at + 2_999  # within the step the level stands for
        running = sum(row.assigned_at <= after < row.until for row in rows)
        ready = sum(row.ready_at <= after < row.assigned_at for row in rows)
        assert (level.running, level.ready) == (running, ready), level
