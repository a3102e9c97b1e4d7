"""The roster in memory says what the tables say."""

from __future__ import annotations

import asyncio
import threading
from random import Random
from typing import Any

import pytest

from core.domain import worker
from core.domain.machine import tag
from core.domain.words import Usage
from core.ledger import Stored
from core.observation import Observation, encode_observation
from projections import queries, roster
from projections.because import agent_views, view_of
from projections.few import FEW
from projections.parts import Parts
from projections.rows import At
from projections.rows.agents import Agent
from projections.rows.runs import Run
from projections.runs import runs_under_way
from tests.projections.folded import Folded
from tests.projections.history import NOON, History

SECOND = 1_000_000
STEADY = 12  # facts


def fleet_at_work(seed: int) -> History:
    """Agents whose models have a known window, and random orders for them."""
    agents = [worker.AgentSpec(name=name, adapter="sim", model="claude-sonnet-4-5") for name in ("ada", "bob", "cyd")]
    history = History().order(worker.Register(worker_id="anvil", boot_id="boot-1", agents=agents))
    return history.wander(Random(seed), 300)


def seen_in(runs: list[Run], rng: Random, last_seq: int) -> list[Stored]:
    """Something is seen in some of the runs."""
    found = []
    for run in rng.sample(runs, k=min(len(runs), 2)):
        seq = last_seq + len(found) + 1
        usage = Usage(input_tokens=seq * 100, cache_read_tokens=seq * rng.randint(0, 30))
        kind = rng.choice(("usage", "usage", "text"))
        seen = Observation(
            run_id=run.run_id, n=seq, at=run.assigned_at + seq * SECOND, kind=kind,
            usage=usage if kind == "usage" else None,
        )  # fmt: skip
        message = encode_observation(seen)
        found.append(Stored(seq, message.subject, NOON + seq * SECOND, message.data))
    return found


async def told_by_tables(seen: Folded) -> list[Agent]:
    return await seen.ask(queries.agents, at_the_end(seen), gone=True)


def at_the_end(seen: Folded) -> At:
    marks = seen.model.marks
    return At(events_seq=marks["EVENTS"].seq, observations_seq=marks["OBSERVATIONS"].seq, at=marks["EVENTS"].at)


@pytest.mark.parametrize("seed", [3, 5, 8])
@pytest.mark.parametrize("few", [FEW, 0])
async def test_an_agents_row_drawn_from_memory_says_at_every_moment_what_the_tables_say(folded, monkeypatch, few, seed):
    monkeypatch.setattr("projections.fold.FEW", few)
    rng, history = Random(seed), fleet_at_work(seed)
    seen: Folded = await folded()
    at, with_context = 0, 0
    await learned(seen)
    while at < len(history.events):
        size = rng.choice((1, 3, 8, 20))
        await seen.model.take("EVENTS", history.events[at : at + size])
        at += size
        under_way = await seen.ask(runs_under_way, at_the_end(seen))
        sights = seen_in(list(under_way.values()), rng, seen.model.marks["OBSERVATIONS"].seq)
        if sights:
            await seen.model.take("OBSERVATIONS", sights)
        expected = {agent.agent_id: agent for agent in await told_by_tables(seen)}
        remembered = seen.model.roster.agents(expected.keys())
        assert remembered is not None  # whoever came or went, and however much moved at once
        with_context += any(agent.context is not None for agent in remembered)
        assert {agent.agent_id: agent for agent in remembered} == expected
        there = seen.model.roster.agents()
        assert there == await seen.ask(queries.agents, at_the_end(seen))
        assert [view_of(agent) for agent in there] == await seen.ask(agent_views, at_the_end(seen))
    assert with_context


async def test_a_roster_that_is_told_of_too_much_at_once_is_learned_again(folded, monkeypatch):
    monkeypatch.setattr("projections.fold.FEW", 0)
    monkeypatch.setattr("projections.many.TOLD", 0)
    history = fleet_at_work(3)
    seen: Folded = await folded()
    await seen.model.take("EVENTS", history.events[:40])
    await learned(seen)
    await seen.model.take("EVENTS", history.events[40:])
    assert seen.model.roster.agents() is None
    await learned(seen)
    assert seen.model.roster.agents() == await seen.ask(queries.agents, at_the_end(seen))


async def learned(seen: Folded) -> None:
    seen.model._learn_after = 0.0
    await seen.model.agents_now()
    assert seen.model.roster.agents() is not None


async def test_rows_are_shown_before_their_facts_are_written_once_the_roster_is_known(folded):
    """Whoever shows them is told of each fold once, and finds in memory what it came to."""
    history = fleet_at_work(11)
    seen: Folded = await folded()
    told: list[tuple[int, bool]] = []
    seen.model.on_moves = lambda moved: told.append(
        (moved.events_seq, seen.model.marks["EVENTS"].seq < moved.events_seq)
    )
    await seen.model.take("EVENTS", history.events[:40])
    assert told == [(40, False)]  # the roster was not known: rows are drawn from the tables
    await learned(seen)
    for n in range(40, 80):
        await seen.model.take("EVENTS", [history.events[n]])
    assert [seq for seq, _ in told] == list(range(40, 81))
    early = {seq for seq, early in told if early}
    moving = {n + 1 for n in range(40, 80) if tag(history.recorded[n].fact).startswith("run.")}
    assert moving
    assert moving <= early


async def test_a_roster_that_is_learned_while_a_fold_is_written_has_that_fold_in_it(folded, monkeypatch):
    history = fleet_at_work(11)
    ends = [n for n, recorded in enumerate(history.recorded) if tag(recorded.fact) == "run.succeeded"][-1]
    seen = await (await folded()).take(history, until=ends)
    writing, written, insert = threading.Event(), threading.Event(), Parts.insert

    def insert_slowly(*args: Any) -> None:
        writing.set()
        assert written.wait(20)
        insert(*args)

    monkeypatch.setattr(Parts, "insert", insert_slowly)
    folding = asyncio.ensure_future(seen.model.take("EVENTS", [history.events[ends]]))
    assert await asyncio.to_thread(writing.wait, 20)
    await learned(seen)
    written.set()
    await folding
    assert seen.model.roster.agents() == await seen.ask(queries.agents, at_the_end(seen))


async def test_a_roster_that_was_told_of_what_could_not_be_written_forgets_it(folded, monkeypatch):
    history = fleet_at_work(11)
    ends = [n for n, recorded in enumerate(history.recorded) if tag(recorded.fact) == "run.succeeded"][-1]
    seen = await (await folded()).take(history, until=ends)
    await learned(seen)
    shown: list[int] = []
    seen.model.on_moves = lambda moved: shown.append(moved.events_seq)

    def no_room(*_: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as broken:
        broken.setattr("projections.parts.Parts.insert", no_room)
        with pytest.raises(OSError, match="no room"):
            await seen.model.take("EVENTS", [history.events[ends]])
    assert shown == [ends + 1]
    assert seen.model.roster.agents() is None
    await learned(seen)
    assert seen.model.roster.agents() == await seen.ask(queries.agents, at_the_end(seen))


async def test_what_moves_while_the_roster_is_learned_is_in_it(folded):
    history = fleet_at_work(11)
    begun = next(n for n in range(len(history.events) // 2, len(history.events)) if steady(history, n))
    seen = await (await folded()).take(history, until=begun)
    seen.model.roster.begin()
    known = await seen.ask(roster.load, at_the_end(seen))
    for message in history.events[begun : begun + STEADY]:
        await seen.model.take("EVENTS", [message])
    seen.model.roster.learn(known)
    expected = await told_by_tables(seen)
    remembered = seen.model.roster.agents([agent.agent_id for agent in expected])
    assert remembered is not None
    assert sorted(remembered, key=by_id) == sorted(expected, key=by_id)


async def test_a_roster_nobody_waits_for_any_more_keeps_nothing_of_what_moves(folded, monkeypatch):
    seen = await (await folded()).take(fleet_at_work(11))

    async def gone(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(seen.model.store, "query", gone)
    with pytest.raises(asyncio.CancelledError):
        await seen.model.agents_now()
    assert not seen.model.roster.learning


def steady(history: History, after: int) -> bool:
    """Whether no worker comes or goes in the facts that follow, and some runs end."""
    tags = [tag(recorded.fact) for recorded in history.recorded[after : after + STEADY]]
    told = all(not name.startswith("worker.") or name == "worker.assigned" for name in tags)
    return told and "run.succeeded" in tags and len(tags) == STEADY


def by_id(agent: Agent) -> str:
    return agent.agent_id
