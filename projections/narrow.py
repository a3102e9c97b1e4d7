"""A question about a table reads just the columns it names, of just the parts it is about.

A view of an interval table (``parts.py``) has all its columns, three times, and DuckDB binds each of them again for
every question: a third of what it takes to count ten rows. So where a question says ``from runs``, it is asked of the
parts themselves. Columns are told by their names, wherever those stand in it: one too many only costs a little. What a
question answers it has to name; one that begins with ``select *`` is left as it is, and the tests look at the others.
"""

# ruff: noqa: S608 - table and column names come from our own .sql files
from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from projections.sql import Table

_KEYWORDS = (
    "where|join|left|right|full|cross|inner|anti|semi|asof|natural|on|using|group|order|having|limit|offset|union|"
    "intersect|except|qualify|window|and|or|select"
)
_WORD = re.compile(r"\w+")
_ALL = re.compile(r"\s*select \*")  # then what it answers are the table's own columns


def narrowed(text: str, tables: Mapping[str, Table]) -> str:
    """The text with each interval table, and its ``_moving``, as a subquery of the columns that are named in it."""
    if _ALL.match(text):
        return text
    words = set(_WORD.findall(text))

    def parts_of(found: re.Match[str]) -> str:
        before, name, moving, alias = found.groups()
        return f"{before} ({_parts(tables[name], words, moving=bool(moving))}) {alias or name + (moving or '')}"

    return _tables(tuple(name for name, table in tables.items() if table.key)).sub(parts_of, text)


def _parts(table: Table, words: set[str], *, moving: bool) -> str:
    named = [column for column in (table.key, "from_seq", "to_seq", *table.columns) if column in words]
    parts = [part for part in table.parts if not (moving and part == "rest")]
    return " union all ".join(f"select {', '.join(named or [table.key])} from {table.name}_{part}" for part in parts)


@cache
def _tables(names: tuple[str, ...]) -> re.Pattern[str]:
    """``from tasks_moving t``: the word before, the table, whether it is the moving one, its alias."""
    return re.compile(rf"\b(from|join)\s+({'|'.join(names)})(_moving)?\b(?!\.)(?:\s+(?!(?:{_KEYWORDS})\b)([a-z_]\w*))?")
