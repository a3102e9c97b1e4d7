"""``switchtower task amend`` and its like: a task changed after it was submitted."""

from __future__ import annotations

import sys
from typing import Annotated, Any

from cyclopts import Parameter, validators

from console.cli.exits import Usage
from console.cli.orders import give, task_id
from console.cli.where import HERE, Where
from core.domain import amend as amending
from core.domain.words import count

Named = Annotated[tuple[str, ...] | None, Parameter(negative=())]
Priority = Annotated[int | None, Parameter(validator=validators.Number(gte=0, lte=4))]


def amend(
    name: str,
    /,
    *,
    title: str | None = None,
    prompt: str | None = None,
    command: str | None = None,
    lane: str | None = None,
    priority: Priority = None,
    needs: Named = None,
    files: Named = None,
    labels: Named = None,
    max_attempts: int | None = None,
    time_limit: float | None = None,
    base: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 0,
    where: Where = HERE,
) -> int:
    """Change what a task says; only what is named changes. What runs, runs on; the next attempt follows.

    Parameters
    ----------
    name
        The task's id; t-147 is short for default/t-147.
    title
        What is to be done, in a line.
    prompt
        What the agent is told; - reads it from standard input, "" takes it away.
    command
        A shell command that does it; "" takes it away.
    lane
        The lane it waits in.
    priority
        0 (most urgent) to 4.
    needs
        An ability its agent must have, instead of those named before; "" alone: none.
    files
        A file it is expected to touch, instead of those named before; "" alone: none.
    labels
        A label, instead of those it has; "" alone: none.
    max_attempts
        How often it is tried.
    time_limit
        Seconds an attempt may take.
    base
        The fact that worded it as you saw it: refused when it was changed since. 0: whatever it is.
    """
    policy = _said(max_attempts=max_attempts, time_limit_s=time_limit)
    changes = _said(
        title=title,
        prompt=sys.stdin.read() if prompt == "-" else prompt,
        command=command,
        lane=lane,
        priority=priority,
        needs=_listed(needs),
        files=_listed(files),
        labels=_listed(labels),
        policy=policy or None,
    )
    if not changes:
        raise Usage('say what changes: switchtower task amend t-147 --title "Mend the roof"')
    full = task_id(name)
    return give(where, [(full, _order(full, base, changes))], says="is changed")


def depend(name: str, /, *on: str, where: Where = HERE) -> int:
    """Have a task wait for others, too: ``depend t-147 t-12 t-13``.

    Parameters
    ----------
    name
        The task that is to wait.
    on
        The tasks that must be done first.
    """
    full = task_id(name)
    orders = [(full, amending.Depend(task_id=full, on=task_id(each))) for each in _some(on)]
    return give(where, orders, says="waits for " + ", ".join(on))


def undepend(name: str, /, *on: str, where: Where = HERE) -> int:
    """Have a task wait for others no longer.

    Parameters
    ----------
    name
        The task that waits.
    on
        The tasks it is no longer to wait for.
    """
    full = task_id(name)
    orders = [(full, amending.Undepend(task_id=full, on=task_id(each))) for each in _some(on)]
    return give(where, orders, says="no longer waits for " + ", ".join(on))


def place(name: str, /, *, before: str = "", where: Where = HERE) -> int:
    """Put a task elsewhere in the line of its lane and priority.

    Parameters
    ----------
    name
        The task.
    before
        The task that it is to stand before; left out: last of them.
    """
    full = task_id(name)
    order = amending.Place(task_id=full, before=task_id(before) if before else "")
    return give(where, [(full, order)], says=f"stands before {before}" if before else "stands last")


def _order(full: str, base: int, changes: dict[str, Any]) -> amending.Amend:
    """The order as the core will read it; ``Usage`` when it would not."""
    import msgspec

    try:
        return msgspec.convert({"task_id": full, "base": base, "changes": changes}, amending.Amend)
    except msgspec.ValidationError as error:
        raise Usage(f"not a task: {error}") from None


def _said(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _listed(given: tuple[str, ...] | None) -> list[str] | None:
    return None if given is None else [each for each in given if each]


def _some(on: tuple[str, ...]) -> tuple[str, ...]:
    if not on:
        raise Usage(f"name the task and {count(1, 'other')} at least: switchtower task depend t-147 t-12")
    return on
