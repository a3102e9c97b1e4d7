"""``switchtower projections``: the read models, folded anew from the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from console.cli import api, exits, out
from console.cli.bar import bar
from console.cli.exits import Declined, NoAnswer, Stop
from console.cli.instance import READ_MODEL
from console.cli.line import Line, connected
from console.cli.where import HERE, Where
from core.ledger import Stream
from projections.projector import Projector
from projections.rows.positions import Positions
from projections.store import StoreLocked

STREAMS: tuple[Stream, ...] = ("EVENTS", "OBSERVATIONS", "COMMANDS")
LOOK_S = 0.1


class Folded(msgspec.Struct, kw_only=True):
    """How far each stream was folded, and what tells each table from any other."""

    folded_by: str
    sequences: dict[str, int]
    digests: dict[str, str]


def rebuild(*, where: Where = HERE) -> int:
    """Drop the read models and fold them anew from the log: in the running console, or in the file where none runs."""
    folded = asyncio.run(_rebuild(where))
    if where.as_json:
        out.document(folded)
    else:
        told = ", ".join(f"{name} {seq:,}" for name, seq in sorted(folded.sequences.items()))
        out.text(f"The read models are folded anew by {folded.folded_by}: {told}.")
    return exits.OK


async def _rebuild(where: Where) -> Folded:
    async with connected(where) as line:
        ends: dict[Stream, int] = {stream: (await line.ledger.head(stream)).last_seq for stream in STREAMS}
        try:
            api.post(where, "/read-model/rebuild")
        except NoAnswer:
            return await _in_the_file(line, where, ends)
        await _until(lambda: _asked(where), ends, line, quiet=where.as_json)
        standing = api.get(where, "/read-model")
        return Folded(folded_by="the console", sequences=standing["sequences"], digests=standing["digests"])


async def _in_the_file(line: Line, where: Where, ends: dict[Stream, int]) -> Folded:
    """``Declined`` when another process has the file open after all."""
    path = where.settings().data / READ_MODEL
    try:
        async with Projector(line.ledger, path, line.clock) as read_model:
            await read_model.rebuild()
            await _until(read_model.positions, ends, line, quiet=where.as_json)
            at = _sequences(read_model.positions())
            return Folded(folded_by="this command", sequences=at, digests=await read_model.digest())
    except StoreLocked as problem:
        raise Declined(str(problem)) from None


def _asked(where: Where) -> Positions:
    return msgspec.convert(api.get(where, "/status")["positions"], Positions)


def _sequences(now: Positions) -> dict[str, int]:
    return {"EVENTS": now.events.seq, "OBSERVATIONS": now.observations.seq, "COMMANDS": now.commands.seq}


async def _until(look: Callable[[], Positions], ends: dict[Stream, int], line: Line, *, quiet: bool) -> None:
    """Wait, with a bar, until all of it is folded; ``Stop`` when the fold stops."""
    total = sum(ends.values())
    with bar("folding", total, quiet=quiet) as progress:
        while True:
            now = look()
            if now.doing == "stopped":
                raise Stop(f"the fold stopped: {now.problem}")
            at = _sequences(now)
            if all(at[stream] >= end for stream, end in ends.items()):
                return
            if progress is not None:
                progress(sum(at.values()), total)
            await line.clock.sleep(LOOK_S)
