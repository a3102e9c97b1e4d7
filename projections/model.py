"""The read model: the tables, how far each stream is folded into them, and batches taken in exactly once.

Rows and position change in one transaction, so a crash loses both or neither. Knows no ledger: ``projector.py`` brings
the batches, and so does a tape or a test.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from core.domain.machine import tag
from core.envelope import GENESIS_CHAIN, chain_of
from core.ledger import Gap, Stored, Stream
from projections.agents import agents
from projections.facts import Shaper, Unreadable, decode
from projections.fold import Fold, Touched, split
from projections.parts import create, index
from projections.roster import Roster, load
from projections.rows import At
from projections.rows.agents import Agent
from projections.rows.positions import Changed
from projections.sql import Sql
from projections.store import Reader, Store
from projections.sums import BLOCK

STREAMS: tuple[Stream, ...] = ("EVENTS", "OBSERVATIONS", "COMMANDS")
LEARN_EVERY_S = 1.0  # at most: under a load that moves more than is told row by row, the tables are asked
CODE = 3  # a number of how the Python around the SQL folds; a change of it folds the log anew
# In place: a mark that is taken out and put in again leaves a dead row each time, and reading three becomes slow.
_MOVE = """
    update folded set seq = $seq, created = $created, chain = $chain, at_us = $at
    where stream = $stream and seq = $expected returning seq"""
_PUT = """
    insert or replace into folded (stream, seq, created, chain, at_us) values ($stream, $seq, $created, $chain, $at)"""
log = logging.getLogger(__name__)


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream is folded: last sequence, that message's time, the stream's creation time (0: not known yet)
    and, for EVENTS, the chain hash of the last fact."""

    stream: Stream
    seq: int = 0
    created: int = 0
    chain: str = GENESIS_CHAIN
    at: int = 0


class Prepared(msgspec.Struct):
    """A batch decoded and shaped, ready for the writer. ``problem``: why it ends before the batch did."""

    stream: Stream
    first: int
    last: int
    chain: str
    at: int
    ranges: list[dict[str, pa.Table]]
    problem: Exception | None = None


class Model:
    """The tables in a store. Batches are prepared on any thread and taken in by the store's writer."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.schema = f"{store.sql.digest}-{CODE}-{BLOCK}"
        self.marks = {stream: Mark(stream=stream) for stream in STREAMS}
        self._fold = Fold(store.connection, store.sql)
        self.roster = Roster()
        self.on_moves: Callable[[Changed], None] = lambda _: None  # told of rows of the roster, maybe not yet written
        self._learn_after = 0.0
        self._shaper = Shaper(store.sql.tables.values())
        self._alone = {name for each in store.sql.tables.values() for name, block in each.on.items() if block.alone}

    async def open(self) -> bool:
        """Read the positions; make the tables where none are, or other SQL made them. True when it begins anew."""
        schema, marks = await self.store.query(_read_state)
        if schema == self.schema:
            self.marks |= {mark.stream: mark for mark in marks}
            self._tell_store()
            return False
        if schema:
            log.info("the read model's SQL changed (%s to %s): it is folded anew from the log", schema, self.schema)
        await self.clear()
        return True

    async def clear(self) -> None:
        """Drop everything and make empty tables."""
        self.store.known.forget()
        await self.store.write(_make_tables, self.store.sql, self.schema)
        self._fold.forget()  # what they read went with the views
        self.store.known.forget()  # what was asked meanwhile
        self.roster.forget()
        self.marks = {stream: Mark(stream=stream) for stream in STREAMS}

    async def settle(self) -> None:
        """What waits until the end of the log is reached, so that it is reached sooner."""
        await self.store.write(_make_indices, self.store.sql, self._fold)
        await self.store.give_way()

    async def born(self, stream: Stream, created: int) -> None:
        """Note the creation time of the stream that is being folded."""
        if self.marks[stream].created != created:
            mark = msgspec.structs.replace(self.marks[stream], created=created)
            await self.store.write(_write_mark, mark)
            self.marks[stream] = mark

    def prepare(self, stream: Stream, batch: Sequence[Stored]) -> Prepared:
        """Decode and shape a batch; costs time, touches nothing."""
        problem: Exception | None = None
        ranges: list[dict[str, pa.Table]]
        chain = GENESIS_CHAIN
        if stream == "EVENTS":
            try:
                seen = decode(batch)
            except Unreadable as unreadable:
                seen, problem = unreadable.before, unreadable
            cuts = split(list(map(tag, seen.things)), self._alone)
            ranges = [self._shaper.facts(seen.part(first, end)) for first, end in cuts]
            good = len(seen.things)
            chain = chain_of(batch[good - 1].data) if good else chain
        else:
            shape = self._shaper.observations if stream == "OBSERVATIONS" else self._shaper.commands
            ranges, good = [shape(batch)], len(batch)
        first = batch[0].seq
        at = batch[good - 1].at if good else 0
        return Prepared(stream, first, batch[good - 1].seq if good else first - 1, chain, at, ranges, problem)

    async def commit(self, ready: Prepared, *, forgets: bool = False) -> Changed | None:
        """Take a prepared batch in. ``Gap`` unless it follows what is folded; nothing to do where it is folded already.

        ``forgets``: the stream drops its oldest by age, so a later beginning is no gap.
        """
        mark = self.marks[ready.stream]
        if ready.last <= mark.seq:
            return None
        if ready.first <= mark.seq:
            raise Gap(f"{ready.stream} {ready.first} to {ready.last} overlaps what is folded up to {mark.seq}")
        if ready.first > mark.seq + 1 and not forgets:
            raise Gap(f"{ready.stream}: {ready.first} came where {mark.seq + 1} was due; the read model stops here")
        after = Mark(
            stream=ready.stream, seq=ready.last, created=mark.created, at=ready.at,
            chain=ready.chain if ready.stream == "EVENTS" else mark.chain,
        )  # fmt: skip
        touched = Touched(tell=self._early(ready))
        try:
            await self.store.write(_take_in, self._fold, ready, (mark, after), touched)
        except Exception:
            self._fold.forget()
            if touched.told:  # of what was not written
                self.roster.forget()
            raise
        self.marks[ready.stream] = after
        changed = self._changed(touched, ready)
        if not touched.told:
            self.roster.fold(ready.stream, ready.last, touched.moved)
            self.on_moves(changed)
        self._tell_store()
        return changed

    def _early(self, ready: Prepared) -> Callable[[Touched], None]:
        """What the writer's thread calls once it knows what will have moved, before it writes it. The log has it: who
        shows rows of the roster can show it already."""
        loop = asyncio.get_running_loop()

        def tell(touched: Touched) -> None:
            if touched.moved and len(ready.ranges) == 1:
                loop.call_soon_threadsafe(show, touched, dict(touched.moved), self._changed(touched, ready))

        def show(touched: Touched, moved: dict[str, Any], changed: Changed) -> None:
            # If not, it has to hear of this after whoever learns what the tables have without it, and rows are drawn
            # from those.
            if self.roster.known:
                touched.told = True
                self.roster.fold(ready.stream, ready.last, moved)
                self.on_moves(changed)

        return tell

    async def take(self, stream: Stream, batch: Sequence[Stored]) -> Changed | None:
        """Prepare and commit; what is folded already is left out. For tapes, tests and the last step of a bad batch."""
        fresh = [stored for stored in batch if stored.seq > self.marks[stream].seq]
        if not fresh:
            return None
        ready = self.prepare(stream, fresh)
        changed = await self.commit(ready)
        if ready.problem is not None:
            raise ready.problem
        return changed

    async def agents_now(self, ids: Collection[str] = ()) -> list[Agent]:
        """Agents as they stand, asked for many times a second: from memory, once it has learned them."""
        found = self.roster.agents(ids)
        if found is not None:
            return found
        at = self._now()
        loop = asyncio.get_running_loop()
        if not self.roster.learning and loop.time() >= self._learn_after:
            self._learn_after = loop.time() + LEARN_EVERY_S
            self.roster.begin()
            try:
                self.roster.learn(await self.store.query(load, at))
            except BaseException:  # whoever asked may have gone: what moves is not kept for ever for an answer
                self.roster.forget()
                raise
            return await self.agents_now(ids)
        return await self.store.query(agents, at, ids=ids)

    def _now(self) -> At:
        seqs = {stream: mark.seq for stream, mark in self.marks.items()}
        return At(
            events_seq=seqs["EVENTS"], observations_seq=seqs["OBSERVATIONS"], commands_seq=seqs["COMMANDS"],
            at=self.marks["EVENTS"].at,
        )  # fmt: skip

    def _tell_store(self) -> None:
        marks = self.marks
        self.store.known.fold(
            seq=marks["EVENTS"].seq, observations_seq=marks["OBSERVATIONS"].seq, commands_seq=marks["COMMANDS"].seq
        )

    def _changed(self, touched: Touched, ready: Prepared) -> Changed:
        """What there is to tell of it once ``ready`` is taken in."""
        seqs = {stream: mark.seq for stream, mark in self.marks.items()} | {ready.stream: ready.last}
        # what came of a command stands in moments
        tables = touched.tables | ({"commands"} if "moments" in touched.tables else set())
        return Changed(
            events_seq=seqs["EVENTS"],
            observations_seq=seqs["OBSERVATIONS"],
            commands_seq=seqs["COMMANDS"],
            tables=frozenset(tables),
            keys={name: frozenset(keys) for name, keys in touched.keys.items() if keys},
            many=frozenset(name for name, keys in touched.keys.items() if keys is None),
        )


def digest(db: Reader, tables: Sequence[str]) -> dict[str, str]:
    """For each table, what tells its rows from any others, in whatever order they stand."""
    found = {}
    for name in tables:
        counted = "select count(*) as n, coalesce(sum(hash(t)::hugeint), 0)::varchar as total"
        rows = db.run(f"{counted} from {name} t")
        found[name] = f"{rows[0]['n']}:{rows[0]['total']}"
    return found


def _take_in(
    db: duckdb.DuckDBPyConnection, fold: Fold, ready: Prepared, marks: tuple[Mark, Mark], touched: Touched
) -> None:
    before, after = marks
    for relations in ready.ranges:
        fold.take(ready.stream, relations, touched)
    if ready.stream == "EVENTS":
        fold.sum_up(before.seq, after.seq)
    if not fold.statements.look(_MOVE, **msgspec.structs.asdict(after), expected=before.seq):
        stands = db.execute("select seq from folded where stream = $stream", {"stream": ready.stream}).fetchall()
        if stands:
            raise Gap(
                f"{ready.stream} is folded up to {stands[0][0]}, not {before.seq}: somebody else wrote to the file"
            )
        _write_mark(db, after)


def _write_mark(db: duckdb.DuckDBPyConnection, mark: Mark) -> None:
    db.execute(_PUT, msgspec.structs.asdict(mark))


def _read_state(db: Reader) -> tuple[str, list[Mark]]:
    """The schema that made the tables (empty: none) and the marks."""
    if not db.run("select 1 from duckdb_tables() where table_name = 'made_by'"):
        return "", []
    made = db.run("select schema from made_by")
    marks = db.run("select stream, seq, created, chain, at_us from folded")
    return (made[0]["schema"] if made else "?"), [
        Mark(stream=m["stream"], seq=m["seq"], created=m["created"], chain=m["chain"], at=m["at_us"]) for m in marks
    ]


def _make_indices(db: duckdb.DuckDBPyConnection, sql: Sql, fold: Fold) -> None:
    if index(db, sql.tables.values()):
        fold.statements.renew()


def _make_tables(db: duckdb.DuckDBPyConnection, sql: Sql, schema: str) -> None:
    there = {"view": "duckdb_views() where not internal", "table": "duckdb_tables() where not temporary"}
    for kind, listed in there.items():
        for (name,) in db.execute(f"select {kind}_name from {listed}").fetchall():  # noqa: S608 - of the two above
            db.execute(f'drop {kind} "{name}"')
    for table in sql.tables.values():
        create(db, table)
    db.execute(
        "create table folded (stream varchar primary key, seq bigint, created bigint, chain varchar, at_us bigint)"
    )
    db.execute("create table made_by as select $schema as schema", {"schema": schema})
