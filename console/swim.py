"""Where the timeline's tracks, bars and ticks go. Numbers in, coordinates out; the template writes the SVG.

Along the time everything is a share of the width, in percent, so that the drawing fits any window; down the page it is
pixels. A crowded drawing is one path a look and track, in columns, so that its size does not grow with what it shows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from projections.spans import Part, Pieces, Span, Track

AXIS, GROUP, ROW, BAR = 28, 30, 24, 14  # heights in pixels
COLUMNS = 1_600  # of a crowded drawing
FEW = 700  # spans drawn one by one
_SECOND = 1_000_000
_FIRST, _LAST = -62_135_596_800 * _SECOND, 253_402_300_799 * _SECOND  # the years 1 to 9999, which have a calendar
_STEPS_S = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800,
    3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000,
)  # fmt: skip


class Range(NamedTuple):
    """A stretch of time, microseconds. ``follows``: its end is the moment looked at, so it goes on with it."""

    since: int
    until: int
    follows: bool = False

    @property
    def width(self) -> int:
        return self.until - self.since

    def x(self, at: int) -> float:
        """Where an instant stands, in percent; within the drawing."""
        return round(min(100.0, max(0.0, 100 * (at - self.since) / max(1, self.width))), 3)

    def wide(self, since: int, until: int) -> float:
        return round(self.x(until) - self.x(since), 3)

    def moved(self, share: float) -> Range:
        """As wide, further on by that share of the width."""
        by = int(self.width * share)
        return Range(self.since + by, self.until + by)

    def zoomed(self, factor: float) -> Range:
        """Around the same middle, so many times as wide; no narrower than a millisecond."""
        half = max(500, int(self.width * factor / 2))
        middle = (self.since + self.until) // 2
        return Range(middle - half, middle + half)


class Tick(msgspec.Struct, frozen=True):
    x: float
    label: str


class Row(msgspec.Struct, frozen=True):
    """A line of the drawing: a group's name (no ``track``), or a track with its place among the tracks."""

    y: int
    label: str
    track: Track | None = None
    place: int = -1
    count: int = 0


class Path(msgspec.Struct, frozen=True):
    """Pieces of one track and look, as the ``d`` of a path in ``COLUMNS`` columns."""

    look: str
    d: str


class Bar(msgspec.Struct, frozen=True):
    """A span drawn by itself. ``wait_x``: where its wait begins, -1: it did not wait."""

    span: Span
    x: float
    width: float
    y: int
    wait_x: float = -1.0
    lead: float = 0.0


class Piece(msgspec.Struct, frozen=True):
    what: str
    x: float
    width: float
    y: int


def ticks(span: Range, most: int = 12) -> list[Tick]:
    """Round times within the range, at most ``most``."""
    step = next((s for s in _STEPS_S if span.width <= s * most * _SECOND), _STEPS_S[-1])
    step_us = int(step * _SECOND)
    first = -(-span.since // step_us) * step_us
    return [Tick(span.x(at), _label(at, step)) for at in range(first, span.until, step_us)][: most + 1]


def rows(tracks: Sequence[Track], labels: Sequence[str]) -> tuple[list[Row], int]:
    """The tracks below each other, each group with its name above, and the height of it all."""
    out: list[Row] = []
    y, group = AXIS, None
    for place, (track, label) in enumerate(zip(tracks, labels, strict=True)):
        if track.group != group:
            group = track.group
            out.append(Row(y, group, count=sum(each.group == group for each in tracks)))
            y += GROUP
        out.append(Row(y, label, track, place))
        y += ROW
    return out, y


def bars(span: Range, spans: Sequence[Span], places: dict[str, Row], track_of: dict[str, str]) -> list[Bar]:
    """Each span where it stands. ``places``: rows by track; ``track_of``: tracks by run."""
    out = []
    free_at: dict[str, int] = {}  # when the track's last span ended: a wait is drawn from there on
    for each in sorted(spans, key=lambda one: one.assigned_at):
        key = track_of[each.run_id]
        row = places.get(key)
        if row is None:
            continue
        waits = max(each.ready_at, free_at.get(key, 0)) if each.ready_at else 0
        free_at[key] = each.until
        out.append(
            Bar(
                each, span.x(each.assigned_at), max(0.2, span.wide(each.assigned_at, each.until)), row.y,
                span.x(waits) if waits and span.wide(waits, each.assigned_at) > 0.3 else -1.0,
                span.wide(each.assigned_at, each.started_at) if each.started_at else 0.0,
            )
        )  # fmt: skip
    return out


def parts(span: Range, found: Sequence[Part], places: dict[str, Row]) -> list[Piece]:
    """Where runs were held or told to stop."""
    return [
        Piece(each.what, span.x(each.since), max(0.2, span.wide(each.since, each.until)), places[each.track].y)
        for each in found
        if each.track in places and each.until >= span.since and each.since <= span.until
    ]


def paths(pieces: Sequence[Pieces], by_place: dict[int, Row]) -> list[Path]:
    """Crowded tracks: a line for each piece, drawn as thick as a bar."""
    drawn = []
    for each in pieces:
        y = by_place[each.place].y + ROW // 2
        d = "".join(f"M{x} {y}H{x2}" for x, x2 in zip(each.x, each.x2, strict=True))
        drawn.append(Path(each.look, d))
    order = {"wait": 0, "cut": 1, "run": 2, "live": 3, "end": 4}  # what matters is drawn on top
    return sorted(drawn, key=lambda path: order.get(path.look, 0))


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key by which ``a2`` comes before ``a10``."""
    return tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d{1,15})", name) if part
    )


def stamp(us: int) -> str:
    """A time as an address holds it: exact to the microsecond, or shorter where nothing is lost."""
    us = min(max(us, _FIRST), _LAST)
    at = datetime.fromtimestamp(us // _SECOND, UTC).replace(microsecond=us % _SECOND)
    return at.isoformat(timespec="auto").replace("+00:00", "Z")


def _label(at: int, step: float) -> str:
    when = datetime.fromtimestamp(at // _SECOND, UTC)
    if step < 1:
        return f"{when:%H:%M:%S}.{at % _SECOND // 1_000:03d}"
    if step < 60:
        return f"{when:%H:%M:%S}"
    if step < 86_400 and not (when.hour == 0 and when.minute == 0):
        return f"{when:%H:%M}"
    return f"{when.day} {when:%b}"
