"""The tasks of a template as a drawing: who comes after whom, before there is any of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from console.layers import BOX_H, BOX_W, layout
from core.domain.expansion import Made
from core.domain.template_spec import Draft


class Box(msgspec.Struct, frozen=True):
    """``sign``: who does it, a shell or somebody who reads. ``perhaps``: made only under a condition."""

    name: str
    title: str
    sign: str
    x: int
    y: int
    perhaps: bool = False


class Outline(msgspec.Struct, frozen=True):
    width: int
    height: int
    boxes: list[Box]
    rails: list[str]
    box_w: int = BOX_W
    box_h: int = BOX_H


def of_drafts(drafts: Sequence[Draft]) -> Outline | None:
    """As a template words them; None where nothing comes after anything."""
    known = {draft.name for draft in drafts}
    edges = [(need, draft.name) for draft in drafts for need in draft.depends_on if need in known]
    return _drawn([(d.name, d.title, d.command, bool(d.when)) for d in drafts], edges)


def of_made(made: Sequence[Made], prefix: str) -> Outline | None:
    """As a use would make them, called by what stands behind the prefix."""

    def short(task_id: str) -> str:
        return task_id.partition("/")[2][len(prefix) + 1 :]

    edges = [(short(need), short(each.task_id)) for each in made for need in each.spec.depends_on]
    return _drawn([(short(each.task_id), each.spec.title, each.spec.command, False) for each in made], edges)


def _drawn(tasks: Sequence[tuple[str, str, str, bool]], edges: Sequence[tuple[str, str]]) -> Outline | None:
    if not edges:
        return None
    placed = layout(tuple(name for name, *_ in tasks), tuple(edges))
    boxes = [
        Box(name, title, "term" if command else "read", *placed.at[name], perhaps)
        for name, title, command, perhaps in tasks
    ]
    return Outline(placed.width, placed.height, boxes, [line.path for line in placed.lines])
