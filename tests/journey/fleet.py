"""The real programs, apart: a server, cores, workers, a console, on free ports and a folder of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from core.answers import LinkAnswers
from core.clock import SystemClock
from core.domain import run, task
from core.door import Door
from core.envelope import Answer, decode_fact
from core.jetstream import JetStreamLedger
from core.ledger import LedgerError
from core.link import Link, connect
from tests.nats_server import NatsServer, free_port

ROOT = Path(__file__).resolve().parents[2]


class Fleet:
    """Programs by name. Each can be killed and started again; ``stop`` ends them all, by pid."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.nats = NatsServer(home / "nats")
        self.port = free_port()
        self.programs: dict[str, subprocess.Popen[bytes]] = {}

    async def start(self, *names: str) -> None:
        self.nats.start()
        for name in names:
            self.run(name)
        self.link: Link = await connect(self.nats.url, name="journey")
        self.ledger = JetStreamLedger(self.link)
        self.door = Door(self.ledger, LinkAnswers(self.link), SystemClock(), by="journey")

    def run(self, name: str) -> None:
        """Start a program: ``core…``, ``worker…`` or ``console``; the worker's name is the program's."""
        program = [sys.executable, "-m", *self._command(name)]
        log = (self.home / f"{name}.log").open("ab")
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.programs[name] = subprocess.Popen(program, stdout=log, stderr=log, cwd=self.home, env=env)

    def _command(self, name: str) -> list[str]:
        common = ["--nats", self.nats.url, "--data", str(self.home / "data")]
        if name.startswith("core"):
            return ["core", *common, "--nats-monitor", self.nats.monitor_url]
        if name.startswith("worker"):
            return ["workers", *common, "--name", name, "--agents", "noop:4,shell:2"]
        return ["console", *common, "--port", str(self.port)]

    def kill(self, name: str) -> None:
        """kill -9."""
        if name == "nats":
            self.nats.kill()
            return
        self.programs[name].send_signal(signal.SIGKILL)
        self.programs[name].wait(5)

    async def stop(self) -> None:
        await self.link.close()
        for program in self.programs.values():
            if program.poll() is None:
                program.terminate()
        for program in self.programs.values():
            try:
                program.wait(8)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait(5)
        self.nats.stop()

    async def submit(self, name: str, **spec: object) -> Answer | None:
        """Submit a task; None when its outcome was not known in time."""
        title = str(spec.pop("title", name))
        command = task.Submit(task_id=f"default/{name}", spec=task.TaskSpec(title=title, **spec))  # type: ignore[arg-type]
        answer = await self.door.order(command)
        return answer if isinstance(answer, Answer) else None

    async def until(self, holds: Callable[[], bool], *, within_s: float, what: str) -> None:
        """Wait for a condition, bounded; the programs' last log lines are in the failure."""
        end = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {within_s:g} s: {what}\n{self.tails()}")
            await asyncio.sleep(0.05)

    async def done(self, count: int, *, within_s: float) -> None:
        """Wait until ``count`` runs have succeeded."""
        found = 0
        async with asyncio.timeout(within_s):
            async for batch in self.ledger.follow("EVENTS", after=0, subjects=["evt.run.*.succeeded"]):
                found += sum(isinstance(decode_fact(stored.data).fact, run.Succeeded) for stored in batch)
                if found >= count:
                    return

    async def leads(self, *, within_s: float = 10) -> None:
        """Wait until a core has begun the log and answers."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            try:
                if (await self.ledger.head("EVENTS")).last_seq:
                    return
            except LedgerError:
                pass
            await asyncio.sleep(0.05)
        raise TimeoutError(f"no core leads within {within_s:g} s\n{self.tails()}")

    def tails(self) -> str:
        """The last lines each program said."""
        said = [f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in sorted(self.home.glob("*.log"))]
        return "\n".join(said)
