"""Cells: rows that change all the time, drawn once for everybody who shows them and pushed as they are.

A kind of cell is one part template, drawn for one row of a table of the read model. Its element's id is
``<kind>-<the row's id>``, in the page and in what is pushed; a page that does not show that row leaves it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from html import escape
from typing import Any

import msgspec

from projections.rows.positions import Changed

Draw = Callable[[str, Changed], Awaitable[Mapping[str, str]]]  # kind, what changed: HTML by the element's id


class Cells(msgspec.Struct, frozen=True):
    """A kind: the table whose rows they are, and what draws some of those: HTML by row id, as they are now."""

    kind: str
    table: str
    draw: Callable[[Any, Collection[str]], Awaitable[Mapping[str, str]]]


def drawing(kinds: Mapping[str, Cells], desk: Any) -> Draw:
    """What the hub draws with: nothing for a change of very many rows, which a page fetches whole."""

    async def draw(kind: str, changed: Changed) -> Mapping[str, str]:
        cells = kinds[kind]
        ids = changed.keys.get(cells.table, frozenset())
        if not ids:
            return {}
        drawn = await cells.draw(desk, ids)
        return {f"{kind}-{row}": html for row, html in drawn.items()}

    return draw


def partial(cell: str, html: str) -> str:
    """What puts the cell into its place, where the page has one."""
    return f'<hx-partial hx-target="{escape(f"[id={_quoted(cell)}]")}" hx-swap="outerMorph">{html}</hx-partial>'


def _quoted(text: str) -> str:
    """The text as a CSS string."""
    escaped = "".join(f"\\{ord(sign):x} " if sign in '"\\' or ord(sign) < 32 else sign for sign in text)
    return f'"{escaped}"'
