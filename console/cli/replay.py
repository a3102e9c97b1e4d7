"""``switchtower replay``: the log checked against itself."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from cyclopts import Parameter

from console.cli import exits, out
from console.cli.bar import bar
from console.cli.instance import READ_MODEL
from console.cli.line import Line, connected
from console.cli.where import HERE, Where
from projections.redecide import Verified, recompute


class Models(msgspec.Struct, kw_only=True):
    """The read models as they stand against the same folded anew. ``found_in`` says where they were."""

    equal: bool
    found_in: str
    sequences: dict[str, int]
    tables: int
    different: list[str] = []
    not_compared: list[str] = []


def verify(
    *,
    events_only: Annotated[bool, Parameter(negative=())] = False,
    where: Where = HERE,
) -> int:
    """Recompute EVENTS from COMMANDS and compare every message; recompute the read models and compare their digests.

    Exit code 1 when something differs. Works while everything runs, up to where the log stood at the start.

    Parameters
    ----------
    events_only
        Leave the read models out.
    """
    return asyncio.run(_verify(where, events_only))


async def _verify(where: Where, events_only: bool) -> int:
    async with connected(where) as line:
        commands, events = (await line.ledger.head("COMMANDS")).last_seq, (await line.ledger.head("EVENTS")).last_seq
        with bar("deciding again", events, quiet=where.as_json) as progress:
            found = await recompute(line.ledger, commands=commands, events=events, progress=progress)
        if not where.as_json:
            _tell(found)
        models = None if events_only or not found.equal else await _models(where, line)
    if where.as_json:
        out.document({**msgspec.to_builtins(found), "read_models": models})
    elif models is not None:
        _tell_models(models)
    elif not events_only and found.equal:
        out.say("There is no read model on this data folder to compare.")
    return exits.OK if found.equal and (models is None or models.equal) else exits.FAILURE


async def _models(where: Where, line: Line) -> Models | None:
    """The console's read model, or the file's when no console runs, against a fold of the log; None without either."""
    from console.cli import api
    from projections import sql, verify

    try:
        found_in, found = "the console", msgspec.convert(api.get(where, "/read-model"), verify.Standing)
    except exits.NoAnswer:
        path = where.settings().data / READ_MODEL
        standing = await verify.standing_of(path)
        if standing is None:
            return None
        found_in, found = str(path), standing
    with bar("folding again", sum(found.sequences.values()), quiet=where.as_json) as progress:
        total = sum(found.sequences.values())
        tell = None if progress is None else lambda done: progress(done, total)
        computed = await verify.recompute(line.ledger, found.sequences, progress=tell)
    if found.schema != computed.schema:
        raise exits.Stop(
            f"{found_in} was folded by other SQL ({found.schema}, not {computed.schema}): restart it to fold anew"
        )
    forgotten = (await line.ledger.head("OBSERVATIONS")).first_seq > 1
    wrong = verify.different(found, computed, forgotten=forgotten)
    return Models(
        equal=not wrong,
        found_in=found_in,
        sequences=found.sequences,
        tables=len(computed.digests),
        different=wrong,
        not_compared=[table.name for table in sql.load().of_stream("OBSERVATIONS")] if forgotten else [],
    )


def _tell_models(models: Models) -> None:
    stands = ", ".join(f"{stream} {seq:,}" for stream, seq in sorted(models.sequences.items()))
    if models.equal:
        out.text(
            f"The read models in {models.found_in} are what the log makes of them: {models.tables} tables, {stands}"
        )
    else:
        out.text(f"The read models in {models.found_in} differ from the log ({stands}): {', '.join(models.different)}")
        out.text("Fold them anew: stop the console, then `switchtower projections rebuild`")
    if models.not_compared:
        out.text(f"Not compared, as their oldest observations are forgotten by age: {', '.join(models.not_compared)}")


def _tell(found: Verified) -> None:
    if found.difference is None:
        out.text(
            f"EVENTS is what COMMANDS make of it: {found.events:,} facts of {found.commands:,} commands compared, "
            f"from command {found.since} on, rules {found.rules}, chain {found.chain or 'empty'}"
        )
        if found.pending:
            out.text(f"{found.pending:,} commands are not decided yet")
        return
    first = found.difference
    out.text(f"EVENTS {first.seq} differs from what command {first.command_seq} makes: {first.what}")
    out.text(f"  stored:   {first.stored}")
    out.text(f"  computed: {first.computed}")
