"""What a person is needed for."""

from __future__ import annotations

from typing import Literal

from projections.rows import Row


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
