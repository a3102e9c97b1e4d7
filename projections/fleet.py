"""The whole fleet in figures: counts, the last hour, lanes and queues, sessions and plans, usage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from core.domain.words import Usage
from projections.because import agent_state
from projections.rows import At
from projections.rows.fleet import Counts, Hour, Lane, Minute, Plan, Queued, Session, UsageRow
from projections.store import Reader
from projections.tasks import counted, leaves, task_rows

MINUTE_US, HOUR_US = 60_000_000, 3_600_000_000
_KEYS = {
    "agent": "r.agent_id",
    "model": "coalesce(nullif(a.model, ''), a.adapter, '')",
    "task": "r.task_id",
    "lane": "r.lane",
    "session": "r.session_id",
}


def counts(db: Reader, at: At, *, agents: Iterable[str] | None = None) -> Counts:
    """``agents``: the state of each that is there, where the caller knows."""
    seq = at.events_seq
    tasks = leaves(db, at)
    containers = {state: n - tasks.get(state, 0) for state, n in counted(db, at).items()}
    if agents is None:
        agents = map(agent_state, db.ask("agents.page", {"where": "and a.present"}, seq=seq))
    return Counts(
        tasks=tasks,
        containers={state: n for state, n in containers.items() if n},
        agents=dict(Counter(agents)),
        workers=dict(Counter(row["state"] for row in db.ask("workers.states", seq=seq))),
        runs={row["state"]: int(row["n"]) for row in db.ask("throughput.runs", seq=seq)},
        claimed=sum(int(row["claimed"]) for row in db.ask("throughput.states", seq=seq)),
        sessions=sum(row["state"] == "open" for row in db.ask("sessions.page", seq=seq)),
    )


def hour(db: Reader, at: At) -> Hour:
    """The 60 minutes up to the moment."""
    since = at.at + 1 - HOUR_US
    values = {"seq": at.events_seq, "since": since, "until": at.at + 1}
    found = {int(row.pop("minute")): row for row in db.ask("throughput.minutes", **values)}
    minutes = [Minute(at=since + i * MINUTE_US, **found.get(i, {})) for i in range(60)]
    whole = db.ask("throughput.hour", **values)[0]
    first_done, first_ended = whole.pop("first_done"), whole.pop("first_ended")
    ended = whole["done"] + whole["failed"] + whole["lost"]
    return Hour(
        minutes=minutes,
        **whole,
        **db.ask("throughput.waits", **values)[0],
        success_share=whole["done"] / ended if ended else None,
        first_try_share=first_done / first_ended if first_ended else None,
    )


def lanes(db: Reader, at: At) -> list[Lane]:
    return [Lane(**row) for row in db.ask("lanes.page", seq=at.events_seq, since=at.at - HOUR_US)]


def lane_names(db: Reader, at: At) -> list[str]:
    """The lanes there are, without counting what stands in them."""
    return sorted(row["lane"] for row in db.ask("lanes.rule", seq=at.events_seq))


def queue(db: Reader, at: At, lane: str, *, limit: int = 50) -> list[Queued]:
    """Ready tasks of a lane in the order the scheduler would give them out."""
    ids = [row["task_id"] for row in db.ask("lanes.queue", seq=at.events_seq, lane=lane, limit=limit)]
    rows = {row.task_id: row for row in task_rows(db, at, ids)}
    return [Queued(place=n, row=rows[each], because=rows[each].because) for n, each in enumerate(ids, 1)]


def sessions(db: Reader, at: At) -> list[Session]:
    """Open ones first, then by age."""
    by_session: dict[str, dict[str, int]] = {}
    for row in db.ask("throughput.states", seq=at.events_seq):
        states = by_session.setdefault(row["session_id"], {})
        states[row["state"]] = states.get(row["state"], 0) + int(row["n"])
    found = db.ask("sessions.page", seq=at.events_seq)
    return [Session(**row, tasks=by_session.get(row["session_id"], {})) for row in found]


def plans(db: Reader, at: At) -> list[Plan]:
    """Newest first."""
    return [
        Plan(**row | {"cycles": tuple(tuple(each) for each in row["cycles"])})
        for row in db.ask("sessions.plans", seq=at.events_seq)
    ]


def usage(
    db: Reader, at: At, by: Literal["agent", "model", "task", "lane", "session"], *, limit: int = 100
) -> list[UsageRow]:
    """What was used, the dearest first."""
    found = db.ask("throughput.used", {"key": _KEYS[by]}, seq=at.events_seq, limit=limit)
    return [
        UsageRow(
            key=row["key"],
            runs=row["runs"],
            done=row["done"],
            failed=row["failed"],
            duration_ms=row["duration_ms"],
            usage=Usage(**{name: row[name] for name in Usage.__struct_fields__}),
        )
        for row in found
    ]
