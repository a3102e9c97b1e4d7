"""A printed token lets one person in, once; what is kept of it lets nobody in."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from console.login import FREE_TRIES, Gate, api_token, issue
from core.clock import HandClock

HOUR = 3600


@pytest.fixture
def gate(tmp_path: Path, clock: HandClock) -> Gate:
    return Gate(tmp_path, clock)


async def test_a_token_is_exchanged_for_a_session_once(tmp_path: Path, gate: Gate, clock: HandClock):
    token = issue(tmp_path, clock)
    session = await gate.exchange(token)
    assert session is not None
    assert gate.session_holds({gate.cookie: session})
    assert await gate.exchange(token) is None


async def test_of_two_that_use_a_token_at_the_same_time_one_gets_in(tmp_path: Path, gate: Gate, clock: HandClock):
    token = issue(tmp_path, clock)
    sessions = await asyncio.gather(*(gate.exchange(token) for _ in range(4)))
    assert sum(session is not None for session in sessions) == 1


async def test_no_file_but_the_api_token_holds_a_secret_and_others_can_read_none(
    tmp_path: Path, gate: Gate, clock: HandClock
):
    token, used = issue(tmp_path, clock), issue(tmp_path, clock)
    session = await gate.exchange(used)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"api-token", "sessions.json"}
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for secret in (token, used, session):
            assert secret not in path.read_text() + path.name
    assert stat.S_IMODE((tmp_path / "console").stat().st_mode) == 0o700


async def test_a_token_nobody_used_is_good_for_twelve_hours(tmp_path: Path, gate: Gate, clock: HandClock):
    token = issue(tmp_path, clock)
    clock.advance(seconds=12 * HOUR + 1)
    assert await gate.exchange(token) is None


async def test_a_session_ends_after_twelve_hours_however_it_is_used(tmp_path: Path, gate: Gate, clock: HandClock):
    session = await gate.exchange(issue(tmp_path, clock))
    assert session is not None
    clock.advance(seconds=12 * HOUR - 1)
    assert gate.session_holds({gate.cookie: session})
    clock.advance(seconds=2)
    assert not gate.session_holds({gate.cookie: session})


async def test_a_session_outlives_the_console_and_ends_when_its_owner_leaves(
    tmp_path: Path, gate: Gate, clock: HandClock
):
    session = await gate.exchange(issue(tmp_path, clock))
    assert session is not None
    again = Gate(tmp_path, clock)
    assert again.session_holds({again.cookie: session})
    again.leave({again.cookie: session})
    assert not again.session_holds({again.cookie: session})
    assert not Gate(tmp_path, clock).session_holds({again.cookie: session})


async def test_guessing_gets_slower_and_a_good_token_ends_that(tmp_path: Path, gate: Gate, clock: HandClock):
    for _ in range(FREE_TRIES):
        assert await gate.exchange("guess") is None
    slow = asyncio.ensure_future(gate.exchange("guess"))
    await asyncio.sleep(0.01)
    assert not slow.done()
    clock.advance(seconds=6)
    assert await asyncio.wait_for(slow, 1) is None
    late = asyncio.ensure_future(gate.exchange(issue(tmp_path, clock)))
    await asyncio.sleep(0.01)
    clock.advance(seconds=6)
    assert await asyncio.wait_for(late, 1) is not None
    assert await asyncio.wait_for(gate.exchange("guess"), 1) is None


@pytest.mark.parametrize("token", ["", "../api-token", "a" * 500, "\0", "é"])
async def test_a_token_is_never_taken_for_a_file_name(gate: Gate, token: str):
    assert await gate.exchange(token) is None


def test_the_api_token_is_made_once(tmp_path: Path, gate: Gate):
    assert api_token(tmp_path) == api_token(tmp_path)
    assert gate.api_token_holds(api_token(tmp_path))
    assert not gate.api_token_holds("swt_else")


def test_two_consoles_on_one_machine_do_not_share_a_cookie(tmp_path: Path, clock: HandClock):
    assert Gate(tmp_path / "a", clock).cookie != Gate(tmp_path / "b", clock).cookie


async def test_a_spoiled_session_file_signs_everybody_out_and_is_made_anew(tmp_path: Path, clock: HandClock):
    Gate(tmp_path, clock)
    (tmp_path / "console" / "sessions.json").write_text("{broken")
    gate = Gate(tmp_path, clock)
    session = await gate.exchange(issue(tmp_path, clock))
    assert session is not None
    assert gate.session_holds({gate.cookie: session})
