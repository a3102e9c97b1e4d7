"""beads' ``.beads/issues.jsonl`` as a plan: its issues as our tasks, and a report of both readings.

Our own rules, where beads leaves it open or we differ (``docs/plan-beads.md`` tells them to an operator):

* closed is done; tombstones are left out and counted; in progress, hooked, deferred, blocked by hand, unknown statuses
  and what ``bd ready`` never lists begin paused, and say why;
* edges to issues that are not there are dropped and reported, edges to pinned notes dropped, as neither blocks in bd;
* a ``depends_on`` array, which bd ignores, is taken as needs: doing work too late is the smaller harm;
* a parent with open parts is a container and is never started, though bd may call it ready.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Literal

import msgspec

from console.plans import bd_rule, counting
from console.plans.issue import MOST_EDGES, Edge, Issue, Reading, moment, read_lines
from console.plans.names import task_ids
from console.plans.report import Kind, PlanFile, Problem, Report
from core.domain import graph
from core.domain.lane import DEFAULT_LANES
from core.domain.plan import Planned
from core.domain.spec import TaskSpec
from core.domain.words import listed

Begins = Literal["open", "paused", "done"]
MOST_LABELS = 200
LINE = 500  # characters of a title, a label, a reason
TEXT = 100_000  # characters of a prompt
MOST_SPEC = 180 << 10  # bytes of a task in a command; above it the prompt is cut to BRIEF characters
BRIEF = 5_000
SECTIONS = (("Design", "design"), ("Acceptance criteria", "acceptance_criteria"), ("Notes", "notes"))


def read(lines: Iterable[bytes], *, session: str, now: datetime, lanes: Collection[str] = DEFAULT_LANES) -> PlanFile:
    """The plan in an ``issues.jsonl``, for ``session``. ``now`` decides what is deferred; ``lanes`` exist.

    Nothing in the file raises: what cannot be used is in the report, and the rest is in the plan.
    """
    reading = read_lines(lines)
    importing = _Import(reading, session, now, lanes)
    planned = importing.tasks()
    importing.tell_circles()
    blocked, startable, containers = counting.stand(planned)
    is_blocked = bd_rule.blocked(reading.issues)
    report = Report(
        format="beads",
        lines=reading.lines,
        tasks=len(planned),
        done=sum(1 for task in planned if task.spec.begin == "done"),
        paused=sum(1 for task in planned if task.spec.begin == "paused"),
        blocked=len(blocked),
        ready=len(bd_rule.ready(reading.issues, now, is_blocked)),
        startable=len(startable),
        containers=len(containers),
        tombstones=len(reading.tombstones),
        skipped=reading.skipped,
        problems=sorted(reading.problems, key=lambda problem: (problem.line or 0, problem.kind)),
    )
    return PlanFile(planned, report, frozenset(startable), frozenset(blocked))


class _Import:
    """One file on its way in."""

    def __init__(self, reading: Reading, session: str, now: datetime, lanes: Collection[str]) -> None:
        self.reading = reading
        self.issues = reading.issues
        self.now = now
        self.lanes = lanes
        self.ids = task_ids(session, self.issues)
        self.parts = bd_rule.children(self.issues)
        self.circles = _circles(self.issues)
        self.in_circle = {name: circle for circle in self.circles for name in circle}

    def tasks(self) -> list[Planned]:
        return [self._task(issue) for issue in self.issues.values()]

    def tell_circles(self) -> None:
        for circle in self.circles:
            still = [name for name in circle if self.issues[name].holds_up]
            says = f"{len(circle)} issues wait for each other in a circle ({len(still)} of them not closed): "
            first = self.issues[circle[0]]
            self._tell("cycle", first, says + listed(circle, 9))

    def _task(self, issue: Issue) -> Planned:
        if self.ids[issue.id].partition("/")[2] != issue.id:
            self._tell("renamed", issue, f"{issue.id!r} cannot be a task's name here: it is {self.ids[issue.id]}")
        needs, parents = self._edges(issue)
        begin, because = self._begin(issue)
        if begin == "open" and self.ids[issue.id] in needs:
            because = "waits for itself"
        spec = TaskSpec(
            title=self._short(issue, "title", issue.title.strip() or issue.id, LINE),
            prompt=self._short(issue, "text", _prompt(issue), TEXT),
            kind=self._short(issue, "type", issue.issue_type or "task", LINE),
            priority=self._priority(issue),
            lane=self._lane(issue),
            depends_on=needs,
            parents=parents,
            labels=self._labels(issue),
            begin=begin,
            because=because[:LINE],
            source=issue.whole,
        )
        if len(msgspec.json.encode(spec)) > MOST_SPEC:
            spec = msgspec.structs.replace(spec, prompt=self._short(issue, "text", spec.prompt, BRIEF))
        return Planned(task_id=self.ids[issue.id], spec=spec)

    def _edges(self, issue: Issue) -> tuple[list[str], list[str]]:
        """What the task depends on and what it is a part of, as task ids, each once."""
        if issue.status == "pinned":  # it is never done: nothing waits for it, and it waits for nothing
            return [], []
        needs: dict[str, None] = {}
        parents: dict[str, None] = {}
        for edge in issue.edges:
            if edge.type == "parent-child":
                self._enter(issue, edge.depends_on_id, parents, "a part of")
            elif edge.type in bd_rule.NEEDS:
                self._enter(issue, edge.depends_on_id, needs, "needs")
        for target in issue.depends_on or []:
            self._enter(issue, target, needs, "needs")
        if issue.depends_on:
            self._tell("edge", issue, f"{issue.id} has a depends_on field, which bd ignores: taken as what it needs")
        for edge in issue.edges:  # last, as one may stand for many
            if edge.type == "waits-for":
                self._enter_parts(issue, edge, needs)
        return list(needs), list(parents)

    def _enter(self, issue: Issue, target: str, into: dict[str, None], verb: str) -> None:
        if target == issue.id:
            if verb == "needs":
                into[self.ids[target]] = None
                self._tell("cycle", issue, f"{issue.id} needs itself: it stays blocked")
            else:
                self._tell("edge", issue, f"{issue.id} {verb} itself: left out")
        elif target in self.issues:
            if self.issues[target].status != "pinned":
                into[self.ids[target]] = None
        else:
            what = "was deleted (a tombstone)" if target in self.reading.tombstones else "is not in the file"
            self._tell("dangling", issue, f"{issue.id} {verb} {target}, which {what}: left out, as in bd")

    def _enter_parts(self, issue: Issue, edge: Edge, needs: dict[str, None]) -> None:
        target = edge.depends_on_id
        if target not in self.issues and target not in self.parts:
            self._enter(issue, target, needs, "waits for the parts of")
            return
        waited = bd_rule.waited_for(self.issues, self.parts, edge)
        if len(needs) + len(waited) > MOST_EDGES - len(issue.edges):
            says = f"{issue.id} waits for the {len(waited):,} parts of {target}: here it waits for {target} itself"
            self._tell("edge", issue, says)
            waited = [target] if target in self.issues else []
        for part in waited:
            self._enter(issue, part, needs, "needs")
        if edge.any_child_opens and len(waited) > 1:
            says = f"{issue.id} waits for any one part of {target}: here it waits for all {len(waited)} of them"
            self._tell("edge", issue, says)

    def _begin(self, issue: Issue) -> tuple[Begins, str]:
        """The state the task starts from, and why where it is not simply open."""
        status = issue.status or "open"
        if status == "closed":
            return "done", ""
        if status == "open":
            return self._begin_open(issue)
        if status in ("in_progress", "hooked"):
            who = f", by {issue.assignee}" if issue.assignee else ""
            return "paused", f"someone else had begun{who}: {status} in beads"
        if status == "deferred":
            return "paused", "deferred in beads" + (f" until {issue.defer_until}" if issue.defer_until else "")
        if status == "blocked":
            return "paused", "marked as blocked in beads"
        if status == "pinned":
            return "paused", "pinned in beads: a note that stays, not work"
        self._tell("status", issue, f"{issue.id} is {status!r}, which is no status of bd's own: it begins paused")
        return "paused", f"someone else had begun: {status!r} in beads, which is no status of its own"

    def _begin_open(self, issue: Issue) -> tuple[Begins, str]:
        if issue.defer_until:
            self._check_date(issue, issue.defer_until)
        hidden = bd_rule.hidden(self.issues, issue, self.now)
        if hidden:
            return "paused", hidden
        circle = self.in_circle.get(issue.id)
        return "open", f"waits for itself in a circle: {listed(circle, 9)}" if circle else ""

    def _check_date(self, issue: Issue, text: str) -> None:
        try:
            moment(text)
        except ValueError:
            self._tell("date", issue, f"{issue.id} is deferred until {text!r}, which is no date: not deferred")

    def _priority(self, issue: Issue) -> int:
        given = issue.priority
        if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= 4:
            return given
        number = _number(given)
        taken = 2 if number is None else min(4, max(0, number))
        self._tell("priority", issue, f"{issue.id} has priority {given!r}, not 0 to 4: taken as P{taken}")
        return taken

    def _lane(self, issue: Issue) -> str:
        for label in issue.labels or []:
            if label.startswith("lane:"):
                lane = label.removeprefix("lane:").strip()
                if lane in self.lanes:
                    return lane
                self._tell("lane", issue, f"{issue.id} is labelled {label!r}, but there is no such lane: lane A")
        return "A"

    def _labels(self, issue: Issue) -> list[str]:
        labels = list(dict.fromkeys(issue.labels or []))
        if len(labels) > MOST_LABELS:
            self._tell("shortened", issue, f"{issue.id} has {len(labels)} labels: the first {MOST_LABELS} are kept")
        return [self._short(issue, "label", label, LINE) for label in labels[:MOST_LABELS]]

    def _short(self, issue: Issue, what: str, text: str, most: int) -> str:
        if len(text) <= most:
            return text
        says = f"the {what} of {issue.id} has {len(text):,} characters: cut at {most:,}, the whole is in its source"
        self._tell("shortened", issue, says)
        return text[: most - 1] + "…"

    def _tell(self, kind: Kind, issue: Issue, says: str) -> None:
        self.reading.problems.append(Problem(kind=kind, line=issue.line, task=issue.id, says=says))


def _prompt(issue: Issue) -> str:
    """What an agent is told: the description, then the other texts under their names."""
    parts = [issue.description or ""]
    parts += [f"## {title}\n\n{text}" for title, field in SECTIONS if (text := getattr(issue, field))]
    return "\n\n".join(part for part in parts if part)


def _number(given: object) -> int | None:
    """A priority that was meant as a number: 40, 1.0, "2", "P1"."""
    if isinstance(given, str):
        given = given.strip().upper().removeprefix("P")
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        return int(given)
    except (ValueError, OverflowError):
        return None


def _circles(issues: bd_rule.Issues) -> list[list[str]]:
    """Groups of issues that need each other by the file's own edges, closed ones included."""
    edges = {
        name: [edge.depends_on_id for edge in issue.edges if edge.type in bd_rule.NEEDS and edge.depends_on_id != name]
        for name, issue in issues.items()
    }
    return graph.cycles(edges)
