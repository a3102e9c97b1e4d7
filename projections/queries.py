"""Everything that can be asked, in one place. Each takes a reader and a moment.

Start a page with ``at = await read_model.query(moment, text, now_us)``; all its queries then see one and the same past:
``await read_model.query(tasks, at, TaskFilter(states=("failed",)))``.
"""

from __future__ import annotations

from projections.agents import agent, agents, crew, workers
from projections.attention import attention
from projections.board import board
from projections.bulk import bulk, last_cost
from projections.costs import burn, costs, hours, models, spent_by
from projections.fleet import counts, hour, lane_names, lanes, plans, queue, sessions, usage
from projections.inside import causes, deeds, diffs, file_changes, resources, spending, waits
from projections.moments import BadMoment, latest, moment
from projections.notes import board_limits, bookmarks, fleet_state, views
from projections.ordered import BadPlace
from projections.pace import custom, out_of_step
from projections.reach import reach, stuck_on
from projections.record import commands, timeline
from projections.runboard import not_running, pulses, why_not
from projections.runs import observations, run, runs, tool_calls
from projections.session import session, session_uses
from projections.tasks import picks, task, task_rows, task_states, tasks, words_of
from projections.templates import template, templates
from projections.wording import wordings

__all__ = [
    "BadMoment", "BadPlace", "agent", "agents", "attention", "board", "board_limits", "bookmarks", "bulk", "burn",
    "causes", "commands", "costs", "counts", "crew", "custom", "deeds", "diffs", "file_changes", "fleet_state", "hour",
    "hours", "lane_names", "lanes", "last_cost", "latest", "models", "moment", "not_running", "observations",
    "out_of_step", "picks", "plans", "pulses", "queue", "reach", "resources", "run", "runs", "session", "session_uses",
    "sessions", "spending", "spent_by", "stuck_on", "task", "task_rows", "task_states", "tasks", "template",
    "templates", "timeline", "tool_calls", "usage", "views", "waits", "why_not", "wordings", "words_of", "workers",
]  # fmt: skip
