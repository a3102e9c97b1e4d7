"""The core as a function: state and command in, facts out. No clock, no chance, no I/O.

``step`` decides a command and folds what it decided; ``fold`` takes in a fact read back from EVENTS. Both go
through the same ``evolve`` of each aggregate a fact concerns, so replaying a log gives the state that wrote it.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from core.domain import (
    agent,
    amend,
    errand,
    hire,
    lane,
    notes,
    plan,
    run,
    schedule,
    session,
    steer,
    system,
    task,
    template,
    worker,
)
from core.domain.state import State
from core.domain.words import MAX_FACTS, MAX_SAID, Fact, Order, Outcome, Refused, token

DAY_US = 86_400_000_000
FUTURE_US = 300_000_000  # how far ahead of stream time a command's id may be made: 5 minutes
_UUID7 = re.compile(r"([0-9a-fA-F]{8})-([0-9a-fA-F]{4})-7[0-9a-fA-F]{3}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
DERIVED = "~"  # ids that are derived from what they mean start so; the target's state makes those idempotent

Command = (
    task.Command | amend.Command | run.Command | steer.Command | worker.Command | hire.Command | agent.Command
    | lane.Command | session.Command | plan.Command | system.Command | template.Command | notes.Command
)  # fmt: skip


class CommandRefused(Fact, frozen=True, tag="command.refused"):
    """The outcome of a command that changed nothing. ``target`` is empty where it named nothing that exists."""

    outcome: Outcome
    command: str
    reason: str
    kind: str = "command"
    target: str = ""


Event = (
    task.Event | amend.Event | run.Event | steer.Event | worker.Event | hire.Event | errand.Event | agent.Event
    | lane.Event | session.Event | plan.Event | system.Event | template.Event | notes.Event | CommandRefused
)  # fmt: skip


class Received(msgspec.Struct, frozen=True):
    """A command as it was read: its COMMANDS sequence and stream time, and its body, or what is wrong with that."""

    seq: int
    at: int
    id: str
    by: str
    command: Command | None
    deadline: int = 0
    problem: str = ""


class Recorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A fact and its envelope, as it stands in EVENTS. ``at`` in microseconds; ``cause`` and ``command_seq`` are the
    command's id and COMMANDS sequence; this is part ``part`` of ``of``, the last one says ``end``."""

    at: int
    by: str
    cause: str
    command_seq: int
    part: int
    of: int
    end: bool = False
    fact: Event


# Who decides what, and the order in which they take a fact in: those that look at another's state come before that one.
# A module may hold a part of an aggregate: reports on a run are in ``run``, orders to it in ``steer``.
_MODULES: tuple[Any, ...] = (
    run, steer, agent, lane, session, task, amend, plan, worker, hire, system, template, notes,
)  # fmt: skip

# Commands that are refused until the log is under these rules. All others were known to the first ones.
NEEDS_RULES: dict[type, int] = dict.fromkeys(
    (
        agent.Stop, agent.Restart, hire.Hire, hire.Grow, steer.Message, steer.Hold, steer.Continue, system.Halt,
        system.Release, session.Amend, *typing.get_args(amend.Command), *typing.get_args(notes.Command),
        *typing.get_args(template.Command),
    ),
    3,
)  # fmt: skip


def _deciders() -> dict[type, Any]:
    """For every command the module that decides it: the one whose ``Command`` names it."""
    return {command: module for module in _MODULES for command in typing.get_args(module.Command)}


def _routes() -> dict[type, tuple[Callable[[State, Any, int], None], ...]]:
    """For every fact the aggregates that evolve from it, read from the type each ``evolve`` takes."""
    routes: dict[type, tuple[Callable[[State, Any, int], None], ...]] = dict.fromkeys(typing.get_args(Event), ())
    for module in _MODULES:
        hint = typing.get_type_hints(module.evolve, vars(module) | {"State": State})["fact"]
        for fact in typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,):
            routes[fact] += (module.evolve,)
    return routes


_ROUTES = _routes()
_DECIDERS = _deciders()
_encoded = msgspec.json.Encoder().encode


def step(state: State, received: Received) -> list[Recorded]:
    """Decide one command, let the scheduler say all it has to say, fold it all in, and return it.

    At most ``MAX_FACTS`` facts; what is left over stays ``pending`` in the state and the next command goes on.
    """
    at = max(state.at, received.at)
    facts: list[Event] = []
    for fact in _decided(state, received, at):
        facts.append(fact)
        _apply(state, fact, at, received.by)
    while len(facts) < MAX_FACTS:
        said = schedule.next_fact(state)
        if said is None:
            break
        facts.append(said)
        _apply(state, said, at, received.by)
    if not facts:
        facts.append(_refusal(state, received, "already_so", "nothing was left to do"))
        _apply(state, facts[0], at, received.by)
    of = len(facts)
    _close(state, received.id, received.seq, of)
    return [
        Recorded(
            at=at, by=received.by, cause=received.id, command_seq=received.seq, part=i, of=of, end=i == of, fact=fact
        )
        for i, fact in enumerate(facts, 1)
    ]


def fold(state: State, recorded: Recorded) -> None:
    """Take in the next fact of EVENTS."""
    _apply(state, recorded.fact, recorded.at, recorded.by)
    if recorded.end:
        _close(state, recorded.cause, recorded.command_seq, recorded.of)


def subject(fact: Event) -> str:
    """Where the fact stands in EVENTS. A run's facts stand under its task, so one filter shows a task's whole life."""
    if isinstance(fact, CommandRefused):
        return f"evt.{fact.kind}.{token(fact.target)}.refused" if fact.target else "evt.command.refused"
    kind, _, verb = tag(fact).partition(".")
    return f"evt.{kind}.{token(about(fact)[1]) or 'core'}.{verb}"


def command_subject(command: Command) -> str:
    """Where the command goes in COMMANDS."""
    kind, _, verb = tag(command).partition(".")
    return f"cmd.{kind}.{token(about(command)[1]) or 'core'}.{verb}"


def tag(message: Fact | Order) -> str:
    """The wire name: ``task.submitted``."""
    return str(message.__struct_config__.tag)


def about(message: Fact | Order) -> tuple[str, str]:
    """The kind and the id of what a message is about; a run's id is its task's."""
    kind = tag(message).partition(".")[0]
    if kind == "run":
        return kind, message.run_id.rpartition("~")[0]  # type: ignore[union-attr]
    field = {"lane": "lane", "board": "column"}.get(kind, f"{kind}_id")
    return kind, getattr(message, field, "")


def _decided(state: State, received: Received, at: int) -> list[Event]:
    try:
        command = _acceptable(state, received)
        facts: list[Event] = _DECIDERS[type(command)].decide(state, command, at)
    except Refused as refused:
        return [*refused.facts, _refusal(state, received, refused.outcome, refused.reason)]
    except (MemoryError, RecursionError):
        raise  # not a function of the command: another core, or this one later, might decide otherwise
    except Exception as error:  # noqa: BLE001 - a defect in a decider must not stop the queue; it is recorded
        # Not its text: that may hold an address, or differ between Pythons. Replaying the log tells it again.
        said = f"internal: {type(error).__name__} in {tag(received.command) if received.command else 'no command'}"
        return [_refusal(state, received, "refused", said)]
    if len(facts) > MAX_FACTS:
        return [_refusal(state, received, "refused", f"it makes {len(facts)} facts; {MAX_FACTS} is the most")]
    for fact in facts:
        if (size := len(_encoded(fact))) > MAX_SAID:
            said = f"it makes a fact of {size:,} bytes; {MAX_SAID:,} is the most"
            return [_refusal(state, received, "refused", said)]
    return facts


def _acceptable(state: State, received: Received) -> Command:
    """The command, if it may be decided at all. Its id and deadline are held against its own stream time: the log's may
    have been carried days ahead by a clock that jumped."""
    command = received.command
    if command is None:
        raise Refused(received.problem)
    if not state.rules and not isinstance(command, system.Begin):
        raise Refused("this log has not begun: the core writes core.begin first")
    if received.deadline and received.at > received.deadline:
        late_s = (received.at - received.deadline) / 1e6
        raise Refused(f"its deadline passed {late_s:.1f} s before it was read", outcome="expired")
    if not received.id.startswith(DERIVED):
        _check_id(state, received.id, received.at)
    needed = NEEDS_RULES.get(type(command), 0)
    if state.rules < needed:
        raise Refused(
            f"{tag(command)} needs rules {needed}, this log is under rules {state.rules}: when every core is of this "
            f"build, order core.adopt_rules with rules {needed} (switchtower rules adopt)"
        )
    return command


def _check_id(state: State, command_id: str, at: int) -> None:
    """``at`` is the command's own stream time: the log's may have been carried years ahead by a clock that jumped."""
    if command_id in state.recent:
        raise Refused("a command of this id was decided before", outcome="already_so")
    made = made_at(command_id)
    if made is None:
        raise Refused(f"command id {command_id[:60]!r} is not a UUIDv7")
    if made < at - DAY_US or made <= state.forgotten:
        raise Refused("its id is older than a day: send it again under a new one", outcome="expired")
    if made > at + FUTURE_US:
        raise Refused("its id is made more than 5 minutes in the future: check the sender's clock")


def made_at(command_id: str) -> int | None:
    """When a UUIDv7 was made, in microseconds; None if it is not one."""
    found = _UUID7.fullmatch(command_id)
    return None if found is None else int(found[1] + found[2], 16) * 1000


def _refusal(state: State, received: Received, outcome: Outcome, reason: str) -> CommandRefused:
    command = received.command
    if command is None:
        return CommandRefused(outcome=outcome, command="", reason=reason[:500])
    kind, target = about(command)
    if not _exists(state, kind, target):
        kind, target = "command", ""
    return CommandRefused(outcome=outcome, command=tag(command), reason=reason[:500], kind=kind, target=target)


def _exists(state: State, kind: str, target: str) -> bool:
    match kind:
        case "task" | "run":
            return target in state.tasks or target in state.over
        case "plan":
            return target in state.plans or target in state.sealed_plans
        case "worker" | "agent" | "lane" | "session" | "template" | "view" | "bookmark":
            return target in getattr(state, f"{kind}s")
        case "board":
            return target in state.board_limits
        case _:
            return False


def _apply(state: State, fact: Event, at: int, by: str) -> None:
    state.seq += 1
    state.at, state.by = at, by
    for evolve in _ROUTES[type(fact)]:
        evolve(state, fact, state.seq)


def _close(state: State, command_id: str, command_seq: int, of: int) -> None:
    """The command is done: remember it, and forget those older than a day."""
    state.command_seq = command_seq
    state.pending = of >= MAX_FACTS
    if command_id.startswith(DERIVED):
        return
    state.recent.setdefault(command_id, state.at)
    horizon = state.at - DAY_US - FUTURE_US
    while state.recent:
        oldest = next(iter(state.recent))
        if state.recent[oldest] >= horizon:
            break
        decided = state.recent.pop(oldest)
        state.forgotten = max(state.forgotten, min(made_at(oldest) or 0, decided + FUTURE_US))
