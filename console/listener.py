"""One open page's listener: which panels it has, what each is about, and what it is yet to be told.

Its backlog is a set of names and one drawing a cell, so it cannot grow, however slow the page is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence

GAP_S = 0.25  # a listener is told of panels at most four times a second; the first goes at once
MOST_PACE_S = 60.0
PING_S = 15.0
MOST_PANELS = 30
HELLO, RESET = "hello", "reset"

_SECONDS = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2})?")
_ANY = ""  # any panel at all, where times are kept by panel

Position = tuple[int, int]
Panels = dict[str, frozenset[str]]


class Listener:
    """One open page: its panels with their topics, and what it was not told of yet.

    ``cells``: the kinds of rows it is sent whole; ``shared``: the kinds of panels. ``pace``: by panel, seconds between
    two messages about it, where that is more than ``GAP_S``.
    """

    def __init__(
        self, panels: Panels, position: Position, *, cells: frozenset[str] = frozenset(),
        shared: frozenset[str] = frozenset(), pace: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        self.panels = panels
        self.position = position
        self.cells, self.shared = cells, shared
        self.due: set[str] = set()
        self.drawn: dict[str, bytes] = {}  # by the cell's id, the lines that tell what it looks like now
        self.drawn_at = position
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

    def show(self, cells: Mapping[str, bytes], position: Position | None = None) -> None:
        """These cells look like this, as ``lines_of`` tells it. ``position``: where it shows all rows of its kinds."""
        self.drawn_at = position or self.drawn_at
        if cells:
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
