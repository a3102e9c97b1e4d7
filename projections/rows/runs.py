"""Runs: which, one with its stages, and what was observed in it."""

from __future__ import annotations

from typing import Literal

from core.domain.words import Usage
from projections.rows import Row
from projections.rows.record import Entry


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


def tokens(usage: Usage) -> int:
    """All tokens of a usage, cached ones too."""
    return usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens
