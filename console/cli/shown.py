"""Figures in words for a terminal: ages, money, times."""

from __future__ import annotations

from datetime import UTC, datetime


def age(since_us: int | None, now_us: int) -> str:
    """``12s``, ``4m``, ``3h``, ``9d`` from a time in microseconds; nothing for never."""
    if not since_us:
        return ""
    seconds = max(0, (now_us - since_us) // 1_000_000)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def money(uusd: int | None) -> str:
    """Dollars from millionths of one; nothing where nothing has a price."""
    return "" if uusd is None else f"${uusd / 1e6:,.4f}"


def clock_time(at_us: int) -> str:
    """``2026-11-20T22:59:37.123Z`` from microseconds since the epoch."""
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_us % 1_000_000 // 1000:03d}Z"
