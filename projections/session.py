"""Sessions with what they used, and one session with who works in it and what came in."""

from __future__ import annotations

from projections.costs import CostFilter, Spent, costs, spent_by
from projections.fleet import plans, sessions
from projections.record import timeline
from projections.rows import At, Row
from projections.rows.fleet import Plan, Session
from projections.rows.record import Entry, TimelineFilter
from projections.store import Reader

AGENTS = 40
ENTRIES = 60


class SessionUse(Row, frozen=True):
    """A session in the list. ``at_work``: agents on its tasks now."""

    session: Session
    spent: Spent
    at_work: int = 0


class AgentShare(Row, frozen=True):
    """What one agent did for a session. ``under_way``: runs it is at."""

    agent_id: str
    runs: int
    under_way: int
    done: int
    failed: int
    last_at: int
    spent: Spent


class SessionPage(Row, frozen=True):
    """A session with its agents (the busiest ``AGENTS`` of ``agents_in_all``), plans and latest facts."""

    session: Session
    spent: Spent
    agents_in_all: int
    duration_ms: int
    agents: list[AgentShare]
    plans: list[Plan]
    timeline: list[Entry]


def session_uses(db: Reader, at: At) -> list[SessionUse]:
    """Open ones first, then by age."""
    at_work = {row["session_id"]: int(row["at_work"]) for row in db.ask("session.at_work", seq=at.events_seq)}
    spent = spent_by(db, at, "session")
    return [
        SessionUse(session=each, spent=spent.get(each.session_id, Spent()), at_work=at_work.get(each.session_id, 0))
        for each in sessions(db, at)
    ]


def session(db: Reader, at: At, session_id: str) -> SessionPage | None:
    """All there is about one session, or None where there is none of that name at that moment."""
    found = next((each for each in sessions(db, at) if each.session_id == session_id), None)
    if found is None:
        return None
    values = {"seq": at.events_seq, "session_id": session_id}
    spent = costs(db, at, "agent", CostFilter(session_id=session_id), limit=0)
    by_agent = {str(row.key): row for row in spent.rows}
    [whole] = db.ask("session.whole", **values)
    wanted = TimelineFilter(session_id=session_id, observations=False, limit=ENTRIES)
    return SessionPage(
        session=found,
        spent=spent.total,
        agents_in_all=whole["agents"],
        duration_ms=whole["duration_ms"],
        agents=[
            AgentShare(**row, spent=by_agent.get(row["agent_id"], Spent()))
            for row in db.ask("session.agents", **values, limit=AGENTS)
        ],
        plans=[each for each in plans(db, at) if each.session_id == session_id],
        timeline=timeline(db, at, wanted).entries,
    )
