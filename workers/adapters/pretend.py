"""What a simulated agent writes: files that grow by its edits, what its commands print, and what it leaves behind."""

from __future__ import annotations

import random
import struct
import zlib

import msgspec

from core.domain.words import Usage
from workers import diffs

NOUNS = ("cart", "line", "total", "rate", "batch", "ledger", "entry", "share", "order", "page", "ticket", "queue")
VERBS = ("load", "spread", "round", "check", "merge", "split", "count", "close", "open", "find", "sort", "settle")


class Files:
    """The files of one run, as it has left them so far. The same chance makes the same files."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self._texts: dict[str, str] = {}
        self.changes: list[str] = []

    @property
    def names(self) -> list[str]:
        return list(self._texts)

    def edit(self, name: str) -> str:
        """Change some lines; the diff."""
        before = self._texts.get(name) or self._new(name, 4)
        lines = before.splitlines()
        at = self.chance.randrange(1, max(2, len(lines) - 1))
        fresh = self._points if _is_prose(name) else self._body
        lines[at : at + self.chance.randint(0, 3)] = fresh(self.chance.randint(1, 5))
        return self._changed(name, before, "\n".join(lines) + "\n")

    def write(self, name: str) -> str:
        """Write it anew; the diff."""
        return self._changed(name, self._texts.get(name, ""), self._new(name, self.chance.randint(2, 5)))

    def _changed(self, name: str, before: str, after: str) -> str:
        self._texts[name] = after
        diff = diffs.between(before, after, name)
        self.changes.append(diff)
        return diff

    def _new(self, name: str, functions: int) -> str:
        if _is_prose(name):
            return "# Notes\n\n" + "\n".join(self._points(functions * 3)) + "\n"
        parts = [f'"""{self._phrase().capitalize()}."""\n']
        for _ in range(functions):
            verb, noun = self.chance.choice(VERBS), self.chance.choice(NOUNS)
            parts.append(f"\n\ndef {verb}_{noun}({noun}s):\n" + "\n".join(self._body(3)) + f"\n    return {noun}s\n")
        return "".join(parts)

    def _points(self, lines: int) -> list[str]:
        return [f"- {self._phrase()}." for _ in range(lines)]

    def _body(self, lines: int) -> list[str]:
        return [
            f"    {self.chance.choice(NOUNS)} = {self.chance.choice(VERBS)}_{self.chance.choice(NOUNS)}"
            f"({self.chance.choice(NOUNS)}, {self.chance.randint(0, 99)})"
            for _ in range(lines)
        ]

    def _phrase(self) -> str:
        return f"{self.chance.choice(VERBS)} every {self.chance.choice(NOUNS)} of the {self.chance.choice(NOUNS)}"


def _is_prose(name: str) -> bool:
    return name.endswith((".md", ".txt", ".rst"))


def printed(chance: random.Random, command: str, *, fails: bool) -> bytes:
    """What a command prints, with the colours a terminal would get."""
    tests, took = chance.randint(6, 60), chance.uniform(0.2, 6)
    lines = [f"\x1b[2m$ {command}\x1b[0m", f"tests/test_{chance.choice(NOUNS)}.py {'.' * min(tests, 40)}"]
    if fails:
        lines += [
            f"\x1b[31mE   assert {chance.randint(1, 9)} == {chance.randint(10, 19)}\x1b[0m",
            f"\x1b[1;31m1 failed\x1b[0m, \x1b[32m{tests - 1} passed\x1b[0m in {took:.2f} s",
        ]
    else:
        lines.append(f"\x1b[32m{tests} passed\x1b[0m in {took:.2f} s")
    return ("\n".join(lines) + "\n").encode()


def report(title: str, calls: int, usage: Usage, files: list[str]) -> bytes:
    """In Markdown."""
    rows = "".join(f"- `{name}`\n" for name in files) or "- none\n"
    cost = "unpriced" if usage.cost_uusd is None else f"${usage.cost_uusd / 1e6:.2f}"
    text = (
        f"# {title}\n\nDone in **{calls} calls**. All tests pass.\n\n## Files\n\n{rows}\n## Used\n\n"
        f"| | |\n|---|---:|\n| Input | {usage.input_tokens:,} |\n| Output | {usage.output_tokens:,} |\n"
        f"| Cost | {cost} |\n"
    )
    return text.encode()


def figures(usage: Usage, calls: int) -> bytes:
    return msgspec.json.format(msgspec.json.encode({"calls": calls, "usage": usage}), indent=2)


def picture(heights: list[int]) -> bytes:
    """A bar for each number, as a PNG of 8 x 48 pixels a bar: ink on white."""
    tall, wide = 48, 8 * max(1, len(heights))
    most = max([1, *heights])
    rows = []
    for y in range(tall, 0, -1):
        row = bytearray([0])  # a row's filter: none
        for height in heights or [0]:
            ink = 0x50 if height * tall >= most * y else 0xFF
            row += bytes([ink] * 6 + [0xFF] * 2)
        rows.append(bytes(row))
    head = struct.pack(">IIBBBBB", wide, tall, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
