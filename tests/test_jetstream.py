"""The ledger on a real server that is killed, frozen, cut off, set wrongly or damaged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress

import pytest

from core.api import call
from core.consumer import Consumer, tokens
from core.jetstream import JetStreamLedger
from core.ledger import MAX_FACT_BYTES, Busy, Conflict, Forbidden, Full, Gap, LedgerError, Message, TooLarge, Unknown
from core.link import Link, Unreachable, connect
from core.parser import NotNats, Parser
from core.server import check_version, examine_sync, prepare
from core.streams import Sizes, Unfit, ensure, ensure_stream, settings
from tests.nats_server import NatsServer, free_port

SMALL = Sizes(
    commands=256 << 20, events=256 << 20, observations=16 << 20, output=16 << 20, bucket=1 << 20, objects=16 << 20
)


def fact(number: int, size: int = 0) -> Message:
    return Message(f"evt.task.t{number % 100}.done", b"%d" % number + b" " * size)


@asynccontextmanager
async def opened(server: NatsServer, *, names: Sequence[str] | None = None, **how) -> AsyncIterator[JetStreamLedger]:
    link = await connect(server.url, name="test")
    try:
        await ensure(link, SMALL, names=names)
        yield JetStreamLedger(link, **how)
    finally:
        await link.close()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # looked at from outside
            await asyncio.sleep(0.01)


@pytest.fixture
def own_server(tmp_path):
    """A server that is this test's to kill."""
    server = NatsServer(tmp_path / "nats").start()
    yield server
    server.stop()


# ---------------------------------------------------------------- the server dies


async def write_chain(ledger: JetStreamLedger, count: int, acknowledged: dict[int, int]) -> None:
    """Store 1..count in order whatever happens, as the core does: chained, in flight, read after every doubt."""
    done = 0
    while done < count:
        sent = []
        expect = done
        try:
            for size in (1, 7, 1, 20):
                numbers = range(expect + 1, expect + size + 1)
                sent.append((await ledger.send("EVENTS", [fact(n) for n in numbers], expect=expect), numbers))
                expect += size
            for future, numbers in sent:
                last = await future
                acknowledged.update(zip(numbers, range(last - len(numbers) + 1, last + 1), strict=True))
                done = numbers[-1]
        except (Busy, Unknown, Conflict):
            await asyncio.gather(*(future for future, _ in sent), return_exceptions=True)
            await asyncio.wait_for(ledger.link.until_up(), 10)
            with suppress(Busy, Unknown):
                done = (await ledger.head("EVENTS")).last_seq


async def test_l1_l2_a_server_killed_three_times_under_load_loses_and_doubles_nothing(own_server):
    count = 3000
    acknowledged: dict[int, int] = {}
    seen: list[tuple[int, int]] = []
    async with opened(own_server) as ledger:

        async def follow() -> None:
            async with aclosing(ledger.follow("EVENTS", after=0)) as lists:
                async for found in lists:
                    seen.extend((each.seq, int(each.data)) for each in found)
                    if seen[-1][1] >= count:
                        return

        writing = asyncio.ensure_future(write_chain(ledger, count, acknowledged))
        following = asyncio.ensure_future(follow())
        for part in (1, 2, 3):
            await until(lambda at=count * part // 5: len(seen) >= at)
            own_server.kill()
            await asyncio.sleep(0.05)
            own_server.start()
        async with asyncio.timeout(60):
            await asyncio.gather(writing, following)
    assert [seq for seq, _ in seen] == list(range(1, len(seen) + 1))
    assert [number for _, number in seen] == list(range(1, len(seen) + 1))
    assert all(number == seq for number, seq in acknowledged.items())
    assert len(acknowledged) > count // 2


async def test_a_follower_goes_on_within_two_seconds_of_a_restart(own_server):
    async with opened(own_server) as ledger, opened(own_server) as other:
        await ledger.append("EVENTS", [fact(n) for n in range(1, 11)])
        async with aclosing(ledger.follow("EVENTS", after=0)) as lists:
            assert (await anext(lists))[-1].seq == 10
            own_server.kill()
            own_server.start()
            back = time.monotonic()
            await other.link.until_up()
            while True:
                with suppress(Busy, Unknown):
                    await other.append("EVENTS", [fact(11)], expect=10)
                    break
                await asyncio.sleep(0.01)
            assert [each.seq for each in await anext(lists)] == [11]
            assert time.monotonic() - back < 2.0


async def test_a_frozen_server_is_noticed_in_seconds_and_no_future_hangs(own_server):
    async with opened(own_server) as ledger:
        await ledger.append("EVENTS", [fact(1)])
        own_server.pause()
        try:
            began = time.monotonic()
            # More than the socket takes: closing must not wait for a peer that does not read.
            big = [ledger.append("COMMANDS", [Message("cmd.a.b.c", b"x" * 200_000)] * 2) for _ in range(60)]
            outcomes = await asyncio.gather(*big, return_exceptions=True)
            assert {type(each) for each in outcomes} == {Unknown}
            assert time.monotonic() - began < 6
            assert not ledger.link.up
        finally:
            own_server.resume()
        await asyncio.wait_for(ledger.link.until_up(), 10)
        assert await ledger.append("EVENTS", [fact(2)], expect=1) == 2


async def test_what_is_sent_while_the_link_is_down_is_refused_and_not_sent_later(own_server):
    async with opened(own_server) as ledger:
        own_server.kill()
        await until(lambda: not ledger.link.up)
        for messages in ([fact(1)], [fact(1), fact(2)]):
            with pytest.raises(Busy, match="down"):
                await ledger.append("EVENTS", messages)
        with pytest.raises(Busy):
            await ledger.head("EVENTS")
        own_server.start()
        await asyncio.wait_for(ledger.link.until_up(), 10)
        assert (await ledger.head("EVENTS")).last_seq == 0


async def test_an_answer_that_does_not_come_is_unknown_after_the_bound(own_server):
    async with opened(own_server, answer_within_s=0.3) as ledger:
        await ledger.append("EVENTS", [fact(1)])
        own_server.pause()
        began = time.monotonic()
        try:
            with pytest.raises(Unknown):
                await ledger.append("EVENTS", [fact(2)])
            assert time.monotonic() - began < 1.5
        finally:
            own_server.resume()


async def test_reading_waits_for_a_server_that_is_away(own_server):
    async with opened(own_server) as ledger:
        await ledger.append("EVENTS", [fact(n) for n in range(1, 101)])
        own_server.kill()

        async def read() -> list[int]:
            return [each.seq async for found in ledger.read("EVENTS", until=100) for each in found]

        reading = asyncio.ensure_future(read())
        await asyncio.sleep(0.3)
        own_server.start()
        assert await asyncio.wait_for(reading, 10) == list(range(1, 101))


# ---------------------------------------------------------------- readers


@pytest.fixture
async def bare(nats_server) -> AsyncIterator[JetStreamLedger]:
    """EVENTS without its protections, so that a test can damage it; nothing else."""
    link = await connect(nats_server.url, name="test")
    for name in (await call(link, "STREAM.NAMES", {}))["streams"] or ():
        await call(link, f"STREAM.DELETE.{name}")
    await make_bare(link)
    yield JetStreamLedger(link)
    await link.close()


async def make_bare(link: Link) -> dict:
    config = {"name": "EVENTS", "subjects": ["evt.>"], "storage": "file", "allow_atomic": True}
    while True:
        with suppress(Busy):  # a stream of this name is still being removed
            return await call(link, "STREAM.CREATE.EVENTS", config)


async def test_l2_a_missing_sequence_stops_the_reader(bare):
    await bare.append("EVENTS", [fact(n) for n in range(1, 11)])
    await call(bare.link, "STREAM.MSG.DELETE.EVENTS", {"seq": 5})
    seen: list[int] = []
    with pytest.raises(Gap, match=r"6 came where 5 was due"):
        async for found in bare.read("EVENTS"):
            seen += [each.seq for each in found]
    assert seen == [1, 2, 3, 4]


async def test_a_log_that_begins_later_than_asked_stops_the_reader(bare):
    await bare.append("EVENTS", [fact(n) for n in range(1, 11)])
    await call(bare.link, "STREAM.PURGE.EVENTS", {"seq": 6})
    with pytest.raises(Gap, match=r"begins at 6: 3 is no longer there"):
        async for _ in bare.read("EVENTS", after=2):
            pass
    assert [each.seq async for found in bare.read("EVENTS", after=5) for each in found] == [6, 7, 8, 9, 10]


async def test_l6_a_stream_made_again_under_its_name_stops_the_follower(bare):
    await bare.append("EVENTS", [fact(1), fact(2)])
    async with aclosing(bare.follow("EVENTS", after=0)) as lists:
        assert len(await anext(lists)) == 2
        await call(bare.link, "STREAM.DELETE.EVENTS")
        await make_bare(bare.link)
        await bare.append("EVENTS", [fact(n) for n in range(1, 6)])
        with pytest.raises(Gap, match="made again"):
            await asyncio.wait_for(anext(lists), 10)


async def test_a_consumer_deleted_under_a_follower_is_made_again(bare):
    await bare.append("EVENTS", [fact(1)])
    async with aclosing(bare.follow("EVENTS", after=0)) as lists:
        assert len(await anext(lists)) == 1
        for name in (await call(bare.link, "CONSUMER.NAMES.EVENTS", {}))["consumers"]:
            await call(bare.link, f"CONSUMER.DELETE.EVENTS.{name}")
        await bare.append("EVENTS", [fact(2), fact(3)])
        assert [each.seq for each in await asyncio.wait_for(anext(lists), 5)] == [2, 3]


@pytest.mark.parametrize("subjects", [(), ("evt.task.>",)], ids=["all", "filtered"])
async def test_a_consumer_that_silently_delivers_nothing_is_found_by_the_stream_s_end(bare, subjects):
    async with aclosing(bare.follow("EVENTS", after=0, subjects=subjects)) as lists:
        first = asyncio.ensure_future(anext(lists))
        await asyncio.sleep(0.1)
        (name,) = (await call(bare.link, "CONSUMER.NAMES.EVENTS", {}))["consumers"]
        # A paused consumer goes on sending heartbeats.
        await call(bare.link, f"CONSUMER.PAUSE.EVENTS.{name}", {"pause_until": "2999-01-01T00:00:00Z"})
        await bare.append("EVENTS", [fact(1), fact(2)])
        assert [each.seq for each in await asyncio.wait_for(first, 8)] == [1, 2]


async def test_a_closed_reader_leaves_no_consumer(bare):
    await bare.append("EVENTS", [fact(1)])
    async with aclosing(bare.follow("EVENTS", after=0)) as lists:
        await anext(lists)
    assert [each.seq async for found in bare.read("EVENTS") for each in found] == [1]
    async with asyncio.timeout(2):  # the server is told, and does it in its own time
        while (await call(bare.link, "CONSUMER.NAMES.EVENTS", {}))["consumers"]:
            pass


async def test_a_reader_slower_than_the_log_gets_everything_and_holds_little(bare, monkeypatch):
    held: list[int] = []
    take = Consumer.take

    def counted(consumer: Consumer):
        held.append(sum(len(each.data) for each in consumer._arrived))
        return take(consumer)

    monkeypatch.setattr(Consumer, "take", counted)
    for start in range(0, 80, 8):
        await bare.append("EVENTS", [fact(start + n + 1, size=MAX_FACT_BYTES - 10) for n in range(8)])
    seen = 0
    async for found in bare.read("EVENTS"):
        assert [each.seq for each in found] == list(range(seen + 1, seen + len(found) + 1))
        seen += len(found)
        await asyncio.sleep(0.02)
    assert seen == 80
    assert max(held) <= 10 << 20  # of the 40 MiB there are


async def test_a_stream_that_forgets_is_read_from_what_is_left(nats_server, bare):
    await ensure(bare.link, Sizes(observations=1 << 20), names=["OBSERVATIONS"])
    for n in range(20):
        await bare.append("OBSERVATIONS", [Message(f"obs.run.r{n}.usage", b"x" * 100_000)])
    first = (await bare.head("OBSERVATIONS")).first_seq
    assert first > 5
    assert [each.seq async for found in bare.read("OBSERVATIONS", after=2) for each in found] == list(range(first, 21))


async def test_a_follower_overtaken_by_forgetting_goes_on_with_what_is_left(bare):
    await ensure(bare.link, Sizes(observations=1 << 20), names=["OBSERVATIONS"])
    observed = [Message("obs.run.r1.usage", b"x" * 400_000)]
    await bare.append("OBSERVATIONS", observed)
    async with aclosing(bare.follow("OBSERVATIONS", after=0)) as lists:
        assert len(await anext(lists)) == 1
        (name,) = (await call(bare.link, "CONSUMER.NAMES.OBSERVATIONS", {}))["consumers"]
        await call(bare.link, f"CONSUMER.DELETE.OBSERVATIONS.{name}")
        for _ in range(5):
            await bare.append("OBSERVATIONS", observed)
        seen: list[int] = []
        while len(seen) < 2:
            seen += [each.seq for each in await asyncio.wait_for(anext(lists), 5)]
        assert seen == [5, 6]


async def test_output_goes_one_behind_the_other(bare):
    await ensure(bare.link, SMALL, names=["OUTPUT"])
    chunks = [Message("out.run.r1.stdout", b"%d" % n) for n in range(50)]
    assert await bare.append("OUTPUT", chunks) == 50
    assert [each.data async for found in bare.read("OUTPUT") for each in found] == [each.data for each in chunks]
    with pytest.raises(ValueError, match="OUTPUT"):
        await bare.append("OUTPUT", chunks, expect=50)


async def test_reading_a_stream_that_is_not_there_says_so(bare):
    with pytest.raises(LedgerError, match="stream not found"):
        async for _ in bare.read("COMMANDS"):
            pass
    with pytest.raises(Busy, match="COMMANDS"):
        await bare.append("COMMANDS", [Message("cmd.a.b.c", b"")])


@pytest.mark.parametrize(
    "reply",
    [b"$JS.ACK.EVENTS.c.1.22.3.1700000000123456789.4", b"$JS.ACK._.hash.EVENTS.c.1.22.3.1700000000123456789.4.x"],
)
def test_both_forms_of_the_reply_subject_are_read(reply):
    assert [int(each) for each in tokens(reply)] == [1, 22, 3, 1700000000123456789, 4]


# ---------------------------------------------------------------- the line


class Heard:
    """Stands where nats-py's client does and writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple] = []

    async def _process_msg(self, *what) -> None:
        self.told.append(("msg", *what))

    async def _process_ping(self) -> None:
        self.told.append(("ping",))

    async def _process_pong(self) -> None:
        self.told.append(("pong",))

    async def _process_err(self, err_msg) -> None:
        self.told.append(("err", err_msg))

    async def _process_info(self, info) -> None:
        self.told.append(("info", info))


LINES = (
    b'INFO {"server_id":"x"} \r\n'
    b"MSG a.b 1 5\r\nhello\r\n"
    b"MSG a.b 2 _INBOX.1 0\r\n\r\n"
    b"PING\r\n"
    b"HMSG a.c 1 $JS.ACK.x 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nok\r\n"
    b"PONG\r\n"
    b"HMSG a.c 2 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"
    b"+OK\r\n"
    b"MSG a.b 1 9\r\n\r\nMSG x\r\n\r\n"
    b"-ERR 'Permissions Violation for Publish to \"evt.x\"'\r\n"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 64, len(LINES)])
async def test_messages_are_cut_the_same_however_the_bytes_arrive(size):
    client = Heard()
    parser = Parser(client)
    tapped: list[tuple] = []
    parser.taps[1] = lambda *what: tapped.append(what)
    for start in range(0, len(LINES), size):
        await parser.parse(LINES[start : start + size])
    assert tapped == [
        (b"a.b", b"", b"", b"hello"),
        (b"a.c", b"$JS.ACK.x", b"NATS/1.0\r\nA: b\r\n\r\n", b"ok"),
        (b"a.b", b"", b"", b"\r\nMSG x\r\n"),
    ]
    assert client.told == [
        ("info", {"server_id": "x"}),
        ("msg", 2, b"a.b", b"_INBOX.1", b"", b""),
        ("ping",),
        ("pong",),
        ("msg", 2, b"a.c", b"", b"", b"NATS/1.0 503\r\n\r\n"),
        ("err", "'permissions violation for publish to \"evt.x\"'"),
    ]


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 200 OK\r\n\r\n", b"MSG\r\n", b"MSG a b c d e\r\n", b"x" * 100_000])
async def test_what_is_not_nats_breaks_the_connection_and_not_the_process(garbage):
    with pytest.raises(NotNats):
        await Parser(Heard()).parse(garbage)


async def test_nobody_at_the_address_is_told_within_the_bound():
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"nats://127.0.0.1:\d+ within 0.5 s"):
        await connect(f"nats://127.0.0.1:{free_port()}", name="test", wait_s=0.5)
    assert time.monotonic() - began < 2


# ---------------------------------------------------------------- the server and its streams


async def test_streams_are_made_once_and_found_fit_after_that(own_server):
    async with opened(own_server) as ledger:
        await ledger.append("EVENTS", [fact(1)])
        before = {name: await ledger.head(name) for name in ("COMMANDS", "EVENTS", "OBSERVATIONS", "OUTPUT")}
        await prepare(ledger.link, monitor=own_server.monitor_url, sizes=SMALL)
        assert {name: await ledger.head(name) for name in before} == before
        # Another size is the operator's affair, not a reason to refuse.
        await prepare(ledger.link, monitor=own_server.monitor_url, sizes=Sizes())


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("EVENTS", {"discard": "old"}, "discard"),
        ("EVENTS", {"deny_delete": False}, "deny_delete"),
        ("EVENTS", {"deny_purge": False}, "deny_purge"),
        ("EVENTS", {"allow_rollup_hdrs": True, "deny_purge": False}, "allow_rollup_hdrs"),
        ("EVENTS", {"allow_msg_ttl": True}, "allow_msg_ttl"),
        ("EVENTS", {"allow_atomic": False}, "allow_atomic"),
        ("EVENTS", {"max_age": 3600 * 10**9}, "max_age"),
        ("EVENTS", {"max_bytes": -1}, "max_bytes"),
        ("EVENTS", {"storage": "memory"}, "storage"),
        ("EVENTS", {"subjects": ["evt.>", "other"]}, "subjects"),
        ("EVENTS", {"duplicate_window": 10**9}, "duplicate_window"),
        (
            "COMMANDS",
            {"allow_msg_schedules": True, "allow_rollup_hdrs": True, "deny_purge": False, "discard": "old"},
            "schedules",
        ),
        ("COMMANDS", {"max_msgs": 10}, "max_msgs"),
        ("COMMANDS", {"allow_atomic": False, "persist_mode": "async"}, "persist_mode"),
        ("OBSERVATIONS", {"max_age": 0}, "max_age"),
        ("OUTPUT", {"persist_mode": None}, "persist_mode"),
        ("KV_heartbeats", {"allow_msg_ttl": False, "subject_delete_marker_ttl": None}, "allow_msg_ttl"),
    ],
)
async def test_a_stream_set_otherwise_is_named_and_refused(bare, name, change, says):
    with suppress(LedgerError):
        await call(bare.link, f"STREAM.DELETE.{name}")
    config = {key: each for key, each in {**settings(SMALL)[name], **change}.items() if each is not None}
    await call(bare.link, f"STREAM.CREATE.{name}", {"name": name, **config})
    with pytest.raises(Unfit, match=rf"stream {name} at .*{says}.* must "):
        await ensure_stream(bare.link, name, settings(SMALL)[name])


def test_replicated_streams_are_not_asked_to_be_async_which_the_server_refuses():
    assert {name for name, each in settings(Sizes()).items() if "persist_mode" in each} == {"OUTPUT", "KV_heartbeats"}
    assert not any("persist_mode" in each for each in settings(Sizes(replicas=3)).values())


async def test_a_server_that_does_not_sync_every_write_is_refused(tmp_path):
    server = NatsServer(tmp_path / "nats", sync_interval="2m").start()
    link = await connect(server.url, name="test")
    try:
        with pytest.raises(Unfit, match="before they are on disk"):
            await prepare(link, monitor=server.monitor_url, allow_unchecked_sync=True)
    finally:
        await link.close()
        server.stop()


async def test_a_server_nobody_can_look_into_is_refused_unless_told_otherwise(own_server, nats_server):
    link = await connect(own_server.url, name="test")
    try:
        for monitor in (None, f"http://127.0.0.1:{free_port()}", nats_server.monitor_url, "file:///etc/hostname"):
            assert (await examine_sync(link, monitor)).synced == "unknown"
            with pytest.raises(Unfit, match="--nats-monitor"):
                await prepare(link, monitor=monitor)
        await prepare(link, monitor=None, allow_unchecked_sync=True, sizes=SMALL)
        assert (await examine_sync(link, own_server.monitor_url)).synced == "always"
    finally:
        await link.close()


async def test_a_server_too_old_is_refused(nats_server, monkeypatch):
    link = await connect(nats_server.url, name="test")
    try:
        check_version(link)
        monkeypatch.setitem(link.server, "version", "2.12.3")
        with pytest.raises(Unfit, match=r"is 2\.12\.3; atomic appends need 2\.14"):
            check_version(link)
    finally:
        await link.close()


async def test_streams_larger_than_the_server_allows_are_refused_in_words(own_server):
    link = await connect(own_server.url, name="test")
    try:
        with pytest.raises(Full, match="insufficient storage"):
            await ensure(link, Sizes(events=1 << 40))
    finally:
        await link.close()


async def test_a_server_with_a_smaller_payload_limit_is_respected(tmp_path):
    server = NatsServer(tmp_path / "nats")
    with (tmp_path / "nats" / "nats.conf").open("a") as config:
        config.write("max_payload: 65536\n")
    server.start()
    try:
        async with opened(server) as ledger:
            with pytest.raises(TooLarge, match="max_payload is 65536"):
                await ledger.send("EVENTS", [fact(1, size=70_000)])
            assert await ledger.append("EVENTS", [fact(1)]) == 1
    finally:
        server.stop()


async def test_wrong_credentials_are_told_and_right_ones_work(tmp_path):
    server = NatsServer(tmp_path / "nats")
    with (tmp_path / "nats" / "nats.conf").open("a") as config:
        config.write('authorization { users = [{user: "core", password: "right"}] }\n')
    server.start()
    try:
        with pytest.raises(Unreachable, match="uthoriz"):
            await connect(server.url, name="test", user="core", password="wrong", wait_s=1)
        link = await connect(server.url, name="test", user="core", password="right")
        assert (await call(link, "INFO"))["streams"] == 0
        await link.close()
    finally:
        server.stop()


async def test_a_user_who_may_not_write_there_is_told_at_once(tmp_path):
    server = NatsServer(tmp_path / "nats")
    rights = 'permissions: {publish: {deny: ["evt.>", "$JS.API.STREAM.DELETE.*"]}}'
    with (tmp_path / "nats" / "nats.conf").open("a") as config:
        config.write(f'authorization {{ users = [{{user: "worker", password: "w", {rights}}}] }}\n')
    server.start()
    link = await connect(server.url, name="test", user="worker", password="w")
    try:
        await ensure(link, SMALL)
        ledger = JetStreamLedger(link)
        began = time.monotonic()
        for messages in ([fact(1)], [fact(1), fact(2)], [Message("cmd.a.b.c", b""), Message("evt.A.b.c", b"")]):
            with pytest.raises(Forbidden, match=r"evt\..* may not publish there"):
                await ledger.append("EVENTS", messages)
        with pytest.raises(Forbidden):
            await call(link, "STREAM.DELETE.EVENTS")
        assert time.monotonic() - began < 2
        assert await ledger.append("COMMANDS", [Message("cmd.a.b.c", b"")]) == 1
    finally:
        await link.close()
        server.stop()


async def test_a_connection_the_server_ends_for_good_is_told(own_server):
    closed = asyncio.Event()
    link = await connect(own_server.url, name="test", on_closed=closed.set)
    link.write(b"PUB evt.x 2000000\r\n")  # more than the server takes
    await asyncio.wait_for(closed.wait(), 10)
    with pytest.raises(LedgerError, match="for good"):
        await asyncio.wait_for(link.until_up(), 1)
    await link.close()


async def test_a_link_closes_while_somebody_still_writes_to_it(nats_server):
    link = await connect(nats_server.url, name="test")

    async def write() -> None:
        while not link._client.is_closed:
            await link._client.publish("nobody.hears", b"x")
            await asyncio.sleep(0)

    async with asyncio.timeout(10):
        writing = asyncio.ensure_future(write())
        await asyncio.sleep(0)
        await link.close()
        await writing
