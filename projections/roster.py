"""The agents as they stand now, in memory: what a row that is drawn many times a second is drawn from.

Five questions of 4 ms each answered what an agent's row says; with 200 agents at work that took a third of a processor.
Here the very rows that a fold moves are kept, so nothing here knows a fact. Where it is not sure it knows nothing, and
whoever asks must ask the tables; a law compares the two at every moment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
import pyarrow as pa

from projections.agents import context as context_of
from projections.agents import made, words_on_usage
from projections.notes import fleet_state
from projections.prices import context_window
from projections.rows import At
from projections.rows.agents import Agent
from projections.runs import last_seen
from projections.runs import made as run_made
from projections.store import Reader

Row = dict[str, Any]
Moves = list[tuple[Row | None, Row]]  # of each key, the row that stood before and the one that stands now

WATCHED = frozenset({"agents", "workers", "runs", "fleet_state"})
SPARE = 1_000  # runs that were observed and are not under way: not yet, or no longer
_NUMBERS = ("runs", "done", "failed", "timed", "timed_ms", "tokens", "priced", "cost_uusd")
_KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
_LATEST = ("last_ended", "last_at")


class Known(msgspec.Struct):
    """All of it, at one moment. ``totals`` as ``agents.totals`` gives them; ``seen`` and ``used`` by run."""

    agents: dict[str, Row]
    workers: dict[str, Row]
    runs: dict[str, Row]
    totals: dict[str, Row]
    seen: dict[str, int]
    used: dict[str, list[str]]
    halted: bool
    events_seq: int
    observations_seq: int


class Roster:
    """Fed with each fold, asked by whoever draws; both on one thread."""

    def __init__(self) -> None:
        self._known: Known | None = None
        self._learning = False
        self._missed: list[tuple[str, int, dict[str, Any]]] = []
        self._of_agent: dict[str, set[str]] = {}  # runs under way

    @property
    def known(self) -> bool:
        return self._known is not None

    @property
    def learning(self) -> bool:
        return self._learning

    def forget(self) -> None:
        """Something moved that was not told row by row."""
        self._known, self._missed, self._learning = None, [], False

    def begin(self) -> None:
        """From now on what moves is kept, until ``learn`` brings what stood before."""
        self.forget()
        self._learning = True

    def learn(self, known: Known) -> None:
        """How it stood at some moment since ``begin``; nothing where that was forgotten meanwhile."""
        if not self._learning:
            return
        missed = self._missed
        self.forget()
        self._known = known
        self._of_agent = {}
        for run_id, run in known.runs.items():
            self._of_agent.setdefault(run["agent_id"], set()).add(run_id)
        for stream, seq, moved in missed:
            if seq > (known.events_seq if stream == "EVENTS" else known.observations_seq):
                self._take(known, moved)

    def fold(self, stream: str, seq: int, moved: dict[str, Any]) -> None:
        """What a commit moved, by table: ``Moves``, the observations themselves, or None where it was too much."""
        if any(each is None for each in moved.values()):
            self.forget()
        elif self._learning:
            self._missed.append((stream, seq, moved))
        elif self._known is not None:
            self._take(self._known, moved)

    def agents(self, ids: Collection[str] = ()) -> list[Agent] | None:
        """Those agents as they stand, or all that are there; None where that is not known."""
        known = self._known
        if known is None:
            return None
        if ids:
            rows = [known.agents[each] for each in ids if each in known.agents]
        else:
            there = [row for row in known.agents.values() if row["present"]]
            rows = sorted(there, key=lambda row: (row["worker_id"], len(row["name"]), row["name"]))
        return [self._agent(known, row) for row in rows]

    def _take(self, known: Known, moved: dict[str, Any]) -> None:
        for kept, name, key in ((known.agents, "agents", "agent_id"), (known.workers, "workers", "worker_id")):
            kept.update((now[key], now) for _, now in moved.get(name, ()))
        for _, now in moved.get("fleet_state", ()):
            known.halted = now["halted"]
        for before, now in moved.get("runs", ()):
            self._take_run(known, before, now)
        if "observations" in moved:
            self._take_seen(known, moved["observations"])

    def _take_run(self, known: Known, before: Row | None, now: Row) -> None:
        run_id, agent_id = now["run_id"], now["agent_id"]
        total = known.totals.setdefault(agent_id, dict.fromkeys((*_NUMBERS, *_KINDS, *_LATEST), 0))
        add(total, before, -1)
        add(total, now, 1)
        if now["ended_at"]:
            known.runs.pop(run_id, None)
            known.seen.pop(run_id, None)
            known.used.pop(run_id, None)
            self._of_agent.get(agent_id, set()).discard(run_id)
        else:
            known.runs[run_id] = now
            self._of_agent.setdefault(agent_id, set()).add(run_id)

    def _take_seen(self, known: Known, observations: pa.Table) -> None:
        rows = zip(*(observations[name].to_pylist() for name in ("run_id", "at_us", "kind", "usage")), strict=True)
        for run_id, at_us, kind, usage in rows:
            known.seen[run_id] = max(at_us, known.seen.get(run_id, 0))
            if kind == "usage" and usage is not None:
                known.used[run_id] = [usage, *known.used.get(run_id, ())][:2]
        if len(known.seen) > len(known.runs) + SPARE:
            known.seen = {run_id: at for run_id, at in known.seen.items() if run_id in known.runs}
            known.used = {run_id: used for run_id, used in known.used.items() if run_id in known.runs}

    def _agent(self, known: Known, agent: Row) -> Agent:
        under_way = [known.runs[run_id] for run_id in self._of_agent.get(agent["agent_id"], ())]
        row = agent | _doing(under_way) | _hosted(known.workers.get(agent["worker_id"]))
        run = None
        if row["run_id"]:
            found = known.runs[row["run_id"]]
            told = found | {"seq": found["from_seq"], "adapter": agent["adapter"], "model": agent["model"]}
            run = run_made(told, known.seen.get(row["run_id"], 0))
        used = known.used.get(row["run_id"], [])
        context = context_of(used) if used and run is not None and context_window(agent["model"]) else None
        return made(row, known.totals.get(agent["agent_id"], {}), run, context, halted=known.halted)


def load(db: Reader, at: At) -> Known:
    """All of it as it stood then, from the tables."""
    seq = at.events_seq
    runs = {row["run_id"]: row for row in db.ask("agents.under_way", seq=seq)}
    return Known(
        agents={row["agent_id"]: row for row in db.ask("agents.standing", seq=seq)},
        workers={row["worker_id"]: row for row in db.ask("workers.standing", seq=seq)},
        runs=runs,
        totals={row["agent_id"]: row for row in db.ask("agents.totals", {"where": ""}, seq=seq)},
        seen=last_seen(db, at, list(runs.values())),
        used=words_on_usage(db, at, {run_id: run["assigned_at"] for run_id, run in runs.items()}),
        halted=fleet_state(db, at).halted,
        events_seq=seq,
        observations_seq=at.observations_seq,
    )


def add(total: Row, run: Row | None, sign: int) -> None:
    """Count a run into its agent's totals, or out of them. The latest of something only grows."""
    if run is None:
        return
    state, cost = run["state"], run["cost_uusd"]
    timed = state in ("succeeded", "failed")
    used = [run[kind] for kind in _KINDS]
    told = (
        1, state == "succeeded", state in ("failed", "lost"), timed, run["duration_ms"] if timed else 0, sum(used),
        cost is not None, cost or 0,
    )  # fmt: skip
    for name, value in zip(_NUMBERS, told, strict=True):
        total[name] += sign * value
    for name, value in zip(_KINDS, used, strict=True):
        total[name] += 0 if cost is not None else sign * value
    if sign > 0:
        total["last_ended"] = max(total["last_ended"], run["ended_at"])
        total["last_at"] = max(total["last_at"], run["last_at"])


def _doing(under_way: Iterable[Row]) -> Row:
    """Of an agent's runs under way, what ``agents.page`` says of them."""
    runs = sorted(under_way, key=lambda run: run["born"])
    if not runs:
        return {"run_id": "", "assigned_at": 0, "run_held": False, "held_at": 0}
    held = [run["last_at"] for run in runs if run["state"] == "held" and run["stopping"] == ""]
    return {
        "run_id": runs[-1]["run_id"], "assigned_at": min(run["assigned_at"] for run in runs),
        "run_held": bool(held), "held_at": max(held, default=0),
    }  # fmt: skip


def _hosted(worker: Row | None) -> Row:
    if worker is None:
        return {"worker_state": None, "worker_since": None, "epoch": 0}
    return {"worker_state": worker["state"], "worker_since": worker["since"], "epoch": worker["epoch"] or 0}
