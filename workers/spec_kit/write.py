"""The four documents, each written from what those before it say: what an agent changed in between counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from workers.spec_kit.kit import Item, Kit, read

PRINCIPLES = (
    "The simplest thing that meets the acceptance criteria is the one we build.",
    "A change comes with the test that would have failed without it.",
    "What goes wrong is said to the person it concerns, with a way out.",
)
EACH_MILESTONE = 3  # requirements


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the kit is about. ``items``: the constitution's principles, or the requirements of the prd, each with
    its criteria where it brings some: ``title | criterion | criterion``."""

    name: str
    idea: str = ""
    users: str = ""
    stack: str = ""
    items: tuple[str, ...] = ()


class Missing(Exception):
    """What the document would be made from is not there; the text says what to write first."""


def constitution(wish: Wish, _folder: Path) -> str:
    principles = [line(each) for each in wish.items if line(each)] or list(PRINCIPLES)
    return _document(
        f"Constitution of {line(wish.name)}",
        ("Principles", _listed(f"**C-{n}** {each}" for n, each in enumerate(principles, 1))),
        ("Quality gates", _listed((
            "Every requirement has acceptance criteria before work on it starts.",
            "Every task names the requirement it serves.",
            "The kit passes `validate` before it is handed on.",
        ))),
        ("Changes", "A principle changes by a decision written down here, with its date and its reason."),
    )  # fmt: skip


def prd(wish: Wish, _folder: Path) -> str:
    wanted = [each for each in wish.items if line(each)]
    if not wanted:
        raise Missing("there is no requirement to write down: give at least one after --")
    return _document(
        f"Requirements of {line(wish.name)}",
        ("Problem", _quoted(wish.idea) or f"{line(wish.name)} does not exist yet."),
        ("Users", line(wish.users) or "Whoever asked for it."),
        ("Goals", _listed(line(each.partition("|")[0]) for each in wanted)),
        ("Non-goals", "- Anything that no requirement below names."),
        ("Requirements", "\n\n".join(_requirement(n, each) for n, each in enumerate(wanted, 1))),
    )


def plan(wish: Wish, folder: Path) -> str:
    kit = _kit(folder, "plan.md", "prd.md")
    groups = [kit.requirements[n : n + EACH_MILESTONE] for n in range(0, len(kit.requirements), EACH_MILESTONE)]
    milestones = [
        f"**M-{n}** {'; '.join(item.text for item in group)} ({', '.join(item.id for item in group)})"
        for n, group in enumerate(groups, 1)
    ]
    return _document(
        f"Plan of {line(wish.name)}",
        ("Approach", "Milestone by milestone; each ends with its acceptance criteria shown to hold."),
        ("Stack", line(wish.stack) or "What the project uses already."),
        ("Milestones", _listed(milestones)),
        ("Risks", _listed((
            "A criterion turns out not to be testable: it is reworded before work on it goes on.",
            "Requirements pull in different directions: the constitution decides, and the decision is kept there.",
        ))),
    )  # fmt: skip


def tasks(wish: Wish, folder: Path) -> str:
    kit = _kit(folder, "tasks.md", "prd.md", "plan.md")
    lines: list[str] = []
    number = 0
    before: list[int] = []
    for milestone in kit.milestones:
        shown: list[int] = []
        for item in (item for item in kit.requirements if item.id in milestone.refs):
            waits = f", after {', '.join(f'T-{n}' for n in before)}" if before else ""
            lines.append(f"[ ] T-{number + 1} Write the tests for {_criteria_of(kit, item)} ({item.id}){waits}")
            lines.append(f"[ ] T-{number + 2} {item.text} ({item.id}), after T-{number + 1}")
            number += 2
            shown.append(number)
        before = shown or before
    return _document(f"Tasks of {line(wish.name)}", ("Tasks", _listed(lines)))


def line(text: str) -> str:
    """The text as one line, that neither opens a heading nor a list."""
    return " ".join(text.split()).lstrip("#-*> ")


def _requirement(number: int, wanted: str) -> str:
    title, *given = [line(part) for part in wanted.split("|")]
    criteria = [each for each in given if each] or [
        f"Given a fresh start, when a user does this: {title}; then it works as described, and a test shows it."
    ]
    listed = _listed(f"R-{number}.{n} {each}" for n, each in enumerate(criteria, 1))
    return f"### R-{number} {title}\n\n#### Acceptance criteria\n\n{listed}"


def _criteria_of(kit: Kit, requirement: Item) -> str:
    named = [item.id for item in kit.criteria if item.id.startswith(f"{requirement.id}.")]
    return named[0] if len(named) == 1 else f"{named[0]} to {named[-1]}" if named else requirement.id


def _kit(folder: Path, what: str, *needed: str) -> Kit:
    kit = read(folder)
    missing = [name for name in needed if name not in kit.documents]
    if missing:
        raise Missing(f"{what} is made from {' and '.join(missing)}, which {folder} does not hold: write that first")
    return kit


def _document(title: str, *sections: tuple[str, str]) -> str:
    body = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections)
    return f"# {title}\n\n{body}\n"


def _listed(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _quoted(text: str) -> str:
    """Several lines as somebody's words: whatever they hold, none of it is a heading of ours."""
    return "\n".join(f"> {each}".rstrip() for each in text.strip().splitlines())


WRITERS: dict[str, Callable[[Wish, Path], str]] = {
    "constitution": constitution, "prd": prd, "plan": plan, "tasks": tasks,
}  # fmt: skip
