"""Why a task is in its state, and why it is not running: by the scheduler's own rule, from the rows of any moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from core.domain.agent import abilities as abilities_of
from core.domain.conditions import AgentView, Condition, TaskView, said_by, why
from core.domain.schedule import fits
from core.domain.spec import TaskSpec
from core.domain.state import needs_of
from core.domain.words import count, listed
from core.domain.worker import AgentSpec
from projections.notes import fleet_state
from projections.rows import At
from projections.rows.agents import Agent
from projections.store import Reader, only

TURN = "free to start: its turn comes"
_PROOFS = {
    "claimed": "as the agent says; no check was recorded",
    "verified": "verified by its checks",
    "imported": "was done when it was imported",
    "parts": "all its parts are done",
}


class Rule(msgspec.Struct):
    """What the rule looks at besides the task: lanes, agents, edges, as they stood."""

    lanes: dict[str, dict[str, Any]]
    agents: list[AgentView]
    unmet: dict[str, list[tuple[str, str]]]
    above: dict[str, list[str]]
    wording: dict[str, dict[str, Any]]
    circles: dict[str, list[str]]
    halted: str


def because_of(
    db: Reader, at: At, tasks: Sequence[dict[str, Any]], steps: dict[str, dict[str, Any]], *, every: bool = False
) -> dict[str, str]:
    """For each task row (with ``open_parts``) a line on why it is in its state. ``every``: these rows are all."""
    waiting = [row for row in tasks if row["state"] in ("blocked", "ready")]
    rule = _rule(db, at, waiting, every=every) if waiting else None
    known: dict[Any, str] = {}  # ready tasks of one lane with the same needs wait for the same thing
    says: dict[str, str] = {}
    for row in tasks:
        if rule is not None and row["state"] in ("blocked", "ready"):
            says[row["task_id"]] = _first_unmet(rule, row, at.at, known)
        else:
            says[row["task_id"]] = _at_rest(row, steps.get(row["run_id"]))
    return says


def why_of(db: Reader, at: At, tasks: Sequence[dict[str, Any]]) -> dict[str, list[Condition]]:
    """For each task row (with ``open_parts``) every condition for starting it, met or not."""
    return {task_id: conditions for task_id, (_, conditions) in seen_of(db, at, tasks).items()}


def seen_of(db: Reader, at: At, tasks: Sequence[dict[str, Any]]) -> dict[str, tuple[TaskView, list[Condition]]]:
    """The same, each with the rule's view of the task."""
    rule = _rule(db, at, tasks)
    views = {row["task_id"]: _view(rule, row) for row in tasks}
    return {task_id: (view, why(view, rule.agents, at.at)) for task_id, view in views.items()}


def agent_views(db: Reader, at: At) -> list[AgentView]:
    """Every agent that is there, as the rule sees it."""
    return [
        AgentView(agent_id=row["agent_id"], abilities=abilities(row), state=seen_state(row))
        for row in db.ask("agents.page", {"where": "and a.present"}, seq=at.events_seq)
    ]


def view_of(agent: Agent) -> AgentView:
    """The same of an agent that somebody has already, and whose worker is known."""
    offered = {name: getattr(agent, name) for name in ("name", "adapter", "model", "pool")}
    spec = AgentSpec(**offered, capabilities=list(agent.capabilities))
    held = agent.run is not None and agent.run.state == "held" and not agent.run.stopping
    state = "gone" if agent.draining else "held" if held else agent.state
    return AgentView(agent_id=agent.agent_id, abilities=abilities_of(spec), state=state)


def abilities(row: dict[str, Any]) -> frozenset[str]:
    """All a task may ask of the agent of this row, by the core's own rule."""
    offered = {name: row[name] for name in ("name", "adapter", "model", "pool", "capabilities")}
    return abilities_of(AgentSpec(**offered))


def needs(row: dict[str, Any]) -> frozenset[str]:
    """All the task of this row asks of an agent, by the core's own rule."""
    return needs_of(TaskSpec(title="?", needs=listing(row["needs"]), command="?" if row["has_command"] else ""))


def listing(text: str) -> list[str]:
    """A list as a task's wording keeps it (``specs.sql``)."""
    return msgspec.json.decode(text, type=list[str])


def unfit(asked: frozenset[str], present: Sequence[AgentView]) -> str:
    """Why none of the agents that are there will ever do a task that asks for these; empty where one could."""
    if any(fits(asked, agent.abilities) for agent in present):
        return ""
    lacking = asked.difference(*(agent.abilities for agent in present)) or asked
    return f"no agent offers {listed(sorted(lacking))}" if present else "no agent is connected"


def seen_state(row: dict[str, Any]) -> str:
    """An agent's state as the scheduler sees it: one on a worker that drains or is away is gone."""
    if row["worker_state"] != "live":
        return "gone"
    return "held" if row["run_held"] else agent_state(row)


def agent_state(row: dict[str, Any]) -> str:
    if not row["present"]:
        return "gone"
    if row["run_id"]:
        return "busy"
    return "paused" if row["paused"] else "idle"


def _rule(db: Reader, at: At, tasks: Sequence[dict[str, Any]], *, every: bool = False) -> Rule:
    seq, ids = at.events_seq, [row["task_id"] for row in tasks]
    wording = _wording(db, seq, ids, every=every)
    unmet = _unmet(db, seq, wording, every=every)
    circles = {name: row["circle"] for row in db.ask("tasks.circles", seq=seq) for name in row["circle"]}
    lanes = {row["lane"]: row for row in db.ask("lanes.rule", seq=seq)}
    above = _blocked_above(db, seq, ids, wording, unmet)
    return Rule(lanes, agent_views(db, at), unmet, above, wording, circles, _halted(db, at))


def _halted(db: Reader, at: At) -> str:
    fleet = fleet_state(db, at)
    return said_by(fleet.by, fleet.because) if fleet.halted else ""


def _wording(db: Reader, seq: int, ids: Sequence[str], *, every: bool) -> dict[str, dict[str, Any]]:
    """What the tasks and all that they are a part of depend on and need."""
    found: dict[str, dict[str, Any]] = {}
    look = list(ids)
    while look:
        clause = "" if every else only("task_id", look)
        for row in db.ask("tasks.wording", {"ids": clause}, seq=seq, ids=look):
            lists = {name: listing(row[name]) for name in ("depends_on", "parents")}
            found[row["task_id"]] = row | lists
        above = {parent for task_id in look if task_id in found for parent in found[task_id]["parents"]}
        look = [] if every else sorted(above - found.keys())
    return found


def _unmet(db: Reader, seq: int, wording: dict[str, Any], *, every: bool) -> dict[str, list[tuple[str, str]]]:
    """By task the dependencies that are not done, each with its state; a task nobody knows is 'unknown'."""
    needed = sorted({name for worded in wording.values() for name in worded["depends_on"]})
    if not needed:
        return {}
    clause = "" if every else only("task_id", needed)
    states = {row["task_id"]: row["state"] for row in db.ask("tasks.links", {"ids": clause}, seq=seq, ids=needed)}
    unmet: dict[str, list[tuple[str, str]]] = {}
    for task_id, worded in wording.items():
        left = [(name, states.get(name, "unknown")) for name in worded["depends_on"] if states.get(name) != "done"]
        if left:
            unmet[task_id] = left
    return unmet


def _blocked_above(
    db: Reader, seq: int, ids: Sequence[str], wording: dict[str, Any], unmet: dict[str, Any]
) -> dict[str, list[str]]:
    """By task the parents that wait themselves: for a dependency, or for a parent of their own that waits."""
    parents = sorted({parent for worded in wording.values() for parent in worded["parents"]})
    if not parents:
        return {}
    states = db.ask("tasks.links", {"ids": only("task_id", parents)}, seq=seq, ids=parents)
    not_done = {row["task_id"] for row in states if row["state"] != "done"}
    waits: dict[str, bool] = {}

    def waiting(task_id: str) -> bool:
        if task_id not in waits:
            waits[task_id] = False  # a circle of parents waits for nothing
            above = (parent in not_done and waiting(parent) for parent in wording[task_id]["parents"])
            waits[task_id] = task_id in unmet or any(above)
        return waits[task_id]

    found = {}
    for task_id in ids:
        above = [p for p in wording[task_id]["parents"] if p in not_done and p in wording and waiting(p)]
        if above:
            found[task_id] = above
    return found


def _view(rule: Rule, row: dict[str, Any]) -> TaskView:
    lane, task_id = rule.lanes[row["lane"]], row["task_id"]
    unmet = rule.unmet.get(task_id, [])
    return TaskView(
        task_id=task_id,
        state=row["state"],
        needs=needs(rule.wording[task_id]),
        lane=row["lane"],
        lane_paused=lane["paused"],
        lane_running=lane["running"],
        lane_concurrency=lane["concurrency"],
        unmet=unmet,
        blocked_parents=rule.above.get(task_id, []),
        open_children=row["open_parts"],
        retry_at=row["retry_at"],
        because=row["because"],
        circle=rule.circles.get(task_id, []) if row["state"] == "blocked" and (unmet or task_id in rule.above) else [],
        halted=rule.halted,
    )


def _first_unmet(rule: Rule, row: dict[str, Any], at: int, known: dict[Any, str]) -> str:
    like = (row["lane"], needs(rule.wording[row["task_id"]]), row["open_parts"])
    if row["state"] == "ready" and like in known:
        return known[like]
    unmet = [condition.says for condition in why(_view(rule, row), rule.agents, at) if not condition.met]
    says = unmet[0] if unmet else TURN
    if row["state"] == "ready":
        known[like] = says
    return says


def _at_rest(row: dict[str, Any], step: dict[str, Any] | None) -> str:
    """The line of a task that is not waiting for its turn."""
    stored: str = row["because"]
    match row["state"]:
        case "running":
            return _running(row, step)
        case "waiting":
            when = datetime.fromtimestamp(row["retry_at"] / 1e6, UTC)
            return f"tries again at {when:%H:%M:%S}" + (f" after {stored}" if stored else "")
        case "done":
            return _PROOFS.get(row["proof"], "")
        case "quarantined":
            return f"{count(row['losses'], 'worker')} lost under it; the last: {stored}"
        case "failed" if row["proof"] == "parts":
            return "a part of it failed"
        case "cancelled" if row["proof"] == "parts":
            return "all its parts were cancelled"
        case "paused" | "cancelled":
            return stored or "by order"
        case _:
            return stored


def _running(row: dict[str, Any], step: dict[str, Any] | None) -> str:
    if step is None:
        return ""
    if step["stopping"]:
        return "told to stop" if step["stopping"] == "cancel" else "told to interrupt"
    if step["state"] == "held":
        return str(step["because"])
    if step["step"]:
        return str(step["step"])
    return (
        f"given to {row['agent_id']}, not begun yet" if step["state"] == "assigned" else f"{row['agent_id']} is at it"
    )
