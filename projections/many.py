"""Many rows of an interval table at once, in Arrow: changes go in, and end the rows that stood before them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from projections.intervals import OPEN, intervals
from projections.parts import Parts, refuse_unknown
from projections.sql import Table
from projections.statements import Statements

TOLD = 1_000  # rows: of more than so many nobody is told one by one


class Moved(msgspec.Struct):
    """The rows that stood before, and all that changed."""

    key: str
    before: pa.Table
    fresh: pa.Table

    def ids(self, column: str) -> pa.Array:
        return pc.unique(self.fresh[column])

    def pairs(self) -> list[tuple[dict[str, Any] | None, dict[str, Any]]] | None:
        """Of each key the row that stood before (None: it is new) and the one that stands now, by column; None where
        they are too many."""
        if len(self.fresh) > TOLD:
            return None
        before = {row[self.key]: row for row in self.before.to_pylist()}
        now = self.fresh.filter(pc.equal(self.fresh["to_seq"], OPEN)).drop_columns("to_seq")
        return [(before.get(row[self.key]), row) for row in now.to_pylist()]


class Many:
    """A block reads ``facts``: DuckDB finds the Arrow table of that name among the arguments of what runs it."""

    def __init__(self, statements: Statements, parts: Parts) -> None:
        self._statements = statements
        self._parts = parts

    def changes(self, table: Table, relations: Mapping[str, pa.Table]) -> pa.Table:
        """Every row the blocks make, NULL where a block says nothing."""
        made = [
            self._statements.ask(block.sql, relations[name], anew=block.alone)
            for name, block in table.on.items() if name in relations
        ]  # fmt: skip
        shape = self._parts.shape(table)
        return pa.concat_tables([in_shape(rows.rename_columns({"seq": "from_seq"}), shape) for rows in made])

    def move(self, table: Table, changes: pa.Table) -> Moved:
        """New rows end the open ones and stand in their place."""
        parts, key = self._parts, table.key
        born = changes.filter(pc.is_valid(changes["born"]))[key] if "born" in table.columns else changes[key][:0]
        older = without(pc.unique(changes[key]), born)
        standing = parts.those("now", table, older)
        if len(standing):
            parts.delete("now", table, standing)
        resting = parts.those("rest", table, without(older, standing[key]))
        if len(resting):  # a failed task is tried again
            parts.delete("rest", table, resting)
        if "born" in table.columns:  # a tape of one task names others that are not on it
            strange = without(without(older, standing[key]), resting[key])
            changes = changes.filter(pc.invert(pc.is_in(changes[key], strange)))
        before = pa.concat_tables([standing, resting])
        rows = pa.concat_tables([changes, before])
        fresh = intervals(rows.sort_by([(key, "ascending"), ("from_seq", "ascending")]), key)
        over = pc.less(fresh["to_seq"], OPEN)
        parts.insert("past", table, fresh.filter(over))
        still = fresh.filter(pc.invert(over))
        rests = at_rest(table, still)
        parts.insert("rest", table, still.filter(rests))
        parts.insert("now", table, still.filter(pc.invert(rests)))
        return Moved(key, before, fresh)


def in_shape(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with exactly these columns, NULL where they have none."""
    there = set(rows.column_names)
    refuse_unknown(there, schema.names)
    columns = [
        rows[field.name].cast(field.type) if field.name in there else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def without(keys: pa.Array, others: pa.ChunkedArray) -> pa.Array:
    return keys.filter(pc.invert(pc.is_in(keys, others)))


def at_rest(table: Table, rows: pa.Table) -> pa.ChunkedArray:
    """Whether an open row is of the kind that hardly changes again."""
    column, *values = table.final or ("to_seq",)
    if not table.final:
        return pc.is_null(rows[column])
    return pc.is_in(rows[column], pa.array(values)) if values else pc.is_valid(rows["to_seq"])
