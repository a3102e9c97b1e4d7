"""Agents, what they did, and the workers that host them."""

from __future__ import annotations

from projections.rows import Row
from projections.rows.record import Entry
from projections.rows.runs import Run


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
