"""``switchtower events``: every fact there is, straight from the log, the console not involved."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter, validators

from console.cli import out
from console.cli.exits import Usage
from console.cli.line import Line, connected
from console.cli.shown import clock_time
from console.cli.where import HERE, Where
from core.domain.machine import tag
from core.envelope import decode_fact
from core.ledger import Malformed, Stored

SCREEN = 20


def tail(
    *,
    subject: tuple[str, ...] = (),
    limit: Annotated[int, Parameter(validator=validators.Number(gte=0))] = SCREEN,
    after: Annotated[int | None, Parameter(validator=validators.Number(gte=0))] = None,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative=())] = False,
    where: Where = HERE,
) -> int:
    """Print the last facts; with --follow go on with those to come, until Ctrl-C.

    With --json one document; with --json --follow one document a line.

    Parameters
    ----------
    subject
        Only facts on this subject, * for one part and > for the rest: evt.run.*.failed, evt.*.default=2Ft-147.>
    limit
        So many of the facts so far; 0: all.
    after
        Start after this EVENTS sequence instead of at the last ones.
    follow
        Go on with the facts to come.
    """
    for each in subject:
        if not (each == ">" or each.startswith("evt.")):
            raise Usage(f"--subject {each!r}: facts stand on evt.<kind>.<id>.<verb>, as in evt.run.*.failed")
    return asyncio.run(_tail(where, subject, limit, after, follow))


async def _tail(where: Where, subjects: tuple[str, ...], limit: int, after: int | None, follow: bool) -> int:
    async with connected(where) as line:
        found, at = await _so_far(line, subjects, limit, after)
        if where.as_json and not follow:
            out.document({"events": [_shape(stored) for stored in found], "last_seq": at})
            return 0
        for stored in found:
            _print(stored, where)
        if follow:
            async with aclosing(line.ledger.follow("EVENTS", after=at, subjects=subjects)) as following:
                async for batch in following:
                    for stored in batch:
                        _print(stored, where)
    return 0


async def _so_far(line: Line, subjects: tuple[str, ...], limit: int, after: int | None) -> tuple[list[Stored], int]:
    """The last ``limit`` fitting facts, and the sequence up to which was read."""
    head = (await line.ledger.head("EVENTS")).last_seq
    found: list[Stored] = []
    # Without a filter the last ones are simply the last sequences: nothing before them is read.
    start = after if after is not None else max(0, head - limit) if limit and not subjects else 0
    try:
        async for batch in line.ledger.read("EVENTS", after=start, until=head, subjects=subjects):
            found.extend(batch)
            if limit and after is None:
                del found[:-limit]
    except Malformed as wrong:
        raise Usage(str(wrong)) from None
    return found[:limit] if limit and after is not None else found, head


def _shape(stored: Stored) -> dict[str, Any]:
    """A fact as ``--json`` shows it: where it stands, and its body as it is."""
    return {"seq": stored.seq, "subject": stored.subject, **msgspec.json.decode(stored.data)}


def _print(stored: Stored, where: Where) -> None:
    if where.as_json:
        out.line(_shape(stored))
        return
    recorded = decode_fact(stored.data)
    fact = msgspec.to_builtins(recorded.fact)
    said = " ".join(f"{name}={_brief(value)}" for name, value in fact.items() if name != "type")
    out.text(f"{stored.seq:>7}  {clock_time(recorded.at)}  {tag(recorded.fact):<22} {said}  ({recorded.by})")


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = text.replace("\n", "⏎")
    return text if len(text) <= 60 else f"{text[:57]}…"
