"""Replay, then follow: EVENTS, OBSERVATIONS and COMMANDS folded into the store as they arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from core.clock import Clock
from core.ledger import Ledger
from projections.rows import Changed, Positions
from projections.store import Reader

P = ParamSpec("P")
T = TypeVar("T")


class Projector:
    """The read model of a ledger, kept in the file ``path``. ``async with Projector(...) as read_model``."""

    def __init__(self, ledger: Ledger, path: Path, clock: Clock) -> None:
        raise NotImplementedError

    def query(self, ask: Callable[Concatenate[Reader, P], T], *args: P.args, **named: P.kwargs) -> Awaitable[T]:
        """``await read_model.query(tasks, at, TaskFilter())``: a query, run on a reader thread."""
        raise NotImplementedError

    async def wait_for(self, events_seq: int, timeout_s: float) -> bool:
        """Whether the fold reached this EVENTS sequence within the time."""
        raise NotImplementedError

    def changes(self) -> AsyncIterator[Changed]:
        """Every commit from now on. A listener that falls behind gets several as one."""
        raise NotImplementedError

    def positions(self) -> Positions:
        """How far each stream is folded, at once and without a query."""
        raise NotImplementedError

    async def rebuild(self) -> None:
        """Drop what is known and fold the log anew; ``positions()`` shows the progress."""
        raise NotImplementedError
