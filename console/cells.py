"""What is pushed as it is: drawn once for everybody who shows it, and put into its place in each open page.

A kind of row is one part template, drawn for one row of a table of the read model; its element's id is
``<kind>-<the row's id>``, in the page and in what is pushed. A shared panel is one that says the same to everyone who
stands at the same place: its element's id is its name. A page without that element leaves it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from html import escape
from typing import Any

import msgspec

from projections.rows.positions import Changed


class Cells(msgspec.Struct, frozen=True):
    """A kind of row: the table whose rows they are, and what draws some of those: HTML by row id, as they are now."""

    kind: str
    table: str
    draw: Callable[[Any, Collection[str]], Awaitable[Mapping[str, str]]]


class Shared(msgspec.Struct, frozen=True):
    """A panel, at one place: the changes it is drawn anew after, at most every ``pace_s``; its HTML as it is now."""

    kind: str
    panel: str
    topics: tuple[str, ...]
    pace_s: float
    draw: Callable[[Any], Awaitable[str]]


class Drawing:
    """What the hub draws with: the kinds there are, and the desk their rows come from."""

    def __init__(self, kinds: Collection[Cells | Shared], desk: Any) -> None:
        self.rows = {each.kind: each for each in kinds if isinstance(each, Cells)}
        self.shared = {each.kind: each for each in kinds if isinstance(each, Shared)}
        self._desk = desk

    async def changed_rows(self, kind: str, changed: Changed) -> dict[str, bytes]:
        """Those rows that a change moved, each as ``lines_of``; none of very many, which a page fetches whole."""
        cells = self.rows[kind]
        ids = changed.keys.get(cells.table, frozenset())
        drawn = await cells.draw(self._desk, ids) if ids else {}
        return lines_of({f"{kind}-{row}": html for row, html in drawn.items()}, "outerMorph")

    async def panel(self, kind: str) -> dict[str, bytes]:
        shared = self.shared[kind]
        return lines_of({shared.panel: await shared.draw(self._desk)}, "innerMorph")


def lines_of(cells: Mapping[str, str], swap: str) -> dict[str, bytes]:
    """Of each cell the lines of a message that put it into its place, where the page has one."""
    return {
        cell: "".join(f"data: {line}\n" for line in _partial(cell, html, swap).splitlines()).encode()
        for cell, html in cells.items()
    }


def _partial(cell: str, html: str, swap: str) -> str:
    return f'<hx-partial hx-target="{escape(f"[id={_quoted(cell)}]")}" hx-swap="{swap}">{html}</hx-partial>'


def _quoted(text: str) -> str:
    """The text as a CSS string."""
    escaped = "".join(f"\\{ord(sign):x} " if sign in '"\\' or ord(sign) < 32 else sign for sign in text)
    return f'"{escaped}"'
