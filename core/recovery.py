"""The state as EVENTS tells it: from a snapshot that still fits, or from the first fact."""

from __future__ import annotations

import hashlib
from typing import Protocol

import msgspec

from core.domain import machine
from core.domain.machine import Recorded
from core.domain.state import Book, State, restore, snapshot
from core.domain.system import KNOWN_RULES
from core.envelope import GENESIS_CHAIN, chain_of, chained, decode_fact, unchained
from core.ledger import Gap, Ledger, LedgerError, Stored


class Unusable(LedgerError):
    """The log cannot be led from here; the text says why and what to do."""


class NewerRules(Unusable):
    """The log is under rules this build does not know: it stands by for one that does."""


# Tells this build's state from another's: a field that one of them lacks would silently be taken as empty.
SHAPE = hashlib.blake2b(msgspec.json.encode(msgspec.json.schema(Book), order="sorted"), digest_size=8).hexdigest()


class Snapshot(msgspec.Struct, frozen=True):
    """A state and where it stands. ``chain`` is the hash of the fact at ``seq``; times in microseconds."""

    seq: int
    command_seq: int
    chain: str
    rules: int
    commands_created: int
    events_created: int
    state: bytes
    shape: str = ""


def taken(state: State, chain: str) -> Snapshot:
    """A snapshot of the state as it is now."""
    return Snapshot(
        seq=state.seq,
        command_seq=state.command_seq,
        chain=chain,
        rules=state.rules,
        commands_created=state.commands_created,
        events_created=state.events_created,
        state=snapshot(state),
        shape=SHAPE,
    )


class Snapshots(Protocol):
    """Where snapshots are kept."""

    async def newest(self) -> Snapshot | None: ...

    def keep(self, state: State, chain: str) -> bool:
        """Begin to keep a snapshot of the state as it is now; does not wait. False: busy with one, ask again later."""
        ...


class Recovered(msgspec.Struct):
    """A state folded to its last complete command; ``tail``: facts of the next one that are stored already."""

    state: State
    chain: str
    tail: list[Stored]

    @property
    def seq(self) -> int:
        """The last sequence of EVENTS, the tail's facts included."""
        return self.state.seq + len(self.tail)


async def recover(ledger: Ledger, snapshots: Snapshots | None = None) -> Recovered:
    """Fold EVENTS up to its end. Raises ``Gap`` on a broken chain, ``Unusable`` on a log this build must not lead."""
    found = await _from_snapshot(ledger, snapshots) if snapshots is not None else None
    recovered = found or Recovered(State(), GENESIS_CHAIN, [])
    held: list[tuple[Stored, Recorded]] = []
    chain = recovered.chain
    async for batch in ledger.read("EVENTS", after=recovered.state.seq):
        for stored in batch:
            chain = _check_link(chain, stored)
            held.append((stored, _decode(stored)))
            if held[-1][1].end:
                for _, recorded in held:
                    machine.fold(recovered.state, recorded)
                held.clear()
                recovered.chain = chain
    recovered.tail = [stored for stored, _ in held]
    await _check(ledger, recovered.state)
    return recovered


async def _from_snapshot(ledger: Ledger, snapshots: Snapshots) -> Recovered | None:
    """The newest snapshot, if the log it was taken of is this one and still holds the fact it stands at."""
    found = await snapshots.newest()
    if found is None or found.rules not in KNOWN_RULES or found.shape != SHAPE or not found.seq:
        return None
    commands, events = await ledger.head("COMMANDS"), await ledger.head("EVENTS")
    if (commands.created, events.created) != (found.commands_created, found.events_created):
        return None
    if events.last_seq < found.seq:
        return None
    there = [each async for batch in ledger.read("EVENTS", after=found.seq - 1, until=found.seq) for each in batch]
    if not there or chain_of(there[0].data) != found.chain:
        return None
    return Recovered(restore(found.state), found.chain, [])


def _decode(stored: Stored) -> Recorded:
    try:
        return decode_fact(stored.data)
    except msgspec.DecodeError as error:
        raise NewerRules(f"EVENTS {stored.seq} ({stored.subject}) is not known to this build: {error}") from error


def _check_link(chain: str, stored: Stored) -> str:
    link = chained(chain, stored.subject, unchained(stored.data))
    if link != chain_of(stored.data):
        raise Gap(f"EVENTS {stored.seq} does not follow from the fact before it: the log was altered or damaged there")
    return link


async def _check(ledger: Ledger, state: State) -> None:
    """Refuse to lead a log that is shorter than its facts say, was made again, or needs rules unknown here."""
    commands, events = await ledger.head("COMMANDS"), await ledger.head("EVENTS")
    if commands.last_seq < state.command_seq:
        raise Unusable(
            f"COMMANDS ends at {commands.last_seq}, before the last decided command {state.command_seq}: "
            "it lost messages or an older copy was restored; restore both streams from the same moment"
        )
    if not state.rules:
        return
    if (commands.created, events.created) != (state.commands_created, state.events_created):
        raise Unusable(
            "the streams are not those this log began with: COMMANDS or EVENTS was made again; "
            "restore both from one backup, or start with an empty data folder"
        )
    if state.rules not in KNOWN_RULES:
        raise NewerRules(f"the log is under rules {state.rules}, which this build does not know: run a newer build")
