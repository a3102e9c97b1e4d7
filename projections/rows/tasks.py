"""Tasks: which, in a list, beside another one, and all there is about one."""

from __future__ import annotations

from typing import Literal

from core.domain.conditions import Condition
from core.domain.spec import OPEN, TaskSpec
from core.domain.words import Count, Priority
from projections.rows import Row
from projections.rows.record import Entry
from projections.rows.runs import Run

TaskOrder = Literal[
    "need", "queue", "recent", "cost", "id", "title", "lane", "priority", "agent", "attempt", "tokens", "age"
]
Proof = Literal["", "claimed", "verified", "imported", "parts"]

# Grouped by what they ask of a person: broken first, then at work, then to come, then at rest.
STATE_ORDER = ("quarantined", "failed", "running", "ready", "waiting", "blocked", "paused", "done", "cancelled")


class TaskFilter(Row, frozen=True):
    """Which tasks, in what order. Empty means all. ``after``: the cursor of the page before; ``limit`` 0: all.

    Every word of ``text`` ("several words" count as one) is looked for in id and title, whatever its case. ``agent``:
    its id, or its name on any worker. ``cost_least``, ``cost_most``: of all its runs, millionths of a dollar; what has
    no price fits neither. ``since``: in its state since then or later, microseconds. ``containers``: only them (True),
    none (False), both. ``reverse``: the order backwards.
    """

    states: tuple[str, ...] = ()
    lanes: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    priorities: tuple[Priority, ...] = ()
    agent: str = ""
    text: str = ""
    cost_least: Count | None = None
    cost_most: Count | None = None
    since: Count = 0
    containers: bool | None = None
    order: TaskOrder = "need"
    reverse: bool = False
    limit: int = 100
    after: str = ""


class TaskRow(Row, frozen=True):
    """A task in a list. ``because``: why it is in this state. ``since``: in this state since. ``born``: the EVENTS
    sequence that made it. Tokens and cost of all its runs; cost None: nothing of it has a price."""

    task_id: str
    session_id: str
    title: str
    kind: str
    state: str
    because: str
    lane: str
    priority: int
    proof: Proof = ""
    parts: int = 0
    open_parts: int = 0
    agent_id: str = ""
    run_id: str = ""
    attempt: int = 0
    used: int = 0
    max_attempts: int = 1
    step: str = ""
    percent: int | None = None
    tokens: int = 0
    cost_uusd: int | None = None
    since: int = 0
    retry_at: int = 0
    born: int = 0
    born_at: int = 0
    labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The id without its session."""
        return self.task_id.partition("/")[2]

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_container(self) -> bool:
        return self.parts > 0

    @property
    def shown(self) -> str:
        """The state as it is drawn: a done task that recorded no check is only claimed."""
        return "claimed" if self.state == "done" and self.proof == "claimed" else self.state


class Pick(Row, frozen=True):
    """A task that an order for many would touch."""

    task_id: str
    title: str
    state: str
    priority: int
    lane: str

    @property
    def name(self) -> str:
        return self.task_id.partition("/")[2]


class Tasks(Row, frozen=True):
    """A page of tasks. ``total``: all that match the filter; ``after``: cursor of the next page, empty at the end."""

    rows: list[TaskRow]
    total: int
    by_state: dict[str, int]  # of all that match the filter but for its states
    after: str = ""


class Link(Row, frozen=True):
    """A task next to another one. ``missing``: the id is named, but there is no such task. ``says``: what keeps it,
    where that was asked for."""

    task_id: str
    title: str = ""
    state: str = ""
    proof: Proof = ""
    missing: bool = False
    says: str = ""

    @property
    def name(self) -> str:
        return self.task_id.partition("/")[2]


class Task(Row, frozen=True):
    """All there is about one task. ``why``: every condition for starting it; empty when it is over or running."""

    row: TaskRow
    spec: TaskSpec
    needs: list[Link]
    dependents: list[Link]
    parents: list[Link]
    children: list[Link]
    runs: list[Run]
    timeline: list[Entry]
    why: list[Condition]
    plan_id: str = ""
