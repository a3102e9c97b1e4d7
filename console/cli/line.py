"""The line to the ledger: what a command needs to give orders and to read the log, the console not involved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from getpass import getuser

import msgspec

from console.cli.exits import Declined, NotFound, Stop, TimedOut
from console.cli.where import Where, nats_url
from core.answers import LinkAnswers
from core.clock import Clock, SystemClock
from core.domain.machine import Command
from core.door import Door, Pending
from core.envelope import Answer, decode_fact
from core.jetstream import JetStreamLedger
from core.ledger import Ledger, Stream
from core.link import Link, connect
from core.settings import Settings

CONNECT_WITHIN_S = 5.0


class Line(msgspec.Struct, frozen=True):
    """Connected: ``door`` takes orders in the user's name, ``ledger`` reads."""

    settings: Settings
    clock: Clock
    link: Link
    ledger: Ledger
    door: Door


@asynccontextmanager
async def connected(where: Where) -> AsyncIterator[Line]:
    """A line to the instance that is meant, closed afterwards. ``Unreachable`` when nobody answers."""
    settings, clock = where.settings(), SystemClock()
    as_who = settings.credentials("operator")
    link = await connect(
        nats_url(settings),
        name="switchtower-cli",
        user=as_who.user if as_who else None,
        password=as_who.password if as_who else None,
        wait_s=CONNECT_WITHIN_S,
    )
    try:
        ledger = JetStreamLedger(link)
        yield Line(settings, clock, link, ledger, Door(ledger, LinkAnswers(link), clock, by=who()))
    finally:
        await link.close()


def who() -> str:
    """In whose name orders are given."""
    try:
        return f"cli:{getuser()}"
    except (KeyError, OSError):
        return "cli"


async def heads(ledger: Ledger) -> dict[str, int]:
    """The last sequence of each stream."""
    names: tuple[Stream, ...] = ("COMMANDS", "EVENTS", "OBSERVATIONS", "OUTPUT")
    return {name: (await ledger.head(name)).last_seq for name in names}


async def core_position(ledger: Ledger) -> int:
    """The COMMANDS sequence of the last command that is decided: the last fact says it."""
    end = (await ledger.head("EVENTS")).last_seq
    async for found in ledger.read("EVENTS", after=max(0, end - 1), until=end):
        return decode_fact(found[-1].data).command_seq
    return 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an order, as ``--json`` shows it. ``seq`` is the EVENTS sequence at which it is seen."""

    outcome: str
    target: str = ""
    reason: str = ""
    seq: int = 0
    command_id: str = ""
    command_seq: int = 0

    @property
    def failed(self) -> Stop | None:
        """How a command that gave this order alone ends; None when it was carried out, or was so already."""
        match self.outcome:
            case "done" | "already_so" | "accepted":
                return None
            case "refused" if self.reason.startswith("there is no "):
                return NotFound(self.reason)
            case "expired":
                return TimedOut(self.reason)
            case _:
                return Declined(self.reason)


async def order(line: Line, command: Command, *, target: str, wait_s: float = 2.0) -> Outcome:
    """Give the order and wait for its outcome; "accepted" when none came in time: then COMMANDS has it."""
    answer = await line.door.order(command, wait_s=wait_s)
    match answer:
        case Answer(outcome=outcome, seq=seq, reason=reason, command_seq=command_seq):
            return Outcome(outcome=outcome, target=target, reason=reason, seq=seq, command_seq=command_seq)
        case Pending(command_id=command_id, command_seq=command_seq):
            return Outcome(outcome="accepted", target=target, command_id=command_id, command_seq=command_seq)
