"""nats.conf, as a person runs it and as `up` does: included, with its own ports, store and users set after it."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import nats
import nats.errors
import pytest

from tests.nats_server import NatsServer, binary

ROOT = Path(__file__).parent.parent


def test_the_file_is_valid_on_its_own():
    subprocess.run([binary(), "-t", "-c", str(ROOT / "nats.conf")], check=True, capture_output=True, timeout=10)


@pytest.fixture
def embedded(tmp_path: Path):
    """A server on a file that includes nats.conf, moved to free ports and a folder of its own, with one user."""
    server = NatsServer(tmp_path)
    (tmp_path / "nats.conf").write_text(
        f'include "{os.path.relpath(ROOT / "nats.conf", tmp_path.resolve())}"\n'
        f'listen: "127.0.0.1:{server.port}"\n'
        f'http: "127.0.0.1:{server.monitor_port}"\n'
        f'store_dir: "{tmp_path / "store"}"\n'
        'authorization { users: [ { user: "core", password: "s3cret" } ] }\n'
    )
    yield server.start()
    server.stop()


def varz(server: NatsServer) -> dict:
    with urllib.request.urlopen(f"{server.monitor_url}/varz", timeout=5) as answer:
        return json.load(answer)


def test_an_including_file_moves_the_store_and_keeps_every_write_fsynced(embedded: NatsServer):
    jetstream = varz(embedded)["jetstream"]["config"]
    assert jetstream["store_dir"] == str(embedded.home / "store" / "jetstream")
    assert jetstream["sync_always"] is True
    assert jetstream["max_storage"] == 32 << 30
    assert jetstream["max_memory"] == 64 << 20


async def test_an_including_file_lets_in_its_users_and_nobody_else(embedded: NatsServer):
    ada = await nats.connect(embedded.url, user="core", password="s3cret", allow_reconnect=False)
    await ada.close()
    with pytest.raises(nats.errors.Error, match="(?i)authorization violation"):
        await nats.connect(embedded.url, allow_reconnect=False, error_cb=_silent)


async def _silent(problem: Exception) -> None:
    """nats-py prints what it also raises."""
