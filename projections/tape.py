"""A tape: a log in a file, as JSON lines, in the order in which it was stored. ``played.py`` opens it again.

The first line says what it is of; every other one is a message as it stands in its stream; the last one counts them, so
that a tape that was cut off is known:

    {"tape": 2, "made_at": …, "session": "lantern", …}
    {"stream": "COMMANDS", "seq": 3, "at": …, "subject": "cmd.task.lantern=2Fscans.submit", "body": {…}}
    {"stream": "EVENTS", "seq": 7, "at": …, "subject": "evt.task.lantern=2Fscans.submitted", "body": {…}}
    {"stream": "OUTPUT", "seq": 9, "at": …, "subject": "out.run.lantern=2Fscans=7E1.stdout", "body": {…}}
    {"end": true, "events": 440, "observations": 1232, "commands": 310, "output": 75}

A tape of one session, task or run also holds the facts it cannot be understood without (its lanes, workers, agents, the
log's beginning); those are marked ``"context": true``. It holds the commands that its own facts came from. What runs
printed is on it when asked for, the first ``MOST_OUTPUT`` bytes of it. Times are microseconds since the epoch; bytes
that are no JSON of one line stand as base64. Tapes of format 1 hold facts and observations only.
"""

from __future__ import annotations

import heapq
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Literal

import msgspec

from core.domain.machine import Recorded
from core.domain.words import token
from core.envelope import decode_fact
from core.ledger import Ledger, Stored, Stream
from core.observation import OFFSET, decode_observation
from projections.choice import Choice, Fit, Wanted, prefix, within

__all__ = ["FORMAT", "End", "Header", "Line", "Plain", "Printed", "Wanted", "export"]

FORMAT = 2
MOST_OUTPUT = 64 << 20  # bytes of what runs printed, on one tape
MOST_OF_RUN = 1 << 20  # and of one run
STREAMS: tuple[Stream, ...] = ("COMMANDS", "EVENTS", "OBSERVATIONS", "OUTPUT")  # of one time, in this order
Tell = Callable[[int, int], None]  # messages looked at, in all


class Header(msgspec.Struct, frozen=True, kw_only=True):
    tape: int
    made_at: int = 0
    session: str = ""
    task: str = ""
    run: str = ""
    since: int = 0
    until: int = 0
    output: bool = False


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message of a stream. ``at`` is when the server stored it."""

    stream: Stream
    seq: int
    at: int
    subject: str
    body: msgspec.Raw
    context: bool = False


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages of each stream there are. ``left_out``: of OUTPUT, for want of room."""

    end: Literal[True]
    events: int
    observations: int
    commands: int = 0
    output: int = 0
    left_out: int = 0


class Printed(msgspec.Struct, frozen=True):
    """A piece of terminal output as a line's body: base64, and how many bytes of that stream came before."""

    offset: int
    bytes: str


class Plain(msgspec.Struct, frozen=True, rename={"data": "~bytes"}):
    """Bytes that are no JSON of one line: anything at all may stand in COMMANDS."""

    data: str


_encode = msgspec.json.Encoder().encode


async def export(
    ledger: Ledger, wanted: Wanted, write: Callable[[bytes], object], *, made_at: int, tell: Tell | None = None
) -> End:
    """Write the tape line by line. Reads up to where the log stands now; what is appended meanwhile is not on it."""
    ends = {stream: (await ledger.head(stream)).last_seq for stream in STREAMS if stream != "OUTPUT" or wanted.output}
    write(_encode(Header(tape=FORMAT, made_at=made_at, **msgspec.structs.asdict(wanted))) + b"\n")
    part = None if wanted.whole else await _part(ledger, wanted, ends["EVENTS"])
    room = _Room()
    sources = [_commands(ledger, ends["COMMANDS"], part), _facts(ledger, wanted, ends["EVENTS"], part)]
    sources.append(_observations(ledger, wanted, ends["OBSERVATIONS"]))
    if wanted.output:
        sources.append(_output(ledger, wanted, ends["OUTPUT"], room))
    counts: dict[str, int] = dict.fromkeys(STREAMS, 0)
    looked = 0
    async with aclosing(_merged(sources)) as lines:
        async for line in lines:
            write(_encode(line) + b"\n")
            counts[line.stream] += 1
            looked += 1
            if tell is not None and looked % 1_000 == 0:
                tell(looked, sum(ends.values()))
    end = End(
        end=True, events=counts["EVENTS"], observations=counts["OBSERVATIONS"], commands=counts["COMMANDS"],
        output=counts["OUTPUT"], left_out=room.left_out,
    )  # fmt: skip
    write(_encode(end) + b"\n")
    return end


class _Part(msgspec.Struct):
    """Of a log that goes on the tape in part: the commands that its own facts came from, and the last fact of each
    command that is on it."""

    ordered: set[int] = set()
    last: dict[int, int] = {}


async def _part(ledger: Ledger, wanted: Wanted, until: int) -> _Part:
    part = _Part()
    async with aclosing(_fitting(ledger, Choice(wanted), until)) as facts:
        async for stored, recorded, fit in facts:
            part.last[recorded.command_seq] = stored.seq
            if fit == "own":
                part.ordered.add(recorded.command_seq)
    return part


async def _fitting(ledger: Ledger, choice: Choice, until: int) -> AsyncGenerator[tuple[Stored, Recorded, Fit], None]:
    """The facts that go on the tape, and whether they were asked for or explain those that were."""
    async with aclosing(ledger.read("EVENTS", until=until, subjects=choice.subjects)) as reading:
        async for batch in reading:
            for stored in batch:
                recorded = decode_fact(stored.data)
                if fit := choice.fit(recorded):
                    yield stored, recorded, fit


async def _commands(ledger: Ledger, until: int, part: _Part | None) -> AsyncGenerator[Line, None]:
    async with aclosing(ledger.read("COMMANDS", until=until)) as reading:
        async for batch in reading:
            for stored in batch:
                if part is None or stored.seq in part.ordered:
                    yield _as_line("COMMANDS", stored)


async def _output(ledger: Ledger, wanted: Wanted, until: int, room: _Room) -> AsyncGenerator[Line, None]:
    ours = _prefix_of_output(wanted)
    async with aclosing(ledger.read("OUTPUT", until=until)) as reading:
        async for batch in reading:
            for stored in batch:
                if within(stored.at, wanted) and stored.subject.startswith(ours) and room.takes(stored):
                    offset = int((stored.headers or {}).get(OFFSET, 0))
                    body = msgspec.json.encode(Printed(offset, b64encode(stored.data).decode()))
                    yield _as_line("OUTPUT", msgspec.structs.replace(stored, data=body))


class _Room:
    """How much of what runs printed still goes onto the tape."""

    def __init__(self) -> None:
        self._left = MOST_OUTPUT
        self._of_run: dict[str, int] = {}
        self.left_out = 0

    def takes(self, stored: Stored) -> bool:
        run_token = stored.subject.split(".")[2]
        held = self._of_run.get(run_token, 0) + len(stored.data)
        if held > MOST_OF_RUN or len(stored.data) > self._left:
            self.left_out += 1
            return False
        self._of_run[run_token] = held
        self._left -= len(stored.data)
        return True


async def _facts(ledger: Ledger, wanted: Wanted, until: int, part: _Part | None) -> AsyncGenerator[Line, None]:
    choice = Choice(wanted)
    async with aclosing(_fitting(ledger, choice, until)) as facts:
        async for stored, recorded, fit in facts:
            ends = part is not None and part.last[recorded.command_seq] == stored.seq
            yield _as_line("EVENTS", choice.cut(stored, recorded, ends=ends), context=fit == "context")


async def _observations(ledger: Ledger, wanted: Wanted, until: int) -> AsyncGenerator[Line, None]:
    task_id = wanted.task or wanted.run.rpartition("~")[0]
    subjects = [f"obs.run.{token(task_id)}.>"] if task_id else []
    async with aclosing(ledger.read("OBSERVATIONS", until=until, subjects=subjects)) as reading:
        async for batch in reading:
            for stored in batch:
                if not within(stored.at, wanted):
                    continue
                run_id = decode_observation(stored.data).run_id
                if (not wanted.run or run_id == wanted.run) and run_id.startswith(prefix(wanted.session)):
                    yield _as_line("OBSERVATIONS", stored)


def _as_line(stream: Stream, stored: Stored, *, context: bool = False) -> Line:
    return Line(
        stream=stream, seq=stored.seq, at=stored.at, subject=stored.subject, body=_body(stored.data), context=context
    )


def _body(data: bytes) -> msgspec.Raw:
    """The bytes as they are when they are JSON on one line, else within JSON."""
    try:
        msgspec.json.decode(data)
        if b"\n" not in data and b"\r" not in data:
            return msgspec.Raw(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    return msgspec.Raw(_encode(Plain(b64encode(data).decode())))


async def _merged(sources: list[AsyncGenerator[Line, None]]) -> AsyncGenerator[Line, None]:
    """All in the order of their times; of one time in the order of the sources."""
    async with AsyncExitStack() as open_:
        for source in sources:
            await open_.enter_async_context(aclosing(source))
        heap: list[tuple[int, int, Line]] = []
        for place, source in enumerate(sources):
            line = await anext(source, None)
            if line is not None:
                heapq.heappush(heap, (line.at, place, line))
        while heap:
            at, place, line = heapq.heappop(heap)
            yield line
            following = await anext(sources[place], None)
            if following is not None:
                # a stream's own order stands, whatever its clock did
                heapq.heappush(heap, (max(at, following.at), place, following))


def _prefix_of_output(wanted: Wanted) -> str:
    """How subjects of the output wanted begin."""
    if wanted.run:
        return f"out.run.{token(wanted.run)}."
    return "out.run." + token(f"{wanted.task}~" if wanted.task else prefix(wanted.session))
