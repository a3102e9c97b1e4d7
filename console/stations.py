"""The stations of the line: every page of the left navigation, in order, with its key and its branch.

A station is shown once its page answers (``open_on``), so a page is added by registering its router, and no link is
ever dead. The page a thing stands on is found by the longest path: a run is looked at from Tasks.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Station(msgspec.Struct, frozen=True):
    """``key``: what is pressed after ``g``. ``also``: other paths that belong to it."""

    name: str
    path: str
    label: str
    key: str
    branch: str = ""
    also: tuple[str, ...] = ()
    on_foot: bool = False  # one of the four that keep their place on a phone


STATIONS = (
    Station("now", "/", "Now", "n", on_foot=True),
    Station("agents", "/agents", "Agents", "a", on_foot=True),
    Station("queues", "/queues", "Queues", "q", on_foot=True),
    Station("board", "/board", "Board", "b"),
    Station("tasks", "/tasks", "Tasks", "r", also=("/runs",), on_foot=True),
    Station("timeline", "/timeline", "Timeline", "t", "History"),
    Station("replay", "/replay", "Replay", "p", "History"),
    Station("cost", "/cost", "Cost", "c", "Money"),
    Station("sessions", "/sessions", "Sessions", "o", "House"),
    Station("templates", "/templates", "Templates", "e", "House"),
    Station("commands", "/commands", "Commands", "u", "House"),
    Station("system", "/system", "System", "s", "House"),
)


def open_on(paths: Iterable[str]) -> tuple[Station, ...]:
    """The stations whose page is among the paths that are answered."""
    there = set(paths)
    return tuple(station for station in STATIONS if station.path in there)


def station_of(path: str) -> str:
    """The name of the station a page stands on; empty for one that stands on none."""
    found = [
        (len(root), station.name)
        for station in STATIONS
        for root in (station.path, *station.also)
        if path == root or (root != "/" and path.startswith(root + "/"))
    ]
    return max(found)[1] if found else ""
