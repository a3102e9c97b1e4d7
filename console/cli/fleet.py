"""``switchtower fleet``: all agents at once; and the rules a log is under."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from console.cli import api, out
from console.cli.orders import give
from console.cli.shown import clock_time
from console.cli.where import HERE, Where
from core.domain import system
from core.domain.conditions import said_by

FLEET = "the fleet"


def status(*, where: Where = HERE) -> int:
    """Say whether the fleet is halted, by whom and why."""
    found = api.get(where, "/fleet")
    if where.as_json:
        out.document(found)
        return 0
    if not found["halted"]:
        out.text("The fleet is not halted.")
        return 0
    out.text(f"The fleet is halted since {clock_time(found['since'])} {said_by(found['by'], found['because'])}")
    return 0


def halt(
    *,
    reason: str = "",
    gently: Annotated[bool, Parameter(negative=())] = False,
    where: Where = HERE,
) -> int:
    """Give nothing out any more. What runs is interrupted, no attempt used; its tasks are ready again.

    Parameters
    ----------
    reason
        Why, for the record and for whoever wonders why nothing runs.
    gently
        What runs, runs on.
    """
    says = "is halted, what runs, runs on" if gently else "is halted"
    return give(where, [(FLEET, system.Halt(reason=reason, gently=gently))], says=says)


def release(*, where: Where = HERE) -> int:
    """Give out again what is ready."""
    return give(where, [(FLEET, system.Release())], says="goes on")


def adopt(number: int, /, *, where: Where = HERE) -> int:
    """Put a log that older builds began under newer rules. There is no way back: every core must know them.

    Parameters
    ----------
    number
        The rules' number; what needs newer ones says which.
    """
    return give(where, [(f"rules {number}", system.AdoptRules(rules=number))], says="are in force")
