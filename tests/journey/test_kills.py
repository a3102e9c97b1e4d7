"""kill -9 of any program under load: nothing lost, nothing done twice, every accepted command has one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.ledger import LedgerError
from projections.projector import Projector
from tests.journey import checker
from tests.journey.fleet import Fleet

TASKS = 240


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    fleet = Fleet(tmp_path)
    await fleet.start("core-1", "core-2", "worker-1", "worker-2")
    await fleet.leads()
    yield fleet
    await fleet.stop()


async def submit_all(fleet: Fleet) -> None:
    """Submit for a while, one after the other, trying again whatever was not taken."""
    for number in range(TASKS):
        while True:
            try:
                await fleet.submit(f"t-{number}", command="true" if number % 12 == 0 else "")
                break
            except LedgerError:
                await asyncio.sleep(0.2)
        await asyncio.sleep(0.01)


async def kill_and_bring_back(fleet: Fleet, victim: str) -> None:
    fleet.kill(victim)
    await asyncio.sleep(0.3)
    if victim == "nats":
        fleet.nats.start()
    else:
        fleet.run(victim)


@pytest.mark.parametrize("victim", ["nats", "core-1", "core-2", "worker-1"])
async def test_C1_a_killed_program_loses_and_doubles_nothing(fleet: Fleet, victim: str) -> None:
    submitting = asyncio.ensure_future(submit_all(fleet))
    await asyncio.sleep(1.0)
    await kill_and_bring_back(fleet, victim)
    await asyncio.wait_for(submitting, 60)
    await fleet.done(TASKS, within_s=60)
    seen = await checker.check(fleet.ledger)
    assert seen["run.succeeded"] == TASKS
    assert seen["commands"] > TASKS


@pytest.mark.long
@pytest.mark.parametrize("victim", ["nats", "core-1", "worker-1"])
async def test_C1_ten_kills_in_a_row_lose_and_double_nothing(fleet: Fleet, victim: str) -> None:
    for turn in range(10):
        submitting = asyncio.ensure_future(submit_all(fleet))
        await asyncio.sleep(0.5 + turn % 5 * 0.2)
        await kill_and_bring_back(fleet, victim)
        await asyncio.wait_for(submitting, 90)
    await fleet.done(TASKS, within_s=120)
    await checker.check(fleet.ledger)


async def read_model(fleet: Fleet, path: Path | None) -> dict[str, str]:
    """The digest of a read model brought up to the end of the log."""
    async with Projector(fleet.ledger, path, SystemClock()) as projector:
        assert await projector.caught_up(30)
        return await projector.digest()


async def test_R2_a_killed_console_s_read_model_equals_one_built_anew(fleet: Fleet) -> None:
    fleet.run("console")
    await asyncio.sleep(3)
    for turn in range(3):
        submitting = asyncio.ensure_future(submit_some(fleet, turn))
        await asyncio.sleep(0.6)
        await kill_and_bring_back(fleet, "console")
        await asyncio.wait_for(submitting, 60)
    await fleet.done(3 * TASKS // 4, within_s=60)
    fleet.kill("console")
    kept = await read_model(fleet, fleet.home / "data" / "read-model.duckdb")
    assert kept == await read_model(fleet, None)


async def submit_some(fleet: Fleet, turn: int) -> None:
    for number in range(TASKS // 4):
        await fleet.submit(f"turn-{turn}-{number}")
        await asyncio.sleep(0.01)
