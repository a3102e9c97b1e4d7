"""A line of beads' ``issues.jsonl`` as an issue, or what is the matter with it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from console.plans.report import Problem
from core.domain.words import is_plain, nested

MOST_BYTES = 120 << 10  # of a line: what it becomes, text and source, must fit one command
MOST_EDGES = 1_000
MOST_NESTED = 30  # lists and objects within each other; a command may hold 32


class Edge(msgspec.Struct, frozen=True):
    """``depends_on_id`` is what is needed; for ``parent-child`` it is the parent."""

    depends_on_id: str
    type: str = "blocks"
    metadata: Any = None

    @property
    def any_child_opens(self) -> bool:
        """A ``waits-for`` that is content with one child closed. The metadata is JSON in a string, or JSON itself."""
        found = self.metadata
        if isinstance(found, str):
            try:
                found = msgspec.json.decode(found)
            except msgspec.DecodeError:
                return False
        return isinstance(found, dict) and found.get("gate") == "any-children"


class Issue(msgspec.Struct, kw_only=True):
    """The fields that decide something here; ``whole`` is the line as it was, every field kept."""

    id: str
    title: str = ""
    description: str | None = ""
    design: str | None = ""
    acceptance_criteria: str | None = ""
    notes: str | None = ""
    status: str | None = "open"
    priority: Any = None
    issue_type: str | None = "task"
    assignee: str | None = ""
    labels: list[str] | None = None
    dependencies: list[Edge] | None = None
    depends_on: list[str] | None = None
    defer_until: str | None = None
    updated_at: str | None = None
    ephemeral: bool | None = False
    pinned: bool | None = False
    line: int = 0
    whole: dict[str, Any] = {}

    @property
    def edges(self) -> list[Edge]:
        return self.dependencies or []

    @property
    def is_closed(self) -> bool:
        return self.status == "closed"

    @property
    def holds_up(self) -> bool:
        """Whether what needs it has to wait: everything but closed issues and pinned notes."""
        return self.status not in ("closed", "pinned")


class Reading(msgspec.Struct):
    """What the lines held: issues by id, the tombstones' ids, and what was wrong."""

    issues: dict[str, Issue] = {}
    tombstones: set[str] = set()
    lines: int = 0
    skipped: int = 0
    problems: list[Problem] = []


def read_lines(lines: Iterable[bytes]) -> Reading:
    """Every issue of the file. A line that cannot be read is a problem with its number, and the others are read on."""
    reading = Reading(issues={}, tombstones=set(), problems=[])
    for number, raw in enumerate(lines, 1):
        line = raw.strip().removeprefix(b"\xef\xbb\xbf") if number == 1 else raw.strip()
        if not line:
            continue
        reading.lines += 1
        try:
            issue = _issue(line, number)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            reading.problems.append(Problem(kind="malformed", line=number, says=f"line {number} is left out: {error}"))
            continue
        if issue is None:
            reading.skipped += 1
        else:
            _keep(reading, issue)
    reading.tombstones = {name for name, issue in reading.issues.items() if issue.status == "tombstone"}
    for name in reading.tombstones:
        del reading.issues[name]
    return reading


def moment(text: str) -> datetime:
    """A beads timestamp: RFC 3339 with up to nine digits of a second, any offset; ``ValueError`` when it is not."""
    read = datetime.fromisoformat(text)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


def _issue(line: bytes, number: int) -> Issue | None:
    """The issue, or None for a line that is something else (newest exports also hold memories)."""
    if len(line) > MOST_BYTES:
        raise ValueError(f"it has {len(line):,} bytes; {MOST_BYTES:,} is the most a task may have")
    whole = msgspec.json.decode(line)
    if not isinstance(whole, dict):
        raise ValueError(f"it is {_named(whole)}, not an issue {{…}}")  # noqa: TRY004 - a value from a file
    if whole.get("_type", "issue") != "issue":
        return None
    if nested(whole) > MOST_NESTED:
        raise ValueError(f"its fields are nested more than {MOST_NESTED} deep")
    if not is_plain(whole):
        raise ValueError("it holds a whole number of more than 64 bits, which no field of beads is")
    issue = msgspec.convert(whole, Issue)
    if not issue.id.strip():
        raise ValueError("its id is empty")
    if len(issue.edges) + len(issue.depends_on or []) > MOST_EDGES:
        raise ValueError(f"it has {len(issue.edges):,} edges; {MOST_EDGES:,} is the most: put a milestone between")
    issue.line, issue.whole = number, whole
    return issue


def _keep(reading: Reading, issue: Issue) -> None:
    """One id, one issue: the one changed last, as beads' own importer keeps it; of equals the later line."""
    before = reading.issues.get(issue.id)
    if before is None:
        reading.issues[issue.id] = issue
        return
    if before.whole == issue.whole:
        says = f"lines {before.line} and {issue.line} are the same issue {issue.id}: taken once"
        kept = before
    else:
        kept = before if _changed(before) > _changed(issue) else issue
        says = f"lines {before.line} and {issue.line} both say what {issue.id} is: line {kept.line} holds, changed last"
    reading.issues[issue.id] = kept
    reading.problems.append(Problem(kind="duplicate", line=issue.line, task=issue.id, says=says))


def _changed(issue: Issue) -> datetime:
    try:
        return moment(issue.updated_at or "")
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _named(value: object) -> str:
    return {list: "a list", str: "a text", bool: "true or false", type(None): "null"}.get(type(value), "a number")
