"""Numbers, times and states in the words of the console. Pure: what is now is passed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

THIN = "\u202f"  # between groups of three figures
NB = "\u00a0"  # between a number and its unit, which never part at a line's end

WORDS = {
    "blocked": "Blocked", "ready": "Ready", "running": "Running", "reviewing": "In review", "done": "Done",
    "claimed": "Claimed", "waiting": "Waiting", "paused": "Paused", "lost": "Lost", "failed": "Failed",
    "quarantined": "Quarantined", "cancelled": "Cancelled", "idle": "Idle", "busy": "Running", "gone": "Gone",
    "assigned": "Assigned", "succeeded": "Done", "interrupted": "Interrupted", "fenced": "Fenced",
    "stopped": "Cancelled", "cancelling": "Stopping", "interrupting": "Stopping", "live": "Live",
    "draining": "Draining", "left": "Left", "open": "Open", "staged": "Staged", "held": "Held", "halted": "Halted",
}  # fmt: skip

# The mark that draws a state where no mark bears its own name.
MARKS = {
    "busy": "running", "gone": "cancelled", "assigned": "ready", "succeeded": "done", "interrupted": "paused",
    "fenced": "cancelled", "stopped": "cancelled", "cancelling": "running", "interrupting": "running",
    "live": "running", "draining": "paused", "left": "cancelled", "open": "ready", "staged": "waiting",
    "held": "paused", "halted": "paused",
}  # fmt: skip


# What a fact is drawn as: the state it brings its thing into.
FACT_MARKS = {
    "run.started": "running", "run.progressed": "running", "run.succeeded": "done", "run.failed": "failed",
    "run.interrupted": "paused", "run.stopped": "cancelled", "worker.assigned": "running", "worker.registered": "ready",
    "worker.lost": "lost", "worker.left": "cancelled", "worker.draining": "paused", "task.submitted": "ready",
    "task.staged": "waiting", "task.cancelled": "cancelled", "task.paused": "paused", "task.resumed": "ready",
    "task.retried": "ready", "task.woken": "ready", "task.rolled_up": "done", "lane.paused": "paused",
    "lane.resumed": "ready", "agent.paused": "paused", "agent.resumed": "ready", "plan.dropped": "failed",
    "command.refused": "cancelled", "worker.cancel_ordered": "cancelled", "worker.interrupt_ordered": "paused",
    "core.clock_suspected": "asks", "core.halted": "paused", "core.released": "ready", "run.held": "paused",
    "run.continued": "running", "worker.halt_ordered": "paused", "worker.hold_ordered": "paused",
    "worker.continue_ordered": "running", "worker.message_ordered": "ready", "worker.hire_ordered": "ready",
    "worker.grown": "ready", "task.amended": "ready", "task.dependency_added": "blocked",
    "task.dependency_removed": "ready", "task.placed": "ready",
}  # fmt: skip

ENDED = {
    "lost": "lost with its worker", "cancelled": "ended by order", "stopped": "ended by order",
    "interrupted": "interrupted; no attempt was used",
}  # fmt: skip

# What a toast says of an order.
ORDERED = {
    "task.submit": "Submitted", "task.cancel": "Cancelled", "task.pause": "Paused", "task.resume": "Resumed",
    "task.retry": "Trying again", "task.reprioritise": "Priority changed", "lane.pause": "Lane paused",
    "lane.resume": "Lane opened", "lane.configure": "Lane set", "agent.pause": "Agent paused",
    "agent.resume": "Agent resumed", "worker.drain": "Worker drains", "core.trust_clock": "The clock is trusted",
    "template.define": "Template saved", "template.retire": "Template retired", "template.use": "Tasks made",
    "session.open": "Session opened", "session.close": "Session closed", "core.halt": "The fleet is halted",
    "core.release": "The fleet goes on", "agent.stop": "Agent stopped", "agent.restart": "Agent restarted",
    "run.message": "Message sent", "run.hold": "Run held", "run.continue": "Run goes on",
    "worker.hire": "More agents ordered", "core.adopt_rules": "Rules adopted", "task.amend": "Task changed",
    "task.depend": "Dependency added", "task.undepend": "Dependency taken away", "task.place": "Moved in the line",
    "view.save": "View saved", "view.remove": "View removed", "bookmark.set": "Bookmark set",
    "bookmark.remove": "Bookmark removed", "board.limit": "Limit set", "session.amend": "Session changed",
}  # fmt: skip

# The sign of a tool, by a word its name holds; anything else is a command line.
TOOL_SIGNS = (
    ("edit", "edit"), ("write", "edit"), ("patch", "edit"), ("read", "read"), ("grep", "search"), ("search", "search"),
    ("glob", "search"), ("find", "search"), ("fetch", "link"), ("web", "link"),
)  # fmt: skip


# A lost worker and a refused order went wrong, too, and have marks of their own.
NOT_A_FAILURE = frozenset({"worker.lost", "command.refused"})


def fact_mark(kind: str, failed: bool = False) -> str:
    return "failed" if failed and kind not in NOT_A_FAILURE else FACT_MARKS.get(kind, "ready")


def ended(state: str, error: str, summary: str) -> str:
    """Why a run is over: what it reported, or who ended it when it could not."""
    return error or ENDED.get(state, "") or summary or "it reported its end"


def ordered(kind: str, says: str) -> str:
    """``Lane paused``: an order that was carried out."""
    return ORDERED.get(kind, says or kind)


def origin(by: str) -> str:
    """From where an order came, by the name it was given in."""
    name, _, _ = by.partition(" ")
    door, _, _ = by.partition(":")
    known = {"operator": "a page of this console", "api": "a program, by the API", "cli": "the command line",
             "worker": "a worker's report", "core": "the core, by its timers"}  # fmt: skip
    return known.get(by) or known.get(name) or known.get(door) or "a door of its own"


def tool_sign(name: str) -> str:
    return next((sign for part, sign in TOOL_SIGNS if part in name.lower()), "term")


def shorten(text: str, most: int) -> str:
    """The text's beginning; whoever cuts puts the whole into the title."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def count_in(state: str, counts: Mapping[str, int]) -> int:
    return counts.get(state, 0)


def apart(ids: Iterable[str]) -> bool:
    """Whether tasks or runs of several sessions stand together, so that a name alone does not tell which is meant."""
    return len({each.partition("/")[0] for each in ids if each}) > 1


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
        return f"{value / 1_000:.0f}{NB}k"
    millions = value / 1_000_000
    return f"{millions:.{2 if millions < 9.995 else 1 if millions < 99.95 else 0}f}{NB}M"


def size(count: int) -> str:
    """Bytes: ``640 B``, ``12 kB``, ``3.1 MB``."""
    if count < 1_000:
        return f"{count}{NB}B"
    if count < 1_000_000:
        return f"{count / 1_000:.0f}{NB}kB"
    return f"{count / 1_000_000:.1f}{NB}MB"


def age(us: int | None) -> str:
    """How long something has been so: ``41 s``, ``6 min``, ``1 h 40``, ``3 d``."""
    if us is None:
        return "–"
    seconds = max(0, us) // 1_000_000
    if seconds < 60:
        return f"{seconds}{NB}s"
    if seconds < 3_600:
        return f"{seconds // 60}{NB}min"
    if seconds < 36_000:
        return f"{seconds // 3_600}{NB}h{NB}{seconds % 3_600 // 60:02d}"
    if seconds < 172_800:
        return f"{seconds // 3_600}{NB}h"
    return f"{seconds // 86_400}{NB}d"


def took(us: int | None) -> str:
    """A duration with both units: ``48 ms``, ``4.1 s``, ``18 m 27 s``, ``2 h 04 m``."""
    if us is None:
        return "–"
    us = max(0, us)
    if us < 1_000_000:
        return f"{max(1, us // 1_000) if us else 0}{NB}ms"
    seconds = us / 1_000_000
    if seconds < 10:
        return f"{seconds:.1f}{NB}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}{NB}s"
    if whole < 3_600:
        return f"{whole // 60}{NB}m{NB}{whole % 60:02d}{NB}s"
    return f"{whole // 3_600}{NB}h{NB}{whole % 3_600 // 60:02d}{NB}m"


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


def day_and_time(us: int) -> str:
    """``Friday 20 November, 14:32:08 UTC``."""
    at = moment(us)
    return f"{at:%A} {at.day} {at:%B, %H:%M:%S} UTC"


def moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC)


def money(uusd: int | None) -> str:
    """``$0.42``; a dash where nobody knows the price, never a zero."""
    return "–" if uusd is None else f"${uusd / 1_000_000:,.2f}"


def small_money(uusd: int | None) -> str:
    """``$0.0042``: what one call costs shows only in fractions of a cent."""
    return "–" if uusd is None else f"${uusd / 1_000_000:,.4f}"


def as_given(data: str, says: str) -> str:
    """What a tool was called with, from an observation's data (JSON text), as a person reads it."""
    try:
        given = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data
    given = given.get("input", given) if isinstance(given, dict) else given
    if isinstance(given, str):
        return given
    if isinstance(given, dict) and given and all(isinstance(value, str | int | float) for value in given.values()):
        return "\n".join(f"{name}: {value}" for name, value in given.items())
    return msgspec.json.format(msgspec.json.encode(given), indent=2).decode() if given else says


def counted(n: int, noun: str, plural: str = "") -> str:
    """``1 task``, ``3 tasks``."""
    return f"{number(n)} {noun if n == 1 else plural or noun + 's'}"
