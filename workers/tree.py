"""One process tree: start it, stream it, end it. Our line to its keeper."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from core.clock import Clock
from workers import keeper
from workers.limits import UNLIMITED, Limits
from workers.within import within

log = logging.getLogger(__name__)

KEEPER = [sys.executable, "-I", "-S", keeper.__file__]
READ_BYTES = 64 << 10
START_WITHIN_S = 10.0
REAPED_WITHIN_S = 2.0
GONE_WITHIN_S = keeper.GIVE_UP_S + 2.0


class CannotStart(Exception):
    """The program, or the folder it was to run in, cannot be used."""


class Exit(msgspec.Struct, frozen=True):
    """How a tree ended: the agent's exit code (-1: by ``signal``), why (see ``keeper``), how many more were killed;
    ``figure``: how much it had of what it was killed for, bytes or processes."""

    code: int
    signal: int
    why: str
    strays: int
    figure: int = 0


class Used(msgspec.Struct, frozen=True):
    """What a tree has at the moment, and the processor time it has used so far, in milliseconds."""

    memory_bytes: int
    cpu_ms: int
    processes: int


class Tree:
    """One agent's process tree, and our line to its keeper. ``over`` is done when all of it is gone."""

    def __init__(
        self, run_id: str, clock: Clock, sweep: Callable[[str], Awaitable[None]], forget: Callable[[str], None]
    ) -> None:
        self.run_id = run_id
        self.keeper = 0
        self.pid = 0
        self.pid_start = 0
        self.over: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.used: Used | None = None  # as its keeper last told
        self._clock = clock
        self._sweep = sweep
        self._forget = forget
        self._process: asyncio.subprocess.Process | None = None
        self._from_keeper: StreamReader | None = None
        self._to_keeper: StreamWriter | None = None

    async def spawn(self, env: Mapping[str, str]) -> None:
        """Start the keeper; it waits to be told what to keep."""
        ours, theirs = socket.socketpair()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *KEEPER,
                stdin=theirs.fileno(),
                stdout=PIPE,
                stderr=PIPE,
                env=dict(env),
                start_new_session=True,
                limit=READ_BYTES,
            )
        except OSError as error:
            ours.close()
            raise CannotStart(f"no process can be started: {error.strerror}") from error
        finally:
            theirs.close()
        self.keeper = self._process.pid
        self._from_keeper, self._to_keeper = await asyncio.open_unix_connection(sock=ours)

    async def begin(
        self, argv: Sequence[str], folder: Path, *, time_limit_s: float, lease_s: float, limits: Limits = UNLIMITED
    ) -> None:
        """Have the keeper start the agent; ``CannotStart`` when it could not."""
        assert self._to_keeper is not None
        assert self._from_keeper is not None
        most = f"{limits.memory_bytes},{limits.processes},{limits.cpus},{limits.nice}"
        fields = [str(os.getpid()), repr(time_limit_s), repr(lease_s), most, str(folder), *argv]
        body = os.fsencode("\0".join(fields))
        self._to_keeper.write(b"%d\n%b" % (len(body), body))
        try:
            said = await within(self._clock, START_WITHIN_S, self._from_keeper.readline())
        except ConnectionError:
            said = b""
        line = said.decode(errors="replace")
        word, _, rest = line.strip().partition(" ")
        if word != "started":
            raise CannotStart(rest or "its keeper died at the start")
        pid, start = rest.split()
        self.pid, self.pid_start = int(pid), int(start)
        self._watching = asyncio.ensure_future(self._watch())

    async def output(self) -> AsyncIterator[tuple[str, bytes]]:
        """Pieces of stdout and stderr as they come, until both are closed, which is when the tree is gone."""
        assert self._process is not None
        readers = {"stdout": self._process.stdout, "stderr": self._process.stderr}
        reading = {name: asyncio.ensure_future(reader.read(READ_BYTES)) for name, reader in readers.items() if reader}
        try:
            while reading:
                await asyncio.wait(reading.values(), return_when=asyncio.FIRST_COMPLETED)
                for name in [name for name, read in reading.items() if read.done()]:
                    piece = reading.pop(name).result()
                    if piece:
                        yield name, piece
                        reading[name] = asyncio.ensure_future(readers[name].read(READ_BYTES))  # type: ignore[union-attr]
        finally:
            for read in reading.values():
                read.cancel()

    def terminate(self, *, kill_after_s: float) -> None:
        """Ask it to end; whatever is left after ``kill_after_s`` is killed."""
        self._tell(f"term {kill_after_s}\n")

    def kill(self) -> None:
        """Kill all of it."""
        self._tell("kill\n")

    def hold(self) -> None:
        """Freeze all of it where it is; its time limit stands still."""
        self._tell("hold\n")

    def go_on(self) -> None:
        """Let it go on."""
        self._tell("go\n")

    async def discard(self) -> None:
        """End a keeper that started nothing, and with it whatever it may have started all the same."""
        if self._process is None:
            return
        self._hang_up()
        try:
            await within(self._clock, GONE_WITHIN_S, self._process.communicate())
        except TimeoutError:
            log.warning("keeper does not end run_id=%s pid=%d", self.run_id, self.keeper)

    def lease(self, left_s: float) -> None:
        self._tell(f"lease {left_s}\n")

    async def _watch(self) -> None:
        """Until the keeper has said how it ended, or died without a word."""
        assert self._from_keeper is not None
        assert self._process is not None
        try:
            while (line := (await self._from_keeper.readline()).decode(errors="replace").split()) and line[0] == "used":
                self.used = Used(int(line[1]), int(line[2]), int(line[3]))
        except ConnectionError:
            line = []
        exit_ = Exit(-1, signal.SIGKILL, "keeper", 0)
        if line and line[0] == "over":
            exit_ = Exit(int(line[1]), int(line[2]), line[3], int(line[4]), int(line[5]))
        else:
            log.error("keeper died run_id=%s pid=%d", self.run_id, self.keeper)
            await self._sweep(self.run_id)
        self._hang_up()
        try:
            await within(self._clock, REAPED_WITHIN_S, self._process.wait())
        except TimeoutError:
            log.warning("keeper not reaped run_id=%s pid=%d", self.run_id, self.keeper)
        self._forget(self.run_id)  # whoever waited for the end finds it gone
        self.over.set_result(exit_)

    def _hang_up(self) -> None:
        """The keeper takes this for our death."""
        if self._to_keeper is not None:
            self._to_keeper.close()

    def _tell(self, order: str) -> None:
        if self._to_keeper is not None and not self._to_keeper.is_closing():
            self._to_keeper.write(order.encode())
