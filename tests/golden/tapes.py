"""Recorded logs: what was ordered, and what a core made of it, one command a line. Replayed, they must give the same.

A line is ``{"at": stream time, "data": the command's body (in base64 where ``by_the_byte``), "facts": [[at, subject,
fact], ...], "chain": the hash of the last one}``. Facts show what differs; the chain covers their envelopes too.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from core import envelope
from core.domain import machine
from core.domain.state import State
from core.ledger import Stored

FOLDER = Path(__file__).parent


class Line(msgspec.Struct, omit_defaults=True):
    at: int
    data: str
    facts: list[tuple[int, str, msgspec.Raw]]
    chain: str
    by_the_byte: bool = False

    def command(self, seq: int) -> Stored:
        """The command as it stood in COMMANDS."""
        body = base64.b64decode(self.data) if self.by_the_byte else self.data.encode()
        return Stored(seq, "cmd", self.at, body)


def tapes() -> list[Path]:
    return sorted(FOLDER.glob("*.jsonl"))


def read(tape: Path) -> list[Line]:
    return [msgspec.json.decode(line, type=Line) for line in tape.read_bytes().splitlines()]


def decided(commands: Sequence[Stored]) -> Iterator[Line]:
    """What a core makes of these commands today."""
    state, chain = State(), envelope.GENESIS_CHAIN
    for stored in commands:
        facts = []
        for recorded in machine.step(state, envelope.decode_command(stored)):
            message, chain = envelope.encode_fact(recorded, chain)
            facts.append((recorded.at, message.subject, msgspec.Raw(msgspec.json.encode(recorded.fact))))
        text, by_the_byte = _text(stored.data)
        yield Line(stored.at, text, facts, chain, by_the_byte)


def _text(data: bytes) -> tuple[str, bool]:
    try:
        return data.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(data).decode(), True
