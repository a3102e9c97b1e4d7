"""What a worker saw, for looking at: tool calls, text, usage, files, steps. Nothing is decided from these."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from core.domain.words import Usage, token
from core.ledger import Message

Kind = Literal["step", "text", "tool", "tool_result", "usage", "file", "retry", "error", "note", "message", "resources"]


class Observation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing seen in a run. ``at``: the worker's wall clock, microseconds; ``n`` counts up within the run.

    ``name``: tool name, file path, step name or model; ``says``: a line for a person; ``data``: the rest, redacted.
    ``usage`` holds totals so far. ``diff``: of a file touched, as a unified diff with ``added`` and ``removed`` lines;
    one that is too long is cut, and its figures count the whole. A ``message`` is a word from the operator; its name
    says what became of it: delivered or refused. ``resources``: what its processes use; figures in ``data``.
    """

    run_id: str
    n: int
    at: int
    kind: Kind
    name: str = ""
    says: str = ""
    ref: str = ""
    failed: bool = False
    usage: Usage | None = None
    data: dict[str, Any] = {}
    diff: str = ""
    added: int = 0
    removed: int = 0


def encode_observation(seen: Observation) -> Message:
    """Under ``obs.run.<task>.<kind>``, so one filter shows a task's life."""
    task_id = seen.run_id.rpartition("~")[0]
    return Message(f"obs.run.{token(task_id)}.{seen.kind}", msgspec.json.encode(seen))


_decode = msgspec.json.Decoder(Observation).decode


def decode_observation(data: bytes) -> Observation:
    return _decode(data)


OFFSET = "Offset"  # header of an output chunk: bytes of that stream before it; a jump is a hole


def output(run_id: str, stream: Literal["stdout", "stderr"], offset: int, data: bytes) -> Message:
    """A piece of terminal output, as bytes, already redacted."""
    return Message(f"out.run.{token(run_id)}.{stream}", data, {OFFSET: str(offset)})
