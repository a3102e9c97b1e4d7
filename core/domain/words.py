"""The small words every aggregate uses: names, subjects, refusals, usage."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

MAX_FACTS = 400  # facts one command may make; the scheduler stops there and the next command goes on
MAX_SAID = 500 << 10  # bytes a fact may have without its envelope, which has the rest of the log's 512 KiB

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Line = Annotated[str, Meta(max_length=500)]
Text = Annotated[str, Meta(max_length=100_000)]
Count = Annotated[int, Meta(ge=0, le=1 << 53)]  # what any reader can hold, a browser too
Priority = Annotated[int, Meta(ge=0, le=4)]
Outcome = Literal["refused", "already_so", "expired", "superseded", "fenced"]

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_ID = re.compile(r"[^\s/~*>\"\\\x00-\x1f\x7f]+")
# Bytes a name may have: they bound every subject, and what one run adds to the loss of its worker.
_LONGEST = {"session": 48, "task": 100, "worker": 60, "agent": 60, "lane": 60, "plan": 200, "template": 60}
LONGEST_TASK_ID = _LONGEST["session"] + 1 + _LONGEST["task"]
LONGEST_LANE = _LONGEST["lane"]


class Refused(Exception):
    """An order that is not carried out, and why; ``facts`` are what is recorded all the same (a dropped plan)."""

    def __init__(self, reason: str, *, outcome: Outcome = "refused", facts: tuple[Any, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.outcome: Outcome = outcome
        self.facts = facts


class Order(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type"
):
    """A command: an order to the core. Unknown fields are refused, so a typing error is never silently dropped."""


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", gc=False):
    """An event: something decided. Unknown fields are ignored, so old readers survive new fields."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a run has used so far: totals, not increments. ``cost_uusd`` is millionths of a dollar; None: unpriced."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_tokens: Count = 0
    cache_write_tokens: Count = 0
    tool_calls: Count = 0
    cost_uusd: Count | None = None


class Artifact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something a run left behind. Its bytes are in the object store ``artifacts`` under ``sha256`` (hex)."""

    name: Annotated[str, Meta(min_length=1, max_length=300)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    size: Count
    media_type: Annotated[str, Meta(max_length=200)] = "application/octet-stream"


class Policy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How often and how long a task is tried. Times in seconds; ``jitter`` is a share of the backoff, 0 to 1."""

    max_attempts: Annotated[int, Meta(ge=1, le=100)] = 3
    backoff_s: Annotated[float, Meta(ge=0, le=86_400)] = 2.0
    backoff_cap_s: Annotated[float, Meta(ge=0, le=86_400)] = 300.0
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.2
    time_limit_s: Annotated[float, Meta(gt=0, le=604_800)] = 3_600.0


def token(identifier: str) -> str:
    """The id as one subject token: a byte outside ``[A-Za-z0-9_-]`` becomes ``=XX``."""
    return _UNSAFE.sub(_escaped, identifier)


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"={byte:02X}" for byte in found[0].encode())


def untoken(subject_token: str) -> str:
    """The id a subject token stands for."""
    return re.sub(rb"=([0-9A-F]{2})", lambda m: bytes((int(m[1], 16),)), subject_token.encode()).decode()


def check_name(kind: str, name: str) -> None:
    """Refuse a name that could not be an id: too long, or with a space, a control character or any of ``/~*>"\\``."""
    most = _LONGEST[kind]
    if not _ID.fullmatch(name) or len(name.encode()) > most:
        raise Refused(f'{kind} name {name[:120]!r} cannot be used: 1 to {most} bytes, no space, none of / ~ * > " \\')


def check_label(kind: str, name: str) -> None:
    """Refuse a label that a person could not read or tell apart: over 60 bytes, unprintable, spaces around it."""
    if not name.isprintable() or name.strip() != name or not 1 <= len(name.encode()) <= 60:
        raise Refused(f"{kind} name {name[:120]!r} cannot be used: 1 to 60 bytes, printable, no space around it")


def check_task_id(task_id: str) -> tuple[str, str]:
    """The session and the name in ``session/name``."""
    session_id, slash, name = task_id.partition("/")
    if not slash:
        raise Refused(f"task id {task_id[:60]!r} has no session: write session/name, as in default/{task_id[:60]}")
    check_name("session", session_id)
    check_name("task", name)
    return session_id, name


def count(n: int, noun: str) -> str:
    """``1 task``, ``3 tasks``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def listed(names: list[str], most: int = 3) -> str:
    """``a, b, c and 4 more``: a list a person can read."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def is_plain(value: Any) -> bool:
    """Whether every whole number in it fits a machine word, so that a snapshot can hold it."""
    look = [value]
    while look:
        each = look.pop()
        if isinstance(each, int) and not -(1 << 63) <= each < 1 << 63:
            return False
        if isinstance(each, dict):
            look += each.values()
        elif isinstance(each, list):
            look += each
    return True


def nested(value: Any) -> int:
    """How many lists and objects lie within each other at the deepest place; 0 where there is none."""
    deep = 0
    level = [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        deep += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return deep
