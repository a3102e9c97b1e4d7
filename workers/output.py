"""An agent's terminal output on its way to OUTPUT: redacted, a few chunks a second, no more than its share."""

from __future__ import annotations

import asyncio
from typing import Literal

from core.clock import Clock
from core.observation import output
from workers.observe import Redactor, Stream
from workers.outbox import Outbox

CHUNK_EVERY_S = 0.1  # at most ten chunks a second and run
MAX_CHUNK = 128 << 10
THROTTLE_S = 0.02  # a pause for each piece beyond the cap, so that an endless writer does not occupy the worker

Name = Literal["stdout", "stderr"]


class OutputLog:
    """One run's output. Offsets count redacted bytes; a jump in them is a hole, and the text there says how large."""

    def __init__(self, run_id: str, outbox: Outbox, clock: Clock, redact: Redactor, *, cap_bytes: int) -> None:
        self._run_id = run_id
        self._outbox = outbox
        self._clock = clock
        self._left = cap_bytes
        self._cap = cap_bytes
        self._redacted: dict[Name, Stream] = {"stdout": redact.stream(), "stderr": redact.stream()}
        self._pending: dict[Name, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._offset: dict[Name, int] = {"stdout": 0, "stderr": 0}
        self._lost: dict[Name, int] = {"stdout": 0, "stderr": 0}
        self._flushing: asyncio.Future[None] | None = None
        self._next_at = 0.0

    async def write(self, stream: Name, data: bytes) -> None:
        """Take a piece; waits while more is pending than a chunk holds, which slows the writer down."""
        self._take(stream, self._redacted[stream].feed(data))
        if self._lost[stream]:
            await self._clock.sleep(THROTTLE_S)
        while len(self._pending[stream]) > MAX_CHUNK:
            self._flush_soon()
            await self._clock.sleep(CHUNK_EVERY_S)
        if self._pending[stream]:
            self._flush_soon()

    def close(self) -> None:
        """Let out all that is left; nothing more comes."""
        if self._flushing is not None:
            self._flushing.cancel()
        for stream, redacted in self._redacted.items():
            self._take(stream, redacted.flush())
            while self._pending[stream]:
                self._put(stream)
            if self._lost[stream]:
                self._offset[stream] += self._lost[stream]
                self._say(stream, b"[%d more bytes were not kept]\n" % self._lost[stream])

    def _take(self, stream: Name, data: bytes) -> None:
        kept = data[: self._left]
        self._left -= len(kept)
        self._pending[stream] += kept
        if len(kept) < len(data):
            if not self._lost[stream]:
                self._pending[stream] += b"\n[output cut here: a run's first %d bytes are kept]\n" % self._cap
            self._lost[stream] += len(data) - len(kept)

    def _flush_soon(self) -> None:
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.ensure_future(self._flush())

    async def _flush(self) -> None:
        await self._clock.sleep(self._next_at - self._clock.monotonic())
        for stream, pending in self._pending.items():
            if pending:
                self._put(stream)
                self._next_at = max(self._next_at, self._clock.monotonic()) + CHUNK_EVERY_S

    def _put(self, stream: Name) -> None:
        pending = self._pending[stream]
        chunk = bytes(pending[:MAX_CHUNK])
        del pending[:MAX_CHUNK]
        self._say(stream, chunk)

    def _say(self, stream: Name, chunk: bytes) -> None:
        self._outbox.put(output(self._run_id, stream, self._offset[stream], chunk))
        self._offset[stream] += len(chunk)
