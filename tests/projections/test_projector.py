"""Following a ledger: what arrives is folded and told; a log that is not the one that was folded is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from core.clock import HandClock
from core.domain import run
from core.domain.machine import Recorded
from core.envelope import GENESIS_CHAIN, encode_fact
from core.ledger import Message
from core.memory import MemoryLedger
from projections import queries
from projections.projector import Projector
from projections.rows.record import CommandFilter
from tests.projections.history import History, wandering


async def test_the_projector_follows_what_arrives_and_tells_who_listens(clock: HandClock):
    history = wandering(8, 60)
    ledger = MemoryLedger(clock)
    _put(ledger, history, 0, 50)
    async with Projector(ledger, None, clock) as read_model:
        assert await read_model.wait_for(50, 20), read_model.positions()
        listening = asyncio.ensure_future(anext(read_model.changes()))
        await asyncio.sleep(0)
        _put(ledger, history, 50, 60)
        told = await listening
        assert told.events_seq == 60
        assert await read_model.wait_for(60, 20), read_model.positions()
        assert read_model.positions().events.lag == 0
        assert read_model.positions().doing == "following"
        assert not await read_model.wait_for(61, 0.01)


async def test_a_log_that_was_cut_back_is_refused_and_says_the_way_out(clock: HandClock, tmp_path: Path):
    history = wandering(9, 60)
    ledger = MemoryLedger(clock)
    _put(ledger, history, 0, 60)
    async with Projector(ledger, tmp_path / "model.db", clock) as read_model:
        assert await read_model.wait_for(60, 20), read_model.positions()
    del ledger.logs["EVENTS"].messages[50:]
    async with Projector(ledger, tmp_path / "model.db", clock) as read_model:
        await _until(lambda: read_model.positions().doing == "stopped")
        assert "ends at 50, before 60 which is folded" in read_model.positions().problem
        assert "switchtower projections rebuild" in read_model.positions().problem
        await read_model.rebuild()
        assert await read_model.wait_for(50, 20), read_model.positions()
        assert read_model.positions().problem == ""


async def test_a_log_with_another_past_is_refused(clock: HandClock, tmp_path: Path):
    history, other = wandering(10, 60), wandering(11, 60)
    ledger = MemoryLedger(clock)
    _put(ledger, history, 0, 40)
    async with Projector(ledger, tmp_path / "model.db", clock) as read_model:
        assert await read_model.wait_for(40, 20), read_model.positions()
    ledger.logs["EVENTS"].messages[:] = other.events[:45]
    async with Projector(ledger, tmp_path / "model.db", clock) as read_model:
        await _until(lambda: read_model.positions().doing == "stopped")
        assert "EVENTS 40 is not the fact that was folded" in read_model.positions().problem


async def test_a_stream_made_again_under_its_name_is_refused(clock: HandClock, tmp_path: Path):
    history = wandering(12, 60)
    ledger = MemoryLedger(clock)
    _put(ledger, history, 0, 40)
    async with Projector(ledger, tmp_path / "model.db", clock) as read_model:
        assert await read_model.wait_for(40, 20), read_model.positions()
    clock.advance(seconds=5)
    again = MemoryLedger(clock)
    _put(again, history, 0, 50)
    async with Projector(again, tmp_path / "model.db", clock) as read_model:
        await _until(lambda: read_model.positions().doing == "stopped")
        assert "EVENTS was made again since 40 was folded" in read_model.positions().problem


async def test_one_stream_that_stops_does_not_stop_the_others(clock: HandClock):
    history = wandering(13, 60)
    ledger = MemoryLedger(clock)
    _put(ledger, history, 0, 20)
    ledger.put("EVENTS", [Message("evt.task.x.teleported", b'{"fact":{"type":"task.teleported"}}')])
    async with Projector(ledger, None, clock) as read_model:
        await _until(lambda: read_model.positions().doing == "stopped")
        assert read_model.positions().events.seq == 20
        ledger.put("COMMANDS", [Message(each.subject, each.data) for each in history.commands[:30]])
        await _until(lambda: read_model.positions().commands.seq == 30)


async def test_a_fact_that_cannot_be_folded_stops_the_fold_just_before_it(clock: HandClock):
    history = wandering(13, 60)
    ledger = MemoryLedger(clock)
    _put(ledger, history, 0, 20)
    names = {"run_id": "no attempt in it", "task_id": "default/x", "agent_id": "a/b", "worker_id": "a", "lane": "A"}
    recorded = Recorded(at=1, by="x", cause="~x", command_seq=1, part=1, of=1, fact=run.Stopped(**names))
    ledger.put("EVENTS", [encode_fact(recorded, GENESIS_CHAIN)[0]])
    _put(ledger, history, 21, 30)
    async with Projector(ledger, None, clock) as read_model:
        await _until(lambda: read_model.positions().doing == "stopped")
        assert read_model.positions().events.seq == 20
        assert "EVENTS 21 (evt.run." in read_model.positions().problem
        assert "cannot be folded" in read_model.positions().problem


async def test_garbage_among_commands_and_observations_is_shown_and_stops_nothing(clock: HandClock):
    ledger = MemoryLedger(clock)
    ledger.put("COMMANDS", [Message("cmd.task.x.submit", b"\xff\x00 no command")])
    ledger.put("OBSERVATIONS", [Message("obs.run.x.tool", b"{}")])
    async with Projector(ledger, None, clock) as read_model:
        assert await read_model.caught_up(20), read_model.positions()
        at = await read_model.query(queries.latest, clock.now_us())
        shown = await read_model.query(queries.commands, at, CommandFilter())
        assert [(row.outcome, row.says) for row in shown.rows] == [("pending", "something that is no command")]


async def test_a_rebuild_gives_the_same_rows(clock: HandClock):
    history = wandering(14, 200)
    ledger = MemoryLedger(clock)
    _put(ledger, history, 0, len(history.events))
    async with Projector(ledger, None, clock) as read_model:
        assert await read_model.caught_up(20), read_model.positions()
        before = await read_model.digest()
        await read_model.rebuild()
        assert await read_model.caught_up(20), read_model.positions()
        assert await read_model.digest() == before


def _put(ledger: MemoryLedger, history: History, first: int, end: int) -> None:
    for stored in history.events[first:end]:
        ledger.put("EVENTS", [Message(stored.subject, stored.data)])


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)
