"""Who was heard of, and when: the heartbeats bucket, kept as a small table by the leading core."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing

import msgspec

from core.clock import Clock
from core.heartbeat import decode_beat
from core.ledger import LedgerError
from core.tables import Table

log = logging.getLogger("core.beats")
AGAIN_S = 0.5
MOST_HEARD = 20_000


class HeardBeats:
    """``last`` answers from what ``listen`` has heard; time is the listener's own, so nobody's clock matters."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table, self._clock = table, clock
        self._heard: dict[tuple[str, int], tuple[float, int]] = {}

    def last(self, worker_id: str, epoch: int) -> tuple[float, int] | None:
        """When this epoch of the worker was last heard: (our monotonic seconds, the worker's wall microseconds)."""
        return self._heard.get((worker_id, epoch))

    async def listen(self) -> None:
        """Hear beats for ever; a bucket that cannot be read just now is read again."""
        while True:
            try:
                async with aclosing(self._table.watch()) as news:
                    async for entries in news:
                        for entry in entries:
                            self._hear(entry.key, entry.value)
            except LedgerError as error:
                log.info("heartbeats cannot be read just now: %s", error)
            await asyncio.sleep(AGAIN_S)

    def _hear(self, key: str, value: bytes | None) -> None:
        if value is None:
            return
        try:
            beat = decode_beat(value)
        except msgspec.DecodeError as error:
            log.warning("heartbeat %.80r cannot be read: %s", key, error)
            return
        # Each epoch for itself: a process that was replaced may beat on under the same key.
        self._heard.pop((beat.worker_id, beat.epoch), None)
        self._heard[beat.worker_id, beat.epoch] = (self._clock.monotonic(), beat.at)
        while len(self._heard) > MOST_HEARD:  # the one not heard of for longest
            del self._heard[next(iter(self._heard))]
