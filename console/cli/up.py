"""``switchtower up``: everything on this machine. A small supervisor around the four programs of the Procfile."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from console import login
from console.cli import instance, natsconf
from console.cli.exits import OK, Stop, TimedOut
from console.cli.ports import HOST, console_port, free_port, get, listens
from console.cli.supervisor import STARTS, Child, stop_in_turn
from core.clock import Clock, SystemClock
from core.link import connect
from core.settings import Settings
from core.tables import Table

READY_WITHIN_S = 60.0
LOOK_EVERY_S = 0.03


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything can be found once it is up."""

    url: str
    login_url: str
    nats_url: str
    monitor_url: str
    data: str
    pids: dict[str, int]


def run(
    settings: Settings,
    *,
    pools: str,
    on_ready: Callable[[Address], Awaitable[None]],
    say: Callable[[str, str], None],
) -> int:
    """Start everything, call ``on_ready``, and end it all when told to. The exit code; ``Stop`` when it cannot be.

    ``pools`` are the worker's agents, as ``--agents`` of a worker takes them; none: no worker.
    """
    folder = Path(tempfile.mkdtemp(prefix="switchtower-")) if settings.ephemeral else settings.data
    try:
        lock = instance.claim(folder)
        try:
            settings = msgspec.structs.replace(settings, data=folder.resolve())
            return asyncio.run(_Up(settings, pools, say).run(on_ready))
        finally:
            os.close(lock)
    finally:
        if settings.ephemeral:
            shutil.rmtree(folder, ignore_errors=True)


class _Up:
    def __init__(self, settings: Settings, pools: str, say: Callable[[str, str], None]) -> None:
        self._settings, self._pools, self._say = settings, pools, say
        self._data = settings.data
        self._clock: Clock = SystemClock()
        self._children: dict[str, Child] = {}
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()
        self._console_url = ""
        self._running = instance.Running(nats_url="")

    async def run(self, on_ready: Callable[[Address], Awaitable[None]]) -> int:
        self._heed_signals()
        self._running.started_at = self._clock.now_us()
        try:
            await self._until_told(self._start_all(on_ready))
            await self._until_told(self._stop.wait())
            return OK
        except _Told:
            return OK
        finally:
            await self._end_all()

    # -- starting -------------------------------------------------------------------------------------------------

    async def _start_all(self, on_ready: Callable[[Address], Awaitable[None]]) -> None:
        port = console_port(self._settings.port)
        self._console_url = f"http://{HOST}:{port}"
        await self._outlive_predecessors()
        if self._settings.nats is None:
            await self._start_nats()
        else:
            self._running.nats_url = self._settings.nats
            self._running.monitor_url = self._settings.nats_monitor or ""
        await self._start("core", [*self._python("core"), *self._monitor()])
        await self._start("console", [*self._python("console"), "--port", str(port)])
        if self._pools:
            await self._start("worker", [*self._python("workers"), "--agents", self._pools])
        await self._until_ready("console", self._answers_ready)
        await self._until_a_core_leads()
        for child in self._children.values():
            child.patience = STARTS
        self._running.console_url = self._console_url
        self._write_run_file()
        await on_ready(self._address())

    async def _start_nats(self) -> None:
        """Our own server on free ports; another two are tried when somebody was quicker to take them."""
        program = _nats_server()
        for again in range(3):
            port, monitor_port = free_port(), free_port()
            conf = natsconf.write(self._data, port=port, monitor_port=monitor_port)
            self._running.nats_url = f"nats://{HOST}:{port}"
            self._running.monitor_url = f"http://{HOST}:{monitor_port}"
            await self._start("nats", [program, "-c", str(conf)], keep=_is_warning)
            try:
                await self._until_ready("nats", partial(listens, port))
            except Stop:
                taken = any("address already in use" in line for line in self._children["nats"].last_lines)
                if again == 2 or not taken:
                    raise
                await self._children.pop("nats").stop(signal.SIGKILL, within_s=2.0)
            else:
                return

    def _python(self, room: str) -> list[str]:
        return [sys.executable, "-m", room, "--data", str(self._data), "--nats", self._running.nats_url]

    def _monitor(self) -> list[str]:
        unchecked = ["--allow-unchecked-sync"] if self._settings.allow_unchecked_sync else []
        return [*(["--nats-monitor", self._running.monitor_url] if self._running.monitor_url else []), *unchecked]

    async def _start(self, name: str, argv: list[str], *, keep: Callable[[str], bool] | None = None) -> None:
        child = Child(name, argv, say=self._say, clock=self._clock, keep=keep, may_leave=name == "worker")
        child.on_start = self._write_run_file
        self._children[name] = child
        try:
            await child.start()
        except OSError as problem:
            raise Stop(f"{name} cannot be started: {argv[0]}: {problem.strerror}") from None

    def _write_run_file(self) -> None:
        pids = {name: child.pid for name, child in self._children.items() if child.pid is not None}
        self._running.pids = {"up": os.getpid(), **pids}
        instance.write(self._data, self._running)

    def _address(self) -> Address:
        token = login.issue(self._data, self._clock)
        return Address(
            url=self._console_url,
            login_url=f"{self._console_url}/login?token={token}",
            nats_url=self._running.nats_url,
            monitor_url=self._running.monitor_url,
            data=str(self._data),
            pids=self._running.pids,
        )

    # -- readiness ------------------------------------------------------------------------------------------------

    async def _until_ready(self, name: str, ready: Callable[[], Awaitable[bool]]) -> None:
        """Look until it answers; ``Stop`` when a child gave up, ``TimedOut`` when nothing came of it in a minute."""
        until = self._clock.monotonic() + READY_WITHIN_S
        while not await ready():
            for child in self._children.values():
                if child.parked or (name == "nats" and not child.running):
                    raise Stop(
                        f"{child.name} does not run: {child.last_lines[-1] if child.last_lines else 'it said nothing'}"
                    )
            if self._clock.monotonic() > until:
                raise TimedOut(f"{name} was not ready within {READY_WITHIN_S:.0f} s; its lines above say why")
            await self._clock.sleep(LOOK_EVERY_S)

    async def _answers_ready(self) -> bool:
        status, _ = await get(f"{self._console_url}/readyz")
        return status == 200

    async def _until_a_core_leads(self) -> None:
        """After a kill -9 the lease of the core before ours runs out first: orders given meanwhile would only wait."""
        as_who = self._settings.credentials("operator")
        link = await connect(
            self._running.nats_url,
            name="switchtower-up",
            user=as_who.user if as_who else None,
            password=as_who.password if as_who else None,
        )
        try:
            leases = Table(link, "leases")

            async def leads() -> bool:
                return await leases.get("core") is not None

            await self._until_ready("core", leads)
        finally:
            await link.close()

    async def _outlive_predecessors(self) -> None:
        """After a kill -9 of an earlier ``up`` its server may still be closing the store: two on one would spoil it."""
        before = instance.running(self._data)
        pid = before.pids.get("nats", 0) if before is not None else 0
        until = self._clock.monotonic() + 10
        while pid and _is_our_nats(pid, self._data):
            if self._clock.monotonic() > until:
                raise Stop(f"a nats-server of an earlier run (process {pid}) still uses {self._data}: kill {pid}")
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)
            await self._clock.sleep(0.1)

    # -- ending ---------------------------------------------------------------------------------------------------

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(each, self._told)

    def _told(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        else:
            self._say("up", "stopping; once more ends everything at once")
            self._stop.set()

    async def _until_told(self, doing: Awaitable[object]) -> None:
        """Do it, unless we are told to stop before it is done."""
        task = asyncio.ensure_future(doing)
        told = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if task.done():
            await task
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise _Told

    async def _end_all(self) -> None:
        """Workers first (they drain 2 s, then interrupt), then who reads and decides, the log last: within 5 s."""
        stages = [(("worker",), 2.8), (("console", "core"), 0.8), (("nats",), 0.5)]
        await stop_in_turn(
            [([self._children[name] for name in names if name in self._children], s) for names, s in stages],
            self._hurry,
        )
        instance.forget(self._data)


class _Told(Exception):
    """We were told to stop before we were ready."""


def _nats_server() -> str:
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise Stop(
            f"there is no nats-server beside {sys.executable} or on PATH: set up again with bin/up, install one, "
            "or use a server that runs: --nats URL"
        )
    return found


def _is_warning(line: str) -> bool:
    if "Plaintext passwords" in line:  # in a file only we can read, for connections that never leave the machine
        return False
    return any(mark in line for mark in ("[WRN]", "[ERR]", "[FTL]", "nats-server: "))


def _is_our_nats(pid: int, data: Path) -> bool:
    try:
        return str(data / natsconf.CONF) in Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except (OSError, UnicodeDecodeError):
        return False
