"""Statements over Arrow tables, planned once.

Planning a statement takes DuckDB ten times as long as running it over the few rows of a small fold (measured, 12 facts
into ``runs``: 1.6 ms against 0.14). So what is run over few rows is prepared, over a source whose rows are changed
between two runs; over many rows it is planned for them.
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import Any

import duckdb
import pyarrow as pa

FEW = 500  # rows
_FACTS = re.compile(r"\bfacts\b")


class Source:
    """What a prepared statement reads under its own name: other rows each time, always of one schema."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows

    def __arrow_c_schema__(self) -> object:
        return self.rows.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.rows.__arrow_c_stream__(requested_schema)


class Prepared:
    """A statement that is planned; ``columns``: the schema of what it gives, None until somebody asked."""

    def __init__(self, name: str, reads: str, source: Source) -> None:
        self.name, self.reads = name, reads
        self.call = f"execute {name}"
        self.source = source
        self.columns: pa.Schema | None = None
        self.names: list[str] = []


class Statements:
    """Runs statements that read an Arrow table under the name ``facts``, on one connection."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self._db = db
        self._prepared: dict[str, list[Prepared]] = {}
        self._read = cache(partial(read, db))
        self._made = 0

    def forget(self) -> None:
        """What was prepared in a transaction that was rolled back is gone."""
        self._prepared = {}

    def renew(self) -> None:
        """Plan anew what is run next: tables were made, and a plan from before is made again for each run of it."""
        for prepared in (each for known in self._prepared.values() for each in known):
            self._db.execute(f"deallocate {prepared.name}")
            self._db.unregister(prepared.reads)
        self._prepared = {}

    def run(self, sql: str, facts: pa.Table, *, anew: bool = False) -> None:
        """``anew``: planned for the tables as they are now."""
        if anew or len(facts) > FEW:
            self._db.execute(sql)
        else:
            self._ready(sql, facts)

    def ask(self, sql: str, facts: pa.Table, *, anew: bool = False) -> pa.Table:
        if anew or len(facts) > FEW:
            return self._db.sql(sql).to_arrow_table()
        prepared = self._ready(sql, facts)
        rows = self._db.fetchall()
        if prepared.columns is None:
            prepared.columns = self._db.sql(sql).to_arrow_table().schema
        return as_table(rows, prepared.columns)

    def rows(self, sql: str, facts: pa.Table) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The columns' names and the rows of what it gives, over few."""
        prepared = self._ready(sql, facts)
        rows = self._db.fetchall()
        if not prepared.names:
            prepared.names = [column[0] for column in self._db.description or ()]
        return prepared.names, rows

    def look(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement with parameters, read once: DuckDB plans one of those anew however it is called."""
        return self._db.execute(self._read(sql), values).fetchall()

    def _ready(self, sql: str, facts: pa.Table) -> Prepared:
        """The statement, prepared and run over these rows."""
        known = self._prepared.setdefault(sql, [])
        prepared = next((each for each in known if each.source.rows.schema.equals(facts.schema)), None)
        if prepared is None:
            prepared = self._prepare(sql, facts)
            known.append(prepared)
        prepared.source.rows = facts
        self._db.execute(prepared.call)
        return prepared

    def _prepare(self, sql: str, facts: pa.Table) -> Prepared:
        self._made += 1
        name = f"facts_{self._made}"
        source = Source(facts)
        self._db.register(name, source)
        self._db.execute(f"prepare p{name} as {_FACTS.sub(name, sql)}")
        return Prepared(f"p{name}", name, source)


def read(db: duckdb.DuckDBPyConnection, text: str) -> duckdb.Statement:
    """What a text says. Reading it takes a sixth of the time of a small question, so whoever asks again keeps it."""
    [statement] = db.extract_statements(text)
    return statement


def as_table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)
