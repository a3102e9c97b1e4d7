"""Server-sent events: open pages are told what changed and fetch it; rows that change all the time are pushed whole.

A page says which topics each of its panels is about: ``tasks``, ``agents``, … (a table of the read model),
``task:<id>`` and the like (one of its rows), ``output:<run id>``; and which cells it shows: rows of a table that are
drawn once for everybody and sent as they are. A message is an event named after a panel, so a listener's backlog is a
set of panels and one cell a row: it cannot grow, however slow the listener is. The event id is
``<EVENTS sequence>.<OBSERVATIONS sequence>``; from one of those a listener goes on without a gap.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress

from console.cells import Draw, partial
from projections.projector import Projector
from projections.rows.positions import Changed

log = logging.getLogger(__name__)

REMEMBERED = 2_000  # changes kept to resume from; a listener that missed more draws its page anew
GAP_S = 0.25  # a listener is told of panels at most four times a second; the first goes at once
CELL_GAP_S = 0.05  # and is sent cells at most this often: a row that changes once a second is there at once
FEW = 40  # pages with cells up to which that holds; with more of them each is sent cells more seldom, to GAP_S
DRAW_GAP_S = 0.05  # between two drawings of cells: what changes meanwhile is drawn together
MOST_PACE_S = 60.0
PING_S = 15.0
MOST_LISTENERS = 2_000
MOST_PANELS = 30
HELLO, RESET = "hello", "reset"

_SECONDS = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2})?")
_ANY = ""  # any panel at all, where times are kept by panel

Position = tuple[int, int]
Panels = dict[str, frozenset[str]]


class TooManyListeners(Exception):
    """More open pages than one console serves."""


class Listener:
    """One open page: its panels with their topics, and what it was not told of yet.

    ``cells``: the kinds of rows it is sent whole. ``pace``: by panel, seconds between two messages about it, where that
    is more than ``GAP_S``.
    """

    def __init__(
        self, panels: Panels, position: Position, cells: frozenset[str] = frozenset(),
        pace: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        self.panels = panels
        self.position = position
        self.cells = cells
        self.due: set[str] = set()
        self.drawn: dict[str, bytes] = {}  # by the cell's id, the lines that tell what it looks like now
        self.bell = asyncio.Event()
        self._pace = pace or {}
        self._told_at: dict[str, float] = {}

    def tell(self, topics: frozenset[str], position: Position) -> None:
        self.position = max(self.position, position)
        touched = {name for name, wanted in self.panels.items() if not wanted.isdisjoint(topics)}
        if RESET in topics:
            touched = {RESET}
        if touched:
            self.due |= touched
            self.bell.set()

    def show(self, cells: Mapping[str, bytes]) -> None:
        """These cells look like this now, as ``lines_of`` tells it."""
        self.drawn.update(cells)
        self.bell.set()

    def take(self, now: float) -> tuple[set[str], dict[str, bytes]]:
        """What to say at monotonic ``now``: the panels whose time has come, and all cells."""
        cells, self.drawn = self.drawn, {}
        if RESET in self.due:
            self.due = set()
            return {RESET}, {}
        panels = {name for name in self.due if self._time_of(name) <= now}
        self.due -= panels
        self._told_at.update(dict.fromkeys(panels, now))
        if panels:
            self._told_at[_ANY] = now
        return panels, cells

    def wait_s(self, now: float) -> float:
        """How long nothing need be said: until the first panel's time, or until the bell rings."""
        if self.drawn or RESET in self.due:
            return 0.0
        return max(0.0, min((self._time_of(name) for name in self.due), default=now + PING_S) - now)

    def _time_of(self, panel: str) -> float:
        """When the panel may be told of again. All listeners keep one beat, so that one drawing serves them all."""
        together = _next_beat(self._told_at.get(_ANY, 0.0), GAP_S)
        return max(together, _next_beat(self._told_at.get(panel, 0.0), self._pace.get(panel, GAP_S)))


class Hub:
    """Hears of each commit of the read model and tells the listeners; ``stop`` ends every stream within ``GAP_S``."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._past: deque[Changed] = deque(maxlen=REMEMBERED)
        self._forgotten: Position | None = None  # resuming from here or before needs what is no longer remembered
        self._now: Position = (0, 0)
        self._folded: Callable[[], Position] = lambda: self._now
        self._stopping = False
        self._showing = 0  # listeners that are sent cells
        self._heard = 0
        self.told = 0  # how much had been heard when a listener was last told of a panel

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def stop(self) -> None:
        self._stopping = True
        for listener in self._listeners:
            listener.bell.set()

    async def run(self, read_model: Projector, draw: Draw | None = None) -> None:
        """Pass on changes until cancelled. ``draw`` draws the cells of a kind that a change concerns."""
        self._folded = lambda: _folded(read_model)
        self._now = self._forgotten = self._folded()
        async for changed in read_model.changes():
            self.hear(changed)
            if draw is not None and await self._push(changed, draw):
                await asyncio.sleep(DRAW_GAP_S)

    def hear(self, changed: Changed) -> None:
        """The read model has moved."""
        if len(self._past) == REMEMBERED:
            self._forgotten = _position(self._past[0])
        self._past.append(changed)
        self._heard += 1
        self._now = max(self._now, _position(changed))
        self.publish(topics_of(changed))

    async def _push(self, changed: Changed, draw: Draw) -> bool:
        """Draw the cells somebody shows, once for all, and hand them out; whether there were any."""
        pushed = False
        for kind in {kind for listener in self._listeners for kind in listener.cells}:
            cells = await draw(kind, changed)
            lines = lines_of(cells)  # once for all: with very many pages most of the work would be this
            showing = [listener for listener in self._listeners if kind in listener.cells]
            for listener in showing if lines else ():
                listener.show(lines)
            pushed = pushed or bool(cells)
        return pushed

    def publish(self, topics: frozenset[str]) -> None:
        for listener in self._listeners:
            listener.tell(topics, self._now)

    def open(
        self, panels: Panels, last_id: str, since: str, cells: frozenset[str] = frozenset(),
        pace: Mapping[str, float] | None = None,
    ) -> Listener:  # fmt: skip
        """A listener that goes on from the last id it had, else from the moment its page was drawn at."""
        if len(self._listeners) >= MOST_LISTENERS:
            raise TooManyListeners(f"{MOST_LISTENERS:,} pages are open; close some")
        listener = Listener(panels, self._now, cells, pace)
        missed = self._missed(last_id or since)
        if missed:
            listener.tell(missed, self._now)
        self._listeners.add(listener)
        self._showing += bool(cells)
        return listener

    def close(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)
            self._showing -= bool(listener.cells)

    async def messages(self, listener: Listener, still_welcome: Callable[[], bool]) -> AsyncIterator[bytes]:
        """The stream's bytes: at once when something is due, then no more often than it may; ``hello`` when idle."""
        yield b"retry: 1000\n" + _message({HELLO}, listener.position)
        loop = asyncio.get_running_loop()
        quiet_since = loop.time()
        while not self._stopping:
            now = loop.time()
            panels, cells = listener.take(now)
            if panels or cells:
                quiet_since = now
                self.told = self._heard if panels else self.told
                yield _cells(cells, listener.position) + _message(panels, listener.position)
                await asyncio.sleep(self.gap_s(listener))
            elif now - quiet_since >= PING_S:
                if not still_welcome():
                    return
                quiet_since = now
                yield _message({HELLO}, listener.position)
            else:
                listener.bell.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(listener.wait_s(now), quiet_since + PING_S - now)):
                        await listener.bell.wait()

    def gap_s(self, listener: Listener) -> float:
        """How long a listener that was just told something is told nothing."""
        return min(GAP_S, CELL_GAP_S * max(1.0, self._showing / FEW)) if listener.cells else GAP_S

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


def parse_pace(texts: Sequence[str]) -> dict[str, float]:
    """Of each ``panel seconds`` how long that panel can wait; what is no such pair is left out."""
    pairs = (text.split() for text in texts[:MOST_PANELS])
    return {
        pair[0]: min(float(pair[1]), MOST_PACE_S) for pair in pairs if len(pair) == 2 and _SECONDS.fullmatch(pair[1])
    }


def parse_panels(texts: Sequence[str]) -> Panels:
    """Of each ``name topic topic …`` the panel's name and its topics. A row's topic means its whole table, too."""
    panels: Panels = {}
    for text in texts[:MOST_PANELS]:
        name, *topics = text.split()[:MOST_PANELS]
        if name.isidentifier() and name not in (HELLO, RESET):
            panels[name] = frozenset(topics) | {f"{topic.partition(':')[0]}:*" for topic in topics if ":" in topic}
    return panels


def _next_beat(last: float, every_s: float) -> float:
    """The first beat of the common clock after ``last``; 0 where nothing was said yet."""
    return (last // every_s + 1) * every_s if last else 0.0


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


def lines_of(cells: Mapping[str, str]) -> dict[str, bytes]:
    """Of each cell the lines of a message that put it into its place."""
    return {
        cell: "".join(f"data: {line}\n" for line in partial(cell, html).splitlines()).encode()
        for cell, html in cells.items()
    }


def _cells(cells: Mapping[str, bytes], position: Position) -> bytes:
    """All cells as one message without a name, which is swapped in as it is."""
    if not cells:
        return b""
    return b"".join((*cells.values(), f"id: {position[0]}.{position[1]}\n\n".encode()))
