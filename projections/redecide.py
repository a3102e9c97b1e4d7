"""Is EVENTS what COMMANDS make of it? Every command decided again and compared byte by byte; and the chain alone.

Pure reading: nothing is written, and it works while everything runs, up to where the log stood at the start.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Literal

import msgspec

from core.domain import machine
from core.domain.state import State
from core.envelope import GENESIS_CHAIN, chain_of, chained, decode_command, encode_fact, unchained
from core.ledger import Ledger, Stored

What = Literal["subject", "body", "left over", "chain", "unreadable"]
Progress = Callable[[int, int], None]  # facts compared so far, and of how many
Rest = Callable[[], Awaitable[None]]  # called between two commands: whoever shares its thread may give way there

TELL_EVERY = 1_000


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first place where EVENTS is not what COMMANDS make of it."""

    seq: int
    command_seq: int
    what: What
    stored: str = ""
    computed: str = ""


class Verified(msgspec.Struct, kw_only=True):
    """What was compared. ``since`` is the first COMMANDS sequence; ``pending`` commands are not decided yet."""

    equal: bool = True
    since: int = 1
    commands: int = 0
    events: int = 0
    pending: int = 0
    chain: str = ""
    rules: int = 0
    difference: Difference | None = None


async def recompute(
    ledger: Ledger, *, commands: int, events: int, progress: Progress | None = None, rest: Rest | None = None
) -> Verified:
    """Decide every command up to ``commands`` again and compare with the facts up to ``events``, one by one."""
    verified = Verified()
    state, chain, told = State(), GENESIS_CHAIN, 0
    async with aclosing(_each(ledger, events)) as facts, aclosing(_commands(ledger, commands)) as orders:
        async for order in orders:
            if verified.events == events:
                verified.pending += 1
                continue
            for recorded in machine.step(state, decode_command(order)):
                message, chain = encode_fact(recorded, chain)
                stored = await anext(facts, None)
                if stored is None:  # the commit of this command was under way when we looked
                    break
                verified.difference = _difference(stored, message.subject, message.data, order.seq)
                if verified.difference is not None:
                    verified.equal = False
                    return verified
                verified.events = stored.seq
                verified.chain = chain
            verified.commands = order.seq
            if progress is not None and verified.events - told >= TELL_EVERY:
                progress(told := verified.events, events)
            if rest is not None:
                await rest()
        left = await anext(facts, None)
    if left is not None:
        verified.equal = False
        verified.difference = Difference(seq=left.seq, command_seq=0, what="left over", stored=left.subject)
    verified.rules = state.rules
    return verified


async def rechain(
    ledger: Ledger, *, events: int, progress: Progress | None = None, rest: Rest | None = None
) -> Verified:
    """Recompute the chain hash of every fact up to ``events`` from the fact before it: no fact was altered or taken
    out. Cheaper than deciding again, and works for facts of rules this build does not know."""
    verified, chain, told = Verified(), GENESIS_CHAIN, 0
    async with aclosing(_each(ledger, events)) as facts:
        async for stored in facts:
            chain = link_of(stored, chain)
            verified.difference = _broken(stored, chain)
            if verified.difference is not None:
                verified.equal = False
                return verified
            verified.events, verified.chain = stored.seq, chain
            if progress is not None and verified.events - told >= TELL_EVERY:
                progress(told := verified.events, events)
            if rest is not None:
                await rest()
    return verified


def link_of(stored: Stored, before: str) -> str:
    """The chain hash a stored fact must carry when the one before it carries ``before``."""
    return chained(before, stored.subject, unchained(stored.data))


def _broken(stored: Stored, chain: str) -> Difference | None:
    """How the fact's own chain hash differs from ``chain``; None when it does not."""
    try:
        carried = chain_of(stored.data)
    except UnicodeDecodeError:
        return Difference(seq=stored.seq, command_seq=0, what="unreadable", stored=_text(stored.data))
    if carried == chain:
        return None
    return Difference(seq=stored.seq, command_seq=0, what="chain", stored=carried, computed=chain)


def _difference(stored: Stored, subject: str, data: bytes, command_seq: int) -> Difference | None:
    """How the stored fact differs from the one just computed; None when it does not, in a byte."""

    def differs(what: What, have: str, want: str = "") -> Difference:
        return Difference(seq=stored.seq, command_seq=command_seq, what=what, stored=have, computed=want)

    if stored.subject != subject:
        return differs("subject", stored.subject, subject)
    if stored.data == data:
        return None
    try:
        have, want = unchained(stored.data), unchained(data)
        if have != want:
            return differs("body", _text(have), _text(want))
        return differs("chain", chain_of(stored.data), chain_of(data))
    except UnicodeDecodeError:
        return differs("unreadable", _text(stored.data))


async def _each(ledger: Ledger, until: int) -> AsyncGenerator[Stored, None]:
    async with aclosing(ledger.read("EVENTS", until=until)) as reading:
        async for batch in reading:
            for stored in batch:
                yield stored


async def _commands(ledger: Ledger, until: int) -> AsyncGenerator[Stored, None]:
    async with aclosing(ledger.read("COMMANDS", until=until)) as reading:
        async for batch in reading:
            for stored in batch:
                yield stored


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")[:2_000]
