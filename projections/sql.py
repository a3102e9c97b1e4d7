"""Reads the ``.sql`` files beside it. A projection is one file; a statement's name is the fact it takes in.

    -- interval tasks key task_id final state done failed               a table of intervals, its key, which rows rest:
    state varchar, agent_id varchar                                     those whose state is one of these; its columns

    -- append timeline                                                  a table that only grows
    seq bigint, says varchar

    -- index task_id run_id                                             the columns its rows are looked up by

    -- sums                                                             what its rows come to: see ``sums.py``
    select agent_id, count(*) as n from /*rows*/ group by all

    -- on task.submitted                                                a row for each fact: seq, key, what it sets
    select seq, task_id, 'ready' as state from facts

    -- on plan.sealed alone                                             sees the tables as they stood just before it
    -- after plan.sealed                                                a statement for the tables a seal leaves behind
    -- query rows                                                       asked by name, as ``tasks.rows``

``on any`` takes in all facts of a batch, ``on observation`` and ``on command`` the other two streams. A fact's columns
are its fields, nested ones joined by ``_`` (``spec_title``), and the envelope's: seq, at_us, stored_us, tag, actor,
cause, command_seq, part, parts, ended. A column a block leaves NULL carries over from the row before.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

FOLDER = Path(__file__).parent
ANY, OBSERVATION, COMMAND = "any", "observation", "command"
_SECTION = re.compile(r"^-- (interval|append|index|sums|on|after|query)( .+)?$", re.MULTILINE)
_INTERVAL = re.compile(r"(\w+) key (\w+)(?: final (.+))?")


class Block(msgspec.Struct, frozen=True):
    """What a table takes from one type of fact. ``alone``: the facts before it must be in the tables first."""

    sql: str
    alone: bool = False


class Table(msgspec.Struct, frozen=True):
    """A table and what feeds it. ``key``: empty for one that only grows. ``final``: a column and values of it that
    make a row one that hardly changes again; without values every row is. ``index``: columns its rows that are over or
    at rest are looked up by, however many of them there are. ``sums``: what its rows come to; empty for most."""

    name: str
    columns: dict[str, str]
    key: str = ""
    final: tuple[str, ...] = ()
    index: tuple[str, ...] = ()
    sums: str = ""
    on: dict[str, Block] = {}
    after: dict[str, str] = {}

    @property
    def parts(self) -> tuple[str, ...]:
        """What an interval table stands in (``parts.py``): none for one that only grows."""
        if not self.key:
            return ()
        return ("now", "past") if not self.final else ("now", "rest", "past") if self.final[1:] else ("rest", "past")

    @property
    def stream(self) -> Literal["EVENTS", "OBSERVATIONS", "COMMANDS"]:
        """The one stream that feeds it, so that its content does not depend on how streams interleave."""
        return {OBSERVATION: "OBSERVATIONS", COMMAND: "COMMANDS"}.get(next(iter(self.on)), "EVENTS")  # type: ignore[return-value]


class Sql(msgspec.Struct, frozen=True):
    """All there is in the files: tables by name, queries by ``file.name``, and a digest of every word of it."""

    tables: dict[str, Table]
    queries: dict[str, str]
    digest: str

    def of_stream(self, stream: str) -> list[Table]:
        return [table for table in self.tables.values() if table.stream == stream]


@cache
def load(folder: Path = FOLDER) -> Sql:
    """Every ``.sql`` file of the folder. ``ValueError`` names the file of a section that cannot be read."""
    tables: dict[str, Table] = {}
    queries: dict[str, str] = {}
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        digest.update(text.encode())
        table: Table | None = None
        for kind, rest, body in _sections(text):
            if kind in ("interval", "append"):
                table = _table(path, kind, rest, body)
                tables[table.name] = table
            elif kind == "query":
                queries[f"{path.stem}.{rest}"] = body
            elif table is None:
                raise ValueError(f"{path.name}: '-- {kind} {rest}' stands before any table")
            elif kind == "index":
                table = tables[table.name] = msgspec.structs.replace(table, index=tuple(rest.split()))
            elif kind == "sums":
                table = tables[table.name] = msgspec.structs.replace(table, sums=body)
            elif kind == "on":
                name, _, alone = rest.partition(" ")
                table.on[name] = Block(body, alone == "alone")
            else:
                table.after[rest] = body
    return Sql(tables, queries, digest.hexdigest())


def _sections(text: str) -> list[tuple[str, str, str]]:
    heads = list(_SECTION.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [
        (head[1], (head[2] or "").strip(), _uncommented(text[head.end() : end]))
        for head, end in zip(heads, ends, strict=True)
    ]


def _uncommented(text: str) -> str:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return "\n".join(lines).strip().rstrip(";")


def _table(path: Path, kind: str, rest: str, body: str) -> Table:
    pairs = [column.split(None, 1) for column in body.replace("\n", " ").split(",") if column.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{path.name}: the columns of '{rest}' are not 'name type, name type'")
    columns = {name: type_.strip() for name, type_ in pairs}
    if kind == "append":
        return Table(rest, columns, on={}, after={})
    parsed = _INTERVAL.fullmatch(rest)
    if parsed is None:
        raise ValueError(f"{path.name}: '-- interval {rest}' is not 'table key column [final column values]'")
    return Table(parsed[1], columns, parsed[2], tuple((parsed[3] or "").split()), on={}, after={})
