"""Our own plan format: one JSON document, described in ``docs/plan-format.md``.

Ids in it are bare names; a name with a slash is a task of another session that exists already (only as a need).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.plans import counting
from console.plans.report import PlanFile, Problem, Report
from core.domain import graph
from core.domain.plan import Planned
from core.domain.session import DEFAULT_SESSION
from core.domain.spec import Ids, TaskSpec
from core.domain.words import Line, Name, Policy, Priority, Refused, Text, check_name, listed

_Title = Annotated[str, Meta(min_length=1, max_length=500)]


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task as the file writes it."""

    id: str
    title: _Title
    prompt: Text = ""
    command: Text = ""
    kind: Line = "task"
    priority: Priority = 2
    lane: Name = "A"
    depends_on: Ids = []
    parents: Ids = []
    needs: Annotated[list[Name], Meta(max_length=50)] = []
    files: Annotated[list[Annotated[str, Meta(max_length=1_000)]], Meta(max_length=500)] = []
    labels: Annotated[list[Line], Meta(max_length=200)] = []
    policy: Policy = Policy()


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file; ``tasks`` are read one by one, so that one that is wrong does not hide the others."""

    tasks: list[Any]
    session: Name = DEFAULT_SESSION
    goal: Text = ""


def read(data: bytes, *, session: str | None = None) -> tuple[str, PlanFile]:
    """The session the plan is for, and the plan. ``session`` overrules the file's own.

    Nothing in the file raises: whatever cannot be read is a ``malformed`` problem that names where. A plan with one
    is not to be sent: unlike an export from elsewhere it is somebody's own writing, and half of it is not what it says.
    """
    report = Report(format="json", problems=[])
    try:
        document = msgspec.json.decode(data, type=Document)
    except (msgspec.DecodeError, RecursionError) as error:
        report.problems.append(Problem(kind="malformed", says=f"not a plan: {error}"))
        return session or DEFAULT_SESSION, PlanFile([], report)
    session_id = session or document.session
    report.lines = len(document.tasks)
    planned = list(_known(list(_entries(document, report)), session_id, report))
    blocked, startable, containers = counting.stand(planned)
    report.tasks, report.blocked, report.containers = len(planned), len(blocked), len(containers)
    report.ready = report.startable = len(startable)
    _tell_circles(planned, report)
    return session_id, PlanFile(planned, report, frozenset(startable), frozenset(blocked), document.goal)


def _entries(document: Document, report: Report) -> Iterator[tuple[int, Entry]]:
    """The tasks that can be read, each id once, with their place in the list."""
    seen: dict[str, int] = {}
    for place, raw in enumerate(document.tasks):
        where = f"$.tasks[{place}]"
        try:
            entry = msgspec.convert(raw, Entry)
        except msgspec.ValidationError as error:
            _tell(report, str(error).replace("`$", f"`{where}") if "`$" in str(error) else f"{error} - at `{where}`")
            continue
        wrong = _wrong_name(entry.id)
        if not wrong and entry.id in seen:
            wrong = f"{entry.id!r} is the id of `$.tasks[{seen[entry.id]}]` too"
        if wrong:
            _tell(report, f"{wrong} - at `{where}.id`", entry.id)
        else:
            seen[entry.id] = place
            yield place, entry


def _wrong_name(name: str) -> str:
    try:
        check_name("task", name)
    except Refused as refused:
        return refused.reason
    return ""


def _known(entries: list[tuple[int, Entry]], session_id: str, report: Report) -> Iterator[Planned]:
    """The tasks as the core takes them; a need that is not in the plan is told."""
    names = {entry.id for _, entry in entries}
    for place, entry in entries:
        for field in ("depends_on", "parents"):
            for target in getattr(entry, field):
                if "/" not in target and target not in names:
                    says = f"{entry.id} names {target!r}, which is no task of the plan - at `$.tasks[{place}].{field}`"
                    _tell(report, says, entry.id)
        fields = {name: getattr(entry, name) for name in Entry.__struct_fields__ if name != "id"}
        fields["depends_on"] = [_full(name, session_id) for name in dict.fromkeys(entry.depends_on)]
        fields["parents"] = [_full(name, session_id) for name in dict.fromkeys(entry.parents)]
        yield Planned(task_id=f"{session_id}/{entry.id}", spec=TaskSpec(**fields))


def _tell_circles(planned: list[Planned], report: Report) -> None:
    for circle in graph.cycles({task.task_id: task.spec.depends_on for task in planned}):
        says = f"{len(circle)} tasks wait for each other in a circle, so the plan is refused: {listed(circle, 9)}"
        report.problems.append(Problem(kind="cycle", task=circle[0].partition("/")[2], says=says))


def _full(name: str, session_id: str) -> str:
    return name if "/" in name else f"{session_id}/{name}"


def _tell(report: Report, says: str, task: str = "") -> None:
    report.problems.append(Problem(kind="malformed", task=task, says=says))
