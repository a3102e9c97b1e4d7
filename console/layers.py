"""Where the boxes of a dependency graph stand: columns from left to right, tracks between them. Pure geometry.

Boxes before a box stand left of it. A column holds a bounded number of boxes, so a hub with hundreds of neighbours
becomes several columns. Lines from one box to columns further right share one track that runs between the rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import msgspec

BOX_W, BOX_H = 160, 44
GAP_X, GAP_Y = 52, 12
TRACK_H = 6  # what a track between two rows takes
SIDE, TOP, FOOT = 28, 28, 12
SWEEPS, SETTLES = 6, 4

Item = tuple[str, int]  # a box, or the track of a box through a column: (id, column)


class Line(msgspec.Struct, frozen=True):
    """A stretch of rail that belongs to the lines out of ``source``; ``to``: the boxes it leads to."""

    source: str
    to: frozenset[str]
    path: str
    back: bool = False  # it closes a circle


class Layout(msgspec.Struct, frozen=True):
    """``at``: the upper left corner of each box; ``column``: which column it stands in."""

    width: int
    height: int
    at: dict[str, tuple[int, int]]
    column: dict[str, int]
    lines: list[Line]


@lru_cache(64)
def layout(ids: tuple[str, ...], edges: tuple[tuple[str, str], ...]) -> Layout:
    """``edges``: (before, after). Depends on nothing but its arguments: while only states change, it is not redone."""
    forward, back = _without_circles(ids, edges)
    column = _columns(ids, forward)
    tracks = _tracks(forward, column)
    rows = _ordered(ids, column, forward, tracks)
    middle = _settled(rows, column, forward, tracks)
    lowest = min(middle.values(), default=0.0)
    shift = TOP + BOX_H / 2 - min(lowest, 0.0) - max(lowest, 0.0)
    at = {each: (_x(column[each]), round(middle[each, column[each]] + shift - BOX_H / 2)) for each in ids}
    y = {item: round(value + shift) for item, value in middle.items()}
    lines = _lines(forward, column, tracks, y)
    lines += [Line(left, frozenset((right,)), _around(at[left], at[right]), back=True) for left, right in back]
    height = max(y.values(), default=0) + BOX_H // 2 + FOOT
    return Layout(_x(max(column.values(), default=0)) + BOX_W + SIDE, height, at, column, lines)


def _x(column: int) -> int:
    return SIDE + column * (BOX_W + GAP_X)


# ── columns


def _without_circles(
    ids: Sequence[str], edges: Iterable[tuple[str, str]]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The edges that can all point to the right, and those that would have to lead back."""
    after: dict[str, list[str]] = {each: [] for each in ids}
    for left, right in edges:
        after[left].append(right)
    done: set[str] = set()
    open_: set[str] = set()
    back: list[tuple[str, str]] = []
    for root in ids:
        stack = [(root, iter(after[root]))] if root not in done else []
        open_.update(each for each, _ in stack)
        while stack:
            name, rest = stack[-1]
            for other in rest:
                if other in open_:
                    back.append((name, other))
                elif other not in done:
                    open_.add(other)
                    stack.append((other, iter(after[other])))
                    break
            else:
                open_.discard(name)
                done.add(name)
                stack.pop()
    against = set(back)
    return [(left, right) for left in ids for right in after[left] if (left, right) not in against], back


def _columns(ids: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """A column for each box, right of all that is before it, at most so many in one; then as far right as it can go
    without longer lines, where nothing is before it."""
    before: dict[str, list[str]] = {each: [] for each in ids}
    after: dict[str, list[str]] = {each: [] for each in ids}
    for left, right in edges:
        before[right].append(left)
        after[left].append(right)
    most = max(6, math.ceil(math.sqrt(1.2 * len(ids))))
    column: dict[str, int] = {}
    taken: dict[int, int] = {}
    for name in _in_order(ids, before, after):
        place = 1 + max((column[each] for each in before[name]), default=-1)
        while taken.get(place, 0) >= most:
            place += 1
        column[name] = place
        taken[place] = taken.get(place, 0) + 1
    for name in ids:
        nearest = min((column[each] for each in after[name]), default=0) - 1
        if not before[name] and nearest > column[name] and taken.get(nearest, 0) < most:
            taken[column[name]] -= 1
            taken[nearest] = taken.get(nearest, 0) + 1
            column[name] = nearest
    used = {place: n for n, place in enumerate(sorted(set(column.values())))}
    return {name: used[place] for name, place in column.items()}


def _in_order(ids: Sequence[str], before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> list[str]:
    """Every box after all that is before it; those that free most come first."""
    waits = {each: len(before[each]) for each in ids}
    free = [each for each in ids if not waits[each]]
    out: list[str] = []
    while free:
        out += free
        found = []
        for name in free:
            for other in after[name]:
                waits[other] -= 1
                if not waits[other]:
                    found.append(other)
        free = sorted(found, key=lambda each: (-len(after[each]), each))
    return out


def _tracks(edges: Iterable[tuple[str, str]], column: Mapping[str, int]) -> dict[str, int]:
    """By box the last column its track runs through; boxes whose lines all end in the next column have none."""
    last: dict[str, int] = {}
    for left, right in edges:
        if column[right] > column[left] + 1:
            last[left] = max(last.get(left, 0), column[right] - 1)
    return last


# ── rows


def _links(
    edges: Iterable[tuple[str, str]], column: Mapping[str, int], tracks: Mapping[str, int]
) -> list[tuple[Item, Item]]:
    """All stretches from one column to the next."""
    found = {((left, column[right] - 1), (right, column[right])) for left, right in edges}
    for source, last in tracks.items():
        found |= {((source, place), (source, place + 1)) for place in range(column[source], last)}
    return sorted(found)


def _ordered(
    ids: Sequence[str], column: Mapping[str, int], edges: Sequence[tuple[str, str]], tracks: Mapping[str, int]
) -> list[list[Item]]:
    """The items of each column from top to bottom, so that few lines cross: each is drawn to the middle of its
    neighbours, from the left and from the right in turn."""
    rows: list[list[Item]] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    for name in ids:
        for place in range(column[name], tracks.get(name, column[name]) + 1):
            rows[place].append((name, place))
    left: dict[Item, list[Item]] = {}
    right: dict[Item, list[Item]] = {}
    for a, b in _links(edges, column, tracks):
        right.setdefault(a, []).append(b)
        left.setdefault(b, []).append(a)
    for sweep in range(SWEEPS):
        near, places = (left, range(1, len(rows))) if sweep % 2 == 0 else (right, range(len(rows) - 2, -1, -1))
        for place in places:
            other = rows[place - 1 if near is left else place + 1]
            rank = {item: n / max(1, len(other) - 1) for n, item in enumerate(other)}
            own = {item: n / max(1, len(rows[place]) - 1) for n, item in enumerate(rows[place])}
            rows[place].sort(
                key=lambda item: (_mean([rank[each] for each in near.get(item, ())], own[item]), own[item])
            )
    return rows


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _settled(
    rows: Sequence[Sequence[Item]],
    column: Mapping[str, int],
    edges: Sequence[tuple[str, str]],
    tracks: Mapping[str, int],
) -> dict[Item, float]:
    """The middle of each item, near its neighbours' middles, with its full height between it and the next."""
    near: dict[Item, list[Item]] = {}
    for a, b in _links(edges, column, tracks):
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    middle: dict[Item, float] = {}
    for row in rows:
        gaps = _gaps(row, column)
        whole = sum(gaps)
        for item, y in zip(row, _running(gaps), strict=True):
            middle[item] = y - whole / 2
    for settle in range(SETTLES):
        for row in rows if settle % 2 == 0 else reversed(rows):
            wished = [_mean([middle[each] for each in near.get(item, ())], middle[item]) for item in row]
            middle |= dict(zip(row, _apart(wished, _gaps(row, column)), strict=True))
    return middle


def _gaps(row: Sequence[Item], column: Mapping[str, int]) -> list[float]:
    """The least distance of each item's middle from the one above it."""
    heights = [BOX_H if column[name] == place else TRACK_H for name, place in row]
    return [0.0, *((a + b) / 2 + GAP_Y for a, b in pairwise(heights))][: len(row)]


def _running(gaps: Iterable[float]) -> list[float]:
    out: list[float] = []
    for gap in gaps:
        out.append((out[-1] if out else 0.0) + gap)
    return out


def _apart(wished: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """Positions in order, at least ``gaps`` apart, as near to the wished ones as can be (pooling neighbours)."""
    offsets = _running(gaps)
    pools: list[tuple[float, int]] = []  # mean of wished minus offset, and of how many
    for wish, offset in zip(wished, offsets, strict=True):
        mean, n = wish - offset, 1
        while pools and pools[-1][0] > mean:
            other, m = pools.pop()
            mean, n = (mean * n + other * m) / (n + m), n + m
        pools.append((mean, n))
    spread = [mean for mean, n in pools for _ in range(n)]
    return [mean + offset for mean, offset in zip(spread, offsets, strict=True)]


# ── lines


def _lines(
    edges: Sequence[tuple[str, str]], column: Mapping[str, int], tracks: Mapping[str, int], y: Mapping[Item, int]
) -> list[Line]:
    """Each stretch once: a curve from column to column, and the track through a column."""
    targets: dict[str, list[str]] = {}
    for left, right in edges:
        targets.setdefault(left, []).append(right)
    out = []
    for source, found in targets.items():
        for right in found:
            place = column[right] - 1
            out.append(Line(source, frozenset((right,)), _curve(place, y[source, place], y[right, place + 1])))
        for place in range(column[source], tracks.get(source, column[source])):
            beyond = frozenset(each for each in found if column[each] > place + 1)
            here, there = y[source, place], y[source, place + 1]
            out.append(Line(source, beyond, f"{_curve(place, here, there)}h{BOX_W}"))
    return out


def _curve(place: int, y1: int, y2: int) -> str:
    """From the right side of a column to the left side of the next."""
    x = _x(place) + BOX_W
    return f"M{x} {y1}c{GAP_X // 2} 0 {GAP_X // 2} {y2 - y1} {GAP_X} {y2 - y1}"


def _around(left: tuple[int, int], right: tuple[int, int]) -> str:
    """From a box back to one that stands left of it, or to itself: over its head."""
    x1, y1, x2, y2 = left[0] + BOX_W, left[1] + 8, right[0], right[1] + 8
    return f"M{x1} {y1}C{x1 + 40} {y1 - 44} {x2 - 40} {y2 - 44} {x2} {y2}"
