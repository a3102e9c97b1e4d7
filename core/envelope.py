"""Commands and facts as bytes, and back. JSON, so that ``nats stream view`` reads well.

The envelope lives in the body, not in headers: see ARCHITECTURE.md (decisions) for what a header costs a reader.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta

from core.domain import plan, task
from core.domain.machine import Command, Received, Recorded, command_subject, subject
from core.domain.words import nested
from core.ledger import Message, Stored

MAX_COMMAND = 256 * 1024  # bytes of a command's body
MAX_FACT = 512 * 1024  # bytes of a fact's body
MAX_NESTED = 32  # lists and objects within each other in a task's source
INBOX = "Switchtower-Inbox"  # header: where a waiting door wants the outcome

_CHAIN = b',"chain":"'
_CHAIN_HEX = 32
GENESIS_CHAIN = "0" * _CHAIN_HEX


class Sent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A command as it stands in COMMANDS. ``deadline`` in microseconds of stream time; 0: none."""

    id: Annotated[str, Meta(max_length=600)]
    by: Annotated[str, Meta(max_length=200)]
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
            raise msgspec.DecodeError(f"{len(stored.data):,} bytes; {MAX_COMMAND:,} is the most")
        sent = _decode_sent(stored.data)
        if _nested(sent.command) > MAX_NESTED:
            raise RecursionError  # noqa: TRY301 - the same as where the decoder gives up, which depends on the machine
    except RecursionError:
        return _garbage(stored, f"nested more than {MAX_NESTED} deep")
    except ValueError as error:
        return _garbage(stored, str(error))
    return Received(stored.seq, stored.at, sent.id, sent.by, sent.command, sent.deadline)


def _garbage(stored: Stored, problem: str) -> Received:
    said = f"not a command: {problem}"[:400]
    return Received(stored.seq, stored.at, f"~garbage/{stored.seq}", "unknown", None, 0, said)


def _nested(command: Command) -> int:
    """How deep the only free-form field of commands goes."""
    match command:
        case task.Submit(spec=spec):
            return nested(spec.source)
        case plan.Add(tasks=tasks):
            return max(nested(planned.spec.source) for planned in tasks)
        case _:
            return 0


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
