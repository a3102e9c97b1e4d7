"""Tables and leases on a real server: expiry, deletion, watching across restarts, one holder at a time."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest

from core.api import call
from core.follower import Follower
from core.ledger import Conflict, Malformed
from core.link import Link, connect
from core.tables import Entry, Lease, Table
from tests.nats_server import NatsServer


@pytest.fixture
async def link(nats_server):
    link = await connect(nats_server.url, name="test")
    for name in ("KV_heartbeats", "KV_leases", "KV_locks"):
        await forget(link, name)
    yield link
    await link.close()


async def forget(link: Link, stream: str) -> None:
    known = (await call(link, "STREAM.NAMES", {}))["streams"] or ()
    if stream in known:
        await call(link, f"STREAM.DELETE.{stream}")


@pytest.fixture
async def beats(link) -> Table:
    return await Table(link, "heartbeats", remake=True).make()


def told(entries: list[Entry]) -> list[tuple[str, bytes | None, str]]:
    return [(each.key, each.value, each.why) for each in entries]


async def until(watch, wanted, within_s: float = 5.0) -> tuple[list[Entry], float]:
    """What the watch tells until ``wanted`` of it is true, and the seconds it took."""
    began, seen = time.monotonic(), []
    async with asyncio.timeout(within_s):
        while not wanted(seen):
            seen += await anext(watch)
    return seen, time.monotonic() - began


async def test_a_value_is_there_until_it_is_deleted(beats):
    assert await beats.get("w1") is None
    first = await beats.put("w1", b"one")
    second = await beats.put("w1", b"two")
    found = await beats.get("w1")
    assert (found.value, found.seq, found.why) == (b"two", second, "put")
    assert second > first
    await beats.delete("w1")
    assert await beats.get("w1") is None
    assert (await beats.last("w1")).why == "deleted"
    await beats.delete("never-there")


async def test_a_write_that_expects_another_last_word_is_a_conflict(beats):
    first = await beats.put("w1", b"one", expect=0)
    with pytest.raises(Conflict):
        await beats.put("w1", b"two", expect=0)
    await beats.put("w2", b"other")
    await beats.put("w1", b"two", expect=first)
    with pytest.raises(Conflict):
        await beats.delete("w1", expect=first)


@pytest.mark.parametrize("key", ["", "a b", "w.*", ">", "w1\r\nPUB x 0"])
async def test_what_is_no_key_is_refused(beats, key):
    with pytest.raises(Malformed):
        await beats.put(key, b"")


async def test_a_watch_tells_first_what_is_there_and_then_what_changes(beats):
    await beats.put("w1", b"one")
    await beats.put("w2", b"two")
    await beats.put("w1", b"one again")
    async with aclosing(beats.watch()) as watch:
        assert sorted(told(await anext(watch))) == [("w1", b"one again", "put"), ("w2", b"two", "put")]
        await beats.put("w3", b"three")
        await beats.delete("w2")
        seen, _ = await until(watch, lambda seen: len(seen) == 2)
        assert told(seen) == [("w3", b"three", "put"), ("w2", None, "deleted")]
    assert {key: each.value for key, each in (await beats.entries()).items()} == {"w1": b"one again", "w3": b"three"}


async def test_the_first_list_of_an_empty_table_is_empty_and_comes_at_once(beats):
    async with aclosing(beats.watch()) as watch:
        assert await asyncio.wait_for(anext(watch), 1) == []
    assert await beats.entries() == {}


async def test_a_watch_may_be_of_some_keys_only(beats):
    await beats.put("a.1", b"x")
    async with aclosing(beats.watch("a.*", idle=0.1)) as watch:
        assert told(await anext(watch)) == [("a.1", b"x", "put")]
        await beats.put("b.1", b"y")
        assert await anext(watch) == []
        await beats.put("a.2", b"z")
        assert told(await anext(watch)) == [("a.2", b"z", "put")]


async def test_an_expired_key_is_seen_gone_within_a_second_of_its_end(beats):
    async with aclosing(beats.watch()) as watch:
        assert await anext(watch) == []
        await beats.put("w1", b"one", ttl_s=1)
        seen, took = await until(watch, lambda seen: len(seen) == 2)
        assert told(seen) == [("w1", b"one", "put"), ("w1", None, "expired")]
        assert took < 2.0
    assert await beats.get("w1") is None
    assert await beats.entries() == {}
    await beats.put("w1", b"back")
    assert (await beats.get("w1")).value == b"back"


async def test_a_table_whose_last_word_has_expired_is_known_to_be_read_to_its_end(beats):
    await beats.put("stays", b"one")
    await beats._write("goes", b"", {"KV-Operation": "PURGE", "Nats-TTL": "1"}, None, 5)
    async with asyncio.timeout(5):
        while await beats.last("goes") is not None:
            await asyncio.sleep(0.1)
    follower = Follower(beats.link, beats.stream, after=0, forgets=True, contiguous=False)
    await follower.ready()
    assert [each.seq for each in await follower.next(1)] == [1]
    assert follower.stream_end == 2
    assert await follower.check_tail()
    await follower.close()


async def test_a_lock_table_keeps_what_it_is_told(link):
    locks = await Table(link, "locks").make()
    await locks.put("file=2Fa", b"{}")
    await locks.put("file=2Fb", b"{}")
    await locks.delete("file=2Fa")
    assert set(await locks.entries()) == {"file=2Fb"}


async def test_a_bucket_that_went_missing_is_made_again(link, beats):
    await beats.put("w1", b"one")
    async with aclosing(beats.watch()) as watch:
        assert told(await anext(watch)) == [("w1", b"one", "put")]
        await forget(link, "KV_heartbeats")
        await beats.put("w2", b"two")
        seen, _ = await until(watch, lambda seen: len(seen) >= 2, within_s=10)
        assert sorted(told(seen)) == [("w1", None, "deleted"), ("w2", b"two", "put")]


async def test_a_watch_goes_on_within_two_seconds_of_a_server_restart(tmp_path):
    server = NatsServer(tmp_path / "nats").start()
    link = await connect(server.url, name="test")
    try:
        table = await Table(link, "leases").make()  # fsynced: heartbeats may lose what was just written
        await table.put("stays", b"one")
        await table.put("expires", b"two", ttl_s=1)
        await table.put("changes", b"three")
        async with aclosing(table.watch()) as watch:
            assert len(await anext(watch)) == 3
            server.kill()
            await asyncio.sleep(1.1)
            server.start()
            back = time.monotonic()
            await link.until_up()
            await table.put("changes", b"four")
            seen, _ = await until(watch, lambda seen: {"expires", "changes"} <= {each.key for each in seen})
            assert time.monotonic() - back < 2.0
        assert {each.key: each.value for each in seen} == {"expires": None, "changes": b"four"}
    finally:
        await link.close()
        server.stop()


# ---------------------------------------------------------------- leases


@pytest.fixture
async def leases(link) -> Table:
    return await Table(link, "leases", remake=True).make()


async def test_of_many_who_ask_one_gets_the_lease(leases):
    rivals = [Lease(leases, "core", owner=f"core-{n}") for n in range(20)]
    won = await asyncio.gather(*(each.acquire() for each in rivals))
    assert sum(won) == 1
    holder = rivals[won.index(True)]
    assert await rivals[0].holder() == holder.owner
    assert await holder.renew()


async def test_a_lease_that_is_renewed_stays_and_one_that_is_not_ends(leases):
    ada, bob = Lease(leases, "core", owner="ada", ttl_s=1), Lease(leases, "core", owner="bob", ttl_s=1)
    assert await ada.acquire()
    tokens = [ada.token]
    for _ in range(3):
        await asyncio.sleep(0.5)
        assert await ada.renew()
        assert not await bob.acquire()
        tokens.append(ada.token)
    assert tokens == sorted(set(tokens))
    began = time.monotonic()
    while not await bob.acquire():  # each asking is a round trip to the server
        pass
    assert 0.5 < time.monotonic() - began < 2.5
    assert bob.token > ada.token
    assert not await ada.renew()
    assert not await ada.acquire()
    await ada.release()
    assert await bob.holder() == "bob"


async def test_a_released_lease_is_free_at_once(leases):
    ada, bob = Lease(leases, "core", owner="ada"), Lease(leases, "core", owner="bob")
    assert await ada.acquire()
    await ada.release()
    assert await ada.holder() is None
    assert await bob.acquire()


async def test_who_asks_again_for_a_lease_it_holds_has_it(leases):
    ada = Lease(leases, "core", owner="ada")
    assert await ada.acquire()
    assert await ada.acquire()
    again = Lease(leases, "core", owner="ada")
    assert await again.acquire()
    # The answer to that renewal was lost on ada's first lease object: its sequence is stale, its owner is not.
    assert await ada.renew()


async def test_a_lease_survives_its_bucket(link, leases):
    ada = Lease(leases, "core", owner="ada")
    assert await ada.acquire()
    await forget(link, "KV_leases")
    assert await ada.acquire()
