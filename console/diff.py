"""A unified diff as rows with line numbers, and whatever else an agent calls a diff as plain rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

SHOWN = 400  # rows drawn before the reader asks for more
MOST = 5_000  # rows drawn at all; the rest is downloaded
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_HEADS = (
    "diff ", "index ", "--- ", "+++ ", "new file", "deleted file", "similarity ", "rename ", "old mode", "new mode",
)  # fmt: skip


class DiffRow(msgspec.Struct, frozen=True):
    """``kind``: add, del, hunk, meta or empty for what stayed; the line's number before and after, 0: has none."""

    kind: str
    text: str
    old: int = 0
    new: int = 0


class Drawn(msgspec.Struct, frozen=True):
    """The first rows, and how many more there are."""

    rows: list[DiffRow]
    more: int = 0


def drawn(diff: str, most: int = SHOWN) -> Drawn:
    lines = [line.removesuffix("\r") for line in diff.removesuffix("\n").split("\n")] if diff else []
    most = min(most, MOST)
    return Drawn(list(_rows(lines[:most])), max(0, len(lines) - most))


def _rows(lines: list[str]) -> Iterator[DiffRow]:
    """How long a hunk is says its head, so that what follows it is not taken for a part of it."""
    old = new = old_left = new_left = 0
    for line in lines:
        if old_left <= 0 and new_left <= 0:
            if hunk := _HUNK.match(line):
                old, new = int(hunk[1]), int(hunk[3])
                old_left, new_left = int(hunk[2] or 1), int(hunk[4] or 1)
                yield DiffRow("hunk", line)
            elif not line.startswith(_HEADS):
                yield DiffRow("meta", line)
        elif line.startswith("\\"):
            yield DiffRow("meta", line)
        elif line.startswith("+"):
            yield DiffRow("add", line[1:], 0, new)
            new, new_left = new + 1, new_left - 1
        elif line.startswith("-"):
            yield DiffRow("del", line[1:], old, 0)
            old, old_left = old + 1, old_left - 1
        else:
            yield DiffRow("", line[1:], old, new)
            old, new, old_left, new_left = old + 1, new + 1, old_left - 1, new_left - 1
