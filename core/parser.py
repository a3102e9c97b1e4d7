"""The parser of what a NATS server sends: messages of tapped subscriptions go straight to a function.

It takes the place of nats-py's own, which matches two regular expressions, deletes from the front of its buffer, awaits
two coroutines, parses headers nobody asked for and wakes a task for each message. Measured with 250-byte messages of
two headers (as every message of a batch has): 5.5 µs of processor time there, 1.0 µs here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Protocol

# subject, reply, header block (empty when there is none), body
Tap = Callable[[bytes, bytes, bytes, bytes], None]

MAX_LINE_BYTES = 1 << 16


class Client(Protocol):
    """What of nats-py's client a parser talks to."""

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None: ...
    async def _process_ping(self) -> None: ...
    async def _process_pong(self) -> None: ...
    async def _process_err(self, err_msg: str) -> None: ...
    async def _process_info(self, info: dict[str, Any]) -> None: ...


class NotNats(ConnectionError):
    """What came is not NATS's protocol. The client takes it for a broken connection and makes a new one."""


class Parser:
    """Cuts bytes into messages, keeping an unfinished rest for the next call."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.taps: dict[int, Tap] = {}
        self._rest = b""
        self._resets = 0

    def reset(self) -> None:
        """Forget the connection the rest came from."""
        self._rest = b""
        self._resets += 1

    async def parse(self, data: bytes = b"") -> None:
        data = self._rest + data if self._rest else data
        taps, at, end_of_data = self.taps, 0, len(data)
        while True:
            end = data.find(b"\r\n", at)
            if end < 0:
                if end_of_data - at > MAX_LINE_BYTES:
                    raise NotNats(f"not a line of NATS's protocol: {data[at : at + 80]!r}")
                break
            first, start, head_size = data[at], end + 2, 0
            try:
                if first == 77:  # M: MSG subject sid [reply] size
                    words = data[at + 4 : end].split()
                elif first == 72:  # H: HMSG subject sid [reply] header-size size
                    words = data[at + 5 : end].split()
                    head_size = int(words.pop(-2))
                else:
                    resets = self._resets
                    await self._control(data[at:end])
                    if self._resets != resets:  # the connection these bytes came from is no more
                        return
                    at = start
                    continue
                sid, head_end, stop = int(words[1]), start + head_size, start + int(words[-1])
            except (ValueError, IndexError) as error:
                raise NotNats(f"not a line of NATS's protocol: {data[at:end][:80]!r}") from error
            if stop + 2 > end_of_data:
                break
            at = stop + 2
            reply = words[2] if len(words) == 4 else b""
            tap = taps.get(sid)
            if tap is None:
                resets = self._resets
                head = data[start:head_end]
                await self.client._process_msg(sid, words[0], reply, data[head_end:stop], head)
                if self._resets != resets:
                    return
            else:
                try:
                    tap(words[0], reply, data[start:head_end], data[head_end:stop])
                except Exception as error:  # noqa: BLE001  # a tap's bug must be seen, and must not stop the line
                    _report(tap, error)
        self._rest = data[at:] if at else data

    async def _control(self, line: bytes) -> None:
        if line.startswith(b"PING"):
            await self.client._process_ping()
        elif line.startswith(b"PONG"):
            await self.client._process_pong()
        elif line.startswith(b"-ERR"):
            await self.client._process_err(line[4:].strip().decode(errors="replace").lower())
        elif line.startswith(b"INFO"):
            await self.client._process_info(json.loads(line[4:]))
        elif not line.startswith(b"+OK"):
            raise NotNats(f"not a line of NATS's protocol: {line[:80]!r}")


def _report(tap: Any, error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": f"a tap failed: {tap!r}", "exception": error})
