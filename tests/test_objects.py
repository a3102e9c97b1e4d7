"""Object stores on a real server: whole or not at all, by name, checked on the way out."""

from __future__ import annotations

import os

import pytest

from core.api import NotFound, call
from core.link import connect
from core.objects import CHUNK_BYTES, Damaged, ObjectStore
from core.streams import Sizes


@pytest.fixture
async def store(nats_server):
    link = await connect(nats_server.url, name="test")
    if "OBJ_snapshots" in ((await call(link, "STREAM.NAMES", {}))["streams"] or ()):
        await call(link, "STREAM.DELETE.OBJ_snapshots")
    yield await ObjectStore(link, "snapshots", sizes=Sizes(objects=64 << 20)).make()
    await link.close()


async def chunks_of(store: ObjectStore) -> int:
    info = await call(store._link, f"STREAM.INFO.{store.stream}", {"subjects_filter": "$O.snapshots.C.>"})
    return sum((info["state"].get("subjects") or {}).values())


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5_000_000])
async def test_what_is_put_is_got(store, size):
    data = os.urandom(size)
    described = await store.put("core/1000", data, metadata={"rules": "1"})
    assert await store.get("core/1000") == data
    assert await store.objects() == [described]
    assert (described.size, described.metadata) == (size, {"rules": "1"})


async def test_a_name_holds_the_last_object_put_and_nothing_is_left_of_the_one_before(store):
    await store.put("core", b"x" * 1_000_000)
    await store.put("core", b"y" * 300_000)
    assert await store.get("core") == b"y" * 300_000
    assert await chunks_of(store) == 3
    assert [each.name for each in await store.objects()] == ["core"]


async def test_objects_are_listed_by_name_and_deleted_ones_are_not(store):
    for name in ("b", "a", "c > *", "d.e"):
        await store.put(name, name.encode())
    await store.delete("b")
    await store.delete("never there")
    assert [each.name for each in await store.objects()] == ["a", "c > *", "d.e"]
    with pytest.raises(NotFound, match="'b'"):
        await store.get("b")
    assert await store.get("c > *") == b"c > *"
    await store.put("b", b"back")
    assert await store.get("b") == b"back"


async def test_an_object_that_lost_a_chunk_is_not_returned(store):
    described = await store.put("core", os.urandom(400_000))
    subject = f"$O.snapshots.C.{described.nuid}"
    await call(store._link, f"STREAM.PURGE.{store.stream}", {"filter": subject, "keep": 2})
    with pytest.raises(Damaged, match="'core'"):
        await store.get("core")


async def test_an_object_without_its_description_is_not_there(store):
    await store._put_chunks("half-written", [b"x"] * 3)
    assert await store.objects() == []
    with pytest.raises(NotFound):
        await store.get("core")
