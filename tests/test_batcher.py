"""Group commit: what collects while an append is under way goes together, in order, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Sequence

import pytest

from core.batcher import MOST_BYTES, Batcher
from core.clock import HandClock
from core.ledger import MAX_BATCH, Busy, Full, Message, Stream, TooLarge, Unknown
from core.memory import MemoryLedger


def order(number: int, *, size: int = 0, message_id: str = "") -> Message:
    headers = {"Nats-Msg-Id": message_id} if message_id else None
    return Message(f"cmd.task.t{number}.submit", b"%d" % number + b"x" * size, headers)


class Troubled(MemoryLedger):
    """Refuses as told, one entry of ``troubles`` an append; a ``(error, True)`` stores all the same. Counts appends."""

    def __init__(self, *troubles: tuple[type[Exception], bool] | None) -> None:
        super().__init__(HandClock())
        self.troubles = list(troubles)
        self.sizes: list[int] = []

    async def send(self, stream: Stream, messages: Sequence[Message], *, expect: int | None = None) -> Future[int]:
        await asyncio.sleep(0)  # an append takes at least a turn of the loop
        self.sizes.append(len(messages))
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is None:
            return await super().send(stream, messages, expect=expect)
        error, stores = trouble
        if stores:
            self.put(stream, messages, expect=expect)
        future: Future[int] = asyncio.get_running_loop().create_future()
        future.set_exception(error("as told"))
        return future

    @property
    def bodies(self) -> list[bytes]:
        return [each.data for each in self.logs["COMMANDS"].messages]


async def with_time(ledger: Troubled, batcher: Batcher) -> None:
    """Let the clock run until the batcher is done."""
    clock = ledger.clock
    assert isinstance(clock, HandClock)
    flushing = asyncio.ensure_future(batcher.flush())
    while not flushing.done():
        await asyncio.sleep(0)
        clock.advance(seconds=0.25)
    await flushing


async def test_what_is_put_together_is_stored_together_and_each_learns_its_sequence():
    ledger = Troubled()
    batcher = Batcher(ledger, "COMMANDS", clock=ledger.clock)
    stored = [batcher.put(order(n)) for n in range(1000)]
    await batcher.flush()
    assert [each.result() for each in stored] == list(range(1, 1001))
    assert ledger.sizes == [MAX_BATCH, MAX_BATCH, 200]


async def test_what_comes_while_an_append_is_under_way_waits_for_the_next():
    ledger = Troubled()
    batcher = Batcher(ledger, "COMMANDS", clock=ledger.clock)
    first = batcher.put(order(1))
    await asyncio.sleep(0)
    rest = [batcher.put(order(n)) for n in (2, 3, 4)]
    assert await first == 1
    assert await asyncio.gather(*rest) == [2, 3, 4]
    assert ledger.sizes == [1, 3]


async def test_a_batch_holds_no_more_bytes_than_can_be_stored_in_time():
    ledger = Troubled()
    batcher = Batcher(ledger, "COMMANDS", clock=ledger.clock)
    for n in range(10):
        batcher.put(order(n, size=MOST_BYTES // 5))
    await batcher.flush()
    assert ledger.sizes == [4, 4, 2]


async def test_a_busy_log_is_asked_again_and_the_order_is_kept():
    ledger = Troubled((Busy, False), None, (Busy, False), (Busy, False))
    batcher = Batcher(ledger, "COMMANDS", clock=ledger.clock)
    stored = [batcher.put(order(n)) for n in range(900)]
    await with_time(ledger, batcher)
    assert [each.result() for each in stored] == list(range(1, 901))
    assert ledger.bodies == [b"%d" % n for n in range(900)]


async def test_an_unknown_answer_is_settled_by_sending_again():
    ledger = Troubled((Unknown, True), (Unknown, False))
    batcher = Batcher(ledger, "COMMANDS", clock=ledger.clock)
    stored = batcher.put(order(1))
    await with_time(ledger, batcher)
    assert stored.result() == 2
    assert ledger.bodies == [b"1", b"1"]  # the repeat is the reader's to ignore


async def test_with_message_ids_an_unknown_answer_doubles_nothing():
    ledger = Troubled((Unknown, True))
    batcher = Batcher(ledger, "COMMANDS", clock=ledger.clock)
    stored = [batcher.put(order(n, message_id=f"id-{n}")) for n in range(3)]
    await with_time(ledger, batcher)
    assert [each.result() for each in stored] == [1, 2, 3]
    assert ledger.bodies == [b"0", b"1", b"2"]


async def test_where_a_repeat_would_do_harm_an_unknown_answer_is_told():
    ledger = Troubled((Unknown, True))
    batcher = Batcher(ledger, "COMMANDS", clock=ledger.clock, on_unknown="fail")
    stored = [batcher.put(order(n)) for n in range(2)]
    await with_time(ledger, batcher)
    assert [type(each.exception()) for each in stored] == [Unknown, Unknown]
    assert ledger.sizes == [2]


async def test_a_duplicate_does_not_hold_up_the_others_of_its_batch():
    ledger = Troubled()
    await ledger.append("COMMANDS", [order(7, message_id="seven")])
    batcher = Batcher(ledger, "COMMANDS", clock=ledger.clock)
    stored = [batcher.put(order(n, message_id=name)) for n, name in ((8, "eight"), (7, "seven"), (9, "nine"))]
    await batcher.flush()
    assert [each.result() for each in stored] == [2, 1, 3]


async def test_a_full_log_is_told_at_once():
    ledger = Troubled((Full, False))
    batcher = Batcher(ledger, "COMMANDS", clock=ledger.clock)
    stored = [batcher.put(order(n)) for n in range(2)]
    await batcher.flush()
    assert [type(each.exception()) for each in stored] == [Full, Full]
    assert await batcher.put(order(3)) == 1


async def test_patience_ends():
    ledger = Troubled(*[(Busy, False)] * 1000)
    batcher = Batcher(ledger, "COMMANDS", clock=ledger.clock, patience_s=5)
    stored = batcher.put(order(1))
    await with_time(ledger, batcher)
    assert isinstance(stored.exception(), Busy)
    assert ledger.clock.monotonic() < 8


async def test_what_could_never_be_stored_is_refused_at_once_and_alone():
    ledger = Troubled()
    batcher = Batcher(ledger, "COMMANDS", clock=ledger.clock)
    stored = batcher.put(order(1))
    with pytest.raises(TooLarge):
        batcher.put(order(2, size=1 << 20))
    assert await stored == 1


async def test_who_stops_waiting_disturbs_nobody():
    ledger = Troubled()
    batcher = Batcher(ledger, "COMMANDS", clock=ledger.clock)
    stored = [batcher.put(order(n)) for n in range(3)]
    stored[1].cancel()
    await batcher.flush()
    assert (stored[0].result(), stored[2].result()) == (1, 3)
