"""The core's own orders: the beginning, rules, time it does not trust, going on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.domain import lane, session
from core.domain.words import Fact, Line, Order, Refused

if TYPE_CHECKING:
    from core.domain.state import State

KNOWN_RULES = (1, 2, 3, 4)
NEWEST_RULES = KNOWN_RULES[-1]
UNNAMED_RULES = 2  # of a log whose beginning names none: it was written when those were the newest


class Begin(Order, frozen=True, tag="core.begin"):
    """The first order of a log. Creation times in microseconds tell this pair of streams from any made again."""

    commands_created: int
    events_created: int
    rules: int = UNNAMED_RULES
    build: Line = ""


class AdoptRules(Order, frozen=True, tag="core.adopt_rules"):
    rules: int


class Continue(Order, frozen=True, tag="core.continue"):
    """Go on with what the bound of facts left over. Published by the core when nothing else is queued."""


class SuspectClock(Order, frozen=True, tag="core.suspect_clock"):
    """Stream time jumped ahead of the core's clock by ``ahead_s`` seconds: time-outs stop until somebody looks."""

    ahead_s: float


class TrustClock(Order, frozen=True, tag="core.trust_clock"):
    """An operator looked at the clocks: time-outs go on."""


class Halt(Order, frozen=True, tag="core.halt"):
    """Give nothing out any more, to anybody. What runs is interrupted, no attempt used; ``gently``: it runs on."""

    reason: Line = ""
    gently: bool = False


class Release(Order, frozen=True, tag="core.release"):
    """The halt is over: give out again what is ready."""


class Genesis(Fact, frozen=True, tag="core.genesis"):
    commands_created: int
    events_created: int
    rules: int
    build: str = ""


class RulesAdopted(Fact, frozen=True, tag="core.rules_adopted"):
    rules: int


class ClockSuspected(Fact, frozen=True, tag="core.clock_suspected"):
    ahead_s: float


class ClockTrusted(Fact, frozen=True, tag="core.clock_trusted"):
    pass


class Halted(Fact, frozen=True, tag="core.halted"):
    """Not gently: an order to interrupt follows for every worker."""

    reason: str = ""
    gently: bool = False


class Released(Fact, frozen=True, tag="core.released"):
    pass


Command = Begin | AdoptRules | Continue | SuspectClock | TrustClock | Halt | Release
Event = Genesis | RulesAdopted | ClockSuspected | ClockTrusted | Halted | Released


def decide(state: State, command: Command, at: int) -> list[Event]:  # noqa: C901 - one flat match
    match command:
        case Begin():
            if state.rules:
                raise Refused("this log has begun already", outcome="already_so")
            _check_rules(state, command.rules)
            return [
                Genesis(
                    commands_created=command.commands_created,
                    events_created=command.events_created,
                    rules=command.rules,
                    build=command.build,
                )
            ]
        case AdoptRules(rules=rules):
            _check_rules(state, rules)
            if rules == state.rules:
                raise Refused(f"rules {rules} are in force already", outcome="already_so")
            if rules < state.rules:
                raise Refused(f"rules {rules} are older than rules {state.rules}, which are in force")
            return [RulesAdopted(rules=rules)]
        case Continue():
            if not state.pending:
                raise Refused("nothing was left over", outcome="already_so")
            return []
        case SuspectClock(ahead_s=ahead_s):
            if state.clock_suspected:
                raise Refused("the clock is suspected already", outcome="already_so")
            return [ClockSuspected(ahead_s=ahead_s)]
        case TrustClock():
            if not state.clock_suspected:
                raise Refused("the clock is trusted", outcome="already_so")
            return [ClockTrusted()]
        case Halt(reason=reason, gently=gently):
            if state.halted is not None and (gently or not state.halted.gently):
                raise Refused(f"the fleet is halted already, by {state.halted.by}", outcome="already_so")
            return [Halted(reason=reason, gently=gently)]
        case Release():
            if state.halted is None:
                raise Refused("the fleet is not halted", outcome="already_so")
            return [Released()]


def evolve(state: State, fact: Event, seq: int) -> None:
    match fact:
        case Genesis():
            state.rules = fact.rules
            state.commands_created = fact.commands_created
            state.events_created = fact.events_created
            state.sessions[session.DEFAULT_SESSION] = session.Session(session.DEFAULT_SESSION)
            for name in lane.DEFAULT_LANES:
                state.lanes[name] = lane.Lane(name)
        case RulesAdopted():
            state.rules = fact.rules
        case ClockSuspected():
            state.clock_suspected = True
        case ClockTrusted():
            state.clock_suspected = False
        case Halted(reason=reason, gently=gently):
            state.halt(reason, gently=gently)
        case Released():
            state.halted = None


def _check_rules(state: State, rules: int) -> None:
    if rules not in KNOWN_RULES:
        # A refusal is a fact: under older rules it says what builds of that time said.
        named = [each for each in KNOWN_RULES if each <= max(UNNAMED_RULES, state.rules)]
        raise Refused(f"rules {rules} are not known here; known: {', '.join(map(str, named))}")
