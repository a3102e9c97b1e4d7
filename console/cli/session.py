"""``switchtower session``: undertakings, each with its goal, its folder and its budget."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter, validators

from console.cli import api, out
from console.cli.exits import Usage
from console.cli.orders import give
from console.cli.shown import age
from console.cli.where import HERE, Where
from core.clock import SystemClock
from core.domain import session
from core.domain.spec import OPEN

Dollars = Annotated[float | None, Parameter(validator=validators.Number(gte=0, lte=1_000_000_000))]


def listing(*, where: Where = HERE) -> int:
    """List sessions, open ones first."""
    found = api.get(where, "/sessions")
    if where.as_json:
        out.document({"rows": found, "total": len(found)})
        return 0
    now = SystemClock().now_us()
    out.table(
        found,
        (
            ("SESSION", lambda row: row["session_id"]),
            ("STATE", lambda row: row["state"]),
            ("OPENED", lambda row: age(row.get("opened_at"), now)),
            ("OPEN", lambda row: sum(n for state, n in row.get("tasks", {}).items() if state in OPEN)),
            ("DONE", lambda row: row.get("tasks", {}).get("done", 0)),
            ("BUDGET", lambda row: f"${row['budget_uusd'] / 1e6:,.2f}" if row.get("budget_uusd") else ""),
            ("GOAL", lambda row: row.get("goal", "").partition("\n")[0]),
        ),
        empty="There is no session.",
    )
    return 0


def begin(name: str, /, *, goal: str = "", root: str = "", budget: Dollars = None, where: Where = HERE) -> int:
    """Open a session.

    Parameters
    ----------
    name
        Its name; its tasks are name/….
    goal
        What it is for; - reads it from standard input.
    root
        The folder it works in.
    budget
        What it may cost, in dollars; it is shown beside what it cost.
    """
    order = session.Open(session_id=name, goal=_text(goal) or "", root=root, budget_uusd=_uusd(budget) or 0)
    return give(where, [(name, order)], says="is open")


def amend(
    name: str,
    /,
    *,
    goal: str | None = None,
    root: str | None = None,
    budget: Dollars = None,
    where: Where = HERE,
) -> int:
    """Change what an open session is about; only what is named changes.

    Parameters
    ----------
    name
        The session.
    goal
        What it is for; - reads it from standard input.
    root
        The folder it works in.
    budget
        What it may cost, in dollars; 0: nobody says.
    """
    if goal is None and root is None and budget is None:
        raise Usage("say what changes: --goal, --root or --budget")
    order = session.Amend(session_id=name, goal=_text(goal), root=root, budget_uusd=_uusd(budget))
    return give(where, [(name, order)], says="is changed")


def close(
    name: str,
    /,
    *,
    summary: str = "",
    cancel_open: Annotated[bool, Parameter(negative=())] = False,
    where: Where = HERE,
) -> int:
    """Close a session. Refused while it has open tasks.

    Parameters
    ----------
    name
        The session.
    summary
        What came of it; - reads it from standard input.
    cancel_open
        Cancel its open tasks, and stop what runs.
    """
    order = session.Close(session_id=name, summary=_text(summary) or "", cancel_open=cancel_open)
    return give(where, [(name, order)], says="is closed")


def _text(given: str | None) -> str | None:
    return sys.stdin.read() if given == "-" else given


def _uusd(dollars: float | None) -> int | None:
    return None if dollars is None else round(dollars * 1_000_000)
