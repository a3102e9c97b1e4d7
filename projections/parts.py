"""The parts an interval table stands in, and the statements that move its rows.

An interval is a row with ``from_seq`` (its fact's) and ``to_seq`` (the next fact's about the same key, or ``OPEN``).
Rows still open and likely to change stand in ``<table>_now``, open ones that hardly change again in ``<table>_rest``,
those that are over in ``<table>_past``, and ``<table>`` is all of them (a table has no part in which none of its rows
can stand: each costs a question a quarter of a millisecond). ``<table>_moving`` leaves out ``_rest``: all
that is at work or waits, at any moment, is in there. So a fold costs what is alive, not what ever was
(measured at 1 M rows: 30 ms a batch of 5,000; in one table 90 ms). And what is over stands in the order in which it
ended: a question about a moment reads of it only the part around that moment, one about now nothing at all.
"""

# ruff: noqa: S608 - table and column names come from our own .sql files; values are parameters
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from projections import sums
from projections.sql import Table
from projections.statements import Statements
from projections.store import these

LOOK_AFTER = 20_000  # rows taken out
SPARSE = 3  # times as many rows as are alive
Rows = list[tuple[Any, ...]]


def create(db: duckdb.DuckDBPyConnection, table: Table) -> None:
    """The table, empty, and without its indices: see ``index``."""
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    if not table.key:
        db.execute(f"create table {table.name} ({columns})")
        return
    for part in table.parts:
        db.execute(f"create table {table.name}_{part} ({table.key} varchar, from_seq bigint, to_seq bigint, {columns})")
    moving = [part for part in table.parts if part != "rest"]
    for view, parts in ((table.name, table.parts), (f"{table.name}_moving", moving)):
        db.execute(f"create view {view} as {' union all '.join(f'from {table.name}_{part}' for part in parts)}")
    if table.sums:
        sums.create(db, table)


def index(db: duckdb.DuckDBPyConnection, tables: Iterable[Table]) -> bool:
    """Make the indices that are not there; whether there were any to make.

    Not before the log is folded up to its end: kept up to date they take a tenth of a catch-up's time, made at its
    end two thirds of that.
    """
    there = {name for (name,) in db.execute("select index_name from duckdb_indexes()").fetchall()}
    due = {
        f"{part}_{column}": f"{part} ({column})"
        for table in tables for column in table.index
        for part in ([f"{table.name}_{each}" for each in table.parts if each != "now"] or [table.name])
    }  # fmt: skip
    missing = due.keys() - there
    for name in missing:
        db.execute(f"create index {name} on {due[name]}")
    return bool(missing)


class Parts:
    """The parts of every table, on one connection. A change is a row without ``to_seq``: key, ``from_seq``, columns."""

    def __init__(self, db: duckdb.DuckDBPyConnection, statements: Statements) -> None:
        self._db = db
        self._statements = statements
        self._shapes: dict[str, pa.Schema] = {}
        self._gone: Counter[str] = Counter()  # rows taken out of a part since it was last looked at
        self._left: dict[str, list[int]] = {}  # by table, since when those stood that left their rest

    def shape(self, table: Table) -> pa.Schema:
        """The columns of a change."""
        if table.name not in self._shapes:
            empty = self._db.sql(f"select {_change(table)} from {table.name}_past limit 0")
            self._shapes[table.name] = empty.to_arrow_table().schema
        return self._shapes[table.name]

    def those(self, part: str, table: Table, keys: pa.Array) -> pa.Table:
        """The changes of these keys that stand in a part."""
        if not len(keys) or part not in table.parts:
            return self.shape(table).empty_table()
        return self._statements.ask(f"select {_change(table)} from {table.name}_{part} {_of_keys(table)}", _keys(keys))

    def delete(self, part: str, table: Table, rows: pa.Table) -> None:
        """Those changes, which stand in a part."""
        self._gone[f"{table.name}_{part}"] += len(rows)
        if part == "rest":
            self._left.setdefault(table.name, []).extend(rows["from_seq"].to_pylist())
        self._statements.run(f"delete from {table.name}_{part} {_of_keys(table)}", _keys(rows[table.key]))

    def take_out(self, part: str, table: Table, keys: list[str]) -> Rows:
        """The changes of these few keys that stood in a part; they are gone from it."""
        if not keys or part not in table.parts:
            return []
        where = f"where true {these(table.key, keys)}"
        sql = f"delete from {table.name}_{part} {where} returning {_change(table)}"
        rows = self._statements.look(sql, ids=keys)
        self._gone[f"{table.name}_{part}"] += len(rows)
        if part == "rest":
            self._left.setdefault(table.name, []).extend(row[1] for row in rows)
        return rows

    def remove(self, part: str, table: Table, rows: Sequence[Sequence[Any]]) -> None:
        """These few changes, which stand in a part other than ``rest``."""
        if rows:
            self._gone[f"{table.name}_{part}"] += len(rows)
            keys = [row[0] for row in rows]
            self._statements.look(f"delete from {table.name}_{part} where true {these(table.key, keys)}", ids=keys)

    def insert(self, part: str, table: Table, rows: pa.Table) -> None:
        """Changes with their ``to_seq``."""
        if len(rows):
            self._statements.run(f"insert into {table.name}_{part} by name select * from facts", rows)

    def left(self) -> dict[str, list[int]]:
        """By table, the ``from_seq`` of each row that was taken out of its rest since this was last asked."""
        left, self._left = self._left, {}
        return left

    def tidy(self) -> None:
        """Make a part anew that holds far more rows that were taken out than rows.

        DuckDB leaves them where they were, and every statement reads over them: a day of 200 agents at work leaves
        twenty million, a third of a second for each look at some two hundred that are alive.
        """
        for part in [name for name, gone in self._gone.items() if gone >= LOOK_AFTER]:
            self._gone[part] = 0
            ((alive, all_rows),) = self._db.execute(
                f"select (select count(*) from {part}), estimated_size from duckdb_tables() where table_name = '{part}'"
            ).fetchall()
            if all_rows > SPARSE * alive:
                indices = self._db.execute(f"select sql from duckdb_indexes() where table_name = '{part}'").fetchall()
                self._db.execute(f"create or replace table {part} as from {part}")
                for (index,) in indices:
                    self._db.execute(index)
                self._statements.renew()


def refuse_unknown(columns: Iterable[str], names: Sequence[str]) -> None:
    """``ValueError`` where a block sets a column that its table has not."""
    unknown = set(columns) - set(names)
    if unknown:
        raise ValueError(f"no table has the columns {', '.join(sorted(unknown))} that a block sets")


def _change(table: Table) -> str:
    return f"{table.key}, from_seq, * exclude ({table.key}, from_seq, to_seq)"


def _of_keys(table: Table) -> str:
    return f"where {table.key} in (select k from facts)"


def _keys(keys: pa.Array) -> pa.Table:
    return pa.table({"k": keys})
