"""``switchtower projections``: the read models, folded anew from the log."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from console.cli import exits, out
from console.cli.bar import bar
from console.cli.exits import Declined, Stop
from console.cli.instance import READ_MODEL
from console.cli.line import Line, connected
from console.cli.where import HERE, Where
from core.ledger import Stream
from projections.projector import Projector
from projections.store import StoreLocked

STREAMS: tuple[Stream, ...] = ("EVENTS", "OBSERVATIONS", "COMMANDS")
LOOK_S = 0.1


class Folded(msgspec.Struct, kw_only=True):
    """How far each stream was folded, and what tells each table from any other."""

    sequences: dict[str, int]
    digests: dict[str, str]


def rebuild(*, where: Where = HERE) -> int:
    """Drop the read models and fold them anew from the log. The console must not be running: it owns the file."""
    return asyncio.run(_rebuild(where))


async def _rebuild(where: Where) -> int:
    path = where.settings().data / READ_MODEL
    async with connected(where) as line:
        folded = await fold(line, path, afresh=True, quiet=where.as_json)
    if where.as_json:
        out.document(folded)
    else:
        told = ", ".join(f"{name} {seq:,}" for name, seq in folded.sequences.items())
        out.text(f"The read models are folded anew: {told}.")
    return exits.OK


async def fold(line: Line, path: Path | None, *, afresh: bool, quiet: bool) -> Folded:
    """Fold the log as it stands into ``path`` (None: in memory). ``Declined`` when another process has the file."""
    ends = {stream: (await line.ledger.head(stream)).last_seq for stream in STREAMS}
    try:
        async with Projector(line.ledger, path, line.clock) as read_model:
            if afresh:
                await read_model.rebuild()
            await _until(read_model, ends, line, quiet=quiet)
            return Folded(
                sequences={str(stream): seq for stream, seq in ends.items()}, digests=await read_model.digest()
            )
    except StoreLocked as problem:
        raise Declined(f"{problem}. Stop the console first (Ctrl-C in `switchtower up`)") from None


async def _until(read_model: Projector, ends: dict[Stream, int], line: Line, *, quiet: bool) -> None:
    """Wait, with a bar, until all of it is folded; ``Stop`` when the fold stops."""
    total = sum(ends.values())
    with bar("folding", total, quiet=quiet) as progress:
        while True:
            now = read_model.positions()
            if now.doing == "stopped":
                raise Stop(f"the fold stopped: {now.problem}")
            at = {"EVENTS": now.events.seq, "OBSERVATIONS": now.observations.seq, "COMMANDS": now.commands.seq}
            if all(at[stream] >= end for stream, end in ends.items()):
                return
            if progress is not None:
                progress(sum(at.values()), total)
            await line.clock.sleep(LOOK_S)
