"""One installation of real processes in a temporary folder: the server as `up` configures it, core, worker, console."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2

from bench.machine import resident_mb, used_s
from bench.processes import Failed, Process, module
from console import login
from console.cli import natsconf
from core.answers import LinkAnswers
from core.clock import SystemClock
from core.door import Door
from core.jetstream import JetStreamLedger
from core.ledger import LedgerError
from core.link import Link, connect
from core.settings import load

READY_WITHIN_S = 20.0
WORKER = "worker"
SLOTS = 200


class Fleet:
    """Made by ``fleet`` with the server running and ``link`` up; the rest is started as a scenario needs it."""

    link: Link
    ledger: JetStreamLedger
    door: Door
    pages: httpx2.AsyncClient

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = SystemClock()
        self.processes: dict[str, Process] = {}
        self.url = self.monitor_url = self.console_url = ""
        self.stamps = home / "first-lines"

    async def start_nats(self) -> None:
        """The shipped configuration on free ports, with users; and our own line to it, as the operator."""
        port, monitor_port = free_port(), free_port()
        self.url, self.monitor_url = f"nats://127.0.0.1:{port}", f"http://127.0.0.1:{monitor_port}"
        conf = natsconf.write(self.home, port=port, monitor_port=monitor_port)
        server = self.run("nats", [str(Path(sys.executable).parent / "nats-server"), "-c", str(conf)])
        operator = load({"data": self.home}, environ={}).credentials("operator")
        assert operator is not None
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            server.check()
            try:
                self.link = await connect(
                    self.url, name="bench", user=operator.user, password=operator.password, wait_s=1.0
                )
                break
            except LedgerError as error:
                if time.monotonic() > deadline:
                    raise Failed(f"nats-server: {error}") from error
                await asyncio.sleep(0.02)
        self.ledger = JetStreamLedger(self.link)
        self.door = Door(self.ledger, LinkAnswers(self.link), self.clock, by="bench")

    async def start_core(self, within_s: float = READY_WITHIN_S) -> None:
        """The core, once it leads: its first fact is in EVENTS."""
        self.run("core", [*module("core"), *self._where(), "--nats-monitor", self.monitor_url])
        await self.until("core", self._has_begun(), within_s)

    async def start_worker(
        self, agents: str = f"noop:{SLOTS}", name: str = WORKER, within_s: float = READY_WITHIN_S
    ) -> None:
        """A worker whose runs' first lines are stamped with the monotonic clock, once its agents are registered: that
        waits for a core that reads a long log first."""
        after = (await self.ledger.head("EVENTS")).last_seq
        stamped = [*module("bench.stamped_worker"), str(self.stamps), "--name", name, "--agents", agents]
        self.run(name, [*stamped, *self._where()])
        await self.until(name, self.first(f"evt.worker.{name}.registered", after), within_s)

    async def start_console(self, within_s: float = READY_WITHIN_S) -> None:
        """The console, and in it the read models, once it has caught up with the log."""
        self.console_url = f"http://127.0.0.1:{free_port()}"
        self.run("console", [*module("console"), *self._where(), "--port", self.console_url.rpartition(":")[2]])
        bearer = {"Authorization": f"Bearer {login.api_token(self.home)}"}
        self.pages = httpx2.AsyncClient(base_url=self.console_url, headers=bearer, timeout=10.0)
        await self.until("console", self._is_ready(), within_s)

    async def folded(self, events_seq: int, within_s: float = 60.0) -> float:
        """The monotonic moment (seconds) at which the read model had folded EVENTS up to there, to 10 ms or so."""
        deadline = time.monotonic() + within_s
        while True:
            answer = await self.pages.get("/api/status", params={"seen": events_seq})
            if answer.status_code != 200:
                raise Failed(f"/api/status answered {answer.status_code}: {self.processes['console'].said()}")
            status = answer.json()
            now, at = time.monotonic(), status["positions"]["events"]["seq"]
            if at >= events_seq:
                return now
            if now > deadline or status["positions"]["doing"] == "stopped":
                raise Failed(
                    f"EVENTS is folded up to {at:,} of {events_seq:,}: {status['positions']['problem'] or 'too slow'}"
                )

    async def until(self, name: str, ready: object, within_s: float = READY_WITHIN_S) -> None:
        """Wait for what shows that the process ``name`` is ready; ``Failed`` when it ends before, or in time."""
        waiting = asyncio.ensure_future(ready)  # type: ignore[call-overload]
        deadline = time.monotonic() + within_s
        try:
            while not waiting.done():
                self.processes[name].check()
                if time.monotonic() > deadline:
                    raise Failed(f"{name} was not ready within {within_s:g} s: {self.processes[name].said()}")
                await asyncio.wait({waiting}, timeout=0.05)
            waiting.result()
        finally:
            waiting.cancel()

    async def first(self, subject: str, after: int) -> int:
        """The sequence of the first fact on ``subject`` after ``after``, once there is one."""
        follow = self.ledger.follow("EVENTS", after=after, subjects=[subject])
        try:
            async for stored in follow:
                return stored[0].seq
        finally:
            await follow.aclose()
        raise AssertionError("unreachable")

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End one process and forget it."""
        self.processes.pop(name).end(how)

    def check(self) -> None:
        """``Failed`` when one of the processes is no more."""
        for process in self.processes.values():
            process.check()

    def resident(self) -> dict[str, float]:
        """Resident megabytes by process."""
        return {name: resident_mb(each.pid) for name, each in self.processes.items()}

    def used(self) -> dict[str, float]:
        """Processor seconds used so far by process."""
        return {name: used_s(each.pid) for name, each in self.processes.items()}

    async def close(self) -> None:
        if hasattr(self, "pages"):
            await self.pages.aclose()
        if hasattr(self, "link"):
            await self.link.close()
        for name in reversed(list(self.processes)):
            self.end(name)

    def run(self, name: str, argv: Sequence[str], pass_fds: Sequence[int] = ()) -> Process:
        """Start a process that ends with the fleet."""
        self.processes[name] = process = Process(name, argv, folder=self.home, pass_fds=pass_fds)
        return process

    def _where(self) -> list[str]:
        return ["--data", str(self.home), "--nats", self.url]

    async def _is_ready(self) -> None:
        while True:
            with suppress(httpx2.TransportError):
                if (await self.pages.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.02)

    async def _has_begun(self) -> None:
        while True:
            try:
                if (await self.ledger.head("EVENTS")).last_seq:
                    return
            except LedgerError:
                pass  # the streams are made by the core
            await asyncio.sleep(0.02)


@asynccontextmanager
async def fleet() -> AsyncIterator[Fleet]:
    """A server, and nothing on it yet. All processes are ended and the folder is removed afterwards."""
    home = Path(tempfile.mkdtemp(prefix="switchtower-bench-"))
    made = Fleet(home)
    try:
        await made.start_nats()
        yield made
    finally:
        await made.close()
        shutil.rmtree(home, ignore_errors=True)


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
