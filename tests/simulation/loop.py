"""An asyncio loop whose time is virtual, and processes in it that can be stopped and killed.

Nothing here waits: when nothing is ready, time jumps to the next timer. A *process* is a context: every callback that
was begun by it carries it, so a process that is stopped (SIGSTOP) simply has its callbacks held until it goes on. The
order of callbacks is asyncio's own, first in, first out, which it promises; what order a seed changes is the order in
which the network and the timers of the processes call.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import Handle, TimerHandle
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any

PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class Stalled(Exception):
    """Nobody will ever do anything again, yet somebody still waits."""


class Process:
    """A program that runs in the loop. ``alive`` is False once it was killed: then nothing it does has an effect."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.held: list[Handle] | None = None  # its callbacks while it is stopped
        self.tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run the coroutine as this process."""
        context = copy_context()
        context.run(PROCESS.set, self)
        return asyncio.get_running_loop().create_task(work, context=context, name=self.name)

    def stop(self) -> None:
        """SIGSTOP."""
        if self.held is None:
            self.held = []

    def go_on(self) -> None:
        """SIGCONT."""
        held, self.held = self.held or [], None
        loop = asyncio.get_running_loop()
        for handle in held:
            if not handle.cancelled():
                loop._ready.append(handle)  # type: ignore[attr-defined]


class VirtualLoop(asyncio.BaseEventLoop):
    """``time`` is virtual seconds since the loop was made."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self
        self.problems: list[str] = []
        self.set_exception_handler(lambda _, told: self.problems.append(_told(told)))

    def time(self) -> float:
        return self._now

    def select(self, timeout: float | None) -> list[object]:
        """What the base class takes for its selector: nothing ever arrives, time passes instead."""
        if timeout is None:
            raise Stalled
        self._now += max(timeout, 0.0)
        return []

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Handle:
        owner = PROCESS.get() if context is None else context.get(PROCESS)
        if owner is None or owner.held is None:
            return super().call_soon(callback, *args, context=context)
        handle = Handle(callback, args, self, context)
        owner.held.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        timer = TimerHandle(when, self._due, (callback, args), self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True
        return timer

    def _due(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        owner = PROCESS.get()
        if owner is None or owner.held is None:
            callback(*args)
        else:
            owner.held.append(Handle(callback, args, self, copy_context()))

    def _process_events(self, events: list[object]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def _told(told: dict[str, Any]) -> str:
    error = told.get("exception")
    return f"{told.get('message')}: {type(error).__name__}: {error}" if error is not None else str(told.get("message"))
