"""A batch of one stream into the tables it feeds: what every block says becomes rows, and intervals (``parts.py``).

Each block runs alone, and what they make is put together here: planning one query of all blocks of a table takes
several times longer than the blocks themselves (measured for three facts: 10 ms against 3).
"""

# ruff: noqa: S608 - table names come from our own .sql files
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from projections import sums
from projections.few import FEW, Few
from projections.few import Moved as Rows
from projections.many import Many
from projections.many import Moved as Columns
from projections.parts import Parts
from projections.roster import WATCHED
from projections.rows.positions import MANY
from projections.sql import OBSERVATION, Sql, Table
from projections.statements import Statements

NEWS_OF = {  # by table: a column, and what its ids are news of
    "runs": {"run_id": "runs", "task_id": "tasks", "agent_id": "agents"},
    "observations": {"run_id": "runs", "task_id": "tasks"},
}


class Touched(msgspec.Struct):
    """The tables a commit changed, and the ids it changed something about; None: more than ``MANY``. ``tell`` hears of
    it early."""

    tell: Callable[[Touched], None] = lambda _: None
    tables: set[str] = set()
    keys: dict[str, set[str] | None] = {}
    moved: dict[str, Any] = {}  # of the tables a roster is kept from: see there
    told: bool = False  # whether the roster was told of ``moved`` before it was written, and who shows rows of it

    def add(self, what: str, ids: set[str] | pa.Array) -> None:
        before = self.keys.get(what, set())
        many = before is None or len(ids) > MANY
        both = None if many or before is None else before.union(ids if isinstance(ids, set) else ids.to_pylist())
        self.keys[what] = None if both is None or len(both) > MANY else both


class Fold:
    """Folds batches through one connection, inside the caller's transaction."""

    def __init__(self, db: duckdb.DuckDBPyConnection, sql: Sql) -> None:
        self._db, self._sql = db, sql
        self._summed = [table for table in sql.tables.values() if table.sums]
        self.statements = Statements(db)
        self._parts = Parts(db, self.statements)
        self._few = Few(self.statements, self._parts)
        self._many = Many(self.statements, self._parts)

    def forget(self) -> None:
        """What was done in this transaction was rolled back, or the tables are others."""
        self.statements.forget()
        self._few.forget()

    def take(self, stream: str, relations: Mapping[str, pa.Table], touched: Touched) -> None:
        """Fold the relations, by block name, and add to ``touched`` what they changed; it is told before anything new
        is written, where what rosters are kept from is known by then."""
        tables = [table for table in self._sql.of_stream(stream) if relations.keys() & table.on.keys()]
        # All blocks look before any table moves.
        ways = {table.name: (self._how(table, relations), table) for table in tables if table.key}
        changes = {name: how.changes(table, relations) for name, (how, table) in ways.items()}
        few = {name: self._few.moved(table, changes[name]) for name, (how, table) in ways.items() if how is self._few}
        for name, rows in few.items():
            self._note(ways[name][1], rows, touched)
        if not WATCHED & (ways.keys() - few.keys()):
            touched.tell(touched)
        for table in tables:
            if not table.key:
                self._append(table, relations)
                self._note(table, relations.get(OBSERVATION), touched)
        for name, (_, table) in ways.items():
            if name in few:
                self._few.move(table, few[name])
            else:
                self._few.forget(name)
                self._note(table, self._many.move(table, changes[name]), touched)
        for table in self._sql.of_stream(stream):
            for name in relations.keys() & table.after.keys():
                self.statements.run(table.after[name], relations[name], anew=True)
        self._parts.tidy()

    def sum_up(self, before: int, after: int) -> None:
        """Bring the sums up to the facts that were taken since ``before``."""
        sums.sum_up(self._db, self._summed, self._parts.left(), before, after)

    def _how(self, table: Table, relations: Mapping[str, pa.Table]) -> Any:
        """In rows or in columns: one seal alone can be news of a hundred thousand tasks."""
        mine = [(block, relations[name]) for name, block in table.on.items() if name in relations]
        few = all(len(facts) <= FEW and not block.alone for block, facts in mine)
        return self._few if few else self._many

    def _append(self, table: Table, relations: Mapping[str, pa.Table]) -> None:
        """Every row the blocks make, into a table that only grows."""
        for name, block in table.on.items():
            if name in relations:
                sql = f"insert into {table.name} by name select * from ({block.sql})"
                self.statements.run(sql, relations[name], anew=block.alone)

    def _note(self, table: Table, rows: Rows | Columns | pa.Table | None, touched: Touched) -> None:
        """Which rows of the table changed, and whose they are: a run's step is also news of its task and its agent."""
        touched.tables.add(table.name)
        if rows is None:
            return
        for column, what in NEWS_OF.get(table.name, {table.key: table.name}).items():
            touched.add(what, pc.unique(rows[column]) if isinstance(rows, pa.Table) else rows.ids(column))
        if isinstance(rows, pa.Table):
            touched.moved[table.name] = rows
        elif table.name in WATCHED:
            before, pairs = touched.moved.get(table.name, []), rows.pairs()
            touched.moved[table.name] = None if before is None or pairs is None else [*before, *pairs]


def split(tags: Sequence[str], alone: set[str]) -> list[tuple[int, int]]:
    """Ranges of a batch to fold one after the other: a fact that must see the tables before it begins a range."""
    lone = [i for i, tag in enumerate(tags) if tag in alone]
    return [*pairwise(sorted({0, len(tags), *lone, *(i + 1 for i in lone)}))]
