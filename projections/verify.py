"""Is the read model what the log makes of it? Its digests at its own positions, and the same folded anew in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path

import msgspec

from core.ledger import MAX_LIST, Ledger, Stored, Stream
from projections.model import STREAMS, Model, digest
from projections.rows import At
from projections.sql import load
from projections.store import Reader, open_store

Progress = Callable[[int], None]  # messages folded so far
Rest = Callable[[], Awaitable[None]]
GENTLY = 1_000  # messages a fold that gives way takes at once: 15 ms of a processor


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a read model stands: the SQL that made it, each stream's last folded sequence, each table's digest."""

    schema: str
    sequences: dict[str, int]
    digests: dict[str, str]


def standing(db: Reader, at: At | None = None) -> Standing:  # noqa: ARG001 - asked as any other query is
    """The read model as it stands this moment: one snapshot, whatever is folded meanwhile."""
    db.run("begin transaction")
    try:
        return Standing(
            schema=str(db.run("select schema from made_by")[0]["schema"]),
            sequences={row["stream"]: row["seq"] for row in db.run("select stream, seq from folded")},
            digests=digest(db, sorted(load().tables)),
        )
    finally:
        db.run("rollback")


async def standing_of(path: Path) -> Standing | None:
    """The read model in a file that nobody has open; None where there is none. ``StoreLocked`` when somebody has."""
    if not path.exists():  # noqa: ASYNC240 - a look at a local folder
        return None
    store = open_store(path)
    try:
        if not await store.query(lambda db: db.run("select 1 from duckdb_tables() where table_name = 'made_by'")):
            return None
        return await store.query(standing)
    finally:
        store.close()


async def recompute(
    ledger: Ledger, sequences: Mapping[str, int], *, progress: Progress | None = None, rest: Rest | None = None
) -> Standing:
    """The read model folded anew in memory, each stream up to the same sequence. ``rest``: called after each batch,
    which is a small one then, for whoever shares a process with pages."""
    store = open_store(None)
    most = MAX_LIST if rest is None else GENTLY
    try:
        model = Model(store)
        await model.open()
        folded = 0
        for stream in STREAMS:
            async for batch in _batches(ledger, stream, sequences.get(stream, 0), most):
                ready = await asyncio.to_thread(model.prepare, stream, batch)
                await model.commit(ready, forgets=stream == "OBSERVATIONS")
                if ready.problem is not None:
                    raise ready.problem
                folded += len(batch)
                if progress is not None:
                    progress(folded)
                if rest is not None:
                    await rest()
        return Standing(
            schema=model.schema,
            sequences={stream: mark.seq for stream, mark in model.marks.items()},
            digests=await store.query(digest, sorted(load().tables)),
        )
    finally:
        store.close()


def different(found: Standing, computed: Standing, *, forgotten: bool) -> list[str]:
    """Tables whose digests differ. ``forgotten``: OBSERVATIONS dropped its oldest, so its tables cannot be compared."""
    tables = load().tables
    return sorted(
        name
        for name, table in tables.items()
        if not (forgotten and table.stream == "OBSERVATIONS") and found.digests.get(name) != computed.digests.get(name)
    )


async def _batches(ledger: Ledger, stream: Stream, until: int, most: int) -> AsyncIterator[list[Stored]]:
    """Everything up to ``until``, in lists of ``most``."""
    kept: list[Stored] = []
    async with aclosing(ledger.read(stream, until=until)) as reading:
        async for batch in reading:
            kept += batch
            while len(kept) >= most:
                yield kept[:most]
                del kept[:most]
    if kept:
        yield kept
