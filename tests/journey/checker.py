"""Decides from the log alone whether the promises were kept. Ids are those of the promises the tests carry."""

from __future__ import annotations

from collections import Counter

from core.domain import machine, run, task, worker
from core.domain.machine import CommandRefused, Recorded
from core.domain.state import State
from core.envelope import GENESIS_CHAIN, chain_of, chained, decode_command, decode_fact, encode_fact, unchained
from core.ledger import Ledger, Stored


class Broken(AssertionError):
    """A promise the log shows broken."""


async def read_all(ledger: Ledger, stream: str) -> list[Stored]:
    """Everything a stream holds."""
    return [stored async for batch in ledger.read(stream, after=0) for stored in batch]  # type: ignore[arg-type]


async def check(ledger: Ledger) -> dict[str, int]:
    """Counts of what the log shows; ``Broken`` at the first promise it shows not kept."""
    commands, events = await read_all(ledger, "COMMANDS"), await read_all(ledger, "EVENTS")
    facts = [decode_fact(stored.data) for stored in events]
    contiguous(events)
    unbroken_chain(events)
    one_outcome_each(commands, facts)
    same_again(commands, events)
    one_run_at_a_time(facts)
    completed_once(facts)
    return Counter(machine.tag(each.fact) for each in facts) | Counter(commands=len(commands), facts=len(facts))


def contiguous(events: list[Stored]) -> None:
    """L2: every sequence once, in order."""
    if [stored.seq for stored in events] != list(range(1, len(events) + 1)):
        raise Broken("L2: EVENTS has a gap or a repeat")


def unbroken_chain(events: list[Stored]) -> None:
    """L6: nothing was taken out or altered."""
    chain = GENESIS_CHAIN
    for stored in events:
        chain = chained(chain, stored.subject, unchained(stored.data))
        if chain != chain_of(stored.data):
            raise Broken(f"L6: the chain breaks at EVENTS {stored.seq}")


def one_outcome_each(commands: list[Stored], facts: list[Recorded]) -> None:
    """C1: every accepted command has exactly one outcome, its parts 1 to n in one piece."""
    ended = [fact.command_seq for fact in facts if fact.end]
    if ended != [stored.seq for stored in commands[: len(ended)]]:
        raise Broken("C1: outcomes are not those of the commands in order, each once")
    if len(ended) != len(commands):
        raise Broken(f"C1: {len(commands) - len(ended)} commands without an outcome")
    part = 0
    for fact in facts:
        part += 1
        if fact.part != part or fact.end != (part == fact.of):
            raise Broken(f"C1: part {fact.part} of {fact.of} of command {fact.command_seq} stands where {part} should")
        if fact.end:
            part = 0


def same_again(commands: list[Stored], events: list[Stored]) -> None:
    """EVENTS is a function of COMMANDS."""
    state, chain, seq = State(), GENESIS_CHAIN, 0
    for stored in commands:
        for recorded in machine.step(state, decode_command(stored)):
            message, chain = encode_fact(recorded, chain)
            if (message.subject, message.data) != (events[seq].subject, events[seq].data):
                raise Broken(f"replay: EVENTS {seq + 1} is {events[seq].data!r}, computed {message.data!r}")
            seq += 1


def one_run_at_a_time(facts: list[Recorded]) -> None:
    """One run of a task at a time, one run of an agent at a time (S3, S8)."""
    tasks: dict[str, str] = {}
    agents: dict[str, str] = {}
    for recorded in facts:
        match recorded.fact:
            case worker.Assigned() as fact:
                if fact.task_id in tasks or fact.agent_id in agents:
                    raise Broken(f"S8: {fact.run_id} was given out while {tasks.get(fact.task_id)} was under way")
                tasks[fact.task_id] = agents[fact.agent_id] = fact.run_id
            case run.Succeeded() | run.Failed() | run.Interrupted() | run.Stopped() as fact:
                if tasks.pop(fact.task_id, None) != fact.run_id or agents.pop(fact.agent_id, None) != fact.run_id:
                    raise Broken(f"S3: {fact.run_id} ended and was not under way")
            case worker.Registered() | worker.Left() | worker.Lost() as fact:
                for released in fact.released:
                    tasks.pop(released.task_id, None)
                    agents.pop(released.agent_id, None)


def completed_once(facts: list[Recorded]) -> None:
    """S3: a completion is recorded exactly once; C4: none after a cancellation."""
    done: set[str] = set()
    cancelled: set[str] = set()
    for recorded in facts:
        match recorded.fact:
            case run.Succeeded(task_id=task_id):
                if task_id in done:
                    raise Broken(f"S3: {task_id} was completed twice")
                if task_id in cancelled:
                    raise Broken(f"C4: {task_id} was completed after it was cancelled")
                done.add(task_id)
            case task.Cancelled(task_id=task_id):
                cancelled.add(task_id)
            case task.Retried(task_id=task_id):
                cancelled.discard(task_id)


def refusals(facts: list[Recorded]) -> Counter[str]:
    """How commands that changed nothing ended."""
    return Counter(recorded.fact.outcome for recorded in facts if isinstance(recorded.fact, CommandRefused))
