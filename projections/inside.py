"""Inside a run: files with their diffs, what each call to the model used, and which orders led to it."""

from __future__ import annotations

from typing import Any

import msgspec

from core.domain.words import Usage
from projections.costs import Cost, cost_of
from projections.prices import context_window
from projections.rows import At, Row
from projections.rows.runs import Run, Stage
from projections.store import Reader

MOST_FILES = 500
MOST_SPENT = 5_000
MOST_CAUSES = 12
WAITING = ("ready", "waiting", "blocked", "paused")
FIELDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


# When a run was observed, from and until, by the server's time, with room for what was stored late. A table that only
# grows lies in this order, so a span of it is looked through and not all of it.
Span = tuple[int, int]
EVER: Span = (0, 1 << 62)
LATE_US = 600_000_000


class FileChange(Row, frozen=True):
    """A file a run touched. ``diffs``: how many of its edits came with one."""

    name: str
    edits: int
    added: int
    removed: int
    at: int
    diffs: int


class Diff(Row, frozen=True):
    """One edit of a file, as a unified diff."""

    seq: int
    at: int
    diff: str
    added: int = 0
    removed: int = 0
    ref: str = ""


class Spent(Row, frozen=True):
    """What one call to the model used. ``tools``: what the model then called."""

    seq: int
    at: int
    model: str
    usage: Usage
    cost: Cost
    tools: tuple[str, ...] = ()

    @property
    def read(self) -> int:
        """Tokens the model read: how full its context was."""
        return self.usage.input_tokens + self.usage.cache_read_tokens + self.usage.cache_write_tokens


class Spending(Row, frozen=True):
    """Every call to the model, in order, and the whole. ``window``: tokens the model reads at most, where known."""

    calls: list[Spent]
    cost: Cost
    window: int | None = None

    @property
    def context(self) -> float | None:
        """How full the context was at the last call, in hundredths; None where nobody knows."""
        named = [call.read for call in self.calls if call.read]
        return min(100.0, 100 * named[-1] / self.window) if named and self.window else None


class Resources(Row, frozen=True):
    """What a run's processes used when they were last looked at: bytes of private memory, and the most they had."""

    at: int
    memory: int = 0
    peak: int = 0
    processes: int = 0
    cpu_ms: int = 0


class Said(Row, frozen=True):
    """A fact about the task."""

    seq: int
    at: int
    type: str
    says: str
    failed: bool = False


class Cause(Row, frozen=True):
    """An order or a report, who gave it, and what it made of the task. ``type`` empty: it is no longer known."""

    command_seq: int
    at: int
    type: str
    by: str
    target: str
    facts: tuple[Said, ...]

    @property
    def verb(self) -> str:
        kind, _, verb = self.type.partition(".")
        return f"{verb.replace('_', ' ')} {kind}".strip()


def span(db: Reader, at: At, run: Run) -> Span:  # noqa: ARG001 - every query takes a moment
    """When the run was observed."""
    found = db.ask("runs.span", born=run.born, seq=run.seq)
    if not found or found[0]["first"] is None:
        return EVER
    return found[0]["first"] - LATE_US, found[0]["last"] + LATE_US if run.is_over else EVER[1]


def file_changes(db: Reader, at: At, run_id: str, within: Span = EVER) -> list[FileChange]:
    """The files a run was seen to touch, in the order in which it first did."""
    found = db.ask("inside.files", **those(at, run_id, within), limit=MOST_FILES)
    return [
        FileChange(
            name=row["name"], edits=row["edits"], added=row["added"], removed=row["removed"], at=row["at_us"],
            diffs=row["diffs"],
        ) for row in found
    ]  # fmt: skip


def diffs(db: Reader, at: At, run_id: str, name: str, within: Span = EVER, *, limit: int = 50) -> list[Diff]:
    """The edits of one file, newest first."""
    found = db.ask("inside.diffs", **those(at, run_id, within), name=name, limit=limit)
    return [
        Diff(
            seq=row["seq"], at=row["at_us"], diff=row["diff"], added=row["added"], removed=row["removed"],
            ref=row["ref"],
        ) for row in found
    ]  # fmt: skip


def spending(db: Reader, at: At, run: Run, within: Span = EVER) -> Spending:
    """What each call to the model used, in order: the differences between the totals a run reported.

    A usage that names a tool call is that call's; any other is followed by the calls the model then made.
    """
    rows = db.ask("inside.spent", **those(at, run.run_id, within), limit=MOST_SPENT)
    named = {row["ref"]: row["name"] for row in rows if row["kind"] == "tool" and row["ref"]}
    counted = {row["ref"] for row in rows if row["kind"] == "usage"} & named.keys()
    spent: list[Spent] = []
    before = Usage()
    for row in rows:
        if row["kind"] == "tool":
            if spent and row["ref"] not in counted:
                spent[-1] = msgspec.structs.replace(spent[-1], tools=(*spent[-1].tools, row["name"]))
            continue
        if not row["usage"]:
            continue  # an agent spoke of usage and gave no figures
        total = msgspec.json.decode(row["usage"], type=Usage)
        if any(getattr(total, name) != getattr(before, name) for name in (*FIELDS, "cost_uusd")):
            spent.append(_difference(row, before, total, named, run.model))
        before = total
    return Spending(calls=spent, cost=cost_of(run.usage, run.model), window=context_window(run.model))


def resources(db: Reader, at: At, run_id: str, within: Span = EVER) -> Resources | None:
    """What its processes used, as last seen; None for an agent that has none."""
    found = db.ask("inside.resources", **those(at, run_id, within))
    if not found:
        return None
    try:
        told = msgspec.json.decode(found[0]["data"], type=dict[str, int])
    except msgspec.DecodeError:  # a worker may say what it likes
        return None
    figures = {name: told.get(name, 0) for name in ("memory", "peak", "processes", "cpu_ms")}
    return Resources(at=found[0]["at_us"], **figures)


def causes(db: Reader, at: At, run: Run) -> list[Cause]:
    """The orders and reports that led to this run, oldest first: from the task's beginning to its being given out."""
    rows = db.ask("inside.chain", task_id=run.task_id, seq=at.events_seq, assigned=run.born)
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["command_seq"], []).append(row)
    made = [_cause(group) for group in found.values()]
    return made if len(made) <= MOST_CAUSES else [made[0], *made[1 - MOST_CAUSES :]]


def waits(db: Reader, at: At, run: Run) -> list[Stage]:
    """The states its task was in just before, the last of each kind, oldest first. None is left out between them."""
    stages: list[Stage] = []
    until = run.assigned_at
    for row in db.ask("inside.before", task_id=run.task_id, born=min(run.born, at.events_seq + 1)):
        if stages and stages[0].state == row["state"]:
            stages[0] = msgspec.structs.replace(stages[0], at=min(stages[0].at, row["since"]))
        elif row["state"] in WAITING and len(stages) < 2:
            stages.insert(0, Stage(state=row["state"], seq=0, at=row["since"], until=until))
        else:
            break
        until = stages[0].at
    return [stage for stage in stages if stage.until > stage.at]


def deeds(db: Reader, at: At, run_id: str, within: Span = EVER) -> list[str]:
    """What a run did, in order, a line each: for comparing with another."""
    rows = db.ask("inside.steps", **those(at, run_id, within), limit=2_000)
    tools = [f"{row['name']} {row['says']}".strip() for row in rows if row["kind"] == "tool"]
    return tools or [row["says"] or row["name"] for row in rows]


def those(at: At, run_id: str, within: Span = EVER) -> dict[str, Any]:
    """The values that say which observations: of one run, up to the moment."""
    return {
        "run_id": run_id, "observations_seq": at.observations_seq, "since": within[0], "until": within[1],
    }  # fmt: skip


def _difference(row: dict[str, Any], before: Usage, total: Usage, named: dict[str, str], model: str) -> Spent:
    told = None if total.cost_uusd is None else max(0, total.cost_uusd - (before.cost_uusd or 0))
    used = Usage(**{name: max(0, getattr(total, name) - getattr(before, name)) for name in FIELDS}, cost_uusd=told)
    tools = (named[row["ref"]],) if row["ref"] in named else ()
    cost = cost_of(used, row["name"] or model)
    return Spent(seq=row["seq"], at=row["at_us"], model=row["name"], usage=used, cost=cost, tools=tools)


def _cause(group: list[dict[str, Any]]) -> Cause:
    first = group[0]
    facts = tuple(
        Said(seq=row["seq"], at=row["at_us"], type=row["tag"], says=row["says"], failed=row["failed"]) for row in group
    )
    return Cause(
        command_seq=first["command_seq"], at=first["given_at"], type=first["command"], by=first["actor"],
        target=first["target"], facts=facts,
    )  # fmt: skip
