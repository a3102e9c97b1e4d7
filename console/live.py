"""Server-sent events: open pages are told what changed and fetch it; nothing is drawn twice.

A page says which topics each of its panels is about: ``tasks``, ``agents``, … (a table of the read model),
``task:<id>`` and the like (one of its rows), ``output:<run id>``. A message is an event named after a panel, so a
listener's backlog is a set of panels that cannot grow, however slow it is. The event id is
``<EVENTS sequence>.<OBSERVATIONS sequence>``; from one of those a listener goes on without a gap.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

from core.clock import Clock
from projections.projector import Projector
from projections.rows import Changed

log = logging.getLogger(__name__)

REMEMBERED = 2_000  # changes kept to resume from; a listener that missed more draws its page anew
GAP_S = 0.25  # at most four messages a second to one listener; the first goes at once
PING_S = 15.0
MOST_LISTENERS = 2_000
MOST_PANELS = 30
HELLO, RESET = "hello", "reset"

Position = tuple[int, int]
Panels = dict[str, frozenset[str]]


class TooManyListeners(Exception):
    """More open pages than one console serves."""


class Listener:
    """One open page: its panels with their topics, and the panels it was not told of yet."""

    def __init__(self, panels: Panels, position: Position) -> None:
        self.panels = panels
        self.position = position
        self.due: set[str] = set()
        self.bell = asyncio.Event()

    def tell(self, topics: frozenset[str], position: Position) -> None:
        self.position = max(self.position, position)
        touched = {name for name, wanted in self.panels.items() if not wanted.isdisjoint(topics)}
        if RESET in topics:
            touched = {RESET}
        if touched:
            self.due |= touched
            self.bell.set()


class Hub:
    """Hears of each commit of the read model and tells the listeners; ``stop`` ends every stream at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: set[Listener] = set()
        self._past: deque[Changed] = deque(maxlen=REMEMBERED)
        self._forgotten: Position | None = None  # resuming from here or before needs what is no longer remembered
        self._now: Position = (0, 0)
        self._folded: Callable[[], Position] = lambda: self._now
        self._stopping = asyncio.Event()

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def stop(self) -> None:
        self._stopping.set()

    async def run(self, read_model: Projector) -> None:
        """Pass on changes until cancelled."""
        self._folded = lambda: _folded(read_model)
        self._now = self._forgotten = self._folded()
        async for changed in read_model.changes():
            self.hear(changed)

    def hear(self, changed: Changed) -> None:
        """The read model has moved."""
        if len(self._past) == REMEMBERED:
            self._forgotten = _position(self._past[0])
        self._past.append(changed)
        self._now = max(self._now, _position(changed))
        self.publish(topics_of(changed))

    def publish(self, topics: frozenset[str]) -> None:
        for listener in self._listeners:
            listener.tell(topics, self._now)

    def open(self, panels: Panels, last_id: str, since: str) -> Listener:
        """A listener that goes on from the last id it had, else from the moment its page was drawn at."""
        if len(self._listeners) >= MOST_LISTENERS:
            raise TooManyListeners(f"{MOST_LISTENERS:,} pages are open; close some")
        listener = Listener(panels, self._now)
        missed = self._missed(last_id or since)
        if missed:
            listener.tell(missed, self._now)
        self._listeners.add(listener)
        return listener

    def close(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    async def messages(self, listener: Listener, still_welcome: Callable[[], bool]) -> AsyncIterator[bytes]:
        """The stream's bytes: at once when something is due, then at most every ``GAP_S``; ``hello`` when idle."""
        yield b"retry: 1000\n" + _message({HELLO}, listener.position)
        while not self._stopping.is_set():
            if not await self._rung(listener, PING_S):
                if self._stopping.is_set() or not still_welcome():
                    return
                yield _message({HELLO}, listener.position)
                continue
            listener.bell.clear()
            due, listener.due = listener.due, set()
            yield _message({RESET} if RESET in due else due, listener.position)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), GAP_S)

    async def _rung(self, listener: Listener, within_s: float) -> bool:
        """Whether something became due; False after ``within_s``, or when all streams end."""
        waits = [asyncio.ensure_future(listener.bell.wait()), asyncio.ensure_future(self._stopping.wait())]
        try:
            await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return listener.bell.is_set() and not self._stopping.is_set()

    def _missed(self, last_id: str) -> frozenset[str]:
        """The topics of everything after ``last_id``; ``reset`` when that cannot be told."""
        position = parse_id(last_id)
        if position is None:
            return frozenset({RESET}) if last_id else frozenset()
        if position > max(self._now, self._folded()) or (self._forgotten is not None and position < self._forgotten):
            return frozenset({RESET})  # another log's, or too long ago
        return frozenset().union(*(topics_of(each) for each in self._past if _unseen(each, position)))


def topics_of(changed: Changed) -> frozenset[str]:
    """What a change is called: its tables, and its rows by kind and id (every row of a table with too many)."""
    names = set(changed.tables)
    for table, keys in changed.keys.items():
        names |= {f"{table[:-1]}:{key}" for key in keys}
    names |= {f"{table[:-1]}:*" for table in changed.many}
    return frozenset(names)


def parse_id(text: str) -> Position | None:
    """``12.5`` as two numbers; None for anything else."""
    events, dot, observations = text.partition(".")
    if not (dot and text.isascii() and events.isdecimal() and observations.isdecimal() and len(text) < 40):
        return None
    return int(events), int(observations)


def parse_panels(texts: Sequence[str]) -> Panels:
    """Of each ``name topic topic …`` the panel's name and its topics. A row's topic means its whole table, too."""
    panels: Panels = {}
    for text in texts[:MOST_PANELS]:
        name, *topics = text.split()[:MOST_PANELS]
        if name.isidentifier() and name not in (HELLO, RESET):
            panels[name] = frozenset(topics) | {f"{topic.partition(':')[0]}:*" for topic in topics if ":" in topic}
    return panels


def _folded(read_model: Projector) -> Position:
    positions = read_model.positions()
    return positions.events.seq, positions.observations.seq


def _position(changed: Changed) -> Position:
    return changed.events_seq, changed.observations_seq


def _unseen(changed: Changed, position: Position) -> bool:
    """Either stream went on since; commands alone move neither, so those of the very same place count too."""
    here = _position(changed)
    return here[0] > position[0] or here[1] > position[1] or (here == position and changed.tables <= {"commands"})


def _message(names: set[str], position: Position) -> bytes:
    at = f"{position[0]}.{position[1]}"
    return "".join(f"event: {name}\ndata: {at}\nid: {at}\n\n" for name in sorted(names)).encode()
