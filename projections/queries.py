"""Everything that can be asked, in one place. Each takes a reader and a moment.

Start a page with ``at = await read_model.query(moment, text, now_us)``; all its queries then see one and the same past:
``await read_model.query(tasks, at, TaskFilter(states=("failed",)))``.
"""

from __future__ import annotations

from projections.agents import agent, agents, workers
from projections.attention import attention
from projections.fleet import counts, hour, lanes, plans, queue, sessions, usage
from projections.moments import BadMoment, latest, moment
from projections.record import commands, timeline
from projections.runs import observations, run, runs, tool_calls
from projections.tasks import task, task_rows, tasks

__all__ = [
    "BadMoment", "agent", "agents", "attention", "commands", "counts", "hour", "lanes", "latest", "moment",
    "observations", "plans", "queue", "run", "runs", "sessions", "task", "task_rows", "tasks", "timeline",
    "tool_calls", "usage", "workers",
]  # fmt: skip
