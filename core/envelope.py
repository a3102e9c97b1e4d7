"""Commands and facts as bytes, and back. JSON, so that ``nats stream view`` reads well.

The envelope lives in the body, not in headers: see ARCHITECTURE.md (decisions) for what a header costs a reader.
"""

from __future__ import annotations

import hashlib

import msgspec

from core.domain.machine import Command, Received, Recorded, command_subject, subject
from core.ledger import Message, Stored

MAX_COMMAND = 256 * 1024  # bytes of a command's body
MAX_FACT = 512 * 1024  # bytes of a fact's body
INBOX = "Switchtower-Inbox"  # header: where a waiting door wants the outcome

_CHAIN = b',"chain":"'
_CHAIN_HEX = 32
GENESIS_CHAIN = "0" * _CHAIN_HEX


class Sent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A command as it stands in COMMANDS. ``deadline`` in microseconds of stream time; 0: none."""

    id: str
    by: str
    deadline: int = 0
    command: Command


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the core tells whoever waits: the outcome, and the EVENTS sequence at which it is seen."""

    outcome: str
    seq: int
    reason: str = ""
    command_seq: int = 0


_encode = msgspec.json.Encoder().encode
_decode_sent = msgspec.json.Decoder(Sent).decode
_decode_recorded = msgspec.json.Decoder(Recorded).decode


_decode_answer = msgspec.json.Decoder(Answer).decode


def encode_answer(answer: Answer) -> bytes:
    return _encode(answer)


def decode_answer(data: bytes) -> Answer:
    return _decode_answer(data)


def encode_command(sent: Sent, inbox: str = "") -> Message:
    return Message(command_subject(sent.command), _encode(sent), {INBOX: inbox} if inbox else None)


def decode_command(stored: Stored) -> Received:
    """The command, or what is wrong with it. Anything at all may stand in COMMANDS; nothing here raises."""
    try:
        if len(stored.data) > MAX_COMMAND:
            raise msgspec.DecodeError(f"{len(stored.data):,} bytes; {MAX_COMMAND:,} is the most")  # noqa: TRY301
        sent = _decode_sent(stored.data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        problem = f"not a command: {error}"[:400]
        return Received(stored.seq, stored.at, f"~garbage/{stored.seq}", "unknown", None, 0, problem)
    return Received(stored.seq, stored.at, sent.id, sent.by, sent.command, sent.deadline)


def encode_fact(recorded: Recorded, chain: str) -> tuple[Message, str]:
    """The fact and the chain hash up to it: over the hash before, the subject and the body without its own hash."""
    name = subject(recorded.fact)
    body = _encode(recorded)
    link = chained(chain, name, body)
    return Message(name, b'%b%b%b"}' % (body[:-1], _CHAIN, link.encode())), link


def decode_fact(data: bytes) -> Recorded:
    return _decode_recorded(data)


def chain_of(data: bytes) -> str:
    """The chain hash a fact carries."""
    return data[-_CHAIN_HEX - 2 : -2].decode()


def unchained(data: bytes) -> bytes:
    """The fact's canonical body, its chain hash taken out."""
    return data[: -_CHAIN_HEX - 2 - len(_CHAIN)] + b"}"


def chained(chain: str, name: str, body: bytes) -> str:
    return hashlib.blake2b(f"{chain}{name}".encode() + body, digest_size=_CHAIN_HEX // 2).hexdigest()
