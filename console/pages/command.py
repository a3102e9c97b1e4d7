"""One command: its body as it was ordered, every fact it made with its link of the chain, and what led to it."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.desk import Desk
from console.look import BadQuestion, Look, looking
from console.panels import Panel, show
from core.envelope import GENESIS_CHAIN, chain_of, unchained
from core.ledger import Ledger, LedgerError, Stored, Stream
from projections.audit import CommandPage, Fact, command, gave_out
from projections.redecide import link_of

routes = APIRouter()

SHOWN_FACTS = 100  # unless all are asked for: a part of a plan makes 400
SHOWN_BODIES = 40  # facts of which the body is shown; the others are in words
LONGEST_BODY = 20_000  # characters of a body that are shown
STEPS_BACK = 4


class Link(msgspec.Struct, frozen=True):
    """A fact of the command as it is stored. ``holds``: its chain hash is what the fact before it makes of it."""

    fact: Fact
    subject: str
    chain: str
    holds: bool
    body: str = ""


class Step(msgspec.Struct, frozen=True):
    """One step back: this command gave out the run that the next one reports on. ``fact``: by this fact."""

    command_seq: int
    says: str
    by: str
    fact: int
    run_id: str


@routes.get("/commands/{seq}", include_in_schema=False)
async def one(request: Request, seq: str) -> Response:
    desk, look = await looking(request)
    if not (seq.isascii() and seq.isdecimal() and len(seq) < 19):
        raise BadQuestion(f"{seq[:40]!r} is no command's number; a command is /commands/12.")
    found = await desk.read_model.query(command, look.at, int(seq))
    if found is None:
        raise look.absent(f"command {int(seq):,}")
    panels = [Panel("command", ("commands",), lambda: _command(desk, look, found.command.command_seq))]
    title = f"Command {found.command.command_seq:,}".replace(",", "\u202f")
    return await show(request, desk, look, "command", title, panels, row=found.command)


async def _command(desk: Desk, look: Look, seq: int) -> dict[str, Any]:
    page = await desk.read_model.query(command, look.at, seq)
    assert page is not None  # what is in COMMANDS stays
    try:
        ordered = await _stored(desk.ledger, "COMMANDS", seq, seq)
        links = await _links(desk.ledger, page, None if look.get("facts") == "all" else SHOWN_FACTS)
        absent = ""
    except LedgerError as error:
        ordered, links, absent = [], [], str(error)
    return {
        "page": page,
        "row": page.command,
        "body": _pretty(ordered[0].data) if ordered else "",
        "subject": ordered[0].subject if ordered else "",
        "size": len(ordered[0].data) if ordered else 0,
        "links": links,
        "absent": absent,
        "steps": await _steps(desk, look, ordered[0].data if ordered else b""),
    }


async def _stored(ledger: Ledger, stream: Stream, first: int, last: int) -> list[Stored]:
    found: list[Stored] = []
    async with aclosing(ledger.read(stream, after=first - 1, until=last)) as reading:
        async for batch in reading:
            found += batch
    return found


async def _links(ledger: Ledger, page: CommandPage, most: int | None) -> list[Link]:
    """The command's facts as they are stored, the first ``most`` of them, each held against the one before it."""
    if not page.first:
        return []
    before = max(1, page.first - 1)
    last = page.last if most is None else min(page.last, page.first + most - 1)
    stored = await _stored(ledger, "EVENTS", before, last)
    chain = chain_of(stored[0].data) if before < page.first else GENESIS_CHAIN
    words = {fact.seq: fact for fact in page.facts}
    links: list[Link] = []
    for each in stored[1:] if before < page.first else stored:
        carried = chain_of(each.data)
        links.append(
            Link(
                fact=words.get(each.seq, Fact(seq=each.seq, type=each.subject.rpartition(".")[2], says="")),
                subject=each.subject,
                chain=carried,
                holds=link_of(each, chain) == carried,
                body=_pretty(unchained(each.data)) if len(links) < SHOWN_BODIES else "",
            )
        )
        chain = carried
    return links


async def _steps(desk: Desk, look: Look, body: bytes) -> list[Step]:
    """What led here, nearest first: a report is about a run, and a run was given out by a command."""
    steps: list[Step] = []
    run_id = _run_of(body)
    while run_id and len(steps) < STEPS_BACK:
        command_seq, fact = await desk.read_model.query(gave_out, look.at, run_id)
        page = await desk.read_model.query(command, look.at, command_seq) if command_seq else None
        if page is None:
            break
        steps.append(Step(command_seq, page.command.says, page.command.by, fact, run_id))
        stored = await _stored(desk.ledger, "COMMANDS", command_seq, command_seq)
        run_id = _run_of(stored[0].data) if stored else ""
    return steps


class _About(msgspec.Struct):
    run_id: str = ""


class _Sent(msgspec.Struct):
    command: _About


def _run_of(body: bytes) -> str:
    """The run a command is about; empty for one that is about none."""
    try:
        return msgspec.json.decode(body, type=_Sent).command.run_id
    except msgspec.DecodeError:
        return ""


def _pretty(data: bytes) -> str:
    """A body as a person reads it; what is no JSON as the text it is."""
    try:
        text = msgspec.json.format(data, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = data.decode("utf-8", "replace")
    return (
        text if len(text) <= LONGEST_BODY else f"{text[:LONGEST_BODY]}\n… {len(text) - LONGEST_BODY:,} more characters"
    )
