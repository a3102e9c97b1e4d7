"""Everything that can be asked, in one place. Each takes a reader and a moment: ``await store.query(tasks, at, wanted)``.

Start a page with ``at = await store.query(moment, text, now_us)``; all its queries then see one and the same past.
"""

from __future__ import annotations

from typing import Literal

from projections.rows import (
    Agent,
    AgentPage,
    At,
    Attention,
    CommandFilter,
    Commands,
    Counts,
    Hour,
    Lane,
    Observed,
    Plan,
    Queued,
    RunFilter,
    RunPage,
    Runs,
    Session,
    Task,
    TaskFilter,
    TaskRow,
    Tasks,
    Timeline,
    TimelineFilter,
    ToolCall,
    UsageRow,
    Worker,
)
from projections.store import Reader


def latest(db: Reader, now_us: int) -> At:
    """The live moment."""
    raise NotImplementedError


def moment(db: Reader, text: str, now_us: int) -> At:
    """The moment ``?at=`` names: an EVENTS sequence, an ISO time (UTC if it names no zone), ``-5m`` (s, m, h, d), or now.

    A time means the last fact whose ``at`` is not later, and observations up to it. ``BadMoment`` with a sentence for
    anything else, a sequence before the first or after the last included.
    """
    raise NotImplementedError


def counts(db: Reader, at: At) -> Counts:
    raise NotImplementedError


def hour(db: Reader, at: At) -> Hour:
    raise NotImplementedError


def tasks(db: Reader, at: At, wanted: TaskFilter) -> Tasks:
    raise NotImplementedError


def task_rows(db: Reader, at: At, task_ids: list[str]) -> list[TaskRow]:
    """The rows of just these tasks, for a live update; ids that do not exist then are left out."""
    raise NotImplementedError


def task(db: Reader, at: At, task_id: str) -> Task | None:
    raise NotImplementedError


def runs(db: Reader, at: At, wanted: RunFilter) -> Runs:
    raise NotImplementedError


def run(db: Reader, at: At, run_id: str) -> RunPage | None:
    raise NotImplementedError


def observations(
    db: Reader, at: At, run_id: str, *, kinds: tuple[str, ...] = (), after: int = 0, limit: int = 200
) -> list[Observed]:
    """What was seen in a run, in order, after sequence ``after``."""
    raise NotImplementedError


def tool_calls(db: Reader, at: At, run_id: str, *, after: int = 0, limit: int = 200) -> list[ToolCall]:
    raise NotImplementedError


def agents(db: Reader, at: At, *, gone: bool = False) -> list[Agent]:
    """Agents by worker and name; with ``gone`` also those that are no longer there."""
    raise NotImplementedError


def agent(db: Reader, at: At, agent_id: str) -> AgentPage | None:
    raise NotImplementedError


def workers(db: Reader, at: At) -> list[Worker]:
    raise NotImplementedError


def lanes(db: Reader, at: At) -> list[Lane]:
    raise NotImplementedError


def queue(db: Reader, at: At, lane: str, *, limit: int = 50) -> list[Queued]:
    """Ready tasks of a lane in the order the scheduler would give them out."""
    raise NotImplementedError


def sessions(db: Reader, at: At) -> list[Session]:
    raise NotImplementedError


def plans(db: Reader, at: At) -> list[Plan]:
    raise NotImplementedError


def timeline(db: Reader, at: At, wanted: TimelineFilter) -> Timeline:
    raise NotImplementedError


def commands(db: Reader, at: At, wanted: CommandFilter) -> Commands:
    raise NotImplementedError


def usage(
    db: Reader, at: At, by: Literal["agent", "model", "task", "lane", "session"], *, limit: int = 100
) -> list[UsageRow]:
    raise NotImplementedError


def attention(db: Reader, at: At, *, limit: int = 50) -> list[Attention]:
    """What needs a person, most urgent first, then longest waiting."""
    raise NotImplementedError
