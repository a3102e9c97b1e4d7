"""What a worker saw gets into its stream in order and once, as long as memory allows."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from core.clock import HandClock
from core.ledger import Busy, LedgerError, Message, Stream, Unknown
from core.memory import MemoryLedger
from workers.outbox import Outbox


class Shaky(MemoryLedger):
    """Raises what it was given, one after another, before or after it stored."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock)
        self.before: list[LedgerError] = []
        self.after: list[LedgerError] = []
        self.appends = 0

    async def send(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> Future[int]:
        self.appends += 1
        if self.before:
            raise self.before.pop(0)
        future = await super().send(stream, messages, expect=expect)
        if self.after:
            future = asyncio.get_running_loop().create_future()
            future.set_exception(self.after.pop(0))
        return future


@pytest.fixture
def ledger(clock: HandClock) -> Shaky:
    return Shaky(clock)


@pytest.fixture
async def make(ledger: Shaky, clock: HandClock) -> AsyncIterator[Callable[..., Outbox]]:
    running = []

    def made(stream: Stream, **settings: int) -> Outbox:
        box = Outbox(ledger, stream, clock, name="w1/boot", **settings)
        running.append(asyncio.ensure_future(box.run()))
        return box

    yield made
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def passed(clock: HandClock, seconds: float = 10) -> None:
    for _ in range(100):
        clock.advance(seconds=seconds / 100)
        for _ in range(10):
            await asyncio.sleep(0)


def bodies(ledger: Shaky, stream: Stream) -> list[bytes]:
    return [each.data for each in ledger.logs[stream].messages]


NUMBERS = [b"%d" % n for n in range(1000)]


@pytest.mark.parametrize("stream", ["OBSERVATIONS", "OUTPUT"])
async def test_all_of_it_is_stored_in_order(make, ledger: Shaky, clock: HandClock, stream: Stream):
    box = make(stream)
    for number in NUMBERS:
        box.put(Message("obs.x", number))
    await passed(clock)
    assert bodies(ledger, stream) == NUMBERS
    await asyncio.wait_for(box.emptied(), 1)


async def test_what_collects_goes_as_one_batch(make, ledger: Shaky, clock: HandClock):
    box = make("OBSERVATIONS")
    for number in NUMBERS:
        box.put(Message("obs.x", number))
    await passed(clock)
    assert ledger.appends == 3


@pytest.mark.parametrize("fault", [Busy("no room"), Unknown("no answer")])
async def test_an_append_that_failed_is_made_again(make, ledger: Shaky, clock: HandClock, fault: LedgerError):
    ledger.before = [fault] * 5
    box = make("OBSERVATIONS")
    for number in NUMBERS:
        box.put(Message("obs.x", number))
    await passed(clock)
    assert bodies(ledger, "OBSERVATIONS") == NUMBERS


async def test_observations_whose_answer_was_lost_are_stored_once(make, ledger: Shaky, clock: HandClock):
    ledger.after = [Unknown("no answer"), Unknown("no answer")]
    box = make("OBSERVATIONS")
    for number in NUMBERS:
        box.put(Message("obs.x", number))
    await passed(clock)
    assert bodies(ledger, "OBSERVATIONS") == NUMBERS


async def test_a_message_that_can_never_be_stored_is_dropped_alone(make, ledger: Shaky, clock: HandClock):
    box = make("OBSERVATIONS")
    for body in (b"1", b"x" * (600 << 10), b"2"):
        box.put(Message("obs.x", body))
    await passed(clock)
    assert bodies(ledger, "OBSERVATIONS") == [b"1", b"2"]
    assert box.dropped == 1


async def test_beyond_what_memory_allows_the_oldest_are_dropped_and_counted(make, ledger: Shaky, clock: HandClock):
    box = make("OBSERVATIONS", keep_bytes=50)
    for n in range(10):
        box.put(Message("obs.x", b"%d" % n * 10))
    await passed(clock)
    assert bodies(ledger, "OBSERVATIONS") == [b"%d" % n * 10 for n in range(5, 10)]
    assert box.dropped == 5
