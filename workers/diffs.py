"""What changed in a file, as a unified diff: made from two texts, bounded, counted."""

from __future__ import annotations

import re
from difflib import unified_diff

MAX_CHARS = 60_000  # of one diff kept with its observation, however its signs are written out
MAX_LINES = 20_000  # of a text that is compared; longer ones are shown as all old, all new

_HUNK = re.compile(r"@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@")


def between(before: str, after: str, name: str, *, line: int = 1) -> str:
    """From one text to the other. ``line``: where in the file the texts begin."""
    old, new = lines(before), lines(after)
    if len(old) + len(new) > MAX_LINES:
        return _all(old, new, name)
    rows = list(unified_diff(old, new, f"a/{name}" if before else "/dev/null", f"b/{name}", lineterm="", n=3))
    if line > 1:
        rows = [_moved(row, line - 1) if row.startswith("@@") else row for row in rows]
    return "\n".join(rows) + ("\n" if rows else "")


def figures(diff: str) -> tuple[int, int]:
    """Lines added and removed, in any unified diff. A hunk ends where its head says; what follows may look like one."""
    added = removed = old = new = 0
    for line in lines(diff):
        if old <= 0 and new <= 0:
            head = _HUNK.match(line)
            old, new = (int(head[1] or 1), int(head[2] or 1)) if head else (0, 0)
        elif line.startswith("+"):
            added, new = added + 1, new - 1
        elif line.startswith("-"):
            removed, old = removed + 1, old - 1
        elif not line.startswith("\\"):
            old, new = old - 1, new - 1
    return added, removed


def lines(text: str) -> list[str]:
    """By newlines alone: other signs that end a line somewhere are a part of it."""
    parts = text.split("\n")
    return parts if parts[-1] else parts[:-1]


def bounded(diff: str) -> str:
    """Its beginning, whole lines of it, with a last line that says so."""
    if len(diff) <= MAX_CHARS:
        return diff
    end = diff.rfind("\n", 0, MAX_CHARS) + 1 or MAX_CHARS
    return f"{diff[:end]}\\ {len(diff) - end:,} more characters of this diff were not kept\n"


def _all(old: list[str], new: list[str], name: str) -> str:
    head = [f"--- a/{name}", f"+++ b/{name}", f"@@ -1,{len(old)} +1,{len(new)} @@"]
    return "\n".join([*head, *(f"-{each}" for each in old), *(f"+{each}" for each in new)]) + "\n"


def _moved(head: str, by: int) -> str:
    """A hunk's head for texts that begin further down."""
    _, old, new, _ = head.split(" ", 3)
    return f"@@ {_at(old, by)} {_at(new, by)} @@"


def _at(span: str, by: int) -> str:
    sign, numbers = span[0], span[1:].split(",")
    first = int(numbers[0])
    return sign + ",".join([str(first + by if first else 0), *numbers[1:]])
