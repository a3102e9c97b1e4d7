"""Whether a kit holds together: files, headings, acceptance criteria, ids that are named and exist."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal

import msgspec

from workers.spec_kit import kit as kits
from workers.spec_kit.kit import FILES, HEADINGS, Item, Kit

Level = Literal["error", "warning"]
_TESTABLE = re.compile(
    r"\b(given|when|then|must|shows?|returns?|within|at (?:most|least)|refus\w+|says?)\b", re.IGNORECASE
)
_UNDECIDED = re.compile(r"\b(TODO|TBD|FIXME|NEEDS CLARIFICATION)\b|\?\?\?")


class Finding(msgspec.Struct, frozen=True):
    """What is wrong, where, and by which rule. ``line`` 0: the file as a whole."""

    level: Level
    rule: str
    file: str
    line: int
    says: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict. ``uncovered``: requirements that no milestone or no task names."""

    folder: str
    ok: bool
    errors: int
    warnings: int
    files: dict[str, bool]
    requirements: int
    criteria: int
    milestones: int
    tasks: int
    uncovered: list[str]
    findings: list[Finding]


def check(folder: Path, *, strict: bool = False) -> Report:
    """Look at the folder's kit. ``strict``: warnings count as errors."""
    try:
        kit = kits.read(folder)
        found = list(_findings(kit))
    except kits.Unreadable as error:
        kit, found = Kit(), [Finding("error", "unreadable", str(error).partition(" ")[0], 0, str(error))]
    errors = sum(each.level == "error" for each in found)
    warnings = len(found) - errors
    return Report(
        folder=str(folder), ok=not errors and not (strict and warnings), errors=errors, warnings=warnings,
        files={name: name in kit.documents for name in FILES}, requirements=len(kit.requirements),
        criteria=len(kit.criteria), milestones=len(kit.milestones), tasks=len(kit.tasks),
        uncovered=[item.id for item in kit.requirements if not _covered(kit, item.id)], findings=found,
    )  # fmt: skip


def _findings(kit: Kit) -> Iterator[Finding]:
    yield from _structure(kit)
    for items in (kit.principles, kit.requirements, kit.criteria, kit.milestones, kit.tasks):
        yield from _twice(items)
    yield from _criteria(kit)
    if "prd.md" in kit.documents:
        yield from _references(kit)
    yield from _order(kit)
    yield from _undecided(kit)


def _structure(kit: Kit) -> Iterator[Finding]:
    for name in FILES:
        document = kit.documents.get(name)
        if document is None:
            yield Finding("error", "file", name, 0, f"{name} is missing")
            continue
        for heading in HEADINGS[name]:
            if not document.has(heading):
                yield Finding("error", "heading", name, 0, f"there is no heading {heading!r}")
    for name, items, what in (
        ("constitution.md", kit.principles, "principle (- C-1 …)"),
        ("prd.md", kit.requirements, "requirement (### R-1 …)"),
        ("plan.md", kit.milestones, "milestone (- M-1 …)"), ("tasks.md", kit.tasks, "task (- T-1 …)"),
    ):  # fmt: skip
        if name in kit.documents and not items:
            yield Finding("error", "empty", name, 0, f"it holds no {what}")


def _twice(items: list[Item]) -> Iterator[Finding]:
    seen = Counter(item.id for item in items)
    told: set[str] = set()
    for item in items:
        if seen[item.id] > 1 and item.id in told:
            yield Finding("error", "id", item.file, item.line, f"{item.id} is used twice")
        told.add(item.id)


def _criteria(kit: Kit) -> Iterator[Finding]:
    known = {item.id for item in kit.requirements}
    held = Counter(item.id.partition(".")[0] for item in kit.criteria)
    for item in kit.requirements:
        if not item.text:
            yield Finding("error", "title", item.file, item.line, f"{item.id} has no title")
        if not held[item.id]:
            yield Finding(
                "error", "criteria", item.file, item.line, f"{item.id} has no acceptance criterion (- {item.id}.1 …)"
            )
    for item in kit.criteria:
        if item.id.partition(".")[0] not in known:
            yield Finding("error", "criteria", item.file, item.line, f"{item.id} belongs to no requirement")
        elif not _TESTABLE.search(item.text):
            says = f"{item.id} says nothing that can be tested (given … when … then …)"
            yield Finding("warning", "testable", item.file, item.line, says)


def _references(kit: Kit) -> Iterator[Finding]:
    known = {item.id for item in kit.requirements}
    for items, what in ((kit.milestones, "milestone"), (kit.tasks, "task")):
        for item in items:
            for ref in item.refs:
                if ref not in known:
                    yield Finding(
                        "error", "reference", item.file, item.line, f"{item.id} names {ref}, which is no requirement"
                    )
            if not item.refs:
                yield Finding("warning", "reference", item.file, item.line, f"{item.id} serves no requirement")
        if items:
            named = {ref for item in items for ref in item.refs}
            for item in kit.requirements:
                if item.id not in named:
                    yield Finding("error", "coverage", item.file, item.line, f"no {what} names {item.id}")


def _order(kit: Kit) -> Iterator[Finding]:
    known = {item.id for item in kit.tasks}
    for item in kit.tasks:
        for other in item.after:
            if other not in known:
                yield Finding(
                    "error", "order", item.file, item.line, f"{item.id} comes after {other}, which is no task"
                )
    try:
        TopologicalSorter({item.id: [each for each in item.after if each in known] for item in kit.tasks}).prepare()
    except CycleError as error:
        circle = list(dict.fromkeys(error.args[1]))
        yield Finding("error", "order", "tasks.md", 0, f"these wait for each other: {', '.join(circle)}")


def _undecided(kit: Kit) -> Iterator[Finding]:
    for document in kit.documents.values():
        for n, line in enumerate(document.lines, 1):
            if (found := _UNDECIDED.search(line)) is not None:
                yield Finding("warning", "undecided", document.name, n, f"{found[0]} is still to be decided")


def _covered(kit: Kit, requirement: str) -> bool:
    return all(any(requirement in item.refs for item in items) for items in (kit.milestones, kit.tasks))
