"""What rows came to, by block of the log: a question about all runs adds up some thousand sums, not millions of runs.

A table with a section ``sums`` (``sql.py``) has, beside its parts, ``<table>_sums``: for each block of the log that is
folded whole, the sums over the rows that came to rest in it. The table ``<table>_summed(first, seq)`` is those of the
blocks before ``first``, and the same sums over all other rows that stood at ``seq``, so that adding it up gives what
adding up the rows themselves would have, now and at any moment. A row that leaves its rest, which few do, has its block
summed anew in the same transaction.
"""

# ruff: noqa: S608 - table names and sums come from our own .sql files; block numbers are ours
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import duckdb

from projections.sql import Table

BLOCK = 1 << 17  # facts: what is not summed yet is read over, so it should be little; so should the sums


def first_unsummed(seq: int) -> int:
    """Where the block begins that ``seq`` does not end: all before it is summed once that fact is folded."""
    return (seq + 1) // BLOCK * BLOCK


def create(db: duckdb.DuckDBPyConnection, table: Table) -> None:
    """The table of sums, empty, and what adds to it what is not summed yet."""
    name = table.name
    db.execute(f"create or replace table {name}_sums as {_by_block(table, f'{name}_rest')} limit 0")
    rest = f"from {name}_rest where from_seq >= first_seq and from_seq <= at_seq"
    moving = f"from {name}_moving where from_seq <= at_seq and to_seq > at_seq"
    unsummed = _sums(table, f"({rest} union all {moving})")
    summed = f"from (select * exclude (block) from {name}_sums where block < first_seq // {BLOCK})"
    db.execute(
        f"create or replace macro {name}_summed(first_seq, at_seq) as table "
        f"{summed} union all by name from ({unsummed})"
    )


def sum_up(
    db: duckdb.DuckDBPyConnection,
    tables: Iterable[Table],
    moved: Mapping[str, Collection[int]],
    before: int,
    after: int,
) -> None:
    """Sum the blocks that a fold of the facts from ``before`` to ``after`` made whole, and those summed before in which
    a row left its rest; ``moved``: by table, since when such rows had stood."""
    for table in tables:
        new = range(first_unsummed(before) // BLOCK, first_unsummed(after) // BLOCK)
        again = {seq // BLOCK for seq in moved.get(table.name, ()) if seq < new.start * BLOCK}
        for block in sorted({*again, *new}):
            within = f"(from {table.name}_rest where from_seq between {block * BLOCK} and {(block + 1) * BLOCK - 1})"
            db.execute(f"delete from {table.name}_sums where block = {block}")
            db.execute(f"insert into {table.name}_sums by name {_by_block(table, within)}")


def _by_block(table: Table, rows: str) -> str:
    return f"select from_seq // {BLOCK} as block, {_sums(table, rows).removeprefix('select')}"


def _sums(table: Table, rows: str) -> str:
    return table.sums.replace("/*rows*/", rows)
