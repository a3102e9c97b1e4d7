"""Server-sent events: open pages are told what changed and fetch it; what all of them show is pushed whole.

A page says which topics each of its panels is about: ``tasks``, ``agents``, … (a table of the read model),
``task:<id>`` and the like (one of its rows), ``output:<run id>``; and which cells it shows (``cells.py``): rows that
change all the time, panels that say the same to everyone, drawn once for everybody and sent as they are. A message is
an event named after a panel, or one without a name with cells. The event id is
``<EVENTS sequence>.<OBSERVATIONS sequence>``; from one of those a listener goes on without a gap.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress

from console.cells import Drawing
from console.listener import GAP_S, HELLO, PING_S, RESET, Listener, Panels, Position
from projections.projector import Projector
from projections.rows.positions import Changed

log = logging.getLogger(__name__)

REMEMBERED = 2_000  # changes kept to resume from; a listener that missed more draws its page anew
ROW_GAP_S = 0.05  # a listener is sent rows at most this often: one that changes once a second is there at once
FEW = 40  # pages with rows up to which that holds; with more of them each is sent rows more seldom, to GAP_S
DRAW_GAP_S = 0.05  # between two drawings of rows: what changes meanwhile is drawn together
MOST_LISTENERS = 2_000


class TooManyListeners(Exception):
    """More open pages than one console serves."""


class Hub:
    """Hears of each commit of the read model and tells the listeners; ``stop`` ends every stream within ``GAP_S``."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._past: deque[Changed] = deque(maxlen=REMEMBERED)
        self._forgotten: Position | None = None  # resuming from here or before needs what is no longer remembered
        self._now: Position = (0, 0)
        self._folded: Callable[[], Position] = lambda: self._now
        self._stopping = False
        self._showing = 0  # listeners that are sent rows
        self._shared = Listener({}, self._now)  # a timetable: which shared panels are to be drawn, and when
        self._heard = 0
        self.told = 0  # how much had been heard when a listener was last told of a panel

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def stop(self) -> None:
        self._stopping = True
        for listener in self._listeners:
            listener.bell.set()

    async def run(self, read_model: Projector, drawing: Drawing | None = None) -> None:
        """Pass on changes until cancelled; ``drawing`` draws the cells they concern."""
        drawing = drawing or Drawing((), None)
        self._folded = lambda: _folded(read_model)
        self._now = self._forgotten = self._folded()
        kinds = drawing.shared.values()
        self._shared = Listener(
            {each.kind: frozenset(each.topics) for each in kinds},
            self._now,
            pace={each.kind: each.pace_s for each in kinds},
        )
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self._push_shared(drawing))
            beside.create_task(self._push_moves(read_model, drawing))
            async for changed in read_model.changes():
                self.hear(changed)

    def hear(self, changed: Changed) -> None:
        """The read model has moved."""
        if len(self._past) == REMEMBERED:
            self._forgotten = _position(self._past[0])
        self._past.append(changed)
        self._heard += 1
        self._now = max(self._now, _position(changed))
        self.publish(topics_of(changed))

    async def _push_moves(self, read_model: Projector, drawing: Drawing) -> None:
        async for moved in read_model.moves():
            if await self._push_rows(moved, drawing):
                await asyncio.sleep(DRAW_GAP_S)

    async def _push_rows(self, changed: Changed, drawing: Drawing) -> bool:
        """Draw the rows somebody shows, once for all, and hand them out; whether there were any."""
        pushed = False
        for kind in {kind for listener in self._listeners for kind in listener.cells}:
            try:
                lines = await drawing.changed_rows(kind, changed)
            except Exception:  # the pages fetch them with their panel before long; all else must go on being told
                log.exception("rows of %s were not drawn at %s", kind, _position(changed))
                continue
            for listener in [each for each in self._listeners if kind in each.cells]:
                listener.show(lines, _position(changed))
            pushed = pushed or bool(lines)
        return pushed

    async def _push_shared(self, drawing: Drawing) -> None:
        """Draw the shared panels that are due and somebody shows, for ever. They are told of at the common beats."""
        loop, due = asyncio.get_running_loop(), self._shared
        while True:
            for kind in sorted(due.take(loop.time())[0]):
                if any(kind in listener.shared for listener in self._listeners):
                    await self._push_panel(kind, drawing)
            due.bell.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(due.wait_s(loop.time())):
                    await due.bell.wait()

    async def _push_panel(self, kind: str, drawing: Drawing) -> None:
        try:
            lines = await drawing.panel(kind)
        except Exception:
            log.exception("%s was not drawn; it is tried again at the next beat", kind)
            self._shared.due.add(kind)
            return
        for listener in self._listeners:
            if kind in listener.shared:
                listener.show(lines)

    def publish(self, topics: frozenset[str]) -> None:
        for listener in (*self._listeners, self._shared):
            listener.tell(topics, self._now)

    def open(
        self, panels: Panels, last_id: str, since: str, *, cells: frozenset[str] = frozenset(),
        shared: frozenset[str] = frozenset(), pace: Mapping[str, float] | None = None,
    ) -> Listener:  # fmt: skip
        """A listener that goes on from the last id it had, else from the moment its page was drawn at."""
        if len(self._listeners) >= MOST_LISTENERS:
            raise TooManyListeners(f"{MOST_LISTENERS:,} pages are open; close some")
        listener = Listener(panels, self._now, cells=cells, shared=shared, pace=pace)
        missed = self._missed(last_id or since)
        if missed:
            listener.tell(missed, self._now)
            self._shared.tell(missed - {RESET}, self._now)
        if last_id:  # what was to be told at the next beat went with the stream that broke; rows may be ahead of it
            listener.due |= panels.keys() if cells else panels.keys() & (pace or {}).keys()
            self._shared.due |= shared
            self._shared.bell.set()
        self._listeners.add(listener)
        self._showing += bool(cells)
        return listener

    def close(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)
            self._showing -= bool(listener.cells)

    async def messages(self, listener: Listener, still_welcome: Callable[[], bool]) -> AsyncIterator[bytes]:
        """The stream's bytes: at once when something is due, then no more often than it may; ``hello`` now and then."""
        yield b"retry: 1000\n" + _message({HELLO}, listener.position)
        loop = asyncio.get_running_loop()
        greeted = loop.time()
        while not self._stopping:
            now = loop.time()
            greets = now - greeted >= PING_S
            if greets and not still_welcome():
                return
            greeted = now if greets else greeted
            panels, cells = listener.take(now)
            if panels or cells or greets:
                self.told = self._heard if panels else self.told
                drawn_at = listener.drawn_at if listener.cells else listener.position
                hello = {HELLO} if greets else set()
                yield _cells(cells, drawn_at) + _message(panels | hello, listener.position)
                await asyncio.sleep(self.gap_s(listener))
            else:
                listener.bell.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(listener.wait_s(now), greeted + PING_S - now)):
                        await listener.bell.wait()

    def gap_s(self, listener: Listener) -> float:
        """How long a listener that was just told something is told nothing."""
        return min(GAP_S, ROW_GAP_S * max(1.0, self._showing / FEW)) if listener.cells else GAP_S

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


def _cells(cells: Mapping[str, bytes], position: Position) -> bytes:
    """All cells as one message without a name, which is swapped in as it is."""
    if not cells:
        return b""
    return b"".join((*cells.values(), f"id: {position[0]}.{position[1]}\n\n".encode()))
