"""Plays a recorded agent stream as if the agent were at work. A line ``tape: …`` in the task's prompt picks it:

    tape: file=fix-a-typo.jsonl speed=20

``file`` is a name in the pool's folder (the shipped samples, where the pool has none); without one the runs take the
folder's tapes in turn. The recording's own duration is spread over its lines, or ``LINE_S`` a line where it has none.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from workers.adapters.adapter import Ended, Happening, Job, Means, Seen, Unfit
from workers.adapters.claude_stream import ClaudeStream
from workers.adapters.pace import Pace

SAMPLES = Path(__file__).parents[2] / "samples" / "tapes"
LINE_S = 0.4
MAX_BYTES = 64 << 20
_DIRECTION = re.compile(r"^\s*tape:(.*)$", re.MULTILINE)
_DURATION = re.compile(rb'"type":\s*"result".*?"duration_ms":\s*(\d+)')


class Direction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ``tape:`` line, read."""

    file: str = ""
    speed: float | None = None


class Tape:
    def __init__(self, job: Job, means: Means) -> None:
        self._job = job
        self._pace = Pace(means.clock)
        self._lines: list[bytes] = []
        self._pause_s = 0.0

    async def start(self) -> None:
        found = _DIRECTION.search(self._job.prompt)
        directed = direction(found[1]) if found else Direction()
        path = self._chosen(directed.file)
        self._lines = [line for line in path.read_bytes().splitlines() if line.strip()]
        if not self._lines:
            raise Unfit(f"tape {path.name!r} is empty")
        recorded = _DURATION.search(self._lines[-1])
        seconds = int(recorded[1]) / 1000 if recorded else len(self._lines) * LINE_S
        self._pause_s = seconds / len(self._lines) / (directed.speed or self._job.pool.speed)

    async def events(self) -> AsyncIterator[Happening]:
        stream = ClaudeStream()
        for n, line in enumerate(self._lines, 1):
            if not await self._pace.passed(self._pause_s):
                yield Ended(result="interrupted")
                return
            for seen in stream.line(line):
                yield seen
            of = len(self._lines)
            yield Seen(kind="step", name="tape", says=f"line {n} of {of}", percent=100 * n // of)
        yield stream.ended or stream.cut_off()

    async def send(self, text: str) -> None:
        raise Unfit(f"a tape listens to nobody; {text[:40]!r} was not sent")

    def used(self) -> None:
        return None

    async def hold(self) -> None:
        self._pace.hold()

    async def go_on(self) -> None:
        self._pace.go_on()

    async def interrupt(self) -> None:
        self._pace.stop()

    async def stop(self) -> None:
        self._pace.stop()

    def _chosen(self, name: str) -> Path:
        folder = Path(self._job.pool.folder).expanduser() if self._job.pool.folder else SAMPLES
        tapes = sorted(path for path in folder.glob("*.jsonl") if path.is_file()) if folder.is_dir() else []
        if not tapes:
            raise Unfit(f"there is no tape (*.jsonl) in {folder}")
        if not name:
            draw = int.from_bytes(hashlib.blake2b(self._job.task_id.encode(), digest_size=4).digest(), "big")
            return tapes[draw % len(tapes)]
        for path in tapes:
            if name in (path.name, path.stem):  # chosen among what is there: a name cannot lead out of the folder
                if path.stat().st_size > MAX_BYTES:
                    raise Unfit(f"tape {name!r} has {path.stat().st_size:,} bytes; {MAX_BYTES:,} is the most")
                return path
        there = ", ".join(path.name for path in tapes[:20])
        raise Unfit(f"there is no tape {name[:60]!r} in {folder}; there are: {there}")


def direction(line: str) -> Direction:
    """A ``tape:`` line as a ``Direction``; ``Unfit`` names what is wrong with it."""
    pairs = [part.partition("=") for part in line.split()]
    try:
        read = msgspec.convert({key: value for key, _, value in pairs}, Direction, strict=False)
    except msgspec.ValidationError as error:
        says = f"the line 'tape:{line[:100]}' cannot be followed: {error}"
        raise Unfit(f"{says}; write it like: tape: file=NAME speed=2") from error
    if read.speed is not None and not read.speed > 0:
        raise Unfit(f"'tape:{line[:100]}': speed must be above 0")
    return read
