"""The record of orders: one command with its facts and what led to it, and how orders went lately."""

from __future__ import annotations

from projections.record import REPORTS, command_of
from projections.rows import At, Row
from projections.rows.record import Command
from projections.store import Reader

MOST_FACTS = 400  # a command makes no more


class Fact(Row, frozen=True):
    """A fact of a command, in words."""

    seq: int
    type: str
    says: str
    task_id: str = ""
    run_id: str = ""
    agent_id: str = ""
    worker_id: str = ""


class CommandPage(Row, frozen=True):
    """A command and what came of it; ``first`` to ``last`` are its facts in EVENTS (0: none yet)."""

    command: Command
    facts: list[Fact]
    first: int = 0
    last: int = 0


class Lately(Row, frozen=True):
    """The last thousand orders of people and programs; times from append to commit, None where none was decided."""

    orders: int
    refused: int
    median_us: float | None = None
    p95_us: float | None = None


def command(db: Reader, at: At, seq: int) -> CommandPage | None:
    """The command of that COMMANDS sequence; None where there was none by the moment."""
    found = db.ask("audit.command", command=seq, commands_seq=at.commands_seq)
    if not found:
        return None
    outcome = db.ask("audit.outcome", command=seq, seq=at.events_seq)[0]
    first, last = int(outcome["first"] or 0), int(outcome["events_seq"] or 0)
    told = db.ask("audit.facts", first=first, last=last) if first else []
    facts = [Fact(**row) for row in told]
    took = outcome["stored_us"] - found[0]["at_us"] if outcome["stored_us"] else None
    beside = {
        "outcome": outcome["outcome"] if first else "pending", "reason": outcome["reason"], "events_seq": last,
        "facts": int(outcome["facts"]), "latency_us": took,
    }  # fmt: skip
    return CommandPage(command=command_of(found[0] | beside), facts=facts, first=first, last=last)


def gave_out(db: Reader, at: At, run_id: str) -> tuple[int, int]:
    """The command and the fact that gave a run out; zeros where there is no such run."""
    found = db.ask("audit.gave_out", run_id=run_id, seq=at.events_seq)
    return (int(found[0]["command_seq"]), int(found[0]["seq"])) if found else (0, 0)


def lately(db: Reader, at: At) -> Lately:
    """How orders went lately."""
    values = {"seq": at.events_seq, "commands_seq": at.commands_seq, "reports": list(REPORTS)}
    return Lately(**db.ask("audit.lately", **values)[0])
