"""``switchtower run message|hold|continue``: a run steered while it goes on."""

from __future__ import annotations

import sys

from console.cli.exits import Usage
from console.cli.orders import give, task_id
from console.cli.where import HERE, Where
from core.domain import steer


def message(run_id: str, text: str, /, *, where: Where = HERE) -> int:
    """Say something to the agent at work. What became of it stands in the run's observations.

    Parameters
    ----------
    run_id
        The run's id, task~attempt: t-147~2.
    text
        What to say; - reads it from standard input.
    """
    said = sys.stdin.read() if text == "-" else text
    if not 1 <= len(said) <= steer.LONGEST_MESSAGE:
        raise Usage(f"a message has 1 to {steer.LONGEST_MESSAGE:,} characters, this one {len(said):,}")
    full = full_run_id(run_id)
    return give(where, [(full, steer.Message(run_id=full, text=said))], says="is told")


def hold(*run_ids: str, reason: str = "", where: Where = HERE) -> int:
    """Freeze runs where they are. They keep their agents; their time limits stand still.

    Parameters
    ----------
    reason
        Why, for the record.
    """
    return give(where, [(each, steer.Hold(run_id=each, reason=reason)) for each in _named(run_ids)], says="is held")


def go_on(*run_ids: str, where: Where = HERE) -> int:
    """Let held runs go on."""
    return give(where, [(each, steer.Continue(run_id=each)) for each in _named(run_ids)], says="goes on")


def full_run_id(run_id: str) -> str:
    """``t-147~2`` is short for ``default/t-147~2``; ``Usage`` when it cannot be one."""
    name, tilde, attempt = run_id.rpartition("~")
    if not tilde or not attempt.isdecimal():
        raise Usage(f"{run_id!r} is no run's id: it is the task's and the attempt, as in t-147~2")
    return f"{task_id(name)}~{attempt}"


def _named(run_ids: tuple[str, ...]) -> list[str]:
    if not run_ids:
        raise Usage("name at least one run, as t-147~2")
    return [full_run_id(each) for each in run_ids]
