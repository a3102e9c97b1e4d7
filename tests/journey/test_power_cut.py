"""A power cut: the file system stops without flushing. What was acknowledged is there afterwards, all of it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.domain import task
from core.envelope import Sent, encode_command
from core.jetstream import JetStreamLedger
from core.ledger import LedgerError
from core.link import connect
from core.streams import Sizes, ensure
from tests.journey.checker import read_all
from tests.nats_server import NatsServer

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_FLUSH = 2
MIB = 1 << 20
SMALL = Sizes(commands=100 * MIB, events=100 * MIB, observations=50 * MIB, output=50 * MIB, bucket=10 * MIB)


class Disk:
    """An ext4 file system in a file, mounted; ``cut`` stops it as a power failure would."""

    def __init__(self, home: Path) -> None:
        self.server: NatsServer | None = None
        self.image, self.folder = home / "disk.img", home / "disk"
        self.folder.mkdir()
        with self.image.open("wb") as image:
            image.truncate(512 * MIB)
        _run("mkfs.ext4", "-q", str(self.image))
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", "loop", str(self.image), str(self.folder))

    def cut(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_FLUSH))
        os.close(handle)

    def unmount(self) -> None:
        _run("umount", str(self.folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("a power cut needs root and mkfs.ext4")
    try:
        disk = Disk(tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no loop-mounted file system here: {error.stderr.decode(errors='replace').strip()}")
    yield disk
    if disk.server is not None:
        disk.server.kill()
    disk.unmount()


async def append_until_it_fails(url: str, acknowledged: list[int], lane: int) -> None:
    link = await connect(url, name=f"writer-{lane}")
    ledger = JetStreamLedger(link, answer_within_s=1)
    try:
        for number in range(100_000):
            submit = task.Submit(task_id=f"default/t-{lane}-{number}", spec=task.TaskSpec(title="x" * 200))
            acknowledged.append(
                await ledger.append("COMMANDS", [encode_command(Sent(id="~x", by="x", command=submit))])
            )
    except LedgerError:
        return
    finally:
        await link.close()


@pytest.mark.long
@pytest.mark.parametrize("cut", range(5))
async def test_L1_what_was_acknowledged_survives_a_power_cut(disk: Disk, cut: int) -> None:
    server = disk.server = NatsServer(disk.image.parent / "nats", store=disk.folder).start()
    link = await connect(server.url, name="maker")
    await ensure(link, SMALL)
    await link.close()
    acknowledged: list[int] = []
    writing = [asyncio.ensure_future(append_until_it_fails(server.url, acknowledged, lane)) for lane in range(4)]
    await asyncio.sleep(1.5 + cut * 0.3)
    disk.cut()
    server.kill()
    await asyncio.gather(*writing)
    disk.unmount()
    disk.mount()
    server.start()
    link = await connect(server.url, name="reader")
    stored = {each.seq for each in await read_all(JetStreamLedger(link), "COMMANDS")}
    await link.close()
    server.stop()
    assert len(acknowledged) > 100
    assert set(acknowledged) <= stored
