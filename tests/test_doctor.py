"""The doctor tells what is well, what is not and the way out; what it cannot see it calls unknown."""

from __future__ import annotations

import pytest

from core.api import call
from core.clock import HandClock, SystemClock
from core.doctor import Finding, Reader, examine
from core.jetstream import JetStreamLedger
from core.ledger import Message
from core.link import connect
from core.streams import Sizes, ensure
from core.tables import Lease, Table
from tests.nats_server import NatsServer, free_port

SIZES = Sizes(
    commands=1 << 20,
    events=8 << 20,
    observations=1 << 20,
    output=1 << 20,
    bucket=1 << 20,
    objects=1 << 20,
    artifacts=1 << 20,
)


@pytest.fixture
async def patient(tmp_path):
    """A sound server of our own, streams and all, and the link to it."""
    server = NatsServer(tmp_path / "nats")
    server._config.write_text(server._config.read_text().replace("64GB", "64MB"))
    server.start()
    try:
        link = await connect(server.url, name="test")
        await ensure(link, SIZES)
        yield server, link
        await link.close()
    finally:
        server.stop()


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    assert all(each.way_out for each in findings if each.ok is not True), "every trouble has a way out"
    return {each.name: each for each in findings}


async def test_a_sound_ledger_is_found_sound(patient):
    server, link = patient
    assert await Lease(Table(link, "leases"), "core", owner="core-1").acquire()
    await JetStreamLedger(link).append("EVENTS", [Message("evt.a.b.c", b"{}")] * 3)
    readers = [Reader("console", "EVENTS", 3)]
    found = by_name(await examine(link, monitor=server.monitor_url, readers=readers, sizes=SIZES))
    assert {name: each.says for name, each in found.items() if each.ok is not True} == {}
    assert found["leader"].says == "core core-1 leads"
    assert found["lag of console"].says == "at 3 of 3 in EVENTS, 0 behind"
    assert {"server version", "fsync", "storage limit", "disk", "clock", "stream EVENTS", "room in EVENTS"} <= set(
        found
    )


async def test_without_the_monitoring_address_fsync_and_disk_are_unknown_never_ok(patient, nats_server):
    _, link = patient
    for monitor in (None, f"http://127.0.0.1:{free_port()}", nats_server.monitor_url):
        found = by_name(await examine(link, monitor=monitor, sizes=SIZES))
        assert [found[name].ok for name in ("fsync", "storage limit", "disk")] == [None, None, None]


async def test_a_server_that_does_not_sync_every_write_is_found(tmp_path):
    server = NatsServer(tmp_path / "nats", sync_interval="2m").start()
    link = await connect(server.url, name="test")
    try:
        found = by_name(await examine(link, monitor=server.monitor_url))
        assert found["fsync"].ok is False
        assert "sync_interval: always" in found["fsync"].way_out
        assert found["stream EVENTS"] == Finding(
            "stream EVENTS", False, "is not there", "start a core: it makes what is missing"
        )
    finally:
        await link.close()
        server.stop()


async def test_no_leader_a_full_stream_a_wrong_setting_a_late_and_an_impossible_reader_are_found(patient):
    server, link = patient
    ledger = JetStreamLedger(link)
    for _ in range(17):
        await ledger.append("EVENTS", [Message("evt.a.b.c", b"x" * 400_000)])
    config = (await call(link, "STREAM.INFO.OBSERVATIONS"))["config"]
    await call(link, "STREAM.UPDATE.OBSERVATIONS", {**config, "max_age": 0})
    await ledger.append("COMMANDS", [Message("cmd.a.b.c", b"")] * 400)
    readers = [Reader("console", "EVENTS", 99), Reader("core", "COMMANDS", 400)]
    found = by_name(await examine(link, monitor=server.monitor_url, readers=readers, sizes=SIZES))
    wrong = {name for name, each in found.items() if each.ok is False}
    assert wrong == {"leader", "room in EVENTS", "stream OBSERVATIONS", "lag of console"}
    assert "max_age" in found["stream OBSERVATIONS"].says
    assert "81%" in found["room in EVENTS"].says
    assert "rolled back" in found["lag of console"].way_out


async def test_a_clock_that_is_off_is_found(patient):
    server, link = patient
    clock = HandClock(SystemClock().now_us() + 90_000_000)
    found = by_name(await examine(link, monitor=server.monitor_url, clock=clock, sizes=SIZES))
    assert found["clock"].ok is False
    assert "behind ours" in found["clock"].says


async def test_a_server_that_went_away_is_unknown_not_an_error(patient):
    server, link = patient
    server.kill()
    found = by_name(await examine(link, monitor=server.monitor_url, sizes=SIZES))
    assert found["stream EVENTS"].ok is None
    assert found["leader"].ok is None
