"""A child that ends is started again with growing pauses, then parked; one that will not end is ended."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

import pytest

from console.cli.supervisor import LONGEST_LINE, STARTS, Child, stop_in_turn
from core.clock import HandClock, SystemClock
from tests.cli.command_line import alive


@pytest.fixture
def said() -> list[str]:
    return []


def child(said: list[str], *argv: str, clock: HandClock | SystemClock | None = None) -> Child:
    return Child("ada", argv, say=lambda who, line: said.append(f"{who}: {line}"), clock=clock or SystemClock())


async def test_what_ends_at_once_is_started_five_times_within_a_minute_and_then_parked(said: list[str]):
    clock = HandClock()
    failing = child(said, "/bin/sh", "-c", "echo trouble; exit 7", clock=clock)
    failing.patience = STARTS
    await failing.start()
    pauses = []
    while not failing.ended.is_set():
        await asyncio.sleep(0.005)
        if clock.next_due_s is not None:
            pauses.append(round(clock.next_due_s, 3))
            clock.advance(seconds=clock.next_due_s)
    assert failing.parked
    assert pauses == [0.2, 0.5, 1.0, 2.0]
    assert said.count("ada: trouble") == STARTS
    assert said[-1].startswith("ada: ended with code 7, 5 times within 60 s: not started again.")


async def test_what_ends_now_and_then_is_started_again_for_ever(said: list[str]):
    clock = HandClock()
    failing = child(said, "/bin/false", clock=clock)
    failing.patience = STARTS
    await failing.start()
    for _ in range(STARTS * 2):
        while clock.next_due_s is None:
            await asyncio.sleep(0.005)
        clock.advance(seconds=30)
    assert not failing.parked
    stopping = asyncio.create_task(failing.stop(signal.SIGTERM, within_s=2))
    while not stopping.done():
        await asyncio.sleep(0.005)
        clock.advance(seconds=30)
    assert await stopping


async def test_its_lines_are_shown_with_its_name_and_one_without_end_is_left_out(said: list[str]):
    program = f"print('one'); print('x' * {LONGEST_LINE * 2}); print('three', flush=True); import time; time.sleep(60)"
    talking = child(said, sys.executable, "-c", program)
    await talking.start()
    while "ada: three" not in said:
        await asyncio.sleep(0.01)
    assert said[0] == "ada: one"
    assert "ada: (a line of more than 65,536 bytes is left out)" in said
    assert not any(len(line) > LONGEST_LINE for line in said)
    assert await talking.stop(signal.SIGTERM, within_s=5)


async def test_one_that_heeds_no_signal_is_killed_when_its_time_is_up_with_what_it_started(
    said: list[str], tmp_path: Path
):
    pids = tmp_path / "pids"
    stubborn = child(said, "/bin/sh", "-c", f"trap '' TERM; sleep 60 & echo $! $$ > {pids}; while :; do sleep 60; done")
    polite = child(said, "/bin/sleep", "60")
    await stubborn.start()
    await polite.start()
    while not pids.exists() or not pids.read_text().endswith("\n"):
        await asyncio.sleep(0.01)
    began = time.monotonic()
    await stop_in_turn([([stubborn], 0.3), ([polite], 2.0)], asyncio.Event())
    assert 0.3 <= time.monotonic() - began < 2
    assert not any(alive(int(pid)) for pid in pids.read_text().split())
    assert not polite.running


async def test_told_to_hurry_all_end_at_once(said: list[str]):
    stubborn = child(said, "/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done")
    await stubborn.start()
    while "ada: ready" not in said:
        await asyncio.sleep(0.01)
    hurry = asyncio.Event()
    hurry.set()
    began = time.monotonic()
    await stop_in_turn([([stubborn], 30.0)], hurry)
    assert time.monotonic() - began < 2
    assert not stubborn.running


async def test_a_program_that_is_not_there_is_an_error_at_once(said: list[str]):
    with pytest.raises(FileNotFoundError):
        await child(said, "/no/such/program").start()
