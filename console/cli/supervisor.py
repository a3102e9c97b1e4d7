"""Children that are started, watched, started again with backoff, and ended within a bound. Nothing is left behind.

Every child has a session of its own, so a Ctrl-C at the terminal reaches us alone and we choose the order in which
they end; the kernel ends them should we die without a word.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from core.clock import Clock
from core.settings import for_our_own

STARTS = 5  # so many in WINDOW_S, and it is parked
FIRST_STARTS = 3  # so many while it has never been ready: what ends at once will end again
WINDOW_S = 60.0
BACKOFF_S = (0.2, 0.5, 1.0, 2.0)
LONGEST_LINE = 64 << 10
_PR_SET_PDEATHSIG = 1

Say = Callable[[str, str], None]  # who, line


class Child:
    """One program that should run until told otherwise.

    ``keep`` says which of its lines are shown; the last ones are remembered for who asks why it ended. ``patience`` is
    how many starts within a minute it gets. One that ``may_leave`` and ends in good order (code 0) stays away: a
    drained worker that came back at once would take work again.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        say: Say,
        clock: Clock,
        keep: Callable[[str], bool] | None = None,
        may_leave: bool = False,
    ) -> None:
        self.name = name
        self._may_leave = may_leave
        self.last_lines: deque[str] = deque(maxlen=5)
        self.parked = False
        self.ended = asyncio.Event()  # it ended for good: parked, or told to
        self.on_start: Callable[[], None] | None = None
        self._argv, self._say, self._clock, self._keep = list(argv), say, clock, keep
        self._process: Process | None = None
        self.patience = FIRST_STARTS
        self._starts: deque[float] = deque(maxlen=STARTS)
        self._stopping = False
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    @property
    def running(self) -> bool:
        return self.pid is not None

    async def start(self) -> None:
        """Start it now, and again whenever it ends by itself; ``OSError`` when it cannot be started at all."""
        await self._spawn()
        self._watch = asyncio.create_task(self._keep_running())

    async def stop(self, how: signal.Signals, *, within_s: float) -> bool:
        """Signal it, do not start it again, and wait; False when it still runs after ``within_s`` seconds."""
        self._stopping = True
        self.tell(how)
        if self._watch is None:
            return True
        _, late = await asyncio.wait({self._watch}, timeout=within_s)
        return not late

    def tell(self, how: signal.Signals) -> None:
        """Send it, and for a kill all it may have started in its session, a signal."""
        pid = self.pid
        if pid is None:
            return
        with suppress(ProcessLookupError):
            if how == signal.SIGKILL:
                os.killpg(pid, how)
            os.kill(pid, how)

    async def _spawn(self) -> None:
        self._starts.append(self._clock.monotonic())
        self._process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
            limit=LONGEST_LINE,
            env=for_our_own(),
            preexec_fn=_end_with_us(os.getpid()),
        )
        if self.on_start is not None:
            self.on_start()

    async def _keep_running(self) -> None:
        try:
            while True:
                code = await self._until_end()
                if self._stopping or not await self._again(code):
                    return
        finally:
            self.ended.set()

    async def _until_end(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        reading = asyncio.create_task(self._read(self._process.stdout))
        code = await self._process.wait()
        # A grandchild may hold the pipe open; what the child itself wrote is there at once.
        await asyncio.wait({reading}, timeout=0.2)
        reading.cancel()
        return code

    async def _again(self, code: int) -> bool:
        """Start it again after a while; False when it was told to end, or ends too often and is parked."""
        if code == 0 and self._may_leave:
            self._say(self.name, f"left in good order; to have it back: switchtower {self.name}, or start this anew")
            return False
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        now = self._clock.monotonic()
        recent = sum(1 for start in self._starts if now - start < WINDOW_S)
        if recent >= self.patience:
            self.parked = True
            self._say(
                self.name,
                f"{how}, {recent} times within {WINDOW_S:.0f} s: not started again. Mend what it says above, "
                "then stop this with Ctrl-C and start it anew",
            )
            return False
        pause_s = BACKOFF_S[min(recent, len(BACKOFF_S)) - 1]
        self._say(self.name, f"{how}; starts again in {pause_s:g} s")
        await self._clock.sleep(pause_s)
        if self._stopping:
            return False
        await self._spawn()
        return True

    async def _read(self, stdout: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stdout.readline()
            except ValueError:  # longer than the limit: what was read is dropped, the rest comes as the next line
                self._say(self.name, f"(a line of more than {LONGEST_LINE:,} bytes is left out)")
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            self.last_lines.append(text)
            if self._keep is None or self._keep(text):
                self._say(self.name, text)


async def stop_in_turn(stages: Sequence[tuple[Sequence[Child], float]], hurry: asyncio.Event) -> None:
    """End the children stage by stage: SIGTERM, up to so many seconds, then SIGKILL. ``hurry`` ends all at once."""
    for children, within_s in stages:
        stops = [asyncio.create_task(child.stop(signal.SIGTERM, within_s=within_s)) for child in children]
        await _or_hurry(asyncio.gather(*stops), hurry)
        for child in children:
            child.tell(signal.SIGKILL)
    everyone = [child for children, _ in stages for child in children]
    await asyncio.gather(*(child.stop(signal.SIGKILL, within_s=2.0) for child in everyone))


async def _or_hurry(stopping: Awaitable[object], hurry: asyncio.Event) -> None:
    waiting = {asyncio.ensure_future(stopping), asyncio.ensure_future(hurry.wait())}
    _, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in pending:
        each.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


def _end_with_us(our_pid: int) -> Callable[[], None] | None:
    """What a child does before it becomes its program: have the kernel end it when we die (Linux only)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def before_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != our_pid:  # we died in between: nobody would tell it
            os._exit(1)

    return before_exec
