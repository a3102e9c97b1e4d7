"""Tasks: lists by filter, and one task with all that hangs on it."""

# ruff: noqa: S608 - clauses are of this file; values are parameters
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from core.domain.spec import TaskSpec
from projections.because import because_of, listing, why_of
from projections.ordered import UNORDERED, Page
from projections.record import timeline
from projections.rows import At
from projections.rows.record import TimelineFilter
from projections.rows.runs import RunFilter
from projections.rows.tasks import Link, Pick, Task, TaskFilter, TaskRow, Tasks
from projections.runs import runs
from projections.store import Reader, only

# Written so that each comparison is pushed into the scan (measured at 1 M rows: 3 ms; as `in (…)` 20).
_STANDING = "t.state <> 'done' and t.state <> 'failed' and t.state <> 'cancelled' and t.state <> 'quarantined'"
_CONTAINERS = f"""(select unnest(from_json(s.parents, '["varchar"]'))
    from specs s join tasks t on t.task_id = s.task_id and {_STANDING} and t.from_seq <= $seq and t.to_seq > $seq
    where s.from_seq <= $seq and s.to_seq > $seq and s.part)"""
_COSTING = """(select task_id from runs where from_seq <= $seq and to_seq > $seq group by task_id
    having sum(cost_uusd) >= $cost_least and sum(cost_uusd) <= $cost_most)"""
_WORDS = re.compile(r'"([^"]*)"|(\S+)')
_MOST_COST = 1 << 62


def tasks(db: Reader, at: At, wanted: TaskFilter) -> Tasks:
    """A page of the tasks that fit, and how many there are."""
    values = values_of(at, wanted)
    by_state = task_states(db, at, wanted)
    total = sum(n for state, n in by_state.items() if not wanted.states or state in wanted.states)
    found, after = Page(db, at, wanted, where=where_of(wanted), values=values, by_state=by_state).find()
    return Tasks(rows=_rows(db, at, found, every=not wanted.limit), total=total, by_state=by_state, after=after)


def task_states(db: Reader, at: At, wanted: TaskFilter) -> dict[str, int]:
    """How many tasks fit but for the filter's states, by state."""
    if wanted == _listed(wanted, "states", "sessions"):
        return counted(db, at, wanted.sessions)
    if wanted.containers is False and wanted == _listed(wanted, "states", "containers"):
        return leaves(db, at)
    summed = wanted == _listed(wanted, "states", "sessions", "lanes")
    name = "tasks.by_state_summed" if summed else "tasks.by_state"
    found = db.ask(name, {"where": where_of(wanted, states=False)}, **values_of(at, wanted))
    return {row["state"]: int(row["n"]) for row in found}


def counted(db: Reader, at: At, sessions: Sequence[str] = (), *, containers: bool = True) -> dict[str, int]:
    """All there are, or those of some sessions, of the sums that the navigation is drawn of, too."""
    states: dict[str, int] = {}
    for row in db.ask("throughput.states", seq=at.events_seq):
        if (containers or not row["container"]) and (not sessions or row["session_id"] in sessions):
            states[row["state"]] = states.get(row["state"], 0) + int(row["n"])
    return states


def leaves(db: Reader, at: At) -> dict[str, int]:
    """Tasks that are not made of others."""
    states = counted(db, at, containers=False)
    for row in db.ask("throughput.containers", seq=at.events_seq):
        states[row["state"]] -= int(row["n"])
    return {state: n for state, n in states.items() if n}


def _listed(wanted: TaskFilter, *told: str) -> TaskFilter:
    """The same list without what the filter asks for but for these fields."""
    return TaskFilter(**{name: getattr(wanted, name) for name in (*told, "order", "reverse", "limit", "after")})


def picks(db: Reader, at: At, wanted: TaskFilter, task_ids: Sequence[str] = ()) -> list[Pick]:
    """All that fit the filter, or just these tasks, by id: enough of each to say what an order would do to it."""
    ids = {"ids": only("task_id", task_ids)} if task_ids else {"where": where_of(wanted)}
    limit = f"limit {int(wanted.limit)}" if wanted.limit else ""
    values = values_of(at, wanted) | {"ids": list(task_ids)}
    return [Pick(**row) for row in db.ask("tasks.picks", ids | {"limit": limit}, **values)]


def words_of(db: Reader, at: At, column: Literal["label", "kind"], *, limit: int = 50) -> list[str]:
    """The labels or kinds there are, the most used first."""
    word = "unnest(labels)" if column == "label" else "kind"
    found = db.ask("tasks.words", {"word": word}, seq=at.events_seq, limit=limit)
    return [row["word"] for row in found if row["word"]]


def task_rows(db: Reader, at: At, task_ids: Sequence[str]) -> list[TaskRow]:
    """The rows of just these tasks, for a live update; ids that do not exist then are left out."""
    clauses = UNORDERED | {"ids": only("task_id", task_ids)}
    return _rows(db, at, db.ask("tasks.page", clauses, seq=at.events_seq, ids=list(task_ids)))


def task(db: Reader, at: At, task_id: str) -> Task | None:
    """All there is about one task, or None where there is no such task at that moment."""
    clauses = UNORDERED | {"ids": only("task_id", [task_id])}
    found = db.ask("tasks.page", clauses, seq=at.events_seq, ids=[task_id])
    if not found:
        return None
    [row] = _rows(db, at, found)
    [worded] = db.ask("tasks.spec", seq=at.events_seq, task_id=task_id)
    around = [
        listing(worded["depends_on"]),
        _ids(db.ask("reach.needed_by", seq=at.events_seq, task_id=task_id)),
        listing(worded["parents"]),
        _ids(db.ask("reach.parts", seq=at.events_seq, task_id=task_id)),
    ]
    links = _links(db, at, [each for ids in around for each in ids])
    needs, dependents, parents, children = ([links[each] for each in ids] for ids in around)
    return Task(
        row=row,
        spec=msgspec.json.decode(worded["spec"], type=TaskSpec),
        needs=needs,
        dependents=dependents,
        parents=parents,
        children=children,
        runs=runs(db, at, RunFilter(task_id=task_id)).rows,
        timeline=timeline(db, at, TimelineFilter(task_id=task_id, observations=False)).entries,
        why=why_of(db, at, [found[0]])[task_id] if row.is_open and row.state != "running" else [],
        plan_id=found[0]["plan_id"],
    )


def values_of(at: At, wanted: TaskFilter) -> dict[str, Any]:
    """The parameters of ``where_of``, and the moment."""
    return {
        "seq": at.events_seq, "states": list(wanted.states), "lanes": list(wanted.lanes),
        "sessions": list(wanted.sessions), "kinds": list(wanted.kinds), "labels": list(wanted.labels),
        "priorities": list(wanted.priorities), "agent": wanted.agent, "since": wanted.since,
        "cost_least": wanted.cost_least or 0,
        "cost_most": _MOST_COST if wanted.cost_most is None else wanted.cost_most,
        **{f"word{n}": word for n, word in enumerate(_words(wanted.text))},
    }  # fmt: skip


def where_of(wanted: TaskFilter, *, states: bool = True) -> str:
    """The clauses of a filter, for a query over ``tasks t`` at ``$seq``. ``states`` False: but for its states."""
    clauses = {
        "and list_contains($states, t.state)": states and wanted.states,
        "and list_contains($lanes, t.lane)": wanted.lanes,
        "and list_contains($sessions, t.session_id)": wanted.sessions,
        "and list_contains($kinds, t.kind)": wanted.kinds,
        "and list_has_any($labels, t.labels)": wanted.labels,
        "and list_contains($priorities, t.priority)": wanted.priorities,
        "and (t.agent_id = $agent or ends_with(t.agent_id, '/' || $agent))": wanted.agent,
        "and t.since >= $since": wanted.since,
        f"and t.task_id in {_COSTING}": wanted.cost_least is not None or wanted.cost_most is not None,
        f"and (t.proof = 'parts' or t.task_id in {_CONTAINERS})": wanted.containers is True,
        f"and t.proof <> 'parts' and t.task_id not in {_CONTAINERS}": wanted.containers is False,
    }
    asked = [clause for clause, wants in clauses.items() if wants]
    holds = "and contains(lower(t.task_id || ' ' || t.title), $word{})"
    return " ".join([*asked, *(holds.format(n) for n, _ in enumerate(_words(wanted.text)))])


def _words(text: str) -> list[str]:
    return [phrase or word for phrase, word in _WORDS.findall(text.lower()) if phrase or word]


def _rows(db: Reader, at: At, found: list[dict[str, Any]], *, every: bool = False) -> list[TaskRow]:
    """Base rows with what other tables know of them: parts, usage, the running step, and why each is in its state."""
    if not found:
        return []
    seq, ids = at.events_seq, [row["task_id"] for row in found]
    of_parent, of_task = ("", "") if every else (only("after", ids), only("task_id", ids))
    parts = _by_task(db.ask("tasks.parts", {"ids": of_parent}, seq=seq, ids=ids))
    used = _by_task(db.ask("tasks.used", {"ids": of_task}, seq=seq, ids=ids))
    for row in found:
        row.update(parts.get(row["task_id"], {"parts": 0, "open_parts": 0}))
        row.update(used.get(row["task_id"], {"failed": None, "tokens": 0, "cost_uusd": None}))
        row["used"] = sum(born > row["tries_from"] for born in row["failed"] or ())
    running = [row["run_id"] for row in found if row["state"] == "running"]
    steps = {row["run_id"]: row for row in db.ask("tasks.steps", seq=seq, run_ids=running)} if running else {}
    says = because_of(db, at, found, steps, every=every)
    return [_row(row, steps.get(row["run_id"]), says[row["task_id"]]) for row in found]


def _row(row: dict[str, Any], step: dict[str, Any] | None, says: str) -> TaskRow:
    run = step if row["state"] == "running" and step is not None else {}
    fields = {name: row[name] for name in TaskRow.__struct_fields__ if name in row}
    fields |= {"because": says, "step": run.get("step") or "", "percent": run.get("percent")}
    return TaskRow(**fields | {"labels": tuple(row["labels"])})


def _by_task(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["task_id"]: row for row in found}


def _ids(found: list[dict[str, Any]]) -> list[str]:
    return sorted(row["task_id"] for row in found)


def _links(db: Reader, at: At, ids: list[str]) -> dict[str, Link]:
    known = _by_task(db.ask("tasks.links", {"ids": only("task_id", ids)}, seq=at.events_seq, ids=ids)) if ids else {}
    return {each: Link(**known[each]) if each in known else Link(task_id=each, missing=True) for each in ids}
