"""``python -m console``: the console process. One process: the read model lives in it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Literal

import uvicorn
from fastapi import FastAPI

from console.api import VERSION
from console.app import create
from console.beats import Beats
from console.cli.instance import running
from console.desk import Desk
from console.live import MOST_LISTENERS, Hub
from console.login import Gate
from core.answers import LinkAnswers
from core.artifacts import StoredArtifacts
from core.clock import Clock, SystemClock
from core.door import Door
from core.heartbeat import BUCKET
from core.jetstream import JetStreamLedger
from core.ledger import LedgerError
from core.link import Link, connect
from core.loaded import keep_what_is_loaded
from core.settings import BadSetting, Settings, load
from core.streams import ensure
from core.survey import LinkSurveyor
from core.tables import Table
from projections.projector import Projector

HOST = "127.0.0.1"
DRAIN_S = 2  # what a request under way gets when the console is told to stop
FILES = 2 * MOST_LISTENERS + 1_000  # a page's stream, the request that draws it anew, and what else is open
READ_MODEL = "read-model.duckdb"

Lifespan = Literal["on", "off"]


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop. Exit codes: 0 stopped, 1 could not serve, 2 a wrong setting, 3 could not start."""
    try:
        settings = load(_flags(argv))
    except BadSetting as wrong:
        print(f"console: {wrong}", file=sys.stderr)
        return 2
    logging.basicConfig(level=settings.log_level.upper(), format="%(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    if settings.nats is None:
        print("console: no NATS server given: pass --nats, or start everything with `switchtower up`", file=sys.stderr)
        return 2
    make_room_for_streams()
    clock = SystemClock()
    hub = Hub()
    gate = Gate(settings.data, clock)
    server = Server(serving(settings, clock, gate, hub), on_stop=hub.stop, port=settings.port)
    server.run()
    return 0 if server.started else 1


def make_room_for_streams() -> None:
    """As many open files as the streams may need: where a shell allows 1,024, the thousandth page would not connect."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def serving(settings: Settings, clock: Clock, gate: Gate, hub: Hub) -> FastAPI:
    """The application on the settings' own server and read model."""

    @asynccontextmanager
    async def open_desk() -> AsyncIterator[Desk]:
        try:
            link = await _linked(settings)
        except LedgerError as error:
            # One line instead of the page uvicorn writes for an error at the start.
            print(f"console: {error}", file=sys.stderr)
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            raise
        beats = Beats(clock, Table(link, BUCKET))
        listening = asyncio.create_task(beats.listen(), name="hear the workers beat")
        try:
            ledger = JetStreamLedger(link)
            door = Door(ledger, LinkAnswers(link), clock, by="operator")
            async with Projector(ledger, settings.data / READ_MODEL, clock) as read_model:
                keep_what_is_loaded()
                yield Desk(
                    ledger=ledger, read_model=read_model, door=door, clock=clock, gate=gate, hub=hub,
                    artifacts=StoredArtifacts(link), beats=beats, version=VERSION,
                    surveyor=LinkSurveyor(link, ledger, clock, lambda: monitor_of(settings)),
                )  # fmt: skip
        finally:
            listening.cancel()
            await link.close()

    return create(open_desk, gate)


def monitor_of(settings: Settings) -> str | None:
    """The server's monitoring address: as it was given, else as whoever started everything wrote it down."""
    found = running(settings.data)
    return settings.nats_monitor or (found.monitor_url if found else "") or None


async def _linked(settings: Settings) -> Link:
    """A link to a server whose streams are as they must be."""
    user = settings.credentials("console")
    link = await connect(
        settings.nats or "", name="console", user=user.user if user else None,
        password=user.password if user else None, on_closed=_end,
    )  # fmt: skip
    try:
        await ensure(link)
    except LedgerError:
        await link.close()
        raise
    return link


class Server(uvicorn.Server):
    """uvicorn, which would wait for open streams until its time-out: here a signal ends them first."""

    def __init__(self, app: FastAPI, *, on_stop: Callable[[], None], port: int, lifespan: Lifespan = "on") -> None:
        config = uvicorn.Config(
            app, host=HOST, port=port, log_config=None, access_log=False, server_header=False, loop="uvloop",
            http="httptools", ws="none", lifespan=lifespan, timeout_graceful_shutdown=DRAIN_S, timeout_keep_alive=15,
        )  # fmt: skip
        super().__init__(config)
        self._on_stop = on_stop

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._on_stop()
        super().handle_exit(sig, frame)


def _end() -> None:
    """The connection is gone for good: end the process, so that whoever supervises it starts it anew."""
    signal.raise_signal(signal.SIGTERM)


def _flags(argv: list[str] | None) -> dict[str, object]:
    parser = argparse.ArgumentParser(prog="console", description="Show and steer: pages, API, live updates.")
    parser.add_argument("--nats", help="address of the NATS server")
    parser.add_argument("--data", help="the data folder")
    parser.add_argument("--port", help="port of the pages on 127.0.0.1")
    parser.add_argument("--log-level")
    return vars(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
