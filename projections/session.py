"""Sessions with what they used, and one session with who works in it and what came in."""

from __future__ import annotations

from projections.fleet import plans, sessions
from projections.record import timeline
from projections.rows import At, Entry, Plan, Row, Session, TimelineFilter
from projections.store import Reader

AGENTS = 40
ENTRIES = 60


class SessionUse(Row, frozen=True):
    """A session in the list. ``cost_uusd`` None: nothing of it has a price; ``at_work``: agents on its tasks now."""

    session: Session
    tokens: int = 0
    cost_uusd: int | None = None
    at_work: int = 0

    @property
    def budget_uusd(self) -> int:
        """Millionths of a dollar; 0: none said."""
        return int(getattr(self.session, "budget_uusd", 0))


class AgentShare(Row, frozen=True):
    """What one agent did for a session. ``under_way``: runs it is at."""

    agent_id: str
    runs: int
    under_way: int
    done: int
    failed: int
    tokens: int
    cost_uusd: int | None
    last_at: int


class Used(Row, frozen=True):
    """What a session's runs used. ``unpriced``: runs that used tokens nobody knows the price of."""

    runs: int = 0
    under_way: int = 0
    agents: int = 0
    done: int = 0
    failed: int = 0
    tokens: int = 0
    cost_uusd: int | None = None
    unpriced: int = 0
    duration_ms: int = 0


class SessionPage(Row, frozen=True):
    """A session with its agents (the busiest ``AGENTS`` of ``used.agents``), plans and latest facts."""

    session: Session
    used: Used
    agents: list[AgentShare]
    plans: list[Plan]
    timeline: list[Entry]

    @property
    def budget_uusd(self) -> int:
        """Millionths of a dollar; 0: none said."""
        return int(getattr(self.session, "budget_uusd", 0))


def session_uses(db: Reader, at: At) -> list[SessionUse]:
    """Open ones first, then by age."""
    found = {row.pop("session_id"): row for row in db.ask("session.costs", seq=at.events_seq)}
    return [SessionUse(session=each, **found.get(each.session_id, {})) for each in sessions(db, at)]


def session(db: Reader, at: At, session_id: str) -> SessionPage | None:
    """All there is about one session, or None where there is none of that name at that moment."""
    found = next((each for each in sessions(db, at) if each.session_id == session_id), None)
    if found is None:
        return None
    values = {"seq": at.events_seq, "session_id": session_id}
    wanted = TimelineFilter(session_id=session_id, observations=False, limit=ENTRIES)
    return SessionPage(
        session=found,
        used=Used(**db.ask("session.used", **values)[0]),
        agents=[AgentShare(**row) for row in db.ask("session.agents", **values, limit=AGENTS)],
        plans=[each for each in plans(db, at) if each.session_id == session_id],
        timeline=timeline(db, at, wanted).entries,
    )
