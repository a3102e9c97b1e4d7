"""Batches are staged in memory where that can be had, and nothing that was acknowledged rests on it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from console.cli.staging import Staging
from core.jetstream import JetStreamLedger
from core.ledger import LedgerError, Message
from core.link import Link, connect
from core.streams import ensure
from tests.nats_server import NatsServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    running = NatsServer(tmp_path / "nats").start()
    yield running
    running.stop()


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """Stands for /dev/shm."""
    folder = tmp_path / "memory"
    folder.mkdir()
    return folder


def staging_of(server: NatsServer, memory: Path) -> Staging:
    return Staging(server.home / "store", memory=memory)


def link_of(server: NatsServer, stream: str = "EVENTS") -> Path:
    return server.home / "store" / "jetstream" / "$G" / "streams" / stream / "batches"


async def connected(server: NatsServer) -> tuple[Link, JetStreamLedger]:
    link = await connect(server.url, name="test")
    await ensure(link)
    return link, JetStreamLedger(link)


def ten(n: int) -> list[Message]:
    return [Message(f"evt.task.t{n}.m{i}", b"%d" % n) for i in range(10)]


async def stored(ledger: JetStreamLedger) -> list[bytes]:
    async with aclosing(ledger.read("EVENTS")) as lists:
        return [each.data async for found in lists for each in found]


async def answering(ledger: JetStreamLedger) -> None:
    """Return when the server takes appends again."""
    async with asyncio.timeout(20):
        while True:
            try:
                await ledger.append("EVENTS", [Message("evt.task.probe.m", b"probe")])
                return
            except LedgerError:
                await asyncio.sleep(0.05)


async def test_batches_go_through_memory_and_leave_nothing_there(server: NatsServer, memory: Path):
    assert staging_of(server, memory).begin()
    link, ledger = await connected(server)

    await asyncio.gather(*(ledger.append("EVENTS", ten(n)) for n in range(20)))

    assert link_of(server).is_symlink()
    assert len(await stored(ledger)) == 200
    assert [path for path in memory.rglob("*") if path.is_file()] == []
    await link.close()


async def test_a_killed_server_has_all_that_was_acknowledged_and_batches_are_whole(server: NatsServer, memory: Path):
    staging = staging_of(server, memory)
    staging.begin()
    link, ledger = await connected(server)
    acknowledged: set[bytes] = set()

    async def append(n: int) -> None:
        try:
            await ledger.append("EVENTS", ten(n))
            acknowledged.add(b"%d" % n)
        except LedgerError:
            pass  # stored or not, nobody was told

    for kill in range(3):
        await answering(ledger)
        appends = [asyncio.create_task(append(100 * kill + n)) for n in range(40)]
        await asyncio.wait(appends[:10])
        server.kill()
        server.start()
        staging.keep()
        await asyncio.gather(*appends)

    await answering(ledger)
    found = await stored(ledger)
    assert len(acknowledged) >= 30
    assert acknowledged <= set(found)
    assert {each for each in set(found) - {b"probe"} if found.count(each) != 10} == set()
    assert link_of(server).is_symlink()
    await link.close()


async def test_a_clean_up_of_the_memory_is_put_right(server: NatsServer, memory: Path):
    staging = staging_of(server, memory)
    staging.begin()
    link, ledger = await connected(server)
    await ledger.append("EVENTS", ten(1))
    for folder in memory.iterdir():
        shutil.rmtree(folder)

    staging.keep()

    await ledger.append("EVENTS", ten(2))
    assert len(await stored(ledger)) == 20
    await link.close()


async def test_without_memory_batches_are_staged_on_disk_as_ever(server: NatsServer, tmp_path: Path):
    assert not staging_of(server, tmp_path / "no such folder").begin()
    link, ledger = await connected(server)

    await ledger.append("EVENTS", ten(1))

    assert not link_of(server).is_symlink()
    await link.close()


def test_a_folder_others_can_enter_is_not_used(tmp_path: Path, memory: Path):
    first = Staging(tmp_path / "store", memory=memory)
    first.begin()
    (folder,) = memory.iterdir()
    folder.chmod(0o755)

    assert not Staging(tmp_path / "store", memory=memory).begin()


def test_the_memory_is_given_back_at_the_end(tmp_path: Path, memory: Path):
    staging = Staging(tmp_path / "store", memory=memory)
    staging.begin()
    staging.end()
    staging.keep()

    assert list(memory.iterdir()) == []
