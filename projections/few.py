"""Few rows of an interval table at once, row by row: what Arrow does to thirty columns costs more than they are worth.

Measured for 30 facts: 26 ms of processor time with the columns of ``many.py``, 17 with these rows.
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
Change = Sequence[Any]  # key, from_seq, the table's columns; None where a block says nothing
KEY, FROM = 0, 1


class Moved(msgspec.Struct):
    """The rows that stood before, by key, and all that changed, in order, ``to_seq`` at their end."""

    names: list[str]
    before: dict[str, Change]
    fresh: list[Change]

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

    def changes(self, table: Table, relations: Mapping[str, pa.Table]) -> list[Change]:
        """Every row the blocks make."""
        names = self._parts.shape(table).names
        made: list[Change] = []
        for name, block in table.on.items():
            if name in relations:
                columns, rows = self._statements.rows(block.sql, relations[name])
                made += map(_placing(columns, names), rows)
        return made

    def move(self, table: Table, changes: list[Change]) -> Moved:
        """New rows end the open ones and stand in their place."""
        shape = self._parts.shape(table)
        born = _born(table, changes, shape.names)
        before = self._before(table, sorted({row[KEY] for row in changes} - born))
        by_key: dict[str, list[Change]] = {key: [row] for key, row in before.items()}
        for change in sorted(changes, key=lambda row: (row[KEY], row[FROM])):
            if change[KEY] in before or change[KEY] in born or "born" not in table.columns:
                by_key.setdefault(change[KEY], []).append(change)  # a tape of one task names others not on it
        fresh = [row for key in sorted(by_key) for row in _intervals(by_key[key])]
        rests = _at_rest(table, shape.names)
        past = [row for row in fresh if row[-1] < OPEN]
        still = [row for row in fresh if row[-1] == OPEN]
        self._insert("past", table, past, shape)
        self._insert("rest", table, [row for row in still if rests(row)], shape)
        self._insert("now", table, [row for row in still if not rests(row)], shape)
        return Moved(shape.names, before, fresh)

    def _before(self, table: Table, older: list[str]) -> dict[str, Change]:
        """How those stood that are not new, by key; they stand no longer."""
        rows = self._parts.take_out("now", table, older)
        if len(rows) < len(older):
            standing = {row[KEY] for row in rows}
            rows += self._parts.take_out("rest", table, [key for key in older if key not in standing])
        return {row[KEY]: row for row in rows}

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
