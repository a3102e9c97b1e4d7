"""What was recorded, in words: the timeline's entries, and commands with their outcomes."""

from __future__ import annotations

from typing import Literal

from projections.rows import Row


class TimelineFilter(Row, frozen=True):
    """Which entries, newest first. Times in microseconds, 0: open. ``before``: the cursor of the page before."""

    session_id: str = ""
    task_id: str = ""
    run_id: str = ""
    agent_id: str = ""
    worker_id: str = ""
    types: tuple[str, ...] = ()
    text: str = ""
    since: int = 0
    until: int = 0
    observations: bool = True
    limit: int = 200
    before: str = ""


class Entry(Row, frozen=True):
    """A fact (``stream`` "events") or an observation, in words. ``own`` False: a fact about something else that moved
    this task too ("ready: t-3 is done")."""

    stream: Literal["events", "observations"]
    seq: int
    at: int
    type: str
    says: str
    by: str = ""
    session_id: str = ""
    task_id: str = ""
    run_id: str = ""
    agent_id: str = ""
    worker_id: str = ""
    lane: str = ""
    command_seq: int = 0
    failed: bool = False
    own: bool = True


class Timeline(Row, frozen=True):
    entries: list[Entry]
    before: str = ""


class CommandFilter(Row, frozen=True):
    """Which commands, newest first. ``reports`` False leaves out what workers and timers say. ``since``: microseconds,
    0: all. ``before``: COMMANDS sequence, 0: from the newest."""

    by: str = ""
    types: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    target: str = ""
    text: str = ""
    since: int = 0
    reports: bool = False
    limit: int = 100
    before: int = 0


class Command(Row, frozen=True):
    """Who ordered what, and what came of it. ``outcome``: pending, done, refused, already_so, expired, superseded,
    fenced. ``latency_us``: from its append to the commit of its last fact, both by the server's clock."""

    command_seq: int
    command_id: str
    by: str
    type: str
    kind: str
    target: str
    at: int
    outcome: str
    reason: str = ""
    says: str = ""
    events_seq: int = 0
    facts: int = 0
    latency_us: int | None = None
    deadline: int = 0


class Commands(Row, frozen=True):
    rows: list[Command]
    total: int
    before: int = 0
