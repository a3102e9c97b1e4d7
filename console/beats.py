"""How the workers beat, as the console hears it: for looking at. The core decides for itself who is lost.

Live only: a beat is no fact, so the past has none. A page that shows beats shows what is beside the read model.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing

import msgspec

from core.clock import Clock
from core.heartbeat import Beat, decode_beat
from core.ledger import LedgerError
from core.tables import Table

log = logging.getLogger("console.beats")
AGAIN_S = 1.0
MOST = 5_000


class Heard(msgspec.Struct, frozen=True):
    """A worker's last beat and how long ago it came, by our own clock: nobody's wall clock matters."""

    beat: Beat
    ago_us: int


class Beats:
    """``last`` answers from what ``listen`` has heard. Without a table (a tape, a test) nobody beats."""

    def __init__(self, clock: Clock, table: Table | None = None) -> None:
        self._clock, self._table = clock, table
        self._heard: dict[tuple[str, int], tuple[Beat, float]] = {}

    @property
    def listening(self) -> bool:
        return self._table is not None

    def last(self, worker_id: str, epoch: int) -> Heard | None:
        found = self._heard.get((worker_id, epoch))
        return Heard(found[0], round((self._clock.monotonic() - found[1]) * 1e6)) if found else None

    def hear(self, value: bytes) -> None:
        beat = decode_beat(value)
        self._heard.pop((beat.worker_id, beat.epoch), None)
        self._heard[beat.worker_id, beat.epoch] = (beat, self._clock.monotonic())
        while len(self._heard) > MOST:  # the one not heard of for longest
            del self._heard[next(iter(self._heard))]

    async def listen(self) -> None:
        """Hear beats until cancelled; a bucket that cannot be read just now is read again."""
        while self._table is not None:
            try:
                async with aclosing(self._table.watch()) as news:
                    async for entries in news:
                        for entry in entries:
                            self._take(entry.key, entry.value)
            except LedgerError as error:
                log.info("heartbeats cannot be read just now: %s", error)
            await asyncio.sleep(AGAIN_S)

    def _take(self, key: str, value: bytes | None) -> None:
        if value is None:
            return
        try:
            self.hear(value)
        except msgspec.DecodeError as error:
            log.warning("heartbeat %.80r cannot be read: %s", key, error)
