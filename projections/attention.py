"""What needs a person, from the rows of a moment. An alert is a query, so it can be asked of last week too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.domain.words import count, listed
from projections.because import agent_views, needs, unfit, view_of
from projections.rows import At
from projections.rows.agents import Agent
from projections.rows.attention import Attention
from projections.store import Reader

LONG_PAUSE_US = 1_800_000_000  # half an hour: whoever paused it may have forgotten
RECENT_US = 86_400_000_000  # a refused plan is news for a day


def attention(db: Reader, at: At, *, limit: int = 50, agents: Sequence[Agent] | None = None) -> list[Attention]:
    """Most urgent first, then longest waiting. ``agents``: those that are there, where the caller knows."""
    found = [*_clock(db, at), *_workers(db, at), *_broken(db, at, limit), *_plans(db, at, limit),
             *_nobody(db, at, agents), *_paused(db, at, limit)]  # fmt: skip
    return sorted(found, key=lambda each: (each.rank, each.since))[:limit]


def _clock(db: Reader, at: At) -> Iterator[Attention]:
    for row in db.ask("timeline.clock", seq=at.events_seq):
        if row["tag"] == "core.clock_suspected":
            yield Attention(kind="clock", rank=0, title="The clock", says=row["says"], since=row["at_us"])


def _workers(db: Reader, at: At) -> Iterator[Attention]:
    for row in db.ask("workers.states", seq=at.events_seq):
        if row["state"] == "lost":
            says = row["because"] + (f"; {count(row['released'], 'run')} ended with it" if row["released"] else "")
            yield Attention(
                kind="worker_lost", rank=1, title=f"Worker {row['worker_id']} is lost", says=says, since=row["since"],
                worker_id=row["worker_id"],
            )  # fmt: skip


def _broken(db: Reader, at: At, limit: int) -> Iterator[Attention]:
    broken = db.ask("attention.broken", seq=at.events_seq, limit=limit)
    held_up = _held_up(db, at, [row["task_id"] for row in broken])
    for row in broken:
        says = row["because"]
        if row["state"] == "quarantined":
            says = f"{count(row['losses'], 'worker')} lost under it"
        says += held_up.get(row["task_id"], "")
        yield Attention(
            kind=row["state"], rank=0 if row["state"] == "quarantined" else 2, title=row["title"], says=says,
            since=row["since"], task_id=row["task_id"], run_id=row["run_id"],
        )  # fmt: skip


def _plans(db: Reader, at: At, limit: int) -> Iterator[Attention]:
    seq = at.events_seq
    some = db.ask("tasks.circles", seq=seq)  # nearly always none
    for row in db.ask("attention.circles", seq=seq, limit=limit) if some else ():
        says = f"they wait for each other: {listed(row['circle'], 9)}"
        yield Attention(
            kind="circle", rank=2, title=f"{count(len(row['circle']), 'task')} in a circle", says=says,
            since=row["since"], task_id=row["circle"][0], plan_id=row["plan_id"],
        )  # fmt: skip
    for row in db.ask("attention.dropped", seq=seq, recent=at.at - RECENT_US, limit=limit):
        yield Attention(
            kind="plan_dropped", rank=3, title=f"Plan {row['plan_id']} was dropped", says=row["because"],
            since=row["since"], plan_id=row["plan_id"],
        )  # fmt: skip


def _nobody(db: Reader, at: At, agents: Sequence[Agent] | None) -> Iterator[Attention]:
    """Ready tasks that no agent present could do."""
    waiting = db.ask("attention.waiting", seq=at.events_seq)
    if not waiting:
        return
    views = agent_views(db, at) if agents is None else map(view_of, agents)
    present = [agent for agent in views if agent.state != "gone"]
    lacking = [(row, says) for row in waiting if (says := unfit(needs(row), present))]
    held_up = _held_up(db, at, [row["task_id"] for row, _ in lacking if row["tasks"] == 1])
    for row, says in lacking:
        alone = row["tasks"] == 1
        yield Attention(
            kind="no_agent", rank=2, says=says + held_up.get(row["task_id"], ""),
            title=row["title"] if alone else f"{count(row['tasks'], 'ready task')} in lane {row['lane']}",
            since=row["since"], task_id=row["task_id"] if alone else "", lane=row["lane"],
        )  # fmt: skip


def _held_up(db: Reader, at: At, ids: list[str]) -> dict[str, str]:
    """Of these tasks, those that others wait for, and how many."""
    waiting = db.ask("attention.holds", seq=at.events_seq, ids=ids) if ids else []
    return {row["task_id"]: f" · holds up {count(row['holds'], 'task')}" for row in waiting}


def _paused(db: Reader, at: At, limit: int) -> Iterator[Attention]:
    for row in db.ask("attention.paused", seq=at.events_seq, long_ago=at.at - LONG_PAUSE_US, limit=limit):
        which = {"task": "task_id", "agent": "agent_id", "lane": "lane"}[row["kind"]]
        says = f"paused: {row['because'] or 'by order'}"
        yield Attention(kind="paused", rank=4, title=row["title"], says=says, since=row["since"], **{which: row["id"]})
