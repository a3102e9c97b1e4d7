"""The server other tests stand on keeps its word: it fsyncs, and comes back where it was."""

from __future__ import annotations

from pathlib import Path

import nats

from tests.nats_server import NatsServer


async def test_a_killed_server_comes_back_on_its_port_with_all_it_acknowledged(tmp_path: Path):
    server = NatsServer(tmp_path / "nats").start()
    try:
        ada = await nats.connect(server.url)
        await ada.jetstream().add_stream(name="LEDGER", subjects=["ledger.>"])
        for _ in range(3):
            await ada.jetstream().publish("ledger.fact", b"")
        await ada.close()
        server.kill()
        server.start()
        bob = await nats.connect(server.url)
        assert (await bob.jetstream().stream_info("LEDGER")).state.messages == 3
        await bob.close()
    finally:
        server.stop()


def test_each_test_process_has_a_server_of_its_own(nats_server: NatsServer):
    assert nats_server.process is not None
    assert nats_server.process.poll() is None
