"""A task among those it needs and those that need it, ready to be drawn: boxes with states, lines with a meaning."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from console.layers import BOX_H, BOX_W, Layout, Line, layout
from projections.reach import Reach
from projections.rows.tasks import Link

BROKEN = ("failed", "cancelled", "quarantined")


class Box(msgspec.Struct, frozen=True):
    """``before``, ``after``: how many more it needs, or need it, that are not drawn."""

    task_id: str
    title: str
    state: str
    x: int
    y: int
    me: bool = False
    before: int = 0
    after: int = 0

    @property
    def name(self) -> str:
        return self.task_id.partition("/")[2]


class Rail(msgspec.Struct, frozen=True):
    path: str
    kind: str


class Graph(msgspec.Struct, frozen=True):
    """``heads``: (x, words) over the columns left of the task, its own, and right of it."""

    width: int
    height: int
    boxes: list[Box]
    rails: list[Rail]
    heads: list[tuple[int, str]]
    box_w: int = BOX_W
    box_h: int = BOX_H


def graph(reach: Reach) -> Graph:
    """The drawing of all that ``reach`` holds."""
    states = {link.task_id: shown(link) for link in reach.links}
    placed = layout(tuple(states), tuple(reach.edges))
    boxes = [
        Box(
            task_id=link.task_id, title=link.title or link.name, state=states[link.task_id],
            x=placed.at[link.task_id][0], y=placed.at[link.task_id][1], me=link.task_id == reach.task_id,
            before=reach.before.get(link.task_id, 0), after=reach.after.get(link.task_id, 0),
        )
        for link in reach.links
    ]  # fmt: skip
    rails = [Rail(line.path, _kind(reach.task_id, states, line)) for line in placed.lines]
    rails.sort(key=lambda rail: ("", "done", "bad", "hot").index(rail.kind))  # what matters is drawn on top
    return Graph(placed.width, placed.height, boxes, rails, _heads(reach.task_id, boxes, placed))


def shown(link: Link) -> str:
    """The state a box is drawn in: a done task that recorded no check is only claimed, one that nobody knows blocks."""
    return "claimed" if link.state == "done" and link.proof == "claimed" else link.state or "blocked"


def _kind(me: str, states: dict[str, str], line: Line) -> str:
    state = states[line.source]
    if state in BROKEN or line.back:
        return "bad"
    if me == line.source or me in line.to:
        return "hot"
    return "done" if state in ("done", "claimed") else ""


def _heads(me: str, boxes: Sequence[Box], placed: Layout) -> list[tuple[int, str]]:
    mine = placed.column[me]
    beside = sum(1 for column in placed.column.values() if column == mine) - 1
    heads = [(placed.at[me][0], "This task and peers" if beside else "This task")]
    left = [box.x for box in boxes if placed.column[box.task_id] < mine]
    right = [box.x for box in boxes if placed.column[box.task_id] > mine]
    return [*([(min(left), "Before")] if left else []), *heads, *([(min(right), "After")] if right else [])]
