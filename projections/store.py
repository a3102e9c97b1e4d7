"""DuckDB, owned by one thread that writes and a few that read. Nobody else, and no other process, opens the file."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Concatenate, ParamSpec, TypeVar

import duckdb

from projections.known import PARAMETER, Known, Rows
from projections.narrow import narrowed
from projections.sql import Sql, load
from projections.statements import read
from projections.sums import first_unsummed

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)

READERS = 4
FEW = 200  # ids worth comparing with one by one
ONE_BY_ONE = " where list_contains($ids, {}) offset 0"
READ = 500  # statements each reader keeps
FOLD_NICE = 4
WAL_ALARM_BYTES, WAL_LOOK = 1 << 30, 100  # looked at every hundredth commit
# A checkpoint each 256 MB instead of 16: measured 1.5 to 3 times the insert rate. One thread a statement: a fold of
# 5,000 facts takes 13 us each instead of 16, and the other cores belong to other readers and to the rest of the system.
# Times are integers, so no zone comes in.
CONFIG: dict[str, Any] = {"checkpoint_threshold": "256MB", "memory_limit": "1GB", "threads": "1"}


class StoreLocked(Exception):
    """Another process has the file open."""


class StoreFailed(Exception):
    """The file could not be written: a full disk, no memory. Nothing of the batch was kept; it can be tried again."""


def these(column: str, ids: Collection[str]) -> str:
    """The clause that a column is one of ``$ids``: for few a comparison in the scan, for many a join."""
    return f"and list_contains($ids, {column})" if len(ids) <= FEW else f"and {column} in (select unnest($ids))"


def only(column: str, ids: Collection[str]) -> str:
    """The clause that narrows a table to the rows of ``$ids`` in a subquery of its own: ``(from tasks/*ids*/) t``.

    DuckDB looks into an index only where a scan has one condition. Past ``offset 0`` it pushes no other.
    """
    return ONE_BY_ONE.format(column) if len(ids) <= FEW else f" where {column} in (select unnest($ids))"


class Reader:
    """What a query reads with: named statements of the ``.sql`` files, or text, always fetched to the end.

    (A result left open pins the write-ahead log, so there is no other way to fetch.)
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection, sql: Sql, known: Known) -> None:
        self._cursor = cursor
        self._sql = sql
        self._known = known
        self._read = lru_cache(READ)(partial(read, cursor))
        self._narrowed = lru_cache(READ)(partial(narrowed, tables=sql.tables))

    @property
    def folded(self) -> int:
        """How far EVENTS is folded."""
        return self._known.folded

    def ask(self, name: str, clauses: Mapping[str, str] | None = None, /, **values: Any) -> list[dict[str, Any]]:
        """The rows of the query ``file.name``, as dicts by column. ``clauses`` take the place of ``/*name*/`` in it."""
        if "seq" in values:
            values["unsummed"] = first_unsummed(min(values["seq"], self._known.folded))
        text = self._sql.queries[name]
        for place, clause in (clauses or {}).items():
            text = text.replace(f"/*{place}*/", clause)
        return self._known.answer(text, values, self.look)

    def look(self, text: str, /, **values: Any) -> Rows:
        """The rows of a question about the tables; of each only the columns it names are read."""
        return self.run(self._narrowed(text), **values)

    def run(self, text: str, /, **values: Any) -> Rows:
        """The rows of a statement with parameters ``$name``; values it does not name are left out."""
        named = {name: values[name] for name in set(PARAMETER.findall(text))}
        done = self._cursor.execute(self._read(text), named or None)
        names = [column[0] for column in done.description or ()]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


class Store:
    """The file and its threads. ``open_store`` makes one; ``close`` ends it."""

    def __init__(self, path: Path | None, sql: Sql) -> None:
        self.path = path
        self.sql = sql
        self.known = Known()
        self._writes, self._warned = 0, False
        self._scratch = TemporaryDirectory(prefix="switchtower-model-") if path is None else None
        self._db = _connect(path, self._scratch.name if self._scratch else f"{path}.tmp")
        self._writer = ThreadPoolExecutor(1, "read-model-writer")
        self._gave_way = False
        self._readers = ThreadPoolExecutor(READERS, "read-model-reader")
        self._local = threading.local()

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The writer's connection; to be used in ``write`` only."""
        return self._db

    async def write(
        self, work: Callable[Concatenate[duckdb.DuckDBPyConnection, P], T], *args: P.args, **named: P.kwargs
    ) -> T:
        """Run ``work`` on the writer's thread in one transaction: all of it is kept, or nothing."""
        return await asyncio.get_running_loop().run_in_executor(
            self._writer, lambda: self._transact(lambda db: work(db, *args, **named))
        )

    async def query(self, ask: Callable[Concatenate[Reader, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Run a query on a reader's thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, lambda: ask(self._reader(), *args, **named)
        )

    async def give_way(self) -> None:
        """Write from now on with what deciding and working leave of the processor."""
        if not self._gave_way:
            self._gave_way = True
            await asyncio.get_running_loop().run_in_executor(self._writer, _give_way)

    def close(self) -> None:
        """Finish what is being written, end the threads, close the file."""
        self._readers.shutdown(wait=True, cancel_futures=True)
        self._writer.shutdown(wait=True, cancel_futures=True)
        self._db.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def _transact(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        self._db.execute("begin")
        try:
            result = work(self._db)
            self._db.execute("commit")
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            _roll_back(self._db)
            raise StoreFailed(f"read model {self.path or 'in memory'} cannot be written: {error}") from error
        except BaseException:
            _roll_back(self._db)
            raise
        self._watch_wal()
        return result

    def _watch_wal(self) -> None:
        """Say once when the write-ahead log grows beyond measure: a result left open keeps it from being taken in."""
        self._writes += 1
        if self.path is None or self._writes % WAL_LOOK or self._warned:
            return
        wal = _wal(self.path)
        if wal.exists() and wal.stat().st_size > WAL_ALARM_BYTES:
            self._warned = True
            log.warning("write-ahead log %s is over %d MB: some reader keeps an old result", wal, WAL_ALARM_BYTES >> 20)

    def _reader(self) -> Reader:
        reader: Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = Reader(self._db.cursor(), self.sql, self.known)
        return reader


def open_store(path: Path | None, sql: Sql | None = None) -> Store:
    """The store at ``path`` (None: in memory). A file that cannot be read is put aside: the log has everything.

    ``StoreLocked`` when another process has it.
    """
    sql = sql or load()
    try:
        return Store(path, sql)
    except duckdb.Error as error:
        if path is None or not path.exists():
            raise
        _raise_if_locked(path, error)
        aside = path.with_name(path.name + ".broken")
        log.warning("read model %s cannot be read (%s): kept as %s, folded anew from the log", path, error, aside.name)
        path.replace(aside)
        _wal(path).unlink(missing_ok=True)
        return Store(path, sql)


def remove(path: Path) -> None:
    """Delete the file and its write-ahead log."""
    path.unlink(missing_ok=True)
    _wal(path).unlink(missing_ok=True)


def _wal(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _connect(path: Path | None, spill: str) -> duckdb.DuckDBPyConnection:
    """``spill``: a folder for what does not fit into memory; a store in memory has none of its own."""
    config = CONFIG | {"temp_directory": spill}
    if path is None:
        return duckdb.connect(":memory:", config=config)
    path.parent.mkdir(parents=True, exist_ok=True)
    return duckdb.connect(str(path), config=config)


def _raise_if_locked(path: Path, error: duckdb.Error) -> None:
    if "lock" in str(error).lower():
        holder = re.search(r"PID (\d+)", str(error))
        who = f"process {holder[1]}" if holder else "another process"
        raise StoreLocked(
            f"read model {path} is open in {who}: one console folds into one file. Stop that one, or start this one "
            "with another --data"
        ) from error


def _give_way() -> None:
    """Fold with what deciding and working leave of the processor: a quarter more tasks a second on two cores, and under
    full load a read model 0.2 s later. Only on Linux is a nice value a thread's own."""
    if sys.platform == "linux":
        os.nice(FOLD_NICE)


def _roll_back(db: duckdb.DuckDBPyConnection) -> None:
    try:
        db.execute("rollback")
    except duckdb.Error:  # the failed statement may have ended the transaction itself
        log.debug("nothing to roll back")
