"""A tape: a timeline in a file, as JSON lines, and back into a ledger that a console can be opened on.

The first line says what it is of; every other one is a fact or an observation as it stands in its stream, in the order
in which they were stored; the last one counts them, so that a tape that was cut off is known:

    {"tape": 1, "made_at": …, "session": "lantern", …}
    {"stream": "EVENTS", "seq": 7, "at": …, "subject": "evt.task.lantern=2Fscans.submitted", "body": {…}}
    {"end": true, "events": 440, "observations": 1232}

A tape of one session, task or run also holds the facts it cannot be understood without (its lanes, workers, agents, the
log's beginning); those are marked ``"context": true``. Times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Literal

import msgspec

from core.clock import SystemClock
from core.domain import machine, plan, run, session, worker
from core.domain.machine import Event, Recorded
from core.domain.words import token
from core.envelope import chain_of, decode_fact, encode_fact
from core.ledger import Ledger, Stored
from core.memory import MemoryLedger
from core.observation import decode_observation

FORMAT = 1
Fit = Literal["own", "context", ""]
Tell = Callable[[int, int], None]  # messages looked at, in all


class BadTape(Exception):
    """A file that is no tape, or not a whole one; the text names the line."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What goes on a tape. Empty: everything. ``since`` and ``until`` are times, 0: open."""

    session: str = ""
    task: str = ""
    run: str = ""
    since: int = 0
    until: int = 0


class Header(msgspec.Struct, frozen=True, kw_only=True):
    tape: int
    made_at: int = 0
    session: str = ""
    task: str = ""
    run: str = ""
    since: int = 0
    until: int = 0


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact or an observation. ``at`` is when the server stored it."""

    stream: Literal["EVENTS", "OBSERVATIONS"]
    seq: int
    at: int
    subject: str
    body: msgspec.Raw
    context: bool = False


class End(msgspec.Struct, frozen=True, kw_only=True):
    end: Literal[True]
    events: int
    observations: int


class Tape(msgspec.Struct, frozen=True):
    """A tape that was read: what it is of, a ledger with its content, and the time of its last message."""

    header: Header
    ledger: MemoryLedger
    last_at: int
    events: int
    observations: int


_encode = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(Line).decode


async def export(
    ledger: Ledger, wanted: Wanted, write: Callable[[bytes], object], *, made_at: int, tell: Tell | None = None
) -> End:
    """Write the tape line by line. Reads up to where the log stands now; what is appended meanwhile is not on it."""
    ends = {
        "EVENTS": (await ledger.head("EVENTS")).last_seq,
        "OBSERVATIONS": (await ledger.head("OBSERVATIONS")).last_seq,
    }
    write(_encode(Header(tape=FORMAT, made_at=made_at, **msgspec.structs.asdict(wanted))) + b"\n")
    counts = {"EVENTS": 0, "OBSERVATIONS": 0}
    looked = 0
    async with (
        aclosing(_facts(ledger, wanted, ends["EVENTS"])) as facts,
        aclosing(_observations(ledger, wanted, ends["OBSERVATIONS"])) as seen,
    ):
        async for line in _merged(facts, seen):
            write(_encode(line) + b"\n")
            counts[line.stream] += 1
            looked += 1
            if tell is not None and looked % 1_000 == 0:
                tell(looked, sum(ends.values()))
    end = End(end=True, events=counts["EVENTS"], observations=counts["OBSERVATIONS"])
    write(_encode(end) + b"\n")
    return end


def read(lines: Iterable[bytes]) -> Tape:
    """The tape, or ``BadTape``. Its facts are numbered anew from 1, as a tape of less than everything has gaps."""
    ledger = MemoryLedger(SystemClock())
    header: Header | None = None
    end: End | None = None
    last_at = 0
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        if end is not None:
            raise BadTape(f"line {number} stands after the tape's end: two tapes in one file?")
        if header is None:
            header = _header(raw)
            continue
        line = _line(raw, number)
        if isinstance(line, End):
            end = line
            continue
        log = ledger.logs[line.stream]
        log.messages.append(Stored(log.last_seq + 1, line.subject, line.at, bytes(line.body)))
        last_at = max(last_at, line.at)
    if header is None:
        raise BadTape("the file is empty; `switchtower timeline export` writes tapes")
    counts = (ledger.logs["EVENTS"].last_seq, ledger.logs["OBSERVATIONS"].last_seq)
    if end is None or (end.events, end.observations) != counts:
        raise BadTape(f"the tape is not whole: it was cut off after {counts[0]:,} facts and {counts[1]:,} observations")
    return Tape(header, ledger, last_at or header.made_at, *counts)


def _header(raw: bytes) -> Header:
    try:
        header = msgspec.json.decode(raw, type=Header)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadTape(f"line 1 is not the beginning of a tape: {error}") from None
    if header.tape != FORMAT:
        raise BadTape(f"the tape is of format {header.tape}; this Switchtower reads format {FORMAT}")
    return header


def _line(raw: bytes, number: int) -> Line | End:
    try:
        if raw.startswith(b'{"end"'):
            return msgspec.json.decode(raw, type=End)
        line = _decode_line(raw)
        if line.stream == "EVENTS":
            decode_fact(bytes(line.body))
        else:
            decode_observation(bytes(line.body))
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadTape(f"line {number} cannot be read: {error}") from None
    return line


async def _facts(ledger: Ledger, wanted: Wanted, until: int) -> AsyncGenerator[Line, None]:
    choice = _Choice(wanted)
    async with aclosing(ledger.read("EVENTS", until=until, subjects=choice.subjects)) as reading:
        async for batch in reading:
            for stored in batch:
                recorded = decode_fact(stored.data)
                fit = choice.fit(recorded)
                if fit:
                    yield _as_line("EVENTS", choice.cut(stored, recorded), context=fit == "context")


async def _observations(ledger: Ledger, wanted: Wanted, until: int) -> AsyncGenerator[Line, None]:
    task_id = wanted.task or wanted.run.rpartition("~")[0]
    subjects = [f"obs.run.{token(task_id)}.>"] if task_id else []
    async with aclosing(ledger.read("OBSERVATIONS", until=until, subjects=subjects)) as reading:
        async for batch in reading:
            for stored in batch:
                if not _within(stored.at, wanted):
                    continue
                run_id = decode_observation(stored.data).run_id
                if (not wanted.run or run_id == wanted.run) and run_id.startswith(_prefix(wanted.session)):
                    yield _as_line("OBSERVATIONS", stored)


def _as_line(stream: Literal["EVENTS", "OBSERVATIONS"], stored: Stored, *, context: bool = False) -> Line:
    return Line(
        stream=stream,
        seq=stored.seq,
        at=stored.at,
        subject=stored.subject,
        body=msgspec.Raw(stored.data),
        context=context,
    )


async def _merged(facts: AsyncGenerator[Line, None], seen: AsyncGenerator[Line, None]) -> AsyncGenerator[Line, None]:
    """Both in the order of their times; of one time the fact comes first."""
    fact, sight = await anext(facts, None), await anext(seen, None)
    while fact is not None or sight is not None:
        if sight is None or (fact is not None and fact.at <= sight.at):
            assert fact is not None
            yield fact
            fact = await anext(facts, None)
        else:
            yield sight
            sight = await anext(seen, None)


class _Choice:
    """Which facts go on a tape. It remembers the plans its tasks came in with."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._task = wanted.task or wanted.run.rpartition("~")[0]
        self._session = wanted.session or self._task.partition("/")[0]

    @property
    def subjects(self) -> list[str]:
        """What has to be read at all: of one task its own subject and what is the context of all."""
        if not self._task:
            return []
        shared = ("core", "lane", "agent", "worker", "session", "plan", "command")
        return [
            f"evt.task.{token(self._task)}.>",
            f"evt.run.{token(self._task)}.>",
            *(f"evt.{kind}.>" for kind in shared),
        ]

    def cut(self, stored: Stored, recorded: Recorded) -> Stored:
        """The fact, without the other tasks of its plan when the tape is of one: their names alone would be there."""
        fact = recorded.fact
        if not self._task or not isinstance(fact, plan.Released):
            return stored
        lists = {
            name: [each for each in getattr(fact, name) if each == self._task]
            for name in ("ready", "blocked", "paused", "done", "revised")
        }
        kept = msgspec.structs.replace(recorded, fact=msgspec.structs.replace(fact, **lists))
        message, _ = encode_fact(kept, chain_of(stored.data))
        return msgspec.structs.replace(stored, data=message.data)

    def fit(self, recorded: Recorded) -> Fit:
        """Whether a fact is what was asked for, or what that cannot be understood without."""
        if not _within(recorded.at, self._wanted):
            return ""
        return self._fit(recorded.fact) if self._session else "own"

    def _fit(self, fact: Event) -> Fit:
        match fact:
            case session.Opened() | session.Closed():
                return self._of(fact.session_id == self._session)
            case plan.Begun() | plan.Sealed():
                return self._of(fact.session_id == self._session)
            case plan.Released() | plan.Dropped():
                return "context"  # it names tasks, of which only those on the tape are known to its readers
            case worker.Assigned() | worker.CancelOrdered() | worker.InterruptOrdered():
                return self._of_run(fact.task_id, fact.run_id)
            case run.Started() | run.Progressed() | run.Succeeded() | run.Failed() | run.Interrupted() | run.Stopped():
                return self._of_run(fact.task_id, fact.run_id)
            case machine.CommandRefused(kind=kind, target=target):
                return self._of_task(target) if kind in ("task", "run") else ""
            case _:
                task_id = getattr(fact, "task_id", None)
                return "context" if task_id is None else self._of_task(task_id)

    def _of(self, ours: bool) -> Fit:
        """What concerns the whole session: its own on a tape of it, context on a tape of one task."""
        return ("context" if self._task else "own") if ours else ""

    def _of_task(self, task_id: str) -> Fit:
        if self._task:
            return "own" if task_id == self._task else ""
        return "own" if task_id.startswith(_prefix(self._session)) else ""

    def _of_run(self, task_id: str, run_id: str) -> Fit:
        return self._of_task(task_id) if not self._wanted.run or run_id == self._wanted.run else ""


def _within(at: int, wanted: Wanted) -> bool:
    return wanted.since <= at and (not wanted.until or at <= wanted.until)


def _prefix(session_id: str) -> str:
    return f"{session_id}/" if session_id else ""
