"""A kit as it stands on disk: four Markdown files, read into what they promise each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

FILES = ("constitution.md", "prd.md", "plan.md", "tasks.md")
HEADINGS = {
    "constitution.md": ("Principles", "Quality gates", "Changes"),
    "prd.md": ("Problem", "Users", "Goals", "Non-goals", "Requirements"),
    "plan.md": ("Approach", "Milestones", "Risks"),
    "tasks.md": ("Tasks",),
}
MOST_BYTES = 1 << 20

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_REQUIREMENT = re.compile(r"^###\s+(R-\d+)\b[\s:.—-]*(.*)$")
_CRITERION = re.compile(r"^\s*[-*]\s+(?:\[[ xX]\]\s+)?(R-\d+\.\d+)\b[\s:.—-]*(.*)$")
_PRINCIPLE = re.compile(r"^\s*[-*]\s+\**(C-\d+)\**[\s:.—-]*(.*)$")
_MILESTONE = re.compile(r"^\s*[-*]\s+\**(M-\d+)\**[\s:.—-]*(.*)$")
_TASK = re.compile(r"^\s*[-*]\s+(?:\[[ xX]\]\s+)?\**(T-\d+)\**[\s:.—-]*(.*)$")
_REQUIREMENTS_NAMED = re.compile(r"\bR-\d+\b(?!\.)")
_AFTER = re.compile(r"\bafter\s+(T-\d+(?:\s*(?:,|and)\s*T-\d+)*)", re.IGNORECASE)


class Item(msgspec.Struct, frozen=True):
    """A line with an id: ``R-1``, ``R-1.2``, ``M-1``, ``T-4``. ``refs``: requirements it names; ``after``: tasks."""

    id: str
    text: str
    file: str
    line: int
    refs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class Document(msgspec.Struct):
    """One file: its lines, and its headings with their level and the line they stand on."""

    name: str
    lines: list[str]
    headings: list[tuple[int, str, int]]

    def has(self, heading: str) -> bool:
        return any(text.casefold() == heading.casefold() for _, text, _ in self.headings)


class Unreadable(Exception):
    """A file that is there and cannot be read; the text says why."""


class Kit(msgspec.Struct):
    """What the files of a folder say; a file that is missing says nothing."""

    documents: dict[str, Document] = {}
    principles: list[Item] = []
    requirements: list[Item] = []
    criteria: list[Item] = []
    milestones: list[Item] = []
    tasks: list[Item] = []


def read(folder: Path) -> Kit:
    """The kit in the folder. ``Unreadable`` names a file that is too large, no text, or not ours to read."""
    kit = Kit()
    for name in FILES:
        if (text := text_of(folder / name)) is not None:
            kit.documents[name] = document(name, text)
    kit.principles = list(_items(kit, "constitution.md", _PRINCIPLE))
    kit.requirements = list(_items(kit, "prd.md", _REQUIREMENT))
    kit.criteria = list(_items(kit, "prd.md", _CRITERION))
    kit.milestones = list(_items(kit, "plan.md", _MILESTONE))
    kit.tasks = list(_items(kit, "tasks.md", _TASK))
    return kit


def document(name: str, text: str) -> Document:
    lines = text.splitlines()
    found = [(n, _HEADING.match(line)) for n, line in _outside_code(lines)]
    headings = [(len(match[1]), match[2].strip(), n) for n, match in found if match is not None]
    return Document(name, lines, headings)


def text_of(path: Path) -> str | None:
    """The file's text, None where there is none."""
    try:
        if not path.exists():
            return None
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise Unreadable(f"{path.name} is no file of at most {MOST_BYTES:,} bytes")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path.name} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be read: {error.strerror}") from error


def _items(kit: Kit, name: str, pattern: re.Pattern[str]) -> Iterator[Item]:
    document = kit.documents.get(name)
    if document is None:
        return
    for n, line in _outside_code(document.lines):
        match = pattern.match(line)
        if match is None:
            continue
        text = match[2].strip()
        after = _AFTER.search(text)
        yield Item(
            id=match[1],
            text=text,
            file=name,
            line=n,
            refs=tuple(dict.fromkeys(_REQUIREMENTS_NAMED.findall(text))),
            after=tuple(re.findall(r"T-\d+", after[1])) if after else (),
        )


def _outside_code(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, those of fenced code left out."""
    fence = ""
    for n, line in enumerate(lines, 1):
        mark = line.lstrip()[:3]
        if mark in ("```", "~~~") and (not fence or mark == fence):
            fence = "" if fence else mark
        elif not fence:
            yield n, line
