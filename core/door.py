"""The one way in: an order is appended to COMMANDS, and whoever wants to may wait for its outcome.

Forms, API, CLI and workers all come through here. An order is accepted when its append is acknowledged.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import msgspec

from core.clock import Clock
from core.domain.machine import Command
from core.envelope import MAX_COMMAND, Answer, Sent, decode_answer, encode_command
from core.ids import new_id
from core.ledger import Busy, Full, Ledger, Stream, TooLarge, Unknown
from core.waits import Waits

if TYPE_CHECKING:
    from core.batcher import Batcher

TRIES = 4
FULL_SHARE = 0.8  # of a log's limit: from here on doors take no new work, so that what runs can still report
LOOK_EVERY_S = 5.0
LOGS: tuple[Stream, ...] = ("COMMANDS", "EVENTS")


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """Accepted, outcome unknown yet: COMMANDS has it. Not an error; ask again by the id."""

    command_id: str
    command_seq: int


class Inboxes(Protocol):
    """Fresh reply subjects, and the future of what arrives there."""

    def open(self, within_s: float) -> tuple[str, Future[bytes]]: ...


class Door:
    """Takes orders in the name of ``by``; ``waits`` counts them."""

    def __init__(self, ledger: Ledger, inboxes: Inboxes, clock: Clock, *, by: str) -> None:
        self._ledger, self._inboxes, self._clock, self._by = ledger, inboxes, clock, by
        self._batcher: Batcher | None = None
        self._looked_at = -LOOK_EVERY_S
        self.waits = Waits()

    async def order(
        self,
        command: Command,
        *,
        command_id: str = "",
        by: str = "",
        wait_s: float = 2.0,
        deadline_s: float = 0,
    ) -> Answer | Pending:
        """Append the command and wait up to ``wait_s`` seconds for its outcome.

        ``deadline_s`` from now it is no longer to be carried out. Raises ``Full`` when the log has no room, ``Busy``
        or ``Unknown`` when it cannot be reached; sending the same id again is harmless.
        """
        await self._check_room()
        deadline = self._clock.now_us() + int(deadline_s * 1e6) if deadline_s else 0
        sent = Sent(id=command_id or new_id(self._clock), by=by or self._by, deadline=deadline, command=command)
        began = self._clock.monotonic()
        inbox, outcome = self._inboxes.open(wait_s + 10)
        try:
            seq = await self._append(sent, inbox)
            with suppress(TimeoutError, Unknown):
                async with asyncio.timeout(wait_s):  # wait_for may swallow a cancellation (Python 3.11)
                    answer = decode_answer(await asyncio.shield(outcome))
                self.waits.note(answer.outcome, self._clock.monotonic() - began)
                return answer
            self.waits.note("pending", self._clock.monotonic() - began)
            return Pending(command_id=sent.id, command_seq=seq)
        finally:
            outcome.cancel()

    def put(self, command: Command, *, command_id: str = "") -> Future[int]:
        """Queue the command behind the others; together they go as atomic batches. The future is its sequence."""
        from core.batcher import Batcher

        if self._batcher is None:
            self._batcher = Batcher(self._ledger, "COMMANDS", clock=self._clock)
        message = encode_command(Sent(id=command_id or new_id(self._clock), by=self._by, command=command))
        if len(message.data) > MAX_COMMAND:
            raise TooLarge(_too_large(message.subject, len(message.data)))
        return self._batcher.put(message)

    async def flush(self) -> None:
        """Wait until all that was put is stored."""
        if self._batcher is not None:
            await self._batcher.flush()

    async def _check_room(self) -> None:
        """``Full`` when a log is nearly so. Looked at every few seconds; workers' reports do not pass here."""
        now = self._clock.monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        for stream in LOGS:
            head = await self._ledger.head(stream)
            if 0 < head.max_bytes * FULL_SHARE < head.bytes:
                raise Full(
                    f"{stream} holds {head.bytes:,} of {head.max_bytes:,} bytes: no new orders are taken. "
                    f"Raise its limit (nats stream edit {stream} --max-bytes …) or start a new data folder"
                )
        self._looked_at = now

    async def _append(self, sent: Sent, inbox: str) -> int:
        message = encode_command(sent, inbox)
        if len(message.data) > MAX_COMMAND:
            raise TooLarge(_too_large(message.subject, len(message.data)))
        for again in range(TRIES):
            try:
                return await self._ledger.append("COMMANDS", [message])
            except (Busy, Unknown):
                if again == TRIES - 1:
                    raise
                await self._clock.sleep(0.05 * 2**again * (0.5 + self._clock.now_us() % 1000 / 1000))
        raise AssertionError("unreachable")


def _too_large(subject: str, size: int) -> str:
    return f"{subject}: {size:,} bytes; {MAX_COMMAND:,} is the most a command may hold. Put long text into a file"
