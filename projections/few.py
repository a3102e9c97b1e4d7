"""Few rows of an interval table at once, row by row: what Arrow does to thirty columns costs more than they are worth.

Measured for 30 facts: 26 ms of processor time with the columns of ``many.py``, 17 with these rows. How a row stood that
moved a moment ago is remembered, for taking it out of its table costs a third of what taking it out and reading it
does. So it is known what a fold comes to before anything of it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from projections.intervals import OPEN
from projections.parts import Parts, refuse_unknown
from projections.sql import Table
from projections.statements import Statements

FEW = 100  # facts: with more of them these loops would keep the console's other threads waiting
KEPT = 2_000  # rows remembered of a table
Change = Sequence[Any]  # key, from_seq, the table's columns; None where a block says nothing
KEY, FROM = 0, 1


class Moved(msgspec.Struct):
    """The rows that stood before, by key, and all that changed, in order, ``to_seq`` at their end. ``standing``: those
    of ``before`` that are yet to be taken out."""

    names: list[str]
    before: dict[str, Change]
    fresh: list[Change]
    standing: list[Change]

    def ids(self, column: str) -> set[str]:
        place = self.names.index(column)
        return {row[place] for row in self.fresh}

    def pairs(self) -> list[tuple[dict[str, Any] | None, dict[str, Any]]]:
        """Of each key the row that stood before (None: it is new) and the one that stands now, by column."""
        now = [row for row in self.fresh if row[-1] == OPEN]
        return [(self._named(self.before.get(row[KEY])), dict(zip(self.names, row, strict=False))) for row in now]

    def _named(self, row: Change | None) -> dict[str, Any] | None:
        return None if row is None else dict(zip(self.names, row, strict=True))


class Few:
    """The same as ``Many``: a law compares them."""

    def __init__(self, statements: Statements, parts: Parts) -> None:
        self._statements = statements
        self._parts = parts
        self._kept: dict[str, dict[str, Change]] = {}  # by table and key, how rows stand that moved lately

    def forget(self, *tables: str) -> None:
        """Rows of these tables, or of all, were moved by somebody else."""
        for name in tables or list(self._kept):
            self._kept.pop(name, None)

    def changes(self, table: Table, relations: Mapping[str, pa.Table]) -> list[Change]:
        """Every row the blocks make."""
        names = self._parts.shape(table).names
        made: list[Change] = []
        for name, block in table.on.items():
            if name in relations:
                columns, rows = self._statements.rows(block.sql, relations[name])
                made += map(_placing(columns, names), rows)
        return made

    def moved(self, table: Table, changes: list[Change]) -> Moved:
        """What it comes to: new rows end the open ones and stand in their place. Those that were not remembered are
        taken out."""
        shape = self._parts.shape(table)
        born = _born(table, changes, shape.names)
        older = sorted({row[KEY] for row in changes} - born)
        kept = self._kept.setdefault(table.name, {})
        standing = [kept[key] for key in older if key in kept]
        taken_out = self._take_out(table, [key for key in older if key not in kept])
        before = {row[KEY]: row for row in (*standing, *taken_out)}
        by_key: dict[str, list[Change]] = {key: [row] for key, row in before.items()}
        for change in sorted(changes, key=lambda row: (row[KEY], row[FROM])):
            if change[KEY] in before or change[KEY] in born or "born" not in table.columns:
                by_key.setdefault(change[KEY], []).append(change)  # a tape of one task names others not on it
        fresh = [row for key in sorted(by_key) for row in _intervals(by_key[key])]
        return Moved(shape.names, before, fresh, standing)

    def move(self, table: Table, moved: Moved) -> None:
        """Write it."""
        shape = self._parts.shape(table)
        rests = _at_rest(table, shape.names)
        self._parts.remove("now", table, moved.standing)
        past = [row for row in moved.fresh if row[-1] < OPEN]
        still = [row for row in moved.fresh if row[-1] == OPEN]
        now = [row for row in still if not rests(row)]
        self._insert("past", table, past, shape)
        self._insert("rest", table, [row for row in still if rests(row)], shape)
        self._insert("now", table, now, shape)
        self._keep(table, moved, now)

    def _take_out(self, table: Table, older: list[str]) -> list[Change]:
        """How those stood that are not new; they stand no longer."""
        rows = self._parts.take_out("now", table, older)
        if len(rows) < len(older):
            standing = {row[KEY] for row in rows}
            rows += self._parts.take_out("rest", table, [key for key in older if key not in standing])
        return list(rows)

    def _keep(self, table: Table, moved: Moved, now: list[Change]) -> None:
        """What rests is not remembered: it hardly moves again."""
        kept = self._kept.setdefault(table.name, {})  # somebody may have forgotten all meanwhile
        for key in moved.before:
            kept.pop(key, None)
        kept.update((row[KEY], row[:-1]) for row in now)
        for key in list(kept)[: max(0, len(kept) - KEPT)]:  # those that moved longest ago
            del kept[key]

    def _insert(self, part: str, table: Table, rows: list[Change], shape: pa.Schema) -> None:
        if rows:
            fields = [*shape, pa.field("to_seq", pa.int64())]
            columns = zip(*rows, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, fields, strict=True)]
            self._parts.insert(part, table, pa.table(arrays, schema=pa.schema(fields)))


def _placing(columns: Sequence[str], names: list[str]) -> Callable[[tuple[Any, ...]], Change]:
    """What puts a block's row into the order of the table's columns."""
    columns = ["from_seq" if column == "seq" else column for column in columns]
    refuse_unknown(columns, names)
    places = [columns.index(name) if name in columns else -1 for name in names]
    return lambda row: [None if place < 0 else row[place] for place in places]


def _born(table: Table, changes: list[Change], names: list[str]) -> set[str]:
    if "born" not in table.columns:
        return set()
    born = names.index("born")
    return {row[KEY] for row in changes if row[born] is not None}


def _intervals(rows: list[Change]) -> list[Change]:
    """Each row ends where the next begins, and keeps what that one leaves out."""
    whole: list[list[Any]] = []
    for row in rows:
        last = whole[-1] if whole else row
        whole.append([old if new is None else new for old, new in zip(last, row, strict=True)])
    ends = [row[FROM] for row in whole[1:]] + [OPEN]
    return [[*row, end] for row, end in zip(whole, ends, strict=True)]


def _at_rest(table: Table, names: list[str]) -> Callable[[Change], bool]:
    """What tells whether an open row is of the kind that hardly changes again."""
    column, *values = table.final or ("",)
    if not values:
        return lambda _: bool(table.final)
    place = names.index(column)
    return lambda row: row[place] in values
