"""``switchtower task``: submit, look, steer."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter, validators

from console.cli import api, out
from console.cli.effects import run_stopped, task_over
from console.cli.exits import Usage
from console.cli.orders import AT_ONCE, Waiting, give, task_id
from console.cli.shown import age, money
from console.cli.where import HERE, Where
from core.clock import SystemClock
from core.domain import task
from core.domain.session import DEFAULT_SESSION
from core.domain.spec import OPEN, TaskSpec
from core.domain.words import Policy
from core.ids import new_id

State = Literal[
    "blocked", "ready", "running", "waiting", "paused", "done", "failed", "cancelled", "quarantined", "open"
]
Name = Annotated[str, Parameter(help="Task ids; t-147 is short for default/t-147.")]
Priority = Annotated[int, Parameter(validator=validators.Number(gte=0, lte=4))]


def submit(
    title: str,
    /,
    *,
    name: str = "",
    session: str = DEFAULT_SESSION,
    prompt: str = "",
    command: str = "",
    priority: Priority = 2,
    lane: str = "A",
    depends_on: tuple[str, ...] = (),
    part_of: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    files: tuple[str, ...] = (),
    labels: tuple[str, ...] = (),
    max_attempts: int = 3,
    time_limit: float = 3600.0,
    waiting: Waiting = AT_ONCE,
    where: Where = HERE,
) -> int:
    """Submit a new task. With --wait: until it is over; exit code 1 when it ends other than done.

    Parameters
    ----------
    title
        What is to be done, in a line.
    name
        The task's name within its session; made from the title when left out.
    session
        The session it belongs to.
    prompt
        What the agent is told; - reads it from standard input.
    command
        A shell command that does it, instead of an agent that thinks.
    priority
        0 (most urgent) to 4.
    lane
        The lane it waits in.
    depends_on
        A task that must be done first; may be given several times.
    part_of
        A task it is a part of; that one becomes a container.
    needs
        An ability its agent must have.
    files
        A file it is expected to touch.
    labels
        A label.
    max_attempts
        How often it is tried.
    time_limit
        Seconds an attempt may take.
    """
    clock = SystemClock()
    chosen = name or _name_from(title, new_id(clock))
    spec = TaskSpec(
        title=title,
        prompt=sys.stdin.read() if prompt == "-" else prompt,
        command=command,
        priority=priority,
        lane=lane,
        depends_on=[task_id(each, session) for each in depends_on],
        parents=[task_id(each, session) for each in part_of],
        needs=list(needs),
        files=list(files),
        labels=list(labels),
        policy=Policy(max_attempts=max_attempts, time_limit_s=time_limit),
    )
    full = task_id(chosen, session)
    order = _checked(task.Submit(task_id=full, spec=spec))
    return give(where, [(full, order)], says="is submitted", waiting=waiting, effect=task_over)


def listing(
    *,
    state: tuple[State, ...] = (),
    session: tuple[str, ...] = (),
    lane: tuple[str, ...] = (),
    text: str = "",
    limit: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 100,
    where: Where = HERE,
) -> int:
    """List tasks.

    Parameters
    ----------
    state
        Only tasks in this state; may be given several times; open: all that are not over.
    session
        Only tasks of this session.
    lane
        Only tasks of this lane.
    text
        Only tasks with this in their id or title.
    limit
        So many at most; 0: all.
    """
    states = sorted({one for each in state for one in (OPEN if each == "open" else (each,))})
    found = api.get(where, "/tasks", state=states, session=session, lane=lane, text=text, limit=limit)
    if where.as_json:
        out.document(found)
        return 0
    now = SystemClock().now_us()
    out.table(
        found["rows"],
        (
            ("TASK", lambda row: row["task_id"].removeprefix("default/")),
            ("STATE", lambda row: row["state"]),
            ("P", lambda row: f"P{row['priority']}"),
            ("LANE", lambda row: row["lane"]),
            ("AGENT", lambda row: row.get("agent_id")),
            ("FOR", lambda row: age(row.get("since"), now)),
            ("TITLE", lambda row: row["title"]),
        ),
        empty="No task is like that.",
    )
    left = found.get("total", 0) - len(found["rows"])
    if left > 0:
        out.say(f"{left:,} more; --limit 0 lists all.")
    return 0


def show(name: str, /, *, where: Where = HERE) -> int:
    """Show one task, its runs, and why it is not running.

    Parameters
    ----------
    name
        The task's id; t-147 is short for default/t-147.
    """
    found: dict[str, Any] = api.get(where, f"/tasks/{api.path_of(task_id(name))}")
    if where.as_json:
        out.document(found)
        return 0
    row, spec, now = found["row"], found["spec"], SystemClock().now_us()
    out.pairs(
        (
            ("task", row["task_id"]),
            ("title", row["title"]),
            ("state", f"{row['state']} for {age(row.get('since'), now)}"),
            ("because", row.get("because")),
            ("priority", f"P{row['priority']}"),
            ("lane", row["lane"]),
            ("needs", [f"{each['task_id']} ({each['state']})" for each in found.get("needs", [])]),
            ("needed by", [each["task_id"] for each in found.get("dependents", [])]),
            ("a part of", [each["task_id"] for each in found.get("parents", [])]),
            ("parts", [f"{each['task_id']} ({each['state']})" for each in found.get("children", [])]),
            ("command", spec.get("command")),
            ("cost", money(row.get("cost_uusd"))),
        )
    )
    for why in found.get("why", []):
        if not why["met"]:
            out.text(f"not running: {why['says']}")
    for run in found.get("runs", []):
        out.text(f"run {run['run_id']}  {run['state']}  {run['agent_id']}  {run.get('error', '')}".rstrip())
    return 0


def cancel(*names: Name, reason: str = "", waiting: Waiting = AT_ONCE, where: Where = HERE) -> int:
    """Cancel tasks. With --wait: until the processes of a run under way are gone.

    Parameters
    ----------
    reason
        Why, for the record.
    """
    orders = [(full, task.Cancel(task_id=full, reason=reason)) for full in _named(names)]
    return give(where, orders, says="is cancelled", waiting=waiting, effect=run_stopped)


def retry(*names: Name, waiting: Waiting = AT_ONCE, where: Where = HERE) -> int:
    """Try tasks again that failed, were cancelled or quarantined. With --wait: until they are over."""
    orders = [(full, task.Retry(task_id=full)) for full in _named(names)]
    return give(where, orders, says="is tried again", waiting=waiting, effect=task_over)


def pause(*names: Name, reason: str = "", waiting: Waiting = AT_ONCE, where: Where = HERE) -> int:
    """Hold tasks back. With --wait: until the processes of a run under way are gone.

    Parameters
    ----------
    reason
        Why, for the record.
    """
    orders = [(full, task.Pause(task_id=full, reason=reason)) for full in _named(names)]
    return give(where, orders, says="is paused", waiting=waiting, effect=run_stopped)


def resume(*names: Name, waiting: Waiting = AT_ONCE, where: Where = HERE) -> int:
    """Let paused tasks go on. With --wait: until they are over."""
    orders = [(full, task.Resume(task_id=full)) for full in _named(names)]
    return give(where, orders, says="goes on", waiting=waiting, effect=task_over)


def prioritise(*names: Name, priority: Priority | None = None, where: Where = HERE) -> int:
    """Give tasks another priority: ``prioritise t-147 0``, or ``prioritise t-147 t-148 --priority 0``.

    Parameters
    ----------
    priority
        0 (most urgent) to 4; when left out, the last word.
    """
    if priority is None:
        names, priority = _with_last(names)
    orders = [(full, task.Reprioritise(task_id=full, priority=priority)) for full in _named(names)]
    return give(where, orders, says=f"has priority P{priority}")


def _with_last(names: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    last = names[-1].removeprefix("P") if names else ""
    if last not in ("0", "1", "2", "3", "4"):
        raise Usage("say which priority, 0 to 4: switchtower task prioritise t-147 0")
    return names[:-1], int(last)


def _named(names: Sequence[str]) -> list[str]:
    if not names:
        raise Usage("name at least one task")
    return [task_id(name) for name in names]


def _name_from(title: str, chance: str) -> str:
    """A name a person recognises, and four digits of chance that tell it from the next one of the same title."""
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-")
    return f"{slug or 'task'}-{chance[-4:]}"


def _checked(order: task.Submit) -> task.Submit:
    """The order as the core will read it; ``Usage`` when it would not."""
    import msgspec

    try:
        return msgspec.convert(msgspec.to_builtins(order), task.Submit)
    except msgspec.ValidationError as error:
        raise Usage(f"not a task: {error}") from None
