"""Agents and workers, as they stood."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from projections.because import agent_state
from projections.record import timeline
from projections.rows import Agent, AgentPage, At, Run, RunFilter, TimelineFilter, Worker
from projections.runs import runs, runs_under_way
from projections.store import Reader, these


def agents(db: Reader, at: At, *, gone: bool = False, ids: Collection[str] = ()) -> list[Agent]:
    """Agents by worker and name, or those of ``ids``; with ``gone`` also those that are no longer there."""
    if ids:
        return _agents(db, at, these("a.agent_id", ids), these("agent_id", ids), ids=list(ids))
    return _agents(db, at, "" if gone else "and a.present")


def agent(db: Reader, at: At, agent_id: str) -> AgentPage | None:
    """An agent with its latest runs and facts, or None where there was none of that id yet."""
    found = _agents(db, at, "and a.agent_id = $agent_id", "and agent_id = $agent_id", agent_id=agent_id)
    if not found:
        return None
    return AgentPage(
        agent=found[0],
        runs=runs(db, at, RunFilter(agent_id=agent_id, limit=50)).rows,
        timeline=timeline(db, at, TimelineFilter(agent_id=agent_id, observations=False, limit=100)).entries,
    )


def workers(db: Reader, at: At) -> list[Worker]:
    return [Worker(**row) for row in db.ask("workers.page", seq=at.events_seq)]


def _agents(db: Reader, at: At, where: str, of: str = "", **values: Any) -> list[Agent]:
    """``where`` chooses agents, ``of`` their runs."""
    found = db.ask("agents.page", {"where": where}, seq=at.events_seq, **values)
    totals = {row["agent_id"]: row for row in db.ask("agents.totals", {"where": of}, seq=at.events_seq, **values)}
    under_way = runs_under_way(db, at) if any(row["run_id"] for row in found) else {}
    return [_agent(row, totals.get(row["agent_id"], {}), under_way.get(row["run_id"])) for row in found]


def _agent(row: dict[str, Any], total: dict[str, Any], run: Run | None) -> Agent:
    state = agent_state(row)
    since = row["since"]  # it came, went, or was paused or resumed then
    if state == "busy":
        since = row["assigned_at"]
    elif state == "idle":
        since = max(since, total.get("last_ended", 0))
    return Agent(
        agent_id=row["agent_id"],
        worker_id=row["worker_id"],
        name=row["name"],
        adapter=row["adapter"],
        state=state,
        since=since,
        model=row["model"],
        pool=row["pool"],
        capabilities=tuple(row["capabilities"]),
        draining=row["worker_state"] == "draining",
        pausing=bool(row["paused"]) and state == "busy",
        paused_because=row["because"] if row["paused"] else "",
        run=run,
        last_seen=max(run.last_seen if run else 0, total.get("last_at", 0)),
        runs=total.get("runs", 0),
        done=total.get("done", 0),
        failed=total.get("failed", 0),
        tokens=total.get("tokens", 0),
        cost_uusd=total.get("cost_uusd"),
    )
