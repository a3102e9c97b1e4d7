"""The file: killed while it is written, held by another process, broken, deleted, made by another build."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import duckdb
import pytest

from core.clock import HandClock
from core.ledger import Message
from core.memory import MemoryLedger
from projections.model import Model
from projections.projector import Projector
from projections.sql import load
from projections.store import Reader, StoreLocked, open_store
from tests.projections.history import wandering

SEED = 31
ROOT = Path(__file__).parents[2]


async def test_a_fold_killed_in_the_middle_goes_on_where_it_was_and_ends_the_same(folded, tmp_path: Path):
    rng, kills = Random(SEED), 0
    while kills < 3:
        folder = await _folding(tmp_path / "model.db")
        for _ in range(rng.randint(1, 4)):
            await _line(folder)
        await _kill(folder)
        kills += 1
    finished = await _folding(tmp_path / "model.db")
    async with asyncio.timeout(60):
        out, _ = await finished.communicate()
    assert finished.returncode == 0
    history = wandering(SEED)
    assert out.decode().endswith(f"done {len(history.events)}\n")
    again = await folded(tmp_path / "model.db")
    never_killed = await folded()
    await never_killed.model.take("EVENTS", history.events)
    assert await again.digest() == await never_killed.digest()


async def test_a_small_fold_that_is_rolled_back_is_no_hindrance_to_the_next(folded):
    read_model, events = await folded(), wandering(SEED).events[:40]
    model = read_model.model
    broken = model.prepare("EVENTS", events)
    broken.ranges.append({"task.submitted": broken.ranges[0]["any"]})  # lacks the columns of a task
    with pytest.raises(duckdb.BinderException):
        await model.commit(broken)
    for each in events:
        await model.take("EVENTS", [each])
    at_once = await folded()
    await at_once.model.take("EVENTS", events)
    assert await read_model.digest() == await at_once.digest()


async def test_a_file_another_process_has_is_named_with_who_has_it(tmp_path: Path):
    folder = await _folding(tmp_path / "model.db")
    try:
        with pytest.raises(StoreLocked, match=rf"model.db is open in process {folder.pid}: .* another --data"):
            open_store(tmp_path / "model.db")
    finally:
        await _kill(folder)


async def test_a_file_that_cannot_be_read_is_put_aside_and_folded_anew(clock: HandClock, tmp_path: Path):
    path = tmp_path / "model.db"
    path.write_bytes(b"this is no database" * 4_000)
    async with Projector(_ledger(clock), path, clock) as read_model:
        assert await read_model.caught_up(20), read_model.positions()
    assert (tmp_path / "model.db.broken").read_bytes().startswith(b"this is no database")


async def test_the_end_of_the_log_is_reached_without_indices_which_are_there_then(clock: HandClock, tmp_path: Path):
    async with Projector(_ledger(clock), tmp_path / "model.db", clock) as read_model:
        for _ in range(2):
            assert await read_model.caught_up(20), read_model.positions()
            await asyncio.wait_for(_until_indexed(read_model), 20)
            await read_model.rebuild()


async def _until_indexed(read_model: Projector) -> None:
    indexed = [(table, [part for part in table.parts if part != "now"]) for table in load().tables.values()]
    due = sum(len(table.index) * max(1, len(parts)) for table, parts in indexed)
    while len(await read_model.query(Reader.run, "select index_name from duckdb_indexes()")) != due:
        await asyncio.sleep(0)


async def test_a_deleted_file_is_folded_anew(clock: HandClock, tmp_path: Path):
    ledger, path = _ledger(clock), tmp_path / "model.db"
    async with Projector(ledger, path, clock) as read_model:
        assert await read_model.caught_up(20), read_model.positions()
        before = await read_model.digest()
    path.unlink()
    async with Projector(ledger, path, clock) as read_model:
        assert await read_model.caught_up(20), read_model.positions()
        assert await read_model.digest() == before


async def test_a_file_made_by_other_sql_is_folded_anew(clock: HandClock, tmp_path: Path):
    ledger, path = _ledger(clock), tmp_path / "model.db"
    async with Projector(ledger, path, clock) as read_model:
        assert await read_model.caught_up(20), read_model.positions()
        before = await read_model.digest()
        await read_model.model.store.write(lambda db: db.execute("update made_by set schema = 'of another build'"))
        await read_model.model.store.write(lambda db: db.execute("delete from tasks_past"))
    async with Projector(ledger, path, clock) as read_model:
        assert await read_model.caught_up(20), read_model.positions()
        assert await read_model.digest() == before


async def test_what_is_folded_already_is_not_folded_again_after_a_restart(clock: HandClock, tmp_path: Path):
    ledger, path = _ledger(clock), tmp_path / "model.db"
    async with Projector(ledger, path, clock) as read_model:
        assert await read_model.caught_up(20), read_model.positions()
    model = Model(open_store(path))
    assert not await model.open()
    assert model.marks["EVENTS"].seq == (await ledger.head("EVENTS")).last_seq
    model.store.close()


def _ledger(clock: HandClock) -> MemoryLedger:
    ledger = MemoryLedger(clock)
    for stored in wandering(SEED, 60).events:
        ledger.put("EVENTS", [Message(stored.subject, stored.data)])
    return ledger


async def _folding(path: Path) -> asyncio.subprocess.Process:
    """A process that has the file open and folds into it."""
    folder = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.projections.killed", str(path), str(SEED), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert await _line(folder) == "open"
    return folder


async def _kill(folder: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.kill(folder.pid, signal.SIGKILL)
    await folder.wait()


async def _line(folder: asyncio.subprocess.Process) -> str:
    assert folder.stdout is not None
    async with asyncio.timeout(30):
        return (await folder.stdout.readline()).decode().strip()
