"""What a run printed, read from OUTPUT: the last part of it, with holes marked, as it stood at any moment."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import msgspec

from console.terminal import Line, lines
from core.domain.words import token
from core.ledger import Ledger, Stored
from core.observation import OFFSET

MOST_BYTES = 256 << 10  # of one run shown on its page; the whole is downloaded
MOST_LINES = 2_000
READ_WITHIN_S = 2.0


class Piece(msgspec.Struct):
    stream: str
    data: bytes
    lost: int = 0  # bytes missing before it


class Output(msgspec.Struct, frozen=True):
    """``bytes``: of all there is; ``cut``: only its end is here; ``late``: reading took too long, there may be more."""

    lines: list[Line]
    bytes: int
    cut: bool = False
    late: bool = False
    last_at: int = 0


def subject(run_id: str) -> str:
    return f"out.run.{token(run_id)}.*"


async def output_of(ledger: Ledger, run_id: str, *, until: int = 0) -> Output:
    """The end of what the run printed up to ``until`` (microseconds; 0: now). Never longer than the bounds above."""
    pieces: list[Piece] = []
    late = False
    last_at = 0
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            async with aclosing(ledger.read("OUTPUT", subjects=[subject(run_id)])) as reading:
                async for stored in reading:
                    wanted = [each for each in stored if not until or each.at <= until]
                    last_at = wanted[-1].at if wanted else last_at
                    _take(pieces, wanted)
    except TimeoutError:
        late = True
    size = sum(len(piece.data) for piece in pieces)
    shown, cut = _end_of(pieces)
    return Output(_numbered(shown), size, cut, late, last_at)


async def whole_output(ledger: Ledger, run_id: str) -> bytes:
    """All of it, both streams as they came, for a download."""
    out = bytearray()
    async with asyncio.timeout(30), aclosing(ledger.read("OUTPUT", subjects=[subject(run_id)])) as reading:
        async for stored in reading:
            for each in stored:
                out += each.data
    return bytes(out)


def _take(pieces: list[Piece], stored: list[Stored]) -> None:
    """Append what was read; chunks of one stream that follow each other become one piece, so lines stay whole."""
    seen = {piece.stream: 0 for piece in pieces}
    for piece in pieces:
        seen[piece.stream] += len(piece.data) + piece.lost
    for each in stored:
        stream = each.subject.rpartition(".")[2]
        offset = int((each.headers or {}).get(OFFSET, seen.get(stream, 0)))
        lost = max(0, offset - seen.get(stream, 0))
        seen[stream] = offset + len(each.data)
        if pieces and pieces[-1].stream == stream and not lost:
            pieces[-1].data += each.data
        else:
            pieces.append(Piece(stream, each.data, lost))


def _end_of(pieces: list[Piece]) -> tuple[list[Piece], bool]:
    kept: list[Piece] = []
    room = MOST_BYTES
    for piece in reversed(pieces):
        if room <= 0:
            return kept[::-1], True
        kept.append(Piece(piece.stream, piece.data[-room:], piece.lost if len(piece.data) <= room else 0))
        room -= len(piece.data)
    return kept[::-1], room < 0


def _numbered(pieces: list[Piece]) -> list[Line]:
    out: list[Line] = []
    for piece in pieces:
        if piece.lost:
            out.append(Line(0, [], f"hole:{piece.lost}"))
        text = piece.data.decode("utf-8", "replace")
        out += lines(text, first=sum(1 for line in out if line.number) + 1, stream=piece.stream)
    return out[-MOST_LINES:]
