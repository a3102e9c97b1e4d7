"""A batch of one stream into the tables it feeds: what every block says becomes rows, and intervals.

An interval is a row with ``from_seq`` (its fact's) and ``to_seq`` (the next fact's about the same key, or ``OPEN``).
Rows still open and likely to change stand in ``<table>_now``, all others in ``<table>_past``, and ``<table>`` is both:
so a fold costs what is alive, not what ever was (measured at 1 M rows: 30 ms a batch of 5,000; in one table 90 ms).
"""

# ruff: noqa: S608 - table and column names come from our own .sql files; values are parameters
from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import duckdb
import msgspec
import pyarrow as pa

from projections.rows import MANY
from projections.sql import Sql, Table

OPEN = 2**62  # to_seq of a row that still holds
NEWS_OF = {  # by table: a column, and what its ids are news of
    "runs": {"run_id": "runs", "task_id": "tasks", "agent_id": "agents"},
    "observations": {"run_id": "runs", "task_id": "tasks"},
}


class Touched(msgspec.Struct):
    """The tables a commit changed, and the ids it changed something about; None: more than ``MANY``."""

    tables: set[str] = set()
    keys: dict[str, set[str] | None] = {}

    def add(self, what: str, ids: set[str]) -> None:
        before = self.keys.get(what, set())
        both = None if before is None else before | ids
        self.keys[what] = None if both is None or len(both) > MANY else both


def create(db: duckdb.DuckDBPyConnection, table: Table) -> None:
    """The table, empty."""
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    if not table.key:
        db.execute(f"create table {table.name} ({columns})")
        return
    for part in ("now", "past"):
        db.execute(f"create table {table.name}_{part} ({table.key} varchar, from_seq bigint, to_seq bigint, {columns})")
    db.execute(f"create view {table.name} as from {table.name}_now union all from {table.name}_past")


class Fold:
    """Folds batches through one connection, inside the caller's transaction."""

    def __init__(self, db: duckdb.DuckDBPyConnection, sql: Sql) -> None:
        self._db = db
        self._sql = sql

    def take(self, stream: str, relations: Mapping[str, pa.Table], touched: Touched) -> None:
        """Fold the relations, by block name, and add to ``touched`` what they changed."""
        for name, relation in relations.items():
            self._db.register(f"on {name}", relation)
        changes = [table for table in self._sql.of_stream(stream) if relations.keys() & table.on.keys()]
        # All blocks look before any table moves.
        for table in changes:
            self._collect(table, relations.keys() & table.on.keys())
        for table in changes:
            if table.key:
                self._move(table)
        for table in self._sql.of_stream(stream):
            for name in relations.keys() & table.after.keys():
                self._db.execute(_from(name, table.after[name]))
        for table in changes:
            self._note(table, touched)
        # Only after success: a rollback takes them away by itself, and here would hide what went wrong.
        for name in relations:
            self._db.unregister(f"on {name}")

    def _collect(self, table: Table, names: set[str]) -> None:
        """Every row the blocks make, NULL where a block says nothing. A table that only grows takes them at once."""
        rows = [_from(name, table.on[name].sql) for name in table.on if name in names]
        if not table.key:
            arms = [f"select * from ({row})" for row in rows]
            self._db.execute(f"insert into {table.name} by name " + " union all by name ".join(arms))
            return
        shape = f"select {table.key}, from_seq, * exclude ({table.key}, from_seq, to_seq)"
        arms = [
            f"{shape} from {table.name}_past where false",
            *(f"select seq as from_seq, * exclude (seq) from ({row})" for row in rows),
        ]
        self._db.execute(f"create or replace temp table {table.name}_new as " + " union all by name ".join(arms))

    def _move(self, table: Table) -> None:
        """New rows end the ones before and stand in their place."""
        name, key = table.name, table.key
        old = f"{key} in (select {key} from {name}_new)"
        self._db.execute(f"create or replace temp table {name}_old as select * from {name}_now where {old}")
        self._revive(table)
        self._db.execute(f"create or replace temp table {name}_fresh as {_intervals(table)}")
        self._db.execute(f"delete from {name}_now where {old}")
        rests = f"(to_seq < {OPEN} or {table.final})"
        self._db.execute(f"insert into {name}_past by name from {name}_fresh where {rests}")
        if table.final != "true":
            self._db.execute(f"insert into {name}_now by name from {name}_fresh where not {rests}")

    def _note(self, table: Table, touched: Touched) -> None:
        """Which rows of the table changed, and whose they are: a run's step is also news of its task and its agent."""
        touched.tables.add(table.name)
        source = f"{table.name}_fresh" if table.key else '"on observation"'
        for column, what in NEWS_OF.get(table.name, {table.key: table.name} if table.key else {}).items():
            if touched.keys.get(what, set()) is not None:
                found = self._db.execute(f"select distinct {column} from {source} limit {MANY + 1}").fetchall()
                touched.add(what, {row[0] for row in found})

    def _revive(self, table: Table) -> None:
        """A row at rest that changes after all (a failed task tried again) is taken out of the past."""
        if table.final == "false":
            return
        name, key = table.name, table.key
        resting = self._db.execute(
            f"select {key} from {name}_new group by {key} "
            f"having max(born) is null and {key} not in (select {key} from {name}_old)"
        ).fetchall()
        if resting:
            rows = f"to_seq = {OPEN} and {key} in (select unnest($keys))"
            keys = {"keys": [row[0] for row in resting]}
            self._db.execute(f"insert into {name}_old by name from {name}_past where {rows}", keys)
            self._db.execute(f"delete from {name}_past where {rows}", keys)


def _from(name: str, sql: str) -> str:
    """The block with ``facts`` being the relation of its name."""
    if sql.startswith("delete"):
        return sql.replace("from facts", f'from "on {name}"')
    return f'with facts as (from "on {name}") {sql}'


def _intervals(table: Table) -> str:
    """Old open rows and new ones by key and sequence: each ends where the next begins and keeps what it leaves out."""
    carried = ", ".join(f"last_value({column} ignore nulls) over w as {column}" for column in table.columns)
    return f"""
        select {table.key}, from_seq, lead(from_seq, 1, {OPEN}) over w as to_seq, {carried}
        from (from {table.name}_new union all by name select * exclude (to_seq) from {table.name}_old)
        window w as (partition by {table.key} order by from_seq rows between unbounded preceding and current row)
    """


def split(tags: Sequence[str], alone: set[str]) -> list[tuple[int, int]]:
    """Ranges of a batch to fold one after the other: a fact that must see the tables before it begins a range."""
    lone = [i for i, tag in enumerate(tags) if tag in alone]
    return [*pairwise(sorted({0, len(tags), *lone, *(i + 1 for i in lone)}))]
