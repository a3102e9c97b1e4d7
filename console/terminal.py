"""What an agent printed, made safe to look at: colours stay, everything that could deceive the eye is written out.

Nothing here makes markup: a line is pieces of text with class names from a fixed list; the template escapes the text.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator
from itertools import pairwise

import msgspec

_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_SGR = re.compile(r"\x1b\[([0-9;:]{0,40})m")
_LINE_END = re.compile(r"\r\n|\n|\r")  # a lone \r begins a line too: what it would overwrite stays readable

# Left alone: tab and newline (the caller splits lines), and the joiners that emoji and some scripts need.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)


# Names a person may know; the pictures Unicode has for them are missing from many fonts.
_NAMES = {0x00: "NUL", 0x07: "BEL", 0x08: "BS", 0x1B: "ESC", 0x7F: "DEL"}


MOST_CHARS = 4_000  # of one line; a longer one goes on in the next


class Piece(msgspec.Struct, frozen=True):
    """Text in one style; ``style`` is a space-separated list of class names, never taken from the input. ``found``: it
    is what was searched for."""

    text: str
    style: str = ""
    found: bool = False


class Line(msgspec.Struct, frozen=True):
    """``lost``: no line but a hole: so many bytes that were printed here are not there any more. ``aged``: because the
    server keeps output only for so long."""

    number: int
    pieces: list[Piece]
    stream: str = "stdout"
    lost: int = 0
    aged: bool = False

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


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


class _Raw(msgspec.Struct):
    """A line as it came, with the style it begins in: drawn only when it is looked at."""

    number: int
    text: str
    style: _Style
    stream: str
    lost: int = 0
    aged: bool = False

    def drawn(self) -> Line:
        return Line(self.number, list(_pieces(self.text, self.style.copy())), self.stream, self.lost, self.aged)


class Screen:
    """What is printed, piece by piece, as numbered lines of which the newest are kept.

    The last line may still be open: ``steady`` is the number of the first line that what comes next may change.
    A line belongs to one stream; where the other one breaks in, it ends.
    """

    def __init__(self, *, most_lines: int, most_chars: int) -> None:
        self.number = 0  # of the last line
        self.cut = False  # older lines were let go
        self._most_lines, self._most_chars = most_lines, most_chars
        self._lines: deque[_Raw] = deque()
        self._chars = 0
        self._stream = ""  # who wrote last
        self._open = False
        self._after_return = False  # the last sign was a lone \r, which a \n may yet complete
        self._styles: dict[str, _Style] = {}
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}

    @property
    def steady(self) -> int:
        return self.number if self._open else self.number + 1

    def write(self, stream: str, data: bytes) -> None:
        if stream != self._stream:
            self._stream, self._open, self._after_return = stream, False, False
        text = self._decoder(stream).decode(data)
        if self._after_return and text:
            text = text.removeprefix("\n")
        if not text:
            return
        self._after_return = text.endswith("\r")
        parts = _LINE_END.split(self._reopened() + text)
        last = parts.pop()
        for part in parts:
            self._put(part)
        self._open = bool(last)
        if last:
            self._put(last)

    def hole(self, lost: int, *, aged: bool = False) -> None:
        """Something is missing here."""
        self._open = False
        self.number += 1
        self._keep(_Raw(self.number, "", _Style(), self._stream or "stdout", lost, aged))

    def lines(self, since: int = 0) -> list[Line]:
        """Those kept, from number ``since`` on."""
        skipped = max(0, since - (self._lines[0].number if self._lines else 0))
        return [each.drawn() for each in list(self._lines)[skipped:]]

    def _reopened(self) -> str:
        """Take the open line back to write on in it: its text so far."""
        if not self._open or not self._lines:
            return ""
        line = self._lines.pop()
        self._chars -= len(line.text)
        self.number -= 1
        self._styles[line.stream] = line.style
        return line.text

    def _put(self, text: str) -> None:
        style = self._styles.setdefault(self._stream, _Style())
        for start in range(0, len(text) or 1, MOST_CHARS):
            part = text[start : start + MOST_CHARS]
            self.number += 1
            self._keep(_Raw(self.number, part, style.copy(), self._stream))
            if "\x1b" in part:
                for code in _SGR.finditer(part):
                    style.take(code[1])

    def _keep(self, line: _Raw) -> None:
        self._lines.append(line)
        self._chars += len(line.text)
        while len(self._lines) > self._most_lines or (self._chars > self._most_chars and len(self._lines) > 1):
            self._chars -= len(self._lines.popleft().text)
            self.cut = True

    def _decoder(self, stream: str) -> codecs.IncrementalDecoder:
        if stream not in self._decoders:
            self._decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
        return self._decoders[stream]


def marked(line: Line, wanted: str) -> Line:
    """The line with every place that reads ``wanted``, whatever its case, in pieces of their own."""
    spans = [found.span() for found in re.finditer(re.escape(wanted), line.text, re.IGNORECASE)] if wanted else []
    if not spans:
        return line
    pieces, at = [], 0
    edges = sorted({edge for span in spans for edge in span})
    for piece in line.pieces:
        cuts = [0, *(edge - at for edge in edges if at < edge < at + len(piece.text)), len(piece.text)]
        for start, end in pairwise(cuts):
            found = any(first <= at + start < last for first, last in spans)
            pieces.append(Piece(piece.text[start:end], piece.style, found))
        at += len(piece.text)
    return msgspec.structs.replace(line, pieces=pieces)


class _Style:
    """What the codes so far add up to."""

    def __init__(self) -> None:
        self.colour = ""
        self.marks: set[str] = set()

    def copy(self) -> _Style:
        other = _Style()
        other.colour, other.marks = self.colour, set(self.marks)
        return other

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
