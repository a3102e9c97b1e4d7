"""What a query hands out: one struct a thing, ready for a part to draw. Times in microseconds; 0: never.

Every row is as of one moment, an ``At``. Nothing here knows SQL, and nothing here is computed by a template.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from core.domain.schedule import Condition
from core.domain.spec import OPEN, TaskSpec
from core.domain.words import Count, Priority, Usage

TaskOrder = Literal[
    "need", "queue", "recent", "cost", "id", "title", "lane", "priority", "agent", "attempt", "tokens", "age"
]
Proof = Literal["", "claimed", "verified", "imported", "parts"]

# Grouped by what they ask of a person: broken first, then at work, then to come, then at rest.
STATE_ORDER = ("quarantined", "failed", "running", "ready", "waiting", "blocked", "paused", "done", "cancelled")


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of an answer."""


class At(Row, frozen=True):
    """A moment: facts up to ``events_seq``, observations up to ``observations_seq``, commands up to ``commands_seq``.

    ``at`` is the time that goes with it: now for the live moment, the asked time, or the named fact's own.
    """

    events_seq: int
    observations_seq: int
    commands_seq: int = 0
    at: int = 0
    live: bool = True

    @property
    def event_id(self) -> str:
        """The live stream's event id: ``<events sequence>.<observations sequence>``."""
        return f"{self.events_seq}.{self.observations_seq}"


# ------------------------------------------------------------------ tasks


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
    """A task next to another one. ``missing``: the id is named, but there is no such task."""

    task_id: str
    title: str = ""
    state: str = ""
    proof: Proof = ""
    missing: bool = False

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


# ------------------------------------------------------------------ runs


class RunFilter(Row, frozen=True):
    """Which runs, newest first. ``before``: the cursor of the page before; ``limit`` 0: all."""

    states: tuple[str, ...] = ()
    task_id: str = ""
    session_id: str = ""
    agent_id: str = ""
    worker_id: str = ""
    lane: str = ""
    limit: int = 100
    before: str = ""


class Run(Row, frozen=True):
    """One attempt. ``state``: assigned, running, succeeded, failed, interrupted, cancelled, lost. ``stopping``: what
    was ordered and is not done yet: cancel or interrupt. ``last_seen``: of its facts and observations."""

    run_id: str
    task_id: str
    session_id: str
    title: str
    agent_id: str
    worker_id: str
    lane: str
    attempt: int
    state: str
    because: str = ""
    adapter: str = ""
    model: str = ""
    stopping: Literal["", "cancel", "interrupt"] = ""
    step: str = ""
    percent: int | None = None
    usage: Usage = Usage()
    files: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    error_class: str = ""
    error: str = ""
    exit_code: int | None = None
    summary: str = ""
    duration_ms: int = 0
    assigned_at: int = 0
    started_at: int = 0
    ended_at: int = 0
    last_seen: int = 0
    born: int = 0
    seq: int = 0  # of the last fact about it
    artifacts: str = "[]"  # JSON: name, sha256, size, media_type of each

    @property
    def is_over(self) -> bool:
        return self.ended_at > 0

    @property
    def kept(self) -> int:
        """How many artifacts it left."""
        return self.artifacts.count('"sha256"')

    @property
    def tokens(self) -> int:
        return tokens(self.usage)


class Runs(Row, frozen=True):
    """A page of runs and how many match in all."""

    rows: list[Run]
    total: int
    before: str = ""


class Stage(Row, frozen=True):
    """A state a run was in. ``until`` 0: it still is."""

    state: str
    seq: int
    at: int
    until: int = 0


class RunPage(Row, frozen=True):
    """A run with its stages and counts; what was observed comes by ``observations`` and ``tool_calls``."""

    run: Run
    stages: list[Stage]
    timeline: list[Entry]
    tool_calls: int = 0
    failed_calls: int = 0
    observed: int = 0
    span: tuple[int, int] = (0, 1 << 62)  # when it was observed, by the server's time: narrows what is looked through


class Observed(Row, frozen=True):
    """Something seen in a run. ``data``: JSON text, redacted by the worker."""

    seq: int
    run_id: str
    n: int
    at: int
    kind: str
    name: str = ""
    says: str = ""
    ref: str = ""
    failed: bool = False
    usage: Usage | None = None
    data: str = "{}"


class ToolCall(Row, frozen=True):
    """A tool call with its result, where one was seen: matched by ``ref``. ``ended_at`` 0: no result yet."""

    call: Observed
    result: Observed | None = None

    @property
    def ended_at(self) -> int:
        return self.result.at if self.result else 0


# ------------------------------------------------------------------ agents, workers, lanes, sessions


class Agent(Row, frozen=True):
    """Who does runs. ``state``: idle, busy, paused, gone (its worker left, was lost, or no longer offers it).

    ``since``: in this state since; ``because``: why. ``pausing``: paused, but still at work on its last run. Of all its
    runs: ``cost_uusd`` as told, plus ``estimated_uusd`` by the price table (None: nothing has a price), and the
    ``unpriced_tokens`` that nobody knows a price for. ``context``: tokens its last call of the model read, of
    ``window``; None where that is not known.
    """

    agent_id: str
    worker_id: str
    name: str
    adapter: str
    state: str
    since: int
    because: str = ""
    model: str = ""
    pool: str = ""
    capabilities: tuple[str, ...] = ()
    draining: bool = False
    pausing: bool = False
    paused_because: str = ""
    run: Run | None = None
    last_seen: int = 0
    epoch: int = 0
    runs: int = 0
    done: int = 0
    failed: int = 0
    mean_ms: float | None = None
    tokens: int = 0
    cost_uusd: int | None = None
    estimated_uusd: int = 0
    unpriced_tokens: int = 0
    context: int | None = None
    window: int | None = None

    @property
    def error_share(self) -> float | None:
        """0.0 to 1.0 of the runs that ended well or badly; None where none did."""
        ended = self.done + self.failed
        return self.failed / ended if ended else None


class AgentPage(Row, frozen=True):
    """An agent with its latest runs and facts, and ``stretches``: what it did since ``since``, oldest first."""

    agent: Agent
    runs: list[Run]
    timeline: list[Entry]
    stretches: list[Stretch] = []
    since: int = 0


class Stretch(Row, frozen=True):
    """An agent in one state from ``at`` to ``until`` (microseconds). One at work says on what, and how that ended."""

    state: str
    at: int
    until: int
    because: str = ""
    run_id: str = ""
    title: str = ""


class Worker(Row, frozen=True):
    """A process that hosts agents, as the log knows it; how it beats is in the heartbeats bucket."""

    worker_id: str
    state: str
    epoch: int
    since: int
    boot_id: str = ""
    host: str = ""
    pid: int = 0
    version: str = ""
    because: str = ""
    last_beat: int = 0
    agents: int = 0
    busy: int = 0
    released: int = 0


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


# ------------------------------------------------------------------ the whole fleet


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


class Attention(Row, frozen=True):
    """Something a person is needed for. ``rank`` 0 comes first. One of the ids says where to go."""

    kind: Literal["quarantined", "failed", "worker_lost", "clock", "plan_dropped", "circle", "no_agent", "paused"]
    rank: int
    title: str
    says: str
    since: int
    task_id: str = ""
    run_id: str = ""
    agent_id: str = ""
    worker_id: str = ""
    lane: str = ""
    plan_id: str = ""


# ------------------------------------------------------------------ the record


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


class Position(Row, frozen=True):
    """How far a stream is folded. ``head``: its last sequence as last seen; ``at``: time of the last folded message."""

    stream: str
    seq: int
    head: int
    at: int

    @property
    def lag(self) -> int:
        return max(0, self.head - self.seq)


class Positions(Row, frozen=True):
    """The read model's own state. ``doing``: following, catching up, rebuilding, or stopped, and then ``problem``.

    ``progress`` 0 to 1 while catching up or rebuilding.
    """

    events: Position
    observations: Position
    commands: Position
    doing: Literal["following", "catching up", "rebuilding", "stopped"] = "following"
    progress: float = 1.0
    problem: str = ""
    schema: str = ""


class Changed(Row, frozen=True):
    """Told to listeners after each commit: the tables that changed and, for those keyed by an id, which ids.

    ``keys``: by table (tasks, runs, agents, workers, lanes, sessions, plans), the ids touched; a table with more than
    ``MANY`` is in ``many`` instead, and a page draws it anew.
    """

    events_seq: int
    observations_seq: int
    commands_seq: int
    tables: frozenset[str]
    keys: dict[str, frozenset[str]] = {}
    many: frozenset[str] = frozenset()


MANY = 500


def tokens(usage: Usage) -> int:
    """All tokens of a usage, cached ones too."""
    return usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens
