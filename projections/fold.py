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
import pyarrow.compute as pc

from projections.intervals import OPEN, begins, intervals
from projections.rows import MANY
from projections.sql import OBSERVATION, Sql, Table

FRESH = "fresh rows"
UNION = " union all by name "
NEWS_OF = {  # by table: a column, and what its ids are news of
    "runs": {"run_id": "runs", "task_id": "tasks", "agent_id": "agents"},
    "observations": {"run_id": "runs", "task_id": "tasks"},
}


class Touched(msgspec.Struct):
    """The tables a commit changed, and the ids it changed something about; None: more than ``MANY``."""

    tables: set[str] = set()
    keys: dict[str, set[str] | None] = {}

    def add(self, what: str, ids: pa.ChunkedArray) -> None:
        before = self.keys.get(what, set())
        different = None if before is None else pc.unique(ids)
        if before is None or different is None or len(different) > MANY:
            self.keys[what] = None
            return
        both = before | set(different.to_pylist())
        self.keys[what] = both if len(both) <= MANY else None


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
        found = {table.name: self._changes(table, relations.keys() & table.on.keys()) for table in changes if table.key}
        for table in changes:
            if table.key:
                self._note(table, self._move(table, found[table.name]), touched)
            else:
                self._append(table, relations.keys() & table.on.keys())
                self._note(table, relations.get(OBSERVATION), touched)
        for table in self._sql.of_stream(stream):
            for name in relations.keys() & table.after.keys():
                self._db.execute(_from(name, table.after[name]))
        # Only after success: a rollback takes them away by itself, and here would hide what went wrong.
        for name in relations:
            self._db.unregister(f"on {name}")

    def _append(self, table: Table, names: set[str]) -> None:
        """Every row the blocks make, into a table that only grows."""
        arms = [f"select * from ({_from(name, table.on[name].sql)})" for name in table.on if name in names]
        self._db.execute(f"insert into {table.name} by name {UNION.join(arms)}")

    def _changes(self, table: Table, names: set[str]) -> pa.Table:
        """Every row the blocks make, NULL where a block says nothing, and the open rows they follow (``standing``)."""
        key, now = table.key, f"{table.name}_now"
        bare = f"select {key}, from_seq, * exclude ({key}, from_seq, to_seq)"
        arms = [f"{bare} from {now} where false"]
        arms += [
            f"select seq as from_seq, * exclude (seq) from ({_from(name, table.on[name].sql)})"
            for name in table.on
            if name in names
        ]
        return self._db.sql(f"""
            with new as materialized ({UNION.join(arms)})
            from (select *, false as standing from new union all by name
                  select * exclude (to_seq), true as standing from {now} where {key} in (select {key} from new))
            order by {key}, from_seq
        """).to_arrow_table()

    def _move(self, table: Table, changes: pa.Table) -> pa.Table:
        """New rows end the open ones and stand in their place. The rows as they are now."""
        name, key = table.name, table.key
        rows = self._with_resting(table, changes)
        fresh = intervals(rows.drop_columns("standing"), key)
        self._db.register(FRESH, fresh)
        if pc.any(changes["standing"]).as_py():
            self._db.execute(f'delete from {name}_now where {key} in (select {key} from "{FRESH}")')
        rests = f"(to_seq < {OPEN} or {table.final})"
        self._db.execute(f'insert into {name}_past by name from "{FRESH}" where {rests}')
        if table.final != "true":
            self._db.execute(f'insert into {name}_now by name from "{FRESH}" where not {rests}')
        self._db.unregister(FRESH)
        return fresh

    def _with_resting(self, table: Table, changes: pa.Table) -> pa.Table:
        """A row at rest that changes after all (a failed task tried again) is taken out of the past.

        What is in neither is left out: a tape of one task names others that are not on it.
        """
        if "born" not in table.columns:
            return changes
        known = pc.or_(changes["standing"], pc.is_valid(changes["born"]))
        orphans = pc.and_not(begins(changes, table.key), known.combine_chunks())
        if not pc.any(orphans).as_py():
            return changes
        values = {"keys": changes.filter(orphans)[table.key].to_pylist()}
        resting = f"from {table.name}_past where to_seq = {OPEN} and {table.key} in (select unnest($keys))"
        found = self._db.sql(f"select *, true as standing {resting}", params=values).to_arrow_table()
        self._db.execute(f"delete {resting}", values)
        found = found.select(changes.column_names).cast(changes.schema)
        unknown = pa.array(set(values["keys"]) - set(found[table.key].to_pylist()), pa.string())
        changes = changes.filter(pc.invert(pc.is_in(changes[table.key], unknown)))
        return pa.concat_tables([changes, found]).sort_by([(table.key, "ascending"), ("from_seq", "ascending")])

    def _note(self, table: Table, rows: pa.Table | None, touched: Touched) -> None:
        """Which rows of the table changed, and whose they are: a run's step is also news of its task and its agent."""
        touched.tables.add(table.name)
        if rows is None:
            return
        for column, what in NEWS_OF.get(table.name, {table.key: table.name}).items():
            touched.add(what, rows[column])


def _from(name: str, sql: str) -> str:
    """The block with ``facts`` being the relation of its name."""
    if sql.startswith("delete"):
        return sql.replace("from facts", f'from "on {name}"')
    return f'with facts as (from "on {name}") {sql}'


def split(tags: Sequence[str], alone: set[str]) -> list[tuple[int, int]]:
    """Ranges of a batch to fold one after the other: a fact that must see the tables before it begins a range."""
    lone = [i for i, tag in enumerate(tags) if tag in alone]
    return [*pairwise(sorted({0, len(tags), *lone, *(i + 1 for i in lone)}))]
