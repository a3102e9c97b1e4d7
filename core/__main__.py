"""``python -m core``: one core process. Start a second one and it stands by."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from contextlib import suppress

import uvloop

from core.answers import LinkAnswers
from core.beats import HeardBeats
from core.clock import SystemClock
from core.engine import Engine
from core.ids import new_id
from core.jetstream import JetStreamLedger
from core.ledger import LedgerError
from core.link import Link, connect
from core.loaded import keep_what_is_loaded
from core.objects import ObjectStore
from core.server import prepare
from core.settings import BadSetting, Settings, load
from core.snapshots import ForkedSnapshots
from core.tables import Lease, Table

VERSION = "0.1"
LEASE_TTL_S = 3


def main(argv: list[str] | None = None) -> int:
    """Run until told to stop. Exit codes: 0 stopped, 1 something a person must look at, 2 a wrong setting."""
    try:
        settings = load(_flags(argv))
    except BadSetting as wrong:
        print(f"core: {wrong}", file=sys.stderr)
        return 2
    logging.basicConfig(level=settings.log_level.upper(), format="%(name)s %(message)s", stream=sys.stderr)
    try:
        return uvloop.run(_run(settings))
    except LedgerError as error:
        print(f"core: {error}", file=sys.stderr)
        return 1


def _flags(argv: list[str] | None) -> dict[str, object]:
    parser = argparse.ArgumentParser(prog="core", description="Decide: commands in, facts out. A second one stands by.")
    parser.add_argument("--nats", help="address of the NATS server")
    parser.add_argument("--nats-monitor", help="its monitoring address, to see that it syncs every write")
    parser.add_argument("--data", help="the data folder")
    parser.add_argument("--allow-unchecked-sync", action="store_const", const=True, help="run on an unchecked server")
    parser.add_argument("--log-level")
    return vars(parser.parse_args(argv))


async def _run(settings: Settings) -> int:
    if settings.nats is None:
        raise LedgerError(
            "no NATS server given: pass --nats nats://host:port, or start everything with `switchtower up`"
        )
    stopped = asyncio.Event()
    user = settings.credentials("core")
    link = await connect(
        settings.nats,
        name="core",
        user=user.user if user else None,
        password=user.password if user else None,
        on_closed=stopped.set,
    )
    try:
        await prepare(link, monitor=settings.nats_monitor, allow_unchecked_sync=settings.allow_unchecked_sync)
        return await _lead_or_stand_by(settings, link, stopped)
    finally:
        await link.close()


async def _lead_or_stand_by(settings: Settings, link: Link, stopped: asyncio.Event) -> int:
    clock = SystemClock()
    beats = HeardBeats(Table(link, "heartbeats", remake=True), clock)
    snapshots = await ObjectStore(link, "snapshots", clock=clock).make()
    engine = Engine(
        JetStreamLedger(link),
        clock,
        lease=Lease(Table(link, "leases", remake=True), "core", owner=new_id(clock), ttl_s=LEASE_TTL_S),
        beats=beats,
        answers=LinkAnswers(link),
        snapshots=ForkedSnapshots(snapshots, settings.data / "core"),
        build=VERSION,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, engine.stop)
    hearing = asyncio.ensure_future(beats.listen())
    closing = asyncio.ensure_future(stopped.wait())
    keep_what_is_loaded()
    running = asyncio.ensure_future(engine.run())
    try:
        await asyncio.wait({running, closing, hearing}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
            return 0
        if hearing.done():
            hearing.result()
        raise LedgerError("the connection to NATS was closed for good")
    finally:
        for task in (hearing, closing, running):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


if __name__ == "__main__":
    sys.exit(main())
