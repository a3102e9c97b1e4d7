"""What an agent printed, made safe to look at: colours stay, everything that could deceive the eye is written out.

Nothing here makes markup: a line is pieces of text with class names from a fixed list; the template escapes the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_SGR = re.compile(r"\x1b\[([0-9;:]{0,40})m")
_LINE_END = re.compile(r"\r\n|\n|\r")  # a lone \r begins a line too: what it would overwrite stays readable

# Left alone: tab and newline (the caller splits lines), and the joiners that emoji and some scripts need.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)


# Names a person may know; the pictures Unicode has for them are missing from many fonts.
_NAMES = {0x00: "NUL", 0x07: "BEL", 0x08: "BS", 0x1B: "ESC", 0x7F: "DEL"}


class Piece(msgspec.Struct, frozen=True):
    """Text in one style; ``style`` is a space-separated list of class names, never taken from the input."""

    text: str
    style: str = ""


class Line(msgspec.Struct, frozen=True):
    number: int
    pieces: list[Piece]
    stream: str = "stdout"


def visible(text: str) -> str:
    """The text with control, bidirectional and invisible characters written out, as ``⟨ESC⟩`` or ``⟨U+202E⟩``."""
    return _HIDDEN.sub(_written, text)


def lines(text: str, *, first: int = 1, stream: str = "stdout") -> list[Line]:
    """The text as numbered lines of styled pieces; a style carries over the line's end, as in a terminal."""
    out, style = [], _Style()
    parts = _LINE_END.split(text)
    if parts and not parts[-1]:
        parts.pop()
    for number, part in enumerate(parts, first):
        out.append(Line(number, list(_pieces(part, style)), stream))
    return out


class _Style:
    """What the codes so far add up to."""

    def __init__(self) -> None:
        self.colour = ""
        self.marks: set[str] = set()

    def __str__(self) -> str:
        return " ".join(filter(None, (self.colour, *sorted(self.marks))))

    def take(self, codes: str) -> None:
        numbers = [int(code) if code else 0 for code in codes.replace(":", ";").split(";")]
        while numbers:
            self._take_one(numbers.pop(0), numbers)

    def _take_one(self, code: int, rest: list[int]) -> None:
        match code:
            case 0:
                self.colour, self.marks = "", set()
            case 1 | 2 | 3 | 4:
                self.marks.add({1: "sgr-bold", 2: "sgr-dim", 3: "sgr-italic", 4: "sgr-under"}[code])
            case 22:
                self.marks -= {"sgr-bold", "sgr-dim"}
            case 23 | 24:
                self.marks.discard({23: "sgr-italic", 24: "sgr-under"}[code])
            case 39:
                self.colour = ""
            case 38 | 48:  # 256 colours and true colour: read past them, keep the reader's own ink
                del rest[: {5: 2, 2: 4}.get(rest[0] if rest else -1, 0)]
            case _ if 30 <= code <= 37 or 90 <= code <= 97:
                self.colour = f"sgr-{_COLOURS[code % 10]}"
            case _:
                pass


def _pieces(line: str, style: _Style) -> Iterator[Piece]:
    at = 0
    for code in _SGR.finditer(line):
        if code.start() > at:
            yield Piece(visible(line[at : code.start()]), str(style))
        style.take(code[1])
        at = code.end()
    if at < len(line):
        yield Piece(visible(line[at:]), str(style))


def _written(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"⟨{_NAMES.get(code) or f'U+{code:04X}'}⟩"
