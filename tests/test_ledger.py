"""The contract of a ledger: what every implementation does with appends and readers.

Each test runs against the memory ledger and against JetStream on a real server.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from core.api import call
from core.jetstream import JetStreamLedger
from core.ledger import (
    MAX_BATCH,
    MAX_COMMAND_BYTES,
    MAX_FACT_BYTES,
    MAX_HEADER_BYTES,
    MAX_LIST,
    Conflict,
    Duplicate,
    Full,
    Gap,
    Ledger,
    Malformed,
    Message,
    Stored,
    TooLarge,
)
from core.link import connect
from core.memory import MemoryLedger
from core.streams import Sizes, ensure
from tests.nats_server import NatsServer

STREAMS = ("COMMANDS", "EVENTS", "OBSERVATIONS", "OUTPUT")
ID = "Nats-Msg-Id"


async def fresh_jetstream(server: NatsServer, sizes: Sizes | None = None) -> JetStreamLedger:
    link = await connect(server.url, name="test")
    for name in STREAMS:
        info = await call(link, "STREAM.NAMES", {"subject": ""})
        if name in (info["streams"] or ()):
            await call(link, f"STREAM.DELETE.{name}")
    small = Sizes(commands=64 << 20, events=64 << 20, observations=64 << 20, output=64 << 20)
    await ensure(link, sizes or small, names=STREAMS)
    return JetStreamLedger(link)


@pytest.fixture(params=["memory", "jetstream"])
async def ledger(request, nats_server) -> AsyncIterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    ledger = await fresh_jetstream(nats_server)
    yield ledger
    await ledger.link.close()


def fact(number: int, **headers: str) -> Message:
    return Message(f"evt.task.t{number}.done", b"%d" % number, headers or None)


def with_id(number: int, message_id: str) -> Message:
    return Message(f"evt.task.t{number}.done", b"%d" % number, {ID: message_id})


async def everything(ledger: Ledger, stream="EVENTS", **where) -> list[Stored]:
    return [each async for found in ledger.read(stream, **where) for each in found]


# ---------------------------------------------------------------- appends


async def test_an_append_says_the_last_sequence_it_was_given(ledger):
    assert await ledger.append("EVENTS", [fact(1)]) == 1
    assert await ledger.append("EVENTS", [fact(2), fact(3), fact(4)]) == 4
    assert (await ledger.head("EVENTS")).last_seq == 4


async def test_what_was_appended_is_read_back_as_it_was(ledger):
    await ledger.append("EVENTS", [fact(1, By="ada", Cause="c-1")])
    await ledger.append("EVENTS", [fact(2), fact(3, By="bob, von Ürdingen: 2nd")])
    found = await everything(ledger)
    assert [(each.seq, each.subject, each.data) for each in found] == [
        (1, "evt.task.t1.done", b"1"),
        (2, "evt.task.t2.done", b"2"),
        (3, "evt.task.t3.done", b"3"),
    ]
    assert [dict(each.headers or {}) for each in found] == [
        {"By": "ada", "Cause": "c-1"},
        {},
        {"By": "bob, von Ürdingen: 2nd"},
    ]
    assert found[0].at <= found[1].at <= found[2].at
    assert abs(found[0].at - (await ledger.head("EVENTS")).created) < 60_000_000


async def test_streams_count_apart(ledger):
    assert await ledger.append("COMMANDS", [Message("cmd.task.t1.cancel", b"{}")]) == 1
    assert await ledger.append("OUTPUT", [Message("out.run.r1.stdout", b"hello")]) == 1
    assert await ledger.append("OBSERVATIONS", [Message("obs.run.r1.usage", b"{}")]) == 1
    assert await ledger.append("EVENTS", [fact(1)]) == 1


async def test_an_append_that_expects_another_end_is_a_conflict_and_stores_nothing(ledger):
    await ledger.append("EVENTS", [fact(1)], expect=0)
    with pytest.raises(Conflict):
        await ledger.append("EVENTS", [fact(2)], expect=0)
    with pytest.raises(Conflict):
        await ledger.append("EVENTS", [fact(2), fact(3)], expect=2)
    assert await ledger.append("EVENTS", [fact(2), fact(3)], expect=1) == 3


async def test_chained_appends_are_stored_in_the_order_they_were_sent(ledger):
    futures = []
    expect = 0
    for length in (1, 3, 1, 1, 20, 2):
        futures.append(await ledger.send("EVENTS", [fact(expect + i + 1) for i in range(length)], expect=expect))
        expect += length
    assert await asyncio.gather(*futures) == [1, 4, 5, 6, 26, 28]
    assert [each.data for each in await everything(ledger)] == [b"%d" % n for n in range(1, 29)]


async def test_after_a_refused_append_the_ones_chained_to_it_are_refused_too(ledger):
    await ledger.append("EVENTS", [fact(1)])
    sent = [await ledger.send("EVENTS", [fact(9), fact(9)], expect=expect) for expect in (5, 7, 9)]
    assert [type(each) for each in await asyncio.gather(*sent, return_exceptions=True)] == [Conflict] * 3
    assert (await ledger.head("EVENTS")).last_seq == 1


async def test_concurrent_senders_keep_their_batches_whole(ledger):
    async def sender(number: int) -> None:
        for _ in range(5):
            await ledger.append("EVENTS", [fact(number)] * 7)

    await asyncio.gather(*(sender(number) for number in range(8)))
    data = [each.data for each in await everything(ledger)]
    assert len(data) == 8 * 5 * 7
    assert all(len(set(data[start : start + 7])) == 1 for start in range(0, len(data), 7))


async def test_of_two_writers_with_the_same_expectation_one_wins(ledger):
    sent = [await ledger.send("EVENTS", [fact(n), fact(n)], expect=0) for n in (1, 2)]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["Conflict", "int"]


# ---------------------------------------------------------------- message ids


async def test_a_single_message_with_a_known_id_is_answered_with_its_first_sequence(ledger):
    assert await ledger.append("EVENTS", [with_id(1, "a")]) == 1
    await ledger.append("EVENTS", [fact(2)])
    assert await ledger.append("EVENTS", [with_id(1, "a")]) == 1
    assert await ledger.append("EVENTS", [with_id(1, "a")], expect=2) == 1
    assert (await ledger.head("EVENTS")).last_seq == 2


async def test_a_message_id_is_read_back(ledger):
    await ledger.append("EVENTS", [with_id(1, "a"), with_id(2, "b")])
    assert [dict(each.headers or {}) for each in await everything(ledger)] == [{ID: "a"}, {ID: "b"}]


async def test_for_a_single_message_the_sequence_is_checked_before_the_id(ledger):
    await ledger.append("EVENTS", [with_id(1, "a")], expect=0)
    with pytest.raises(Conflict):
        await ledger.append("EVENTS", [with_id(1, "a")], expect=0)


async def test_a_refused_message_does_not_use_up_its_id(ledger):
    await ledger.append("EVENTS", [fact(1)])
    with pytest.raises(Conflict):
        await ledger.append("EVENTS", [with_id(2, "b")], expect=0)
    assert await ledger.append("EVENTS", [with_id(2, "b")]) == 2


async def test_one_known_id_refuses_the_whole_batch_and_uses_up_none(ledger):
    await ledger.append("EVENTS", [with_id(1, "a")])
    with pytest.raises(Duplicate):
        await ledger.append("EVENTS", [with_id(2, "b"), with_id(1, "a")], expect=1)
    with pytest.raises(Duplicate):
        await ledger.append("EVENTS", [with_id(2, "twice"), with_id(2, "twice")])
    assert await ledger.append("EVENTS", [with_id(2, "b"), with_id(3, "twice")]) == 3


async def test_in_a_batch_the_first_id_is_checked_before_the_sequence_and_the_others_after(ledger):
    await ledger.append("EVENTS", [with_id(1, "a")])
    with pytest.raises(Duplicate):
        await ledger.append("EVENTS", [with_id(1, "a"), with_id(2, "b")], expect=0)
    with pytest.raises(Conflict):
        await ledger.append("EVENTS", [with_id(2, "b"), with_id(1, "a")], expect=0)


async def outcomes(ledger: Ledger, seed: int) -> list[object]:
    """What sixty appends by chance are answered: singles and batches, right and wrong expectations, ids old and new."""
    chance = random.Random(seed)
    told: list[object] = []
    end = 0
    for _ in range(60):
        ids = [chance.choice(["", "", f"id-{chance.randrange(30)}"]) for _ in range(chance.choice([1, 1, 2, 3]))]
        expect = chance.choice([None, end, end, end - 1, end + 1])
        messages = [with_id(n, each) if each else fact(n) for n, each in enumerate(ids)]
        (answer,) = await asyncio.gather(ledger.append("EVENTS", messages, expect=expect), return_exceptions=True)
        end = (await ledger.head("EVENTS")).last_seq
        told.append((answer if isinstance(answer, int) else type(answer).__name__, end))
    return told


@pytest.mark.parametrize("seed", range(8))
async def test_both_ledgers_answer_any_history_alike(nats_server, seed):
    on_server, in_memory = await fresh_jetstream(nats_server), MemoryLedger()
    try:
        told = await outcomes(on_server, seed)
        assert told == await outcomes(in_memory, seed)
        assert {"Conflict", "Duplicate"} <= {each[0] for each in told}
        stored = [[(e.seq, e.subject, e.data, dict(e.headers or {})) for e in await everything(one)]
                  for one in (on_server, in_memory)]  # fmt: skip
        assert stored[0] == stored[1]
    finally:
        await on_server.link.close()


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        ("COMMANDS", [Message("cmd.task.t1.submit", b"x" * (MAX_COMMAND_BYTES + 1))]),
        ("EVENTS", [fact(1), Message("evt.task.t1.done", b"x" * (MAX_FACT_BYTES + 1))]),
        ("EVENTS", [fact(1, Long="x" * MAX_HEADER_BYTES)]),
        ("EVENTS", [fact(1)] * (MAX_BATCH + 1)),
        ("EVENTS", [Message("evt.task.t1.done", b"x" * MAX_FACT_BYTES)] * 65),
    ],
    ids=["command", "fact", "headers", "count", "total"],
)
async def test_too_much_is_refused_before_anything_leaves(ledger, stream, messages):
    with pytest.raises(TooLarge):
        await ledger.send(stream, messages)
    assert (await ledger.head(stream)).last_seq == 0
    assert await ledger.append("EVENTS", [fact(1)]) == 1


async def test_the_largest_messages_allowed_are_stored(ledger):
    header = "x" * (MAX_HEADER_BYTES - 50)
    assert await ledger.append("EVENTS", [Message("evt.a.b.c", b"x" * MAX_FACT_BYTES, {"Long": header})]) == 1
    assert await ledger.append("COMMANDS", [Message("cmd.a.b.c", b"x" * MAX_COMMAND_BYTES)] * 3) == 3
    assert await ledger.append("EVENTS", [fact(1)] * MAX_BATCH) == 1 + MAX_BATCH
    assert [len(each.data) for each in await everything(ledger, until=1)] == [MAX_FACT_BYTES]


@pytest.mark.parametrize(
    "message",
    [
        Message("evt.task t1", b""),
        Message("evt.task.*", b""),
        Message("evt..done", b""),
        Message("evt.task.t1\r\nPUB evt.x 0", b""),
        Message("evt." + "x" * 2000, b""),
        Message("", b""),
        Message("evt.\ud800", b""),
        Message("evt.a", b"", {"By": "ada\r\nNats-Rollup: all"}),
        Message("evt.a", b"", {"By: ada\r\nx": "y"}),
        Message("evt.a", b"", {"": "y"}),
        Message("evt.a", b"", {"By": "\udfff"}),
    ],
)
async def test_a_subject_or_header_that_would_break_the_line_is_refused(ledger, message):
    with pytest.raises(Malformed):
        await ledger.send("EVENTS", [fact(1), message])
    assert await ledger.append("EVENTS", [fact(1)]) == 1


async def test_a_full_stream_says_so_and_keeps_what_it_has(ledger, nats_server):
    if isinstance(ledger, JetStreamLedger):
        await ledger.link.close()
        ledger = await fresh_jetstream(nats_server, Sizes(events=1 << 20))
    else:
        ledger = MemoryLedger(max_bytes={"EVENTS": 1 << 20})
    big = Message("evt.task.t1.done", b"x" * 300_000)
    for _ in range(3):
        await ledger.append("EVENTS", [big])
    with pytest.raises(Full):
        await ledger.append("EVENTS", [big])
    with pytest.raises(Full):
        await ledger.append("EVENTS", [fact(1), big])
    head = await ledger.head("EVENTS")
    assert (head.last_seq, head.max_bytes) == (3, 1 << 20)
    assert 900_000 < head.bytes < 1 << 20
    if isinstance(ledger, JetStreamLedger):
        await ledger.link.close()


# ---------------------------------------------------------------- readers


async def test_a_reader_sees_every_sequence_once_in_order(ledger):
    for start in range(0, 1200, 300):
        await ledger.append("EVENTS", [fact(start + n) for n in range(300)])
    assert [each.seq for each in await everything(ledger)] == list(range(1, 1201))
    assert [each.seq for each in await everything(ledger, after=1195)] == list(range(1196, 1201))
    assert [each.seq for each in await everything(ledger, after=10, until=13)] == [11, 12, 13]
    assert await everything(ledger, after=1200) == []
    assert await everything(ledger, after=5, until=5) == []


async def test_an_empty_stream_reads_as_nothing(ledger):
    assert await everything(ledger) == []
    assert await everything(ledger, subjects=["evt.task.>"]) == []


async def test_a_list_holds_at_most_five_thousand(ledger):
    for _ in range(15):
        await ledger.send("EVENTS", [fact(1)] * MAX_BATCH)
    await ledger.append("EVENTS", [fact(1)])
    lengths = [len(found) async for found in ledger.read("EVENTS")]
    assert sum(lengths) == 6001
    assert max(lengths) <= MAX_LIST


async def test_a_filtered_reader_sees_what_fits_and_ends_without_it(ledger):
    await ledger.append("EVENTS", [Message(f"evt.{kind}.x.done", b"") for kind in ("task", "run", "task", "lane")])
    await ledger.append("EVENTS", [Message("evt.agent.x.idle", b"")])

    async def seqs(*subjects: str, **where) -> list[int]:
        return [each.seq for each in await everything(ledger, subjects=subjects, **where)]

    assert await seqs("evt.task.>") == [1, 3]
    assert await seqs("evt.*.x.done") == [1, 2, 3, 4]
    assert await seqs("evt.run.>", "evt.agent.x.idle") == [2, 5]
    assert await seqs("evt.task.>", until=2) == [1]
    assert await seqs("evt.task.>", after=3) == []
    assert await seqs("evt.worker.>") == []


async def test_a_follower_gets_what_was_there_and_what_comes(ledger):
    await ledger.append("EVENTS", [fact(1), fact(2)])
    seen: list[int] = []
    async with aclosing(ledger.follow("EVENTS", after=0)) as lists:
        async for found in lists:
            seen += [each.seq for each in found]
            if seen[-1] == 2:
                await ledger.append("EVENTS", [fact(3)])
            elif seen[-1] == 3:
                await ledger.append("EVENTS", [fact(4), fact(5)])
            elif seen[-1] == 5:
                break
    assert seen == [1, 2, 3, 4, 5]


async def test_a_follower_with_nothing_to_do_looks_around_when_asked(ledger):
    async with aclosing(ledger.follow("EVENTS", after=0, idle=0.05)) as lists:
        assert await anext(lists) == []
        assert await anext(lists) == []
        await ledger.append("EVENTS", [fact(1)])
        assert [each.seq for _ in range(2) for each in await anext(lists)] == [1]


async def test_a_filtered_follower_looks_around_though_others_are_busy(ledger):
    async with aclosing(ledger.follow("EVENTS", after=0, subjects=["evt.worker.w1.>"], idle=0.2)) as lists:
        waiting = asyncio.ensure_future(anext(lists))
        while not waiting.done():
            await ledger.append("EVENTS", [fact(1)])
            await asyncio.sleep(0.02)
        assert waiting.result() == []


async def test_two_followers_do_not_disturb_each_other(ledger):
    async def follow(until: int) -> list[int]:
        seen: list[int] = []
        async with aclosing(ledger.follow("EVENTS", after=0)) as lists:
            async for found in lists:
                seen += [each.seq for each in found]
                if seen[-1] >= until:
                    return seen
        return seen

    followers = [asyncio.ensure_future(follow(until)) for until in (30, 60)]
    for _ in range(20):
        await ledger.append("EVENTS", [fact(1)] * 3)
    seen = await asyncio.gather(*followers)
    assert seen[0][:30] == list(range(1, 31))
    assert seen[1] == list(range(1, 61))


async def test_a_reader_ahead_of_the_stream_is_told_of_the_rollback(ledger):
    await ledger.append("EVENTS", [fact(1)])
    async with aclosing(ledger.follow("EVENTS", after=5)) as lists:
        with pytest.raises(Gap, match=r"ends at 1, before 5"):
            await anext(lists)


async def test_a_read_may_wait_for_what_is_still_to_come(ledger):
    reading = asyncio.ensure_future(everything(ledger, until=2))
    filtered = asyncio.ensure_future(everything(ledger, until=2, subjects=["evt.task.t1.*"]))
    await ledger.append("EVENTS", [fact(1)])
    await asyncio.sleep(0.05)
    assert not reading.done()
    await ledger.append("EVENTS", [fact(2)])
    assert [each.seq for each in await reading] == [1, 2]
    assert [each.seq for each in await filtered] == [1]
