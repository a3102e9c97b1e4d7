"""The two clocks: the machine's, and the one tests wind by hand."""

import asyncio

import pytest

from core.clock import Clock, HandClock, SystemClock


@pytest.fixture(params=[SystemClock, HandClock])
def any_clock(request: pytest.FixtureRequest) -> Clock:
    return request.param()


def test_wall_time_is_microseconds_of_this_century(any_clock: Clock):
    assert 1_700_000_000_000_000 < any_clock.now_us() < 4_100_000_000_000_000


def test_monotonic_time_never_goes_back(any_clock: Clock):
    before = any_clock.monotonic()
    assert any_clock.monotonic() >= before


async def test_sleeping_for_nothing_returns_and_lets_others_run(any_clock: Clock):
    ran: list[str] = []
    asyncio.get_running_loop().call_soon(ran.append, "another")
    await any_clock.sleep(0)
    assert ran == ["another"]


def test_a_hand_clock_stands_still_until_it_is_wound(clock: HandClock):
    at, tick = clock.now_us(), clock.monotonic()
    assert (clock.now_us(), clock.monotonic()) == (at, tick)
    clock.advance(seconds=31)
    assert clock.now_us() == at + 31_000_000
    assert clock.monotonic() == tick + 31


async def test_sleepers_wake_when_due_and_not_before(clock: HandClock):
    woken: list[str] = []

    async def nap(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    naps = [asyncio.ensure_future(nap(*who)) for who in [("late", 3), ("early", 1), ("with early", 1), ("far", 60)]]
    await asyncio.sleep(0)
    clock.advance(seconds=0.999)
    await asyncio.sleep(0)
    assert woken == []
    clock.advance(seconds=10)
    await asyncio.sleep(0)
    assert woken == ["early", "with early", "late"]
    assert clock.next_due_s == pytest.approx(60 - 10.999)
    naps[-1].cancel()
    await asyncio.gather(*naps, return_exceptions=True)
    assert clock.next_due_s is None


async def test_winding_past_a_cancelled_sleeper_is_harmless(clock: HandClock):
    nap = asyncio.ensure_future(clock.sleep(1))
    await asyncio.sleep(0)
    nap.cancel()
    clock.advance(seconds=2)
    with pytest.raises(asyncio.CancelledError):
        await nap


def test_setting_the_wall_clock_moves_no_timer(clock: HandClock):
    tick = clock.monotonic()
    clock.set_wall(clock.now_us() - 3_600_000_000)
    assert clock.monotonic() == tick


def test_time_does_not_pass_backwards(clock: HandClock):
    with pytest.raises(ValueError, match="cannot pass by -1 s"):
        clock.advance(seconds=-1)
