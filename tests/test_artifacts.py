"""Artifacts on a real server, with the rights that `up` gives: a worker keeps them, a console reads them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from console.cli import natsconf
from core.api import NotFound, call
from core.artifacts import StoredArtifacts
from core.ledger import Forbidden
from core.link import Link, connect
from core.objects import Damaged, ObjectStore
from core.settings import Credentials
from core.streams import ensure
from tests.nats_server import NatsServer


class Store:
    """A server as ``up`` configures it, with its streams made."""

    def __init__(self, server: NatsServer, users: dict[str, Credentials]) -> None:
        self.server, self.users = server, users
        self.links: list[Link] = []

    async def link(self, role: str) -> Link:
        user = self.users[role]
        link = await connect(self.server.url, name=role, user=user.user, password=user.password)
        self.links.append(link)
        return link


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Store]:
    server = NatsServer(tmp_path / "nats")
    server._config = natsconf.write(tmp_path, port=server.port, monitor_port=server.monitor_port)
    server.start()
    users = msgspec.json.decode((tmp_path / "nats-users.json").read_bytes(), type=dict[str, Credentials])
    made = Store(server, users)
    await ensure(await made.link("core"))
    yield made
    for link in made.links:
        await link.close()
    server.stop()


async def test_what_a_worker_keeps_a_console_reads_by_its_sum(yard: Store):
    data = b"# Report\n" * 40_000
    name = await StoredArtifacts(await yard.link("worker")).keep(data)
    assert name == hashlib.sha256(data).hexdigest()
    assert await StoredArtifacts(await yard.link("console")).bytes_of(name) == data


async def test_the_same_bytes_are_stored_once(yard: Store):
    worker = StoredArtifacts(await yard.link("worker"))
    await worker.keep(b"x" * 100_000)
    core = await yard.link("core")
    before = (await call(core, "STREAM.INFO.OBJ_artifacts"))["state"]["messages"]
    await worker.keep(b"x" * 100_000)
    assert (await call(core, "STREAM.INFO.OBJ_artifacts"))["state"]["messages"] == before


async def test_an_artifact_that_is_not_there_is_not_found(yard: Store):
    with pytest.raises(NotFound):
        await StoredArtifacts(await yard.link("console")).bytes_of("0" * 64)


async def test_bytes_that_are_not_what_their_name_says_are_never_given_out(yard: Store):
    await ObjectStore(await yard.link("worker"), "artifacts").put("a" * 64, b"forged")
    with pytest.raises(Damaged, match="not what its name says"):
        await StoredArtifacts(await yard.link("console")).bytes_of("a" * 64)


async def test_a_console_keeps_none(yard: Store):
    with pytest.raises(Forbidden):
        await StoredArtifacts(await yard.link("console")).keep(b"mine")


async def test_a_worker_cannot_take_one_away(yard: Store):
    worker = await yard.link("worker")
    name = await StoredArtifacts(worker).keep(b"evidence")
    with pytest.raises(Forbidden):
        await call(worker, "STREAM.PURGE.OBJ_artifacts", {"filter": "$O.artifacts.>"})
    assert await StoredArtifacts(worker).bytes_of(name) == b"evidence"
