"""A session: an operator's undertaking. Work without one belongs to ``default``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from core.domain.words import Count, Fact, Line, Name, Order, Refused, Text, check_name, count

if TYPE_CHECKING:
    from core.domain.state import State

DEFAULT_SESSION = "default"


class Open(Order, frozen=True, tag="session.open"):
    """``budget_uusd``: what it may cost, in millionths of a dollar; 0: nobody said."""

    session_id: Name
    goal: Text = ""
    root: Line = ""
    budget_uusd: Count = 0


class Amend(Order, frozen=True, tag="session.amend"):
    """Change what an open session is about; what is None stays."""

    session_id: Name
    goal: Text | None = None
    root: Line | None = None
    budget_uusd: Count | None = None


class Close(Order, frozen=True, tag="session.close"):
    """End the undertaking. With ``cancel_open`` its open tasks are cancelled, running ones stopped."""

    session_id: Name
    summary: Text = ""
    cancel_open: bool = False


class Opened(Fact, frozen=True, tag="session.opened"):
    session_id: str
    goal: str = ""
    root: str = ""
    budget_uusd: int = 0


class Amended(Fact, frozen=True, tag="session.amended"):
    """All of it, as it is from now on."""

    session_id: str
    goal: str = ""
    root: str = ""
    budget_uusd: int = 0


class Closed(Fact, frozen=True, tag="session.closed"):
    """One fact for all of it: open tasks evolve to cancelled from it; orders to stop runs follow."""

    session_id: str
    summary: str = ""
    cancelled: int = 0


Command = Open | Amend | Close
Event = Opened | Amended | Closed


class Session(msgspec.Struct):
    session_id: str
    state: Literal["open", "closed"] = "open"
    goal: str = ""
    root: str = ""
    budget_uusd: int = 0


def decide(state: State, command: Command, at: int) -> list[Event]:
    match command:
        case Open(session_id=session_id, goal=goal, root=root, budget_uusd=budget):
            check_name("session", session_id)
            before = state.sessions.get(session_id)
            if before is not None:
                raise Refused(f"session {session_id!r} exists and is {before.state}", outcome="already_so")
            return [Opened(session_id=session_id, goal=goal, root=root, budget_uusd=budget)]
        case Amend():
            return [_amend(state, command)]
        case Close(session_id=session_id) if session_id == DEFAULT_SESSION:
            raise Refused(f"session {session_id!r} stays open: work that names no session belongs to it")
        case Close(session_id=session_id, summary=summary, cancel_open=cancel_open):
            if known(state, session_id).state == "closed":
                raise Refused(f"session {session_id!r} is closed already", outcome="already_so")
            still = sum(1 for task in state.tasks_of(session_id) if task.is_open)
            if still and not cancel_open:
                raise Refused(f"session {session_id!r} has {count(still, 'open task')}: finish or cancel them first")
            return [Closed(session_id=session_id, summary=summary, cancelled=still)]


def evolve(state: State, fact: Opened | Amended | Closed, seq: int) -> None:
    match fact:
        case Opened(session_id=session_id) | Amended(session_id=session_id):
            state.sessions[session_id] = Session(session_id, "open", fact.goal, fact.root, fact.budget_uusd)
        case Closed(session_id=session_id):
            state.sessions[session_id].state = "closed"


def _amend(state: State, order: Amend) -> Amended:
    before = known(state, order.session_id)
    if before.state == "closed":
        raise Refused(f"session {order.session_id!r} is closed, and what it was about stays as it was")
    after = Session(
        before.session_id,
        before.state,
        before.goal if order.goal is None else order.goal,
        before.root if order.root is None else order.root,
        before.budget_uusd if order.budget_uusd is None else order.budget_uusd,
    )
    if after == before:
        raise Refused(f"session {order.session_id!r} is so already", outcome="already_so")
    return Amended(session_id=after.session_id, goal=after.goal, root=after.root, budget_uusd=after.budget_uusd)


def known(state: State, session_id: str) -> Session:
    session = state.sessions.get(session_id)
    if session is None:
        raise Refused(f"there is no session {session_id!r}: open it first")
    return session


def open_one(state: State, session_id: str) -> None:
    """Refuse work for a session that does not exist or is over."""
    if known(state, session_id).state == "closed":
        raise Refused(f"session {session_id!r} is closed: open another one for new work")
