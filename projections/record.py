"""The record: the timeline of facts and observations, and commands with their outcomes."""

from __future__ import annotations

import re
from typing import Any

from projections.rows import At
from projections.rows.record import Command, CommandFilter, Commands, Entry, Timeline, TimelineFilter
from projections.store import Reader

# What workers and timers say in the course of the work; not orders somebody gave.
REPORTS = (
    "run.start", "run.progress", "run.finish", "worker.register", "worker.leave", "worker.lose", "task.wake",
    "worker.grow", "core.begin", "core.continue", "core.suspect_clock",
)  # fmt: skip


def timeline(db: Reader, at: At, wanted: TimelineFilter) -> Timeline:
    """Facts and observations together, newest first. Both go by the server's time, so their order is one."""
    facts_before, seen_before = _cursor(wanted.before)
    values = {
        "seq": at.events_seq, "observations_seq": at.observations_seq, "limit": wanted.limit + 1,
        "session_id": wanted.session_id, "task_id": wanted.task_id, "run_id": wanted.run_id,
        "agent_id": wanted.agent_id, "worker_id": wanted.worker_id, "types": list(wanted.types),
        "text": wanted.text.lower(), "since": wanted.since, "until": wanted.until,
        "facts_before": facts_before, "seen_before": seen_before,
    }  # fmt: skip
    found = db.ask("timeline.facts", {"facts": _of_facts(wanted, facts_before)}, **values)
    if wanted.observations:
        found += db.ask("timeline.seen", {"seen": _of_observations(wanted, seen_before)}, **values)
    found.sort(key=lambda row: (row["at"], row["stream"] == "events", row["seq"]), reverse=True)
    shown = _whole_facts(found, wanted.limit)
    more = len(found) > len(shown)
    return Timeline(
        entries=[Entry(**row) for row in shown],
        before=_encode(shown, facts_before, seen_before) if more else "",
    )


def commands(db: Reader, at: At, wanted: CommandFilter) -> Commands:
    """Commands with what came of each, newest first, and how many there are."""
    values = {
        "seq": at.events_seq, "commands_seq": at.commands_seq, "actor": wanted.by, "types": list(wanted.types),
        "outcomes": list(wanted.outcomes), "target": wanted.target, "text": wanted.text.lower(),
        "reports": list(REPORTS), "before": wanted.before, "since": wanted.since,
        "number": int(wanted.text) if re.fullmatch("[0-9]{1,18}", wanted.text) else 0,
        "decided": _decided(db, at) if wanted.outcomes else 0,
    }  # fmt: skip
    where = _of_commands(wanted)
    clauses = {
        "where": where,
        "before": "and c.seq < $before" if wanted.before else "",
        "limit": f"limit {int(wanted.limit) + 1}" if wanted.limit else "",
    }
    found = db.ask("commands.page", clauses, **values)
    more = bool(wanted.limit) and len(found) > wanted.limit
    found = found[: wanted.limit] if more else found
    total = int(db.ask("commands.count", {"where": where}, **values)[0]["n"])
    return Commands(
        rows=[command_of(row) for row in found], total=total, before=found[-1]["command_seq"] if more else 0
    )


def _decided(db: Reader, at: At) -> int:
    """The last command of which all facts are there."""
    return int(db.ask("commands.decided", seq=at.events_seq)[0]["command_seq"])


def _of_facts(wanted: TimelineFilter, before: int) -> str:
    of_one = wanted.task_id or wanted.run_id or wanted.agent_id
    clauses = [f"and {name} = ${name}" for name in ("session_id", "task_id", "run_id", "agent_id", "worker_id")
               if getattr(wanted, name)]  # fmt: skip
    clauses += [] if of_one else ["and coalesce(own, true)"]
    clauses += ["and list_contains($types, tag)"] if wanted.types else []
    within = "and contains(lower(concat_ws(' ', says, tag, task_id, agent_id, actor)), $text)"
    clauses += [within] if wanted.text else []
    clauses += ["and at_us >= $since"] if wanted.since else []
    clauses += ["and at_us <= $until"] if wanted.until else []
    clauses += ["and seq < $facts_before"] if before else []
    return " ".join(clauses)


def _of_observations(wanted: TimelineFilter, before: int) -> str:
    by_run = {"agent_id": wanted.agent_id, "worker_id": wanted.worker_id}
    clauses = [f"and {name} = ${name}" for name in ("task_id", "run_id") if getattr(wanted, name)]
    clauses += ["and starts_with(task_id, $session_id || '/')"] if wanted.session_id else []
    theirs = "and run_id in (select run_id from runs where {name} = ${name})"
    clauses += [theirs.format(name=name) for name, asked in by_run.items() if asked]
    # How much a run's processes use is told every few seconds: only who asks for it wants to read that.
    clauses += ["and list_contains($types, kind)" if wanted.types else "and kind <> 'resources'"]
    clauses += ["and contains(lower(concat_ws(' ', says, name, kind, task_id)), $text)"] if wanted.text else []
    clauses += ["and stored_us >= $since"] if wanted.since else []
    clauses += ["and stored_us <= $until"] if wanted.until else []
    clauses += ["and seq < $seen_before"] if before else []
    return " ".join(clauses)


def _whole_facts(found: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """The first ``limit`` rows, and a few less where one fact's rows would be torn apart by the end of the page."""
    if len(found) <= limit:
        return found
    shown, following = found[:limit], found[limit]
    while len(shown) > 1 and (shown[-1]["stream"], shown[-1]["seq"]) == (following["stream"], following["seq"]):
        following = shown.pop()
    return shown


def _cursor(before: str) -> tuple[int, int]:
    events, _, observations = before.partition(".")
    return (int(events), int(observations)) if events.isdecimal() and observations.isdecimal() else (0, 0)


def _encode(shown: list[dict[str, Any]], facts_before: int, seen_before: int) -> str:
    """Where the next page goes on, in each stream."""
    lowest = {"events": facts_before, "observations": seen_before}
    for row in shown:
        lowest[row["stream"]] = row["seq"]
    never = 2**62
    return f"{lowest['events'] or never}.{lowest['observations'] or never}"


def _of_commands(wanted: CommandFilter) -> str:
    words = "contains(lower(concat_ws(' ', c.command_id, c.tag, c.target, c.actor, c.problem)), $text)"
    clauses = {
        "and c.actor = $actor": wanted.by,
        "and list_contains($types, c.tag)": wanted.types,
        "and c.target = $target": wanted.target,
        f"and (c.seq = $number or {words})": wanted.text,
        "and c.at_us >= $since": wanted.since,
        "and not list_contains($reports, c.tag)": not wanted.reports,
        f"and ({_of_outcomes(wanted.outcomes)})": wanted.outcomes,
    }
    return " ".join(clause for clause, asked in clauses.items() if asked)


def _of_outcomes(outcomes: tuple[str, ...]) -> str:
    """What was not carried out is a fact of its own and found by it; whatever else is decided, was done."""
    refusals = "(select command_seq from moments where outcome is not null and seq <= $seq)"
    clauses = ["c.seq in (select command_seq from moments where list_contains($outcomes, outcome) and seq <= $seq)"]
    clauses += [f"c.seq <= $decided and c.seq not in {refusals}"] if "done" in outcomes else []
    clauses += ["c.seq > $decided"] if "pending" in outcomes else []
    return " or ".join(clauses)


def command_of(row: dict[str, Any]) -> Command:
    kind, _, verb = row["tag"].partition(".")
    says = f"{verb.replace('_', ' ')} {kind} {row['target']}".strip() if row["tag"] else "something that is no command"
    return Command(
        command_seq=row["command_seq"], command_id=row["command_id"], by=row["actor"], type=row["tag"],
        kind=row["kind"], target=row["target"], at=row["at_us"], outcome=row["outcome"],
        reason=row["reason"] or row["problem"], says=says, events_seq=row["events_seq"], facts=row["facts"],
        latency_us=row["latency_us"], deadline=row["deadline"],
    )  # fmt: skip
