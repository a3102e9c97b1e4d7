"""A halted fleet, held runs and what operators keep for each other, as pages ask for them at any moment."""

from __future__ import annotations

from core.domain import amend, notes, run, steer, system, task
from projections import queries
from projections.rows import At
from projections.rows.runs import RunFilter
from projections.rows.tasks import TaskFilter
from tests.projections.history import History
from tests.spec import register, submit

FIX, RUN = "default/fix", "default/fix~1"


def now(history: History) -> At:
    return At(events_seq=len(history.events), observations_seq=0, commands_seq=10**9, at=history.now, live=True)


async def because(seen, at: At) -> dict[str, str]:
    return {row.task_id: row.because for row in (await seen.ask(queries.tasks, at, TaskFilter())).rows}


async def test_what_waits_while_the_fleet_is_halted_says_who_halted_it_and_why(folded):
    history = History().order(register("anvil", "ada"), submit("fix"), submit("next"))
    before = now(history)
    history.order(system.Halt(reason="the build is red"), by="ada@console")
    seen = await (await folded()).take(history)
    fleet = await seen.ask(queries.fleet_state, now(history))
    assert (fleet.halted, fleet.gently, fleet.by, fleet.because) == (True, False, "ada@console", "the build is red")
    assert await because(seen, now(history)) == {
        FIX: "told to interrupt", "default/next": "the fleet is halted by ada@console: the build is red",
    }  # fmt: skip
    assert not (await seen.ask(queries.fleet_state, before)).halted


async def test_a_held_run_says_who_held_it_until_it_goes_on(folded):
    history = History().order(register("anvil", "ada"), submit("fix"))
    history.order(steer.Hold(run_id=RUN, reason="let me look"), by="ada@console")
    held = now(history)
    history.order(steer.Continue(run_id=RUN))
    seen = await (await folded()).take(history)
    (run_then,) = (await seen.ask(queries.runs, held, RunFilter(states=("held",)))).rows
    assert (run_then.state, run_then.because) == ("held", "held by ada@console: let me look")
    assert (await because(seen, held))[FIX] == "held by ada@console: let me look"
    (run_now,) = (await seen.ask(queries.runs, now(history), RunFilter())).rows
    assert (run_now.state, run_now.because) == ("assigned", "")
    (agent,) = await seen.ask(queries.agents, held)
    assert agent.since == held.at  # since it is held, not since the run was given to it


async def test_a_run_that_says_it_began_while_it_is_held_stays_held(folded):
    history = History().order(register("anvil", "ada"), submit("fix"), steer.Hold(run_id=RUN))
    history.order(run.Start(run_id=RUN, worker_id="anvil", epoch=2))
    seen = await (await folded()).take(history)
    (held,) = (await seen.ask(queries.runs, now(history), RunFilter())).rows
    assert (held.state, held.started_at > 0) == ("held", True)


async def test_a_line_stands_as_it_was_ordered(folded):
    history = History().order(submit("a"), submit("b"), submit("c"))
    before = now(history)
    history.order(amend.Place(task_id="default/c", before="default/a"))
    seen = await (await folded()).take(history)

    async def line(at: At) -> list[str]:
        return [each.row.name for each in await seen.ask(queries.queue, at, "A")]

    assert (await line(before), await line(now(history))) == (["a", "b", "c"], ["c", "a", "b"])


async def test_a_task_says_what_it_says_now_and_what_it_said_then(folded):
    history = History().order(submit("fix", prompt="in prose"), submit("roof"))
    then = now(history)
    history.order(
        amend.Amend(task_id=FIX, changes=amend.Changes(prompt="in verse")),
        amend.Depend(task_id=FIX, on="default/roof"), task.Reprioritise(task_id=FIX, priority=0),
    )  # fmt: skip
    seen = await (await folded()).take(history)
    was, is_ = await seen.ask(queries.task, then, FIX), await seen.ask(queries.task, now(history), FIX)
    assert (was.spec.prompt, was.spec.depends_on, was.row.state) == ("in prose", [], "ready")
    assert (is_.spec.prompt, is_.spec.depends_on, is_.spec.priority, is_.row.state) == (
        "in verse", ["default/roof"], 0, "blocked"
    )  # fmt: skip
    assert [each.seq for each in await seen.ask(queries.wordings, now(history), FIX)] == [2, 4, 5, 6]


async def test_what_is_kept_is_there_until_it_is_removed(folded):
    history = History().order(
        notes.SaveView(view_id="Broken on B", page="/tasks", query="state=failed&lane=B"),
        notes.SetBookmark(bookmark_id="b2", seq=2, title="later"),
        notes.SetBookmark(bookmark_id="b1", seq=1, title="first"),
        notes.LimitBoard(column="running", most=8),
    )  # fmt: skip
    kept = now(history)
    history.order(
        notes.RemoveView(view_id="Broken on B"), notes.RemoveBookmark(bookmark_id="b2"),
        notes.LimitBoard(column="running", most=0),
    )  # fmt: skip
    seen = await (await folded()).take(history)
    (view,) = await seen.ask(queries.views, kept)
    assert (view.address, view.by) == ("/tasks?state=failed&lane=B", "operator")
    assert [mark.bookmark_id for mark in await seen.ask(queries.bookmarks, kept)] == ["b1", "b2"]
    assert await seen.ask(queries.board_limits, kept) == {"running": 8}
    assert await seen.ask(queries.views, now(history)) == []
    assert [mark.bookmark_id for mark in await seen.ask(queries.bookmarks, now(history))] == ["b1"]
    assert await seen.ask(queries.board_limits, now(history)) == {}
