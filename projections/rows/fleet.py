"""The whole fleet: its figures, and what stands around tasks: lanes and their lines, sessions, plans."""

from __future__ import annotations

from core.domain.spec import OPEN
from core.domain.words import Usage
from projections.rows import Row
from projections.rows.runs import tokens
from projections.rows.tasks import TaskRow


class Counts(Row, frozen=True):
    """Figures of a moment. ``tasks`` without containers, which are counted apart; ``runs``: under way, by state."""

    tasks: dict[str, int]
    containers: dict[str, int]
    agents: dict[str, int]
    workers: dict[str, int]
    runs: dict[str, int]
    claimed: int = 0
    sessions: int = 0

    @property
    def all_tasks(self) -> int:
        return sum(self.tasks.values())

    @property
    def open_tasks(self) -> int:
        return sum(n for state, n in self.tasks.items() if state in OPEN)


class Minute(Row, frozen=True):
    """Runs that ended within a minute. ``at``: its beginning."""

    at: int
    done: int = 0
    failed: int = 0
    lost: int = 0
    tokens: int = 0
    cost_uusd: int = 0


class Hour(Row, frozen=True):
    """The last hour before the moment, minute by minute (60, oldest first). Shares 0 to 1, None: nothing to measure."""

    minutes: list[Minute]
    done: int = 0
    failed: int = 0
    lost: int = 0
    success_share: float | None = None
    first_try_share: float | None = None
    run_median_ms: float | None = None
    run_mean_ms: float | None = None
    run_p95_ms: float | None = None
    wait_median_ms: float | None = None
    wait_p95_ms: float | None = None
    tokens: int = 0
    cost_uusd: int | None = None


class UsageRow(Row, frozen=True):
    """What was used, by agent, model, task, lane or session (``key``). Totals of all runs up to the moment."""

    key: str
    runs: int
    done: int
    failed: int
    usage: Usage
    duration_ms: int

    @property
    def tokens(self) -> int:
        return tokens(self.usage)


class Lane(Row, frozen=True):
    """A queue. Counts of tasks by state without containers; ``running`` counts runs under way, as its limit does."""

    lane: str
    paused: bool = False
    paused_because: str = ""
    paused_since: int = 0
    paused_by: str = ""
    concurrency: int | None = None
    ready: int = 0
    blocked: int = 0
    running: int = 0
    waiting: int = 0
    held: int = 0
    oldest_ready: int = 0
    done_last_hour: int = 0
    failed_last_hour: int = 0


class Queued(Row, frozen=True):
    """A task in line, in the order in which it would be given out; ``because``: the first condition not met."""

    place: int
    row: TaskRow
    because: str = ""


class Session(Row, frozen=True):
    """An undertaking and its tasks by state."""

    session_id: str
    state: str
    goal: str = ""
    root: str = ""
    budget_uusd: int = 0
    summary: str = ""
    opened_at: int = 0
    closed_at: int = 0
    tasks: dict[str, int] = {}


class Plan(Row, frozen=True):
    """Tasks that came in together. ``state``: open, sealed, dropped."""

    plan_id: str
    session_id: str
    state: str
    at: int
    source: str = ""
    because: str = ""
    staged: int = 0
    new: int = 0
    revised: int = 0
    ready: int = 0
    cycles: tuple[tuple[str, ...], ...] = ()
