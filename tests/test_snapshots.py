"""A snapshot spares the fold from the first fact, and is believed only when it fits the log."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

import pytest

from core import engine, recovery
from core.answers import LinkAnswers
from core.clock import HandClock, SystemClock
from core.domain import machine, system, task
from core.domain.state import State, snapshot
from core.door import Door
from core.envelope import GENESIS_CHAIN, Sent, decode_command, encode_command, encode_fact
from core.jetstream import JetStreamLedger
from core.ledger import Unknown
from core.link import connect
from core.memory import MemoryLedger
from core.objects import ObjectStore
from core.recovery import recover
from core.snapshots import ForkedSnapshots
from core.streams import ensure
from tests.nats_server import NatsServer


class Label(NamedTuple):
    name: str


class Shelf:
    """Objects in memory."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    async def put(self, name: str, data: bytes) -> None:
        self.held[name] = data

    async def get(self, name: str) -> bytes:
        return self.held[name]

    async def objects(self) -> list[Label]:
        return [Label(name) for name in self.held]

    async def delete(self, name: str) -> None:
        del self.held[name]


async def history(ledger: MemoryLedger, tasks: range) -> tuple[State, str]:
    """A log with these tasks submitted, and the state and chain at its end."""
    recovered = await recover(ledger)
    state, chain = recovered.state, recovered.chain
    orders: list[machine.Command] = []
    if not state.rules:
        created = (ledger.logs["COMMANDS"].created, ledger.logs["EVENTS"].created)
        orders.append(system.Begin(commands_created=created[0], events_created=created[1]))
    orders += [task.Submit(task_id=f"default/t{n}", spec=task.TaskSpec(title=f"task {n}")) for n in tasks]
    for number, order in enumerate(orders):
        ledger.put("COMMANDS", [encode_command(Sent(id=f"~{number}", by="ada", command=order))])
        stored = ledger.logs["COMMANDS"].messages[-1]
        for recorded in machine.step(state, decode_command(stored)):
            message, chain = encode_fact(recorded, chain)
            ledger.put("EVENTS", [message])
    return state, chain


async def kept(snapshots: ForkedSnapshots, state: State, chain: str) -> None:
    snapshots.keep(state, chain)
    writing = snapshots._writing
    assert writing is not None
    await asyncio.wait_for(writing, 10)


async def test_a_core_starts_from_the_snapshot_and_folds_only_what_came_after(tmp_path: Path) -> None:
    ledger, snapshots = MemoryLedger(HandClock()), ForkedSnapshots(Shelf(), tmp_path)
    await kept(snapshots, *await history(ledger, range(5)))
    state, _ = await history(ledger, range(5, 9))
    recovered = await recover(ledger, snapshots)
    assert snapshot(recovered.state) == snapshot(state)
    found = await snapshots.newest()
    assert found is not None
    assert found.seq == 6


async def test_a_snapshot_of_another_log_is_not_believed(tmp_path: Path) -> None:
    clock = HandClock()
    ledger, snapshots = MemoryLedger(clock), ForkedSnapshots(Shelf(), tmp_path)
    await kept(snapshots, *await history(ledger, range(5)))
    clock.advance(seconds=1)
    another = MemoryLedger(clock)
    state, _ = await history(another, range(3))
    assert snapshot((await recover(another, snapshots)).state) == snapshot(state)


async def test_a_snapshot_whose_chain_differs_is_not_believed(tmp_path: Path) -> None:
    ledger, snapshots = MemoryLedger(HandClock()), ForkedSnapshots(Shelf(), tmp_path)
    state, _ = await history(ledger, range(5))
    await kept(snapshots, state, GENESIS_CHAIN)
    assert snapshot((await recover(ledger, snapshots)).state) == snapshot(state)


async def test_a_snapshot_cut_short_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    shelf = Shelf()
    ledger, snapshots = MemoryLedger(HandClock()), ForkedSnapshots(shelf, tmp_path)
    await kept(snapshots, *await history(ledger, range(2)))
    await kept(snapshots, *await history(ledger, range(2, 5)))
    newest = max(shelf.held)
    shelf.held[newest] = shelf.held[newest][:-20]
    found = await snapshots.newest()
    assert found is not None
    assert found.seq == 3


async def test_only_the_newest_two_are_kept(tmp_path: Path) -> None:
    shelf = Shelf()
    ledger, snapshots = MemoryLedger(HandClock()), ForkedSnapshots(shelf, tmp_path)
    for first in (0, 2, 4):
        await kept(snapshots, *await history(ledger, range(first, first + 2)))
    assert len(shelf.held) == 2
    assert not list(tmp_path.iterdir())


class SlowShelf(Shelf):
    """A store that takes nothing until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()

    async def put(self, name: str, data: bytes) -> None:
        await self.open.wait()
        await super().put(name, data)


async def test_a_snapshot_that_comes_due_while_one_is_written_is_kept_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SNAPSHOT_FACTS", 20)
    clock, shelf = HandClock(), SlowShelf()
    ledger, snapshots = MemoryLedger(clock), ForkedSnapshots(shelf, tmp_path)
    core = engine.Engine(ledger, clock, snapshots=snapshots)
    running = asyncio.ensure_future(core.run())
    async with asyncio.timeout(10):
        await submitted(ledger, core, range(25))
        first = snapshots._writing
        assert first is not None
        await submitted(ledger, core, range(25, 50))
        assert snapshots._writing is first
        shelf.open.set()
        await first
        while len(shelf.held) < 2:
            clock.advance(seconds=engine.LOOK_S)
            await asyncio.sleep(0.001)
    core.stop()
    await asyncio.wait_for(running, 10)
    newest = await snapshots.newest()
    assert newest is not None
    assert newest.seq == core.state.seq


async def submitted(ledger: MemoryLedger, core: engine.Engine, tasks: range) -> None:
    """These tasks, submitted to a core that has decided and sent them off."""
    for n in tasks:
        submit = task.Submit(task_id=f"default/t{n}", spec=task.TaskSpec(title="x"))
        await ledger.append("COMMANDS", [encode_command(Sent(id=f"~{n}", by="ada", command=submit))])
    while len(ledger.logs["EVENTS"].messages) < tasks.stop:
        await asyncio.sleep(0)


async def test_a_leading_core_keeps_snapshots_while_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SNAPSHOT_FACTS", 20)
    server = NatsServer(tmp_path / "nats").start()
    link = await connect(server.url, name="test")
    try:
        await ensure(link)
        ledger, clock = JetStreamLedger(link), SystemClock()
        snapshots = ForkedSnapshots(await ObjectStore(link, "snapshots").make(), tmp_path / "scratch")
        core = engine.Engine(ledger, clock, answers=LinkAnswers(link), snapshots=snapshots)
        running = asyncio.ensure_future(core.run())
        door = Door(ledger, LinkAnswers(link), clock, by="ada")
        for number in range(45):
            await door.order(task.Submit(task_id=f"default/t{number}", spec=task.TaskSpec(title="x")))
        async with asyncio.timeout(10):
            while (found := await snapshots.newest()) is None or found.seq < 40:
                await asyncio.sleep(0.02)
        core.stop()
        await asyncio.wait_for(running, 10)
        assert snapshot((await recover(ledger, snapshots)).state) == snapshot((await recover(ledger)).state)
    finally:
        await link.close()
        server.stop()


async def test_a_snapshot_of_a_state_of_another_shape_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another build's state may lack what this one would have folded: fields left out would be taken as empty."""
    ledger, snapshots = MemoryLedger(HandClock()), ForkedSnapshots(Shelf(), tmp_path)
    state, chain = await history(ledger, range(5))
    await kept(snapshots, state, chain)
    monkeypatch.setattr(recovery, "SHAPE", "another")
    monkeypatch.setattr(recovery, "restore", None)
    assert snapshot((await recover(ledger, snapshots)).state) == snapshot(state)


async def test_a_snapshot_that_cannot_be_begun_or_listed_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    snapshots = ForkedSnapshots(Shelf(), tmp_path / "file")
    snapshots.keep(*await history(MemoryLedger(HandClock()), range(2)))
    assert await snapshots.newest() is None

    class Shut(Shelf):
        async def objects(self) -> list[Label]:
            raise Unknown("no answer in time")

    assert await ForkedSnapshots(Shut(), tmp_path).newest() is None
