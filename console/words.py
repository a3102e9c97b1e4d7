"""Numbers, times and states in the words of the console. Pure: what is now is passed in."""

from __future__ import annotations

from datetime import UTC, datetime

THIN = "\u202f"  # groups of three, and a number and its unit, never part at a line's end

WORDS = {
    "blocked": "Blocked", "ready": "Ready", "running": "Running", "reviewing": "In review", "done": "Done",
    "claimed": "Claimed", "waiting": "Waiting", "paused": "Paused", "lost": "Lost", "failed": "Failed",
    "quarantined": "Quarantined", "cancelled": "Cancelled", "idle": "Idle", "busy": "Running", "gone": "Gone",
    "assigned": "Assigned", "succeeded": "Done", "interrupted": "Interrupted", "fenced": "Fenced",
    "stopped": "Cancelled", "cancelling": "Stopping", "interrupting": "Stopping", "live": "Live",
    "draining": "Draining", "left": "Left", "open": "Open", "staged": "Staged",
}  # fmt: skip

# The mark that draws a state where no mark bears its own name.
MARKS = {
    "busy": "running", "gone": "cancelled", "assigned": "ready", "succeeded": "done", "interrupted": "paused",
    "fenced": "cancelled", "stopped": "cancelled", "cancelling": "running", "interrupting": "running",
    "live": "running", "draining": "paused", "left": "cancelled", "open": "ready", "staged": "waiting",
}  # fmt: skip


def word(state: str) -> str:
    return WORDS.get(state, state.capitalize())


def mark(state: str) -> str:
    return MARKS.get(state, state)


def number(value: int | None) -> str:
    """``1 284 311``; a dash for what is not known."""
    return "–" if value is None else f"{value:,}".replace(",", THIN)


def tokens(value: int | None) -> str:
    """``212 k``, ``1.14 M``: three figures are enough to compare by."""
    if value is None:
        return "–"
    if value < 1_000:
        return str(value)
    if value < 999_500:
        return f"{value / 1_000:.0f}{THIN}k"
    return f"{value / 1_000_000:.2f}{THIN}M"


def size(count: int) -> str:
    """Bytes: ``640 B``, ``12 kB``, ``3.1 MB``."""
    if count < 1_000:
        return f"{count}{THIN}B"
    if count < 1_000_000:
        return f"{count / 1_000:.0f}{THIN}kB"
    return f"{count / 1_000_000:.1f}{THIN}MB"


def age(us: int | None) -> str:
    """How long something has been so: ``41 s``, ``6 min``, ``1 h 40``, ``3 d``."""
    if us is None:
        return "–"
    seconds = max(0, us) // 1_000_000
    if seconds < 60:
        return f"{seconds}{THIN}s"
    if seconds < 3_600:
        return f"{seconds // 60}{THIN}min"
    if seconds < 36_000:
        return f"{seconds // 3_600}{THIN}h{THIN}{seconds % 3_600 // 60:02d}"
    if seconds < 172_800:
        return f"{seconds // 3_600}{THIN}h"
    return f"{seconds // 86_400}{THIN}d"


def took(us: int | None) -> str:
    """A duration with both units: ``48 ms``, ``4.1 s``, ``18 m 27 s``, ``2 h 04 m``."""
    if us is None:
        return "–"
    us = max(0, us)
    if us < 1_000_000:
        return f"{max(1, us // 1_000) if us else 0}{THIN}ms"
    seconds = us / 1_000_000
    if seconds < 10:
        return f"{seconds:.1f}{THIN}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}{THIN}s"
    if whole < 3_600:
        return f"{whole // 60}{THIN}m{THIN}{whole % 60:02d}{THIN}s"
    return f"{whole // 3_600}{THIN}h{THIN}{whole % 3_600 // 60:02d}{THIN}m"


def clock_time(us: int, now_us: int) -> str:
    """``14:32:08``, with the day before it when that is not the day of ``now_us``."""
    at = moment(us)
    if at.date() == moment(now_us).date():
        return f"{at:%H:%M:%S}"
    return f"{at.day} {at:%b %H:%M:%S}"


def iso(us: int) -> str:
    return f"{moment(us):%Y-%m-%dT%H:%M:%S}Z"


def whole_time(us: int) -> str:
    """The absolute time that stands behind every other one: ``Fri 20 Nov 2026, 14:32:08.480 UTC``."""
    at = moment(us)
    return f"{at:%a} {at.day} {at:%b %Y, %H:%M:%S}.{us // 1_000 % 1_000:03d} UTC"


def moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC)


def money(uusd: int | None) -> str:
    """``$0.42``; a dash where nobody knows the price, never a zero."""
    return "–" if uusd is None else f"${uusd / 1_000_000:,.2f}"


def counted(n: int, noun: str, plural: str = "") -> str:
    """``1 task``, ``3 tasks``."""
    return f"{number(n)} {noun if n == 1 else plural or noun + 's'}"
