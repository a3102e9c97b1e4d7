"""The key oracle: what a page shows of any moment is what the core knew then, fact by fact, from random histories."""

from __future__ import annotations

from random import Random

import pytest
from msgspec.structs import replace

from core.domain import conditions, lane, run
from core.domain.machine import tag
from core.domain.state import State
from projections import queries
from projections.rows import At
from projections.rows.runs import RunFilter
from projections.rows.tasks import TaskFilter
from tests.projections.history import History, wandering
from tests.spec import register, submit

EVERY = TaskFilter(limit=0)


def moment(history: History, seq: int) -> At:
    return At(events_seq=seq, observations_seq=0, commands_seq=10**9, at=history.recorded[seq - 1].at, live=False)


@pytest.mark.parametrize("seed", [0, 4, 12, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(10, 40))])
async def test_any_moment_shows_what_the_core_knew_then(folded, seed: int):
    history = wandering(seed)
    seen = await (await folded()).take(history, pieces=Random(seed))
    for n, seq in enumerate(telling_moments(history, Random(seed))):
        at, state = moment(history, seq), history.state_at(seq)
        await tasks_agree(seen, at, state)
        await runs_agree(seen, at, state)
        await the_fleet_agrees(seen, at, state)
        await notes_agree(seen, at, state)
        if n % 4 == 0:
            await queues_agree(seen, at, state)
            await reasons_agree(seen, at, state)
            await wordings_agree(seen, at, state)


def telling_moments(history: History, rng: Random) -> list[int]:
    """After one fact of each kind, whenever the command that made it was done; and a few at random."""
    by_tag: dict[str, list[int]] = {}
    for seq, recorded in enumerate(history.recorded, 1):
        by_tag.setdefault(tag(recorded.fact), []).append(seq)
    after = [min((end for end in history.ends if end >= rng.choice(seqs)), default=0) for seqs in by_tag.values()]
    return sorted({*filter(None, after), *rng.sample(history.ends, 4)})


async def test_all_that_a_completion_sets_free_is_ready_however_many(folded):
    """One fact names a thousand of them; more follow in facts of their own."""
    history = History().order(register("anvil", "ada"), submit("root", lane="A"))
    history.order(lane.Configure(lane="A", concurrency=1))
    history.order(*(submit(f"leaf-{n}", depends_on=["root"]) for n in range(1_050)))
    run_id = history.state.last_run("default/root")
    epoch = history.state.workers["anvil"].epoch
    history.order(run.Finish(run_id=run_id, worker_id="anvil", epoch=epoch, result="succeeded"))
    assert "task.unblocked" in {tag(recorded.fact) for recorded in history.recorded}
    seen = await (await folded()).take(history)
    await tasks_agree(seen, moment(history, len(history.events)), history.state)


async def tasks_agree(seen, at: At, state: State) -> None:
    shown = {row.task_id: row for row in (await seen.ask(queries.tasks, at, EVERY)).rows}
    assert {name: row.state for name, row in shown.items()} == dict.fromkeys(state.over, "done") | {
        name: task.state for name, task in state.tasks.items()
    }
    for name, task in state.tasks.items():
        row = shown[name]
        assert (row.priority, row.lane, row.title) == (task.priority, task.spec.lane, task.spec.title), name
        assert (row.attempt, row.used, row.max_attempts) == (task.runs, task.used, task.spec.policy.max_attempts), name
        assert row.born == task.born, name
        assert row.open_parts == task.open_children, name
        if task.state == "waiting":
            assert row.retry_at == task.retry_at, name


async def runs_agree(seen, at: At, state: State) -> None:
    found = (await seen.ask(queries.runs, at, RunFilter(limit=0))).rows
    under_way = {run.run_id: run for run in found if not run.is_over}
    assert {name: as_core(run) for name, run in under_way.items()} == {
        name: (run.agent_id, run.lane, run.state) for name, run in state.runs.items()
    }


def as_core(run) -> tuple[str, str, str]:
    stopping = {"cancel": "cancelling", "interrupt": "interrupting"}
    return run.agent_id, run.lane, stopping.get(run.stopping, run.state)


async def the_fleet_agrees(seen, at: At, state: State) -> None:
    agents = {agent.agent_id: agent.state for agent in await seen.ask(queries.agents, at, gone=True)}
    assert agents == {name: agent.state for name, agent in state.agents.items()}
    workers = {worker.worker_id: (worker.state, worker.epoch) for worker in await seen.ask(queries.workers, at)}
    assert workers == {name: (worker.state, worker.epoch) for name, worker in state.workers.items()}
    lanes = {lane.lane: (lane.paused, lane.concurrency, lane.running) for lane in await seen.ask(queries.lanes, at)}
    assert lanes == {name: (lane.paused, lane.concurrency, lane.running) for name, lane in state.lanes.items()}
    sessions = await seen.ask(queries.sessions, at)
    assert {each.session_id: (each.state, each.goal, each.root, each.budget_uusd) for each in sessions} == {
        name: (session.state, session.goal, session.root, session.budget_uusd)
        for name, session in state.sessions.items()
    }
    fleet = await seen.ask(queries.fleet_state, at)
    halted = state.halted
    assert (fleet.by, fleet.because, fleet.gently) == (
        (halted.by, halted.reason, halted.gently) if fleet.halted and halted else (fleet.by, "", False)
    )
    assert fleet.halted == (halted is not None)


async def notes_agree(seen, at: At, state: State) -> None:
    views = {each.view_id: (each.page, each.query) for each in await seen.ask(queries.views, at)}
    assert views == {name: (view.page, view.query) for name, view in state.views.items()}
    bookmarks = {each.bookmark_id: (each.seq, each.title) for each in await seen.ask(queries.bookmarks, at)}
    assert bookmarks == {name: (mark.seq, mark.title) for name, mark in state.bookmarks.items()}
    assert await seen.ask(queries.board_limits, at) == state.board_limits


async def wordings_agree(seen, at: At, state: State) -> None:
    """A task's page shows the wording that the next attempt would be given; who edits that edits the newest."""
    for name, task in list(state.tasks.items())[::5]:
        shown = (await seen.ask(queries.task, at, name)).spec
        assert shown == replace(task.spec, priority=task.priority), name
        newest = (await seen.ask(queries.wordings, at, name))[-1]
        assert newest.spec == shown, name
        assert newest.seq >= max(task.worded, *task.amended.values(), 0), name


async def queues_agree(seen, at: At, state: State) -> None:
    for name in state.lanes:
        line = [place.row.task_id for place in await seen.ask(queries.queue, at, name, limit=1_000)]
        ready = [t for t in state.tasks.values() if t.state == "ready" and t.spec.lane == name and not t.open_children]
        assert line == [t.task_id for t in sorted(ready, key=lambda t: (t.priority, t.order, t.task_id))]


async def reasons_agree(seen, at: At, state: State) -> None:
    """Why a task is not running: the same conditions as the scheduler's own view gives."""
    waiting = [name for name, task in state.tasks.items() if task.is_open and task.state != "running"]
    for name in waiting[:8]:
        whole = await seen.ask(queries.task, at, name)
        task, agents = conditions.view(state, name)
        assert [(c.name, c.met) for c in whole.why] == [(c.name, c.met) for c in conditions.why(task, agents, at.at)], (
            name
        )
        if task.state != "paused" and "circle" not in whole.row.because:
            assert whole.why == conditions.why(task, agents, at.at), name
