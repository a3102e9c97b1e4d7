"""``python -m workers``: settings, connect, work until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop

from core.answers import LinkAnswers
from core.artifacts import StoredArtifacts
from core.clock import SystemClock
from core.domain.words import Refused, check_name, token
from core.door import Door
from core.heartbeat import BUCKET, TTL_S
from core.jetstream import JetStreamLedger
from core.ledger import LedgerError
from core.link import Link, connect
from core.loaded import keep_what_is_loaded
from core.settings import BadSetting, Settings, inherited, load
from core.tables import Table
from workers.journal import Journal, Occupied
from workers.pools import BadPools, Pool, parse, read
from workers.registration import NotWanted
from workers.worker import Worker

log = logging.getLogger("workers")

AGENTS = "sim:4,shell:4"
SECRETIVE = ("KEY", "TOKEN", "SECRET", "PASS")
NOT_WANTED, BAD_ARGUMENTS, UNREACHABLE = 3, 2, 4  # exit codes; 0: drained and left, 1: anything else


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    try:
        flags = {"data": arguments.data, "nats": arguments.nats, "log_level": arguments.log_level}
        settings = load(flags)
        pools = read(Path(arguments.config)) if arguments.config else parse(arguments.agents)
        check_name("worker", arguments.name)
        logging.basicConfig(level=settings.log_level.upper(), format="%(name)s %(message)s", stream=sys.stderr)
        return uvloop.run(_work(arguments, settings, pools))
    except (BadSetting, BadPools, Refused) as problem:
        return _said(problem, BAD_ARGUMENTS)
    except (Occupied, NotWanted) as problem:
        return _said(problem, NOT_WANTED)
    except LedgerError as problem:
        return _said(problem, UNREACHABLE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers", description="A worker: hosts agents that do the tasks.")
    parser.add_argument("--name", default="w1", help="the worker's name; its agents are called NAME/POOL-1 … (w1)")
    parser.add_argument("--agents", default=AGENTS, help=f"pools and how many agents each has ({AGENTS})")
    parser.add_argument("--config", help="a workers.toml with [[pool]] tables, in place of --agents")
    parser.add_argument("--drain", type=float, default=2.0, metavar="S", help="time to finish when told to stop (2)")
    parser.add_argument("--replace", action="store_true", help="take the name over from a worker that still beats")
    parser.add_argument("--nats", help="address of the NATS server (that of the instance running on --data)")
    parser.add_argument("--data", help="the data folder (.switchtower)")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--connect-within", type=float, default=30.0, metavar="S", help="time to reach NATS (30)")
    parser.add_argument("--heartbeat-ttl", type=float, default=TTL_S, metavar="S", help=f"as the core's ({TTL_S:g})")
    return parser


async def _work(arguments: argparse.Namespace, settings: Settings, pools: Sequence[Pool]) -> int:
    clock = SystemClock()
    credentials = settings.credentials("worker")
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    folder = settings.data / "workers" / token(arguments.name)
    journal = Journal(folder / "journal")
    shutil.rmtree(folder / "artifacts", ignore_errors=True)  # of a life that ended before it could keep them
    link = await connect(
        _address(settings),
        name=f"worker {arguments.name}",
        user=credentials.user if credentials else None,
        password=credentials.password if credentials else None,
        wait_s=arguments.connect_within,
        on_closed=lambda: None if ended.done() else ended.set_result(None),
    )
    ledger = JetStreamLedger(link)
    worker = Worker(
        arguments.name,
        pools,
        ledger=ledger,
        door=Door(ledger, LinkAnswers(link), clock, by=f"worker {arguments.name}"),
        heart=Table(link, BUCKET),
        clock=clock,
        journal=journal,
        secrets=_secrets(settings, pools),
        artifacts=StoredArtifacts(link),
        folder=folder / "artifacts",
        replace=arguments.replace,
        ttl_s=arguments.heartbeat_ttl,
    )
    _heed_signals(worker, arguments.drain)
    keep_what_is_loaded()
    working = asyncio.ensure_future(worker.run())
    try:
        await asyncio.wait({working, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
            return _said(LedgerError(f"the link to {link.url} was closed for good by the server"), UNREACHABLE)
        await working
        return 0
    finally:
        await _close(link)
        journal.close()


def _address(settings: Settings) -> str:
    """Where NATS is: as told, or as the running instance on the data folder wrote down."""
    if settings.nats is not None:
        return settings.nats
    path = settings.data / "run.json"
    try:
        return str(msgspec.json.decode(path.read_bytes())["nats_url"])
    except (OSError, msgspec.DecodeError, KeyError, TypeError) as problem:
        raise BadSetting(
            f"no instance is running on {settings.data} ({path.name} cannot be read): start one (`switchtower up`), "
            "or say where NATS is (--nats nats://host:4222)"
        ) from problem


def _secrets(settings: Settings, pools: Sequence[Pool]) -> list[str]:
    """Values that must not be seen in output: our own password, and what pools pass on to their processes."""
    credentials = settings.credentials("worker")
    passed = inherited(name for pool in pools for name in pool.env)
    hidden = [value for name, value in passed.items() if any(word in name.upper() for word in SECRETIVE)]
    return [*hidden, *([credentials.password] if credentials else [])]


def _heed_signals(worker: Worker, drain_s: float) -> None:
    """The first SIGTERM or SIGINT drains, the second is final."""
    told = [0]

    def tell(number: int) -> None:
        told[0] += 1
        if told[0] == 1:
            log.info("told to stop by %s; finishing what runs for up to %g s", signal.Signals(number).name, drain_s)
            worker.stop(drain_s=drain_s)
        else:
            # The keepers see their sockets close and kill their trees; nothing needs us for that.
            worker.processes.kill_all()
            os._exit(1)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, tell, number)


async def _close(link: Link) -> None:
    try:
        await asyncio.wait_for(link.close(), 3)
    except (LedgerError, TimeoutError) as problem:
        log.info("left without a last answer: %s", problem)


def _said(problem: Exception, code: int) -> int:
    print(f"worker: {problem}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
