"""A survey tells how full everything is, and what it could not see it does not make up."""

from __future__ import annotations

import pytest

from core.clock import HandClock, SystemClock
from core.doctor import Reader
from core.jetstream import JetStreamLedger
from core.ledger import Message
from core.link import connect
from core.memory import MemoryLedger
from core.objects import ObjectStore
from core.streams import Sizes, ensure
from core.survey import LedgerSurveyor, LinkSurveyor, Reach
from tests.nats_server import NatsServer

SIZES = Sizes(
    commands=1 << 20, events=8 << 20, observations=1 << 20, output=1 << 20, bucket=1 << 20, objects=1 << 20,
    artifacts=1 << 20,
)  # fmt: skip


def test_a_log_at_four_fifths_of_its_limit_is_full_and_one_that_forgets_never_is():
    log = Reach(name="EVENTS", kind="stream", messages=1, first_seq=1, last_seq=1, bytes=81, max_bytes=100)
    assert log.full
    assert log.share == 0.81
    seen = Reach(
        name="OBSERVATIONS", kind="stream", messages=1, first_seq=1, last_seq=1, bytes=99, max_bytes=100, forgets=True
    )
    assert not seen.full
    endless = Reach(name="EVENTS", kind="stream", messages=1, first_seq=1, last_seq=1, bytes=99)
    assert endless.share is None


async def test_of_a_log_in_memory_sizes_and_lags_are_told():
    ledger = MemoryLedger(HandClock(), max_bytes={"COMMANDS": 100})
    await ledger.append("COMMANDS", [Message("cmd.a.b.c", b"x" * 80)])
    found = await LedgerSurveyor(ledger, ledger.clock).look([Reader("this console", "COMMANDS", 0)])
    assert {each.name: each.messages for each in found.reaches} == {
        "COMMANDS": 1, "EVENTS": 0, "OBSERVATIONS": 0, "OUTPUT": 0,
    }  # fmt: skip
    assert [each.name for each in found.unwell] == ["room in COMMANDS"]
    assert "at 0 of 1 in COMMANDS, 1 behind" in [each.says for each in found.findings]
    assert found.snapshots is None


@pytest.fixture
async def server(tmp_path):
    running = NatsServer(tmp_path / "nats").start()
    link = await connect(running.url, name="test")
    await ensure(link, SIZES)
    yield running, link
    await link.close()
    running.stop()


async def test_of_a_server_every_stream_and_bucket_and_the_snapshots_are_told(server):
    running, link = server
    ledger = JetStreamLedger(link)
    await ledger.append("OBSERVATIONS", [Message("obs.a.b.c", b"x" * 1_000)] * 3)
    for name in ("core-00000000000000000007", "core-00000000000000000009", "something else"):
        await ObjectStore(link, "snapshots").put(name, b"state")
    found = await LinkSurveyor(link, ledger, SystemClock(), lambda: running.monitor_url).look([])
    by = {each.name: each for each in found.reaches}
    assert {"COMMANDS", "EVENTS", "OBSERVATIONS", "OUTPUT", "KV_heartbeats", "OBJ_snapshots"} <= set(by)
    seen = by["OBSERVATIONS"]
    assert (seen.messages, seen.forgets, seen.max_age_s) == (3, True, 30 * 86_400)
    assert seen.bytes > 3_000
    assert by["EVENTS"].first_at == 0
    assert abs(seen.last_at - found.at) < 60_000_000
    assert [(each.seq, each.size) for each in found.snapshots or []] == [(9, 5), (7, 5)]
    assert "fsync" in {each.name for each in found.findings}
    assert found.server
