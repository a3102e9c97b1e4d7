"""Ids that sort by time: UUIDv7 (RFC 9562), with microseconds in the bits that follow the milliseconds."""

from __future__ import annotations

import os
import re

from core.clock import Clock

_SHAPE = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7([0-9a-f]{3})-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_LAST_MS = (1 << 48) - 1


def new_id(clock: Clock) -> str:
    """A fresh UUIDv7 in its usual 36 characters: time from ``clock``, 62 bits of chance from the system.

    Ids of different microseconds sort by time; those of one microsecond in no order.
    """
    ms, us = divmod(clock.now_us(), 1000)
    if not 0 <= ms <= _LAST_MS:
        raise ValueError(f"the clock says {ms} ms since the epoch, which a UUIDv7 cannot hold; set the clock")
    within_ms = (us << 12) // 1000 + 1 if us else 0  # rounded up, so that time_us gives the microsecond back
    chance = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    text = f"{(ms << 80) | (7 << 76) | (within_ms << 64) | (2 << 62) | chance:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def time_us(identifier: str) -> int | None:
    """When a UUIDv7 was made, in microseconds since the epoch; None when it is not one (a derived id, a name)."""
    shape = _SHAPE.fullmatch(identifier)
    if shape is None:
        return None
    high, low, within_ms = shape.groups()
    return int(high + low, 16) * 1000 + (int(within_ms, 16) * 1000 >> 12)
