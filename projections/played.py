"""A tape opened again: a ledger in memory with its content, on which a console runs as on any other."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable

import msgspec

from core.clock import SystemClock
from core.envelope import chain_of, decode_fact, encode_fact
from core.ledger import Stored
from core.memory import MemoryLedger
from core.observation import OFFSET, decode_observation
from projections.tape import FORMAT, End, Header, Line, Plain, Printed


class BadTape(Exception):
    """A file that is no tape, or not a whole one; the text names the line."""


class Tape(msgspec.Struct, frozen=True):
    """A tape that was read: what it is of, a ledger with its content, and the time of its last message."""

    header: Header
    ledger: MemoryLedger
    last_at: int
    events: int
    observations: int
    commands: int = 0
    output: int = 0


_decode_line = msgspec.json.Decoder(Line).decode


def read(lines: Iterable[bytes]) -> Tape:
    """The tape, or ``BadTape``. Its messages are numbered anew from 1, as a tape of less than everything has gaps."""
    reading = _Reading()
    for number, raw in enumerate(lines, 1):
        if raw.strip():
            reading.take(number, raw)
    return reading.done()


class _Reading:
    """What was read so far. ``_numbers``: commands by the number they had in the log the tape is of."""

    def __init__(self) -> None:
        self._ledger = MemoryLedger(SystemClock())
        self._header: Header | None = None
        self._end: End | None = None
        self._last_at = 0
        self._numbers: dict[int, int] = {}

    def take(self, number: int, raw: bytes) -> None:
        if self._end is not None:
            raise BadTape(f"line {number} stands after the tape's end: two tapes in one file?")
        if self._header is None:
            self._header = _header(raw)
            return
        try:
            if raw.startswith(b'{"end"'):
                self._end = msgspec.json.decode(raw, type=End)
            else:
                self._add(_decode_line(raw))
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise BadTape(f"line {number} cannot be read: {error}") from None

    def done(self) -> Tape:
        if self._header is None:
            raise BadTape("the file is empty; `switchtower timeline export` writes tapes")
        logs = self._ledger.logs
        held = End(
            end=True, events=logs["EVENTS"].last_seq, observations=logs["OBSERVATIONS"].last_seq,
            commands=logs["COMMANDS"].last_seq, output=logs["OUTPUT"].last_seq,
        )  # fmt: skip
        if self._end is None or msgspec.structs.replace(self._end, left_out=0) != held:
            raise BadTape(
                f"the tape is not whole: it was cut off after {held.events:,} facts and "
                f"{held.observations:,} observations"
            )
        return Tape(
            self._header, self._ledger, self._last_at or self._header.made_at, held.events, held.observations,
            held.commands, held.output,
        )  # fmt: skip

    def _add(self, line: Line) -> None:
        log = self._ledger.logs[line.stream]
        seq = log.last_seq + 1
        data, headers = bytes(line.body), None
        match line.stream:
            case "COMMANDS":
                self._numbers[line.seq] = seq
                data = _plain(data)
            case "EVENTS":
                data = self._renumbered(data)
            case "OBSERVATIONS":
                decode_observation(data)
            case "OUTPUT":
                printed = msgspec.json.decode(data, type=Printed)
                data, headers = b64decode(printed.bytes, validate=True), {OFFSET: str(printed.offset)}
        log.messages.append(Stored(seq, line.subject, line.at, data, headers))
        self._last_at = max(self._last_at, line.at)

    def _renumbered(self, data: bytes) -> bytes:
        """The fact with its command's number on the tape; 0 for one that is not on it. The chain stays as told."""
        recorded = decode_fact(data)
        number = self._numbers.get(recorded.command_seq, 0)
        if number == recorded.command_seq or self._header is None or self._header.tape == 1:
            return data
        message, _ = encode_fact(msgspec.structs.replace(recorded, command_seq=number), chain_of(data))
        return message.data


def _header(raw: bytes) -> Header:
    try:
        header = msgspec.json.decode(raw, type=Header)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadTape(f"line 1 is not the beginning of a tape: {error}") from None
    if not 1 <= header.tape <= FORMAT:
        raise BadTape(f"the tape is of format {header.tape}; this Switchtower reads formats 1 to {FORMAT}")
    return header


def _plain(data: bytes) -> bytes:
    """A command's own bytes, whatever they are."""
    return b64decode(msgspec.json.decode(data, type=Plain).data) if data.startswith(b'{"~bytes"') else data
