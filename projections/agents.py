"""Agents and workers, as they stood."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from core.domain.words import Usage
from projections.because import agent_state
from projections.notes import fleet_state
from projections.prices import context_window, rates
from projections.record import timeline
from projections.rows import At
from projections.rows.agents import Agent, AgentPage, Stretch, Worker
from projections.rows.record import TimelineFilter
from projections.rows.runs import Run, RunFilter, tokens
from projections.runs import CLOCKS_APART_US, runs, runs_under_way
from projections.store import Reader, these

HOUR_US = 3_600_000_000
SOME = 20  # agents: of more of them the runs are not looked up one by one


def agents(db: Reader, at: At, *, gone: bool = False, ids: Collection[str] = ()) -> list[Agent]:
    """Agents by worker and name, or those of ``ids``; with ``gone`` also those that are no longer there."""
    if ids:
        return _agents(db, at, these("a.agent_id", ids), these("agent_id", ids), ids=list(ids))
    return _agents(db, at, "" if gone else "and a.present")


def crew(db: Reader, at: At) -> list[Agent]:
    """The agents that are there, and what each is at; not what all their runs came to, which goes over all runs there
    were."""
    return _made(db, at, db.ask("agents.page", {"where": "and a.present"}, seq=at.events_seq), {}, used=False)


def agent(db: Reader, at: At, agent_id: str, *, window_us: int = HOUR_US) -> AgentPage | None:
    """An agent with its latest runs and facts, or None where there was none of that id yet."""
    found = _agents(db, at, "and a.agent_id = $agent_id", "and agent_id = $agent_id", agent_id=agent_id)
    if not found:
        return None
    since = at.at - window_us
    return AgentPage(
        agent=found[0],
        runs=runs(db, at, RunFilter(agent_id=agent_id, limit=50)).rows,
        timeline=timeline(db, at, TimelineFilter(agent_id=agent_id, observations=False, limit=100)).entries,
        stretches=stretches(
            db.ask("agents.was", seq=at.events_seq, agent_id=agent_id),
            db.ask("agents.worked", seq=at.events_seq, agent_id=agent_id, since=since), since, at.at,
        ),
        since=since,
    )  # fmt: skip


def workers(db: Reader, at: At) -> list[Worker]:
    return [Worker(**row) for row in db.ask("workers.page", seq=at.events_seq)]


def stretches(was: Sequence[dict[str, Any]], worked: Sequence[dict[str, Any]], since: int, until: int) -> list[Stretch]:
    """What an agent did between two times, without gaps: its runs, and between them how it stood."""
    stood = [
        Stretch(
            state="gone" if not row["present"] else "paused" if row["paused"] else "idle", at=row["at"],
            until=was[n]["at"] if n < len(was) else until, because=row["because"] if row["paused"] else "",
        )
        for n, row in enumerate(was, 1)
    ]  # fmt: skip
    found: list[Stretch] = []
    here = since
    for row in worked:
        began = max(row["assigned_at"], here)
        ended = min(row["ended_at"] or until, until)
        if ended <= began:
            continue
        found += _between(stood, here, began)
        found.append(
            Stretch(state=row["state"], at=began, until=ended, run_id=row["run_id"], title=row["title"])
        )  # fmt: skip
        here = ended
    return found + _between(stood, here, until)


def _between(stood: Sequence[Stretch], since: int, until: int) -> list[Stretch]:
    cut = [msgspec.structs.replace(each, at=max(each.at, since), until=min(each.until, until)) for each in stood]
    return [each for each in cut if each.until > each.at]


def _agents(db: Reader, at: At, where: str, of: str = "", **values: Any) -> list[Agent]:
    """``where`` chooses agents, ``of`` their runs."""
    found = db.ask("agents.page", {"where": where}, seq=at.events_seq, **values)
    totals = {row["agent_id"]: row for row in db.ask("agents.totals", {"where": of}, seq=at.events_seq, **values)}
    return _made(db, at, found, totals)


def _made(
    db: Reader, at: At, found: Sequence[dict[str, Any]], totals: dict[str, dict[str, Any]], *, used: bool = True
) -> list[Agent]:
    busy = {row["run_id"] for row in found if row["run_id"]}
    some = busy if len(found) <= SOME else ()  # all runs under way are what other panels ask for, too
    under_way = runs_under_way(db, at, some) if busy else {}
    contexts = _contexts(db, at, {run_id: run for run_id, run in under_way.items() if run_id in busy}) if used else {}
    halted = fleet_state(db, at).halted
    return [
        made(
            row, totals.get(row["agent_id"], {}), under_way.get(row["run_id"]), contexts.get(row["run_id"]),
            halted=halted,
        )
        for row in found
    ]  # fmt: skip


def _contexts(db: Reader, at: At, under_way: dict[str, Run]) -> dict[str, int]:
    """Tokens that the last call of the model read, by run, where two words on usage tell."""
    known = {run.run_id: run.assigned_at for run in under_way.values() if context_window(run.model)}
    return {run_id: context(words) for run_id, words in words_on_usage(db, at, known).items()}


def words_on_usage(db: Reader, at: At, runs: Mapping[str, int]) -> dict[str, list[str]]:
    """The last two words on usage, newest first, by run; ``runs``: when each was assigned."""
    if not runs:
        return {}
    since = min(runs.values()) - CLOCKS_APART_US
    told: dict[str, list[str]] = {}
    for row in db.ask("agents.usage", observations_seq=at.observations_seq, since=since, run_ids=list(runs)):
        told.setdefault(row["run_id"], []).append(row["usage"])
    return told


def context(words: Sequence[str]) -> int:
    """Tokens that the last call of the model read, of the last words on usage, newest first: they are totals."""
    usages = [msgspec.json.decode(word, type=Usage) for word in words[:2]]
    read = [each.input_tokens + each.cache_read_tokens + each.cache_write_tokens for each in usages]
    return max(0, read[0] - (read[1] if len(read) > 1 else 0))


def made(row: dict[str, Any], total: dict[str, Any], run: Run | None, context: int | None, *, halted: bool) -> Agent:
    """An agent of its row in ``agents.page``, its row in ``agents.totals`` (empty: it had no run), and its run."""
    state = agent_state(row)
    since = row["since"]  # it came, went, or was paused or resumed then
    if state == "busy" and not row["paused"]:
        since = row["held_at"] or row["assigned_at"]
    elif state == "idle":
        since = max(since, total.get("last_ended", 0))
    estimated, unpriced = _estimate(row["model"], total)
    told = total["cost_uusd"] if total.get("priced") else None
    return Agent(
        agent_id=row["agent_id"],
        worker_id=row["worker_id"],
        name=row["name"],
        adapter=row["adapter"],
        state=state,
        since=since,
        because=_because(row, state, run, halted=halted),
        model=row["model"],
        pool=row["pool"],
        capabilities=tuple(row["capabilities"]),
        draining=row["worker_state"] == "draining",
        pausing=bool(row["paused"]) and state == "busy",
        paused_because=row["because"] if row["paused"] else "",
        run=run,
        last_seen=max(run.last_seen if run else 0, total.get("last_at", 0)),
        epoch=row["epoch"],
        runs=total.get("runs", 0),
        done=total.get("done", 0),
        failed=total.get("failed", 0),
        mean_ms=total["timed_ms"] / total["timed"] if total.get("timed") else None,
        tokens=total.get("tokens", 0),
        cost_uusd=None if told is None and estimated is None else (told or 0) + (estimated or 0),
        estimated_uusd=estimated or 0,
        unpriced_tokens=unpriced,
        context=context,
        window=context_window(row["model"]) if context is not None else None,
    )


def _estimate(model: str, total: dict[str, Any]) -> tuple[int | None, int]:
    """What the table says the tokens without a price cost (None: nothing), and those it has no price for either."""
    fields = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    usage = Usage(**{name: total.get(name, 0) for name in fields})
    used = tokens(usage)
    if not used:
        return None, 0
    known = rates(model)
    return (known.price(usage), 0) if known else (None, used)


def _because(row: dict[str, Any], state: str, run: Run | None, *, halted: bool) -> str:
    if state == "gone":
        left = {"lost": "its worker was lost", "left": "its worker left"}
        return left.get(row["worker_state"], "its worker no longer offers it")
    if run is not None and run.stopping:
        return "being stopped" if run.stopping == "cancel" else "being interrupted"
    if state == "busy" and row["paused"]:
        return "finishes its run, then pauses"
    if run is not None:
        if run.state == "held":
            return run.because or "held by order"
        return run.step or ("given to it, not begun" if run.state == "assigned" else "at work")
    if state == "paused":
        return row["because"] or "paused by order"
    if halted:
        return "the fleet is halted"
    return "its worker drains" if row["worker_state"] == "draining" else "nothing that fits it is ready"
