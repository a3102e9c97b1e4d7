"""Where the lines and boxes go: sparklines, the stops of a run, a task's graph. Numbers in, coordinates out.

The templates write the SVG. Sizes are attributes, so that the page is complete at first paint under a strict policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

# ── sparklines: 96 x 24

_LEFT, _RIGHT, _TOP, _BOTTOM = 2.0, 94.0, 3.0, 22.0


class Spark(msgspec.Struct, frozen=True):
    """``line`` is a path; ``area`` the same closed at the bottom; the end point is drawn as a dot."""

    line: str
    area: str
    end_x: float
    end_y: float


def spark(values: Sequence[float]) -> Spark:
    """A line from left to right; the greatest value touches the top, zero lies on the ground."""
    values = list(values) or [0.0]
    if len(values) == 1:
        values *= 2
    most = max(*values, 1e-9)
    step = (_RIGHT - _LEFT) / (len(values) - 1)
    points = [
        (round(_LEFT + i * step, 1), round(_BOTTOM - (_BOTTOM - _TOP) * max(0.0, v) / most, 1))
        for i, v in enumerate(values)
    ]
    line = "M" + " ".join(f"{x} {y}" for x, y in points)
    return Spark(line, f"{line}V23H{_LEFT}z", *points[-1])


# ── a bar of shares


def shares(counts: Sequence[tuple[str, int]]) -> list[tuple[str, float, float]]:
    """``(class, x %, width %)`` of a bar cut into the counts; empty pieces are left out."""
    total = sum(n for _, n in counts) or 1
    out, x = [], 0.0
    for name, n in counts:
        width = 100 * n / total
        if n:
            out.append((name, round(x, 2), round(width, 2)))
        x += width
    return out


# ── the stops of a run: 1080 wide, lengths to scale but never too short to read


class Stop(msgspec.Struct, frozen=True):
    """One stretch of a run's life: from ``x`` to ``end``."""

    state: str
    label: str
    at: int
    us: int
    x: float
    end: float


STOPS_WIDTH = 1080.0
_ROOM = 96.0  # what a label needs


def stops(spans: Sequence[tuple[str, str, int, int]]) -> list[Stop]:
    """``(state, label, from µs, to µs)`` in order, laid out along one line."""
    if not spans:
        return []
    total = max(1, sum(max(0, to - since) for _, _, since, to in spans))
    free = STOPS_WIDTH - 24 - _ROOM * len(spans)
    out, x = [], 12.0
    for state, label, since, to in spans:
        us = max(0, to - since)
        end = x + _ROOM + max(0.0, free) * us / total
        out.append(Stop(state, label, since, us, round(x, 1), round(end, 1)))
        x = end
    return out


# ── a task among what it needs and what needs it

NODE_W, NODE_H, GAP_X, GAP_Y, HEAD = 160, 44, 34, 12, 28
MOST_IN_COLUMN = 6


class Node(msgspec.Struct, frozen=True):
    task_id: str
    title: str
    state: str
    x: int
    y: int
    me: bool = False


class Edge(msgspec.Struct, frozen=True):
    path: str
    kind: str


class Graph(msgspec.Struct, frozen=True):
    """``heads``: (x, words) over each column. ``more``: (x, y, words) where a column holds more than is drawn."""

    width: int
    height: int
    nodes: list[Node]
    edges: list[Edge]
    heads: list[tuple[int, str]]
    more: list[tuple[int, int, str]]


_COLUMNS = {-2: "Two before", -1: "Needs", 0: "This task", 1: "Needed by", 2: "Then"}


def graph(
    me: str, tasks: Mapping[str, tuple[str, str]], needs: Sequence[tuple[str, str]], columns: Mapping[str, int]
) -> Graph:
    """``tasks``: id to (title, state); ``needs``: (task, what it needs); ``columns``: id to -2 … 2, ``me`` at 0."""
    by_column: dict[int, list[str]] = {}
    for task_id, column in columns.items():
        if task_id in tasks:
            by_column.setdefault(column, []).append(task_id)
    tallest = max(min(len(names), MOST_IN_COLUMN) for names in by_column.values())
    placed: dict[str, Node] = {}
    heads, more = [], []
    for place, column in enumerate(sorted(by_column)):
        names = sorted(by_column[column], key=lambda name: (_urgent(tasks[name][1]), name))
        x = 16 + place * (NODE_W + GAP_X)
        heads.append((x, _COLUMNS[column]))
        drawn = names[:MOST_IN_COLUMN]
        y = HEAD + (tallest - len(drawn)) * (NODE_H + GAP_Y) // 2
        for name in drawn:
            title, state = tasks[name]
            placed[name] = Node(name, title, state, x, y, name == me)
            y += NODE_H + GAP_Y
        if len(names) > len(drawn):
            more.append((x, y + 6, f"and {len(names) - len(drawn)} more"))
    width = 16 + len(by_column) * (NODE_W + GAP_X) - GAP_X + 16
    height = HEAD + tallest * (NODE_H + GAP_Y) + (20 if more else 4)
    return Graph(width, height, list(placed.values()), _edges(me, placed, needs), heads, more)


def _edges(me: str, placed: Mapping[str, Node], needs: Sequence[tuple[str, str]]) -> list[Edge]:
    out = []
    for task_id, need in needs:
        left, right = placed.get(need), placed.get(task_id)
        if left is None or right is None or left.x >= right.x:
            continue
        x1, y1, x2, y2 = left.x + NODE_W, left.y + NODE_H // 2, right.x, right.y + NODE_H // 2
        bend = (x2 - x1) // 2
        out.append(Edge(f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}", _edge_kind(me, left, right)))
    return sorted(out, key=lambda edge: edge.kind in ("hot", "bad"))  # what matters is drawn on top


def _edge_kind(me: str, left: Node, right: Node) -> str:
    if left.state in ("failed", "cancelled", "quarantined"):
        return "bad"
    if me in (left.task_id, right.task_id) and left.state == "running":
        return "hot"
    return "done" if left.state in ("done", "claimed") else ""


def _urgent(state: str) -> int:
    return {"failed": 0, "quarantined": 0, "running": 1, "waiting": 2, "ready": 3, "blocked": 4}.get(state, 5)
