"""Runs: lists by filter, one run with its stages, and what was observed in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from core.domain.words import Usage
from projections.inside import EVER, Span, span, those
from projections.recent import newest
from projections.record import timeline
from projections.rows import At
from projections.rows.record import TimelineFilter
from projections.rows.runs import Observed, Run, RunFilter, RunPage, Runs, Stage, ToolCall
from projections.store import Reader, only

CLOCKS_APART_US = 600_000_000  # how far a worker's clock and the server's may differ when looking for the last sign
_USAGE = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "tool_calls", "cost_uusd")
UNDER_WAY = frozenset({"assigned", "running", "held"})
_STOPPING = {"cancel": "cancelling", "interrupt": "interrupting"}


def runs(db: Reader, at: At, wanted: RunFilter) -> Runs:
    """A page of runs, newest first, and how many there are."""
    values = {"seq": at.events_seq, "states": list(wanted.states), **{name: getattr(wanted, name) for name in _BY}}
    where = _where(wanted)
    born = int(wanted.before) if wanted.before.isdecimal() else 0
    clauses = {
        "of": "_moving" if wanted.states and UNDER_WAY.issuperset(wanted.states) else "",
        "ids": " where task_id = $task_id offset 0" if wanted.task_id else "",  # by its index: see ``only``
        "where": where,
        "before": "and r.born < $born" if born else "",
        "limit": f"limit {int(wanted.limit) + 1}" if wanted.limit else "",
    }
    total = int(db.ask("runs.count", clauses, **values)[0]["n"])

    def find(least: int) -> list[dict[str, Any]]:
        late = {"where": f"{where} and r.born >= $least"} if least else {}
        return db.ask("runs.page", clauses | late, **values, born=born, least=least)

    wished = wanted.limit + 1 if wanted.limit else total
    found = newest(find, since=0, until=born or at.events_seq, total=total, wanted=wished)
    more = bool(wanted.limit) and len(found) > wanted.limit
    found = found[: wanted.limit] if more else found
    return Runs(rows=_made(db, at, found), total=total, before=str(found[-1]["born"]) if more else "")


def run(db: Reader, at: At, run_id: str) -> RunPage | None:
    """A run with its stages, or None where there is no such run at that moment."""
    clauses = {"ids": only("run_id", [run_id]), "before": "", "limit": ""}
    found = _made(db, at, db.ask("runs.page", clauses, seq=at.events_seq, ids=[run_id]))
    if not found:
        return None
    within = span(db, at, found[0])
    counted = db.ask("observations.counted", **those(at, run_id, within))[0]
    return RunPage(
        run=found[0],
        span=within,
        stages=_stages(db.ask("runs.stages", seq=at.events_seq, run_id=run_id)),
        timeline=timeline(db, at, TimelineFilter(run_id=run_id, observations=False)).entries,
        **counted,
    )


def observations(
    db: Reader,
    at: At,
    run_id: str,
    within: Span = EVER,
    *,
    kinds: tuple[str, ...] = (),
    after: int = 0,
    limit: int = 200,
    latest: bool = False,
) -> list[Observed]:
    """What was seen in a run, in order, after sequence ``after``. ``latest``: the last ``limit`` of it."""
    where = {"where": "and list_contains($kinds, kind)" if kinds else ""}
    values = {**those(at, run_id, within), "after": after, "kinds": list(kinds), "latest": latest}
    return [_observed(row) for row in db.ask("observations.of_run", where, **values, limit=limit)]


def tool_calls(
    db: Reader,
    at: At,
    run_id: str,
    within: Span = EVER,
    *,
    after: int = 0,
    limit: int = 200,
    failed: bool = False,
    latest: bool = False,
) -> list[ToolCall]:
    """Tool calls of a run, in order, each with its result where one was seen. ``failed``: only those that did;
    ``latest``: the last ``limit`` of them."""
    values = those(at, run_id, within)
    shown = {"after": after, "limit": limit, "latest": latest}
    found = db.ask("observations.calls", {"failed": _FAILED if failed else ""}, **values, **shown)
    calls = [_observed(row) for row in found]
    refs = [call.ref for call in calls if call.ref]
    answers = db.ask("observations.results", **values, refs=refs) if refs else []
    results = {row["ref"]: _observed(row) for row in answers}
    return [ToolCall(call=call, result=results.get(call.ref)) for call in calls]


def runs_under_way(db: Reader, at: At, ids: Collection[str] = ()) -> dict[str, Run]:
    """Every run that is not over, or those of ``ids``, by its id."""
    clauses = {"of": "_moving", "where": "and r.ended_at = 0", "before": "", "limit": ""}
    if ids:
        clauses["ids"] = only("run_id", ids)
    found = db.ask("runs.page", clauses, seq=at.events_seq, ids=list(ids))
    return {each.run_id: each for each in _made(db, at, found)}


def last_seen(db: Reader, at: At, under_way: Sequence[dict[str, Any]]) -> dict[str, int]:
    """When something was last observed in each of the runs under way."""
    if not under_way:
        return {}
    since = min(row["assigned_at"] for row in under_way) - CLOCKS_APART_US
    run_ids = [row["run_id"] for row in under_way]
    found = db.ask("runs.last_seen", observations_seq=at.observations_seq, since=since, run_ids=run_ids)
    return {row["run_id"]: row["at_us"] for row in found}


_FAILED = """and ref in (
    select ref from observations
    where run_id = $run_id and stored_us between $since and $until and seq <= $observations_seq
        and kind = 'tool_result' and failed
)"""
_BY = ("task_id", "session_id", "agent_id", "worker_id", "lane")


def _where(wanted: RunFilter) -> str:
    clauses = [f"and r.{name} = ${name}" for name in _BY if getattr(wanted, name)]
    return " ".join(clauses + (["and list_contains($states, r.state)"] if wanted.states else []))


def _made(db: Reader, at: At, found: list[dict[str, Any]]) -> list[Run]:
    seen = last_seen(db, at, [row for row in found if not row["ended_at"]])
    return [made(row, seen.get(row["run_id"], 0)) for row in found]


def made(row: dict[str, Any], seen: int) -> Run:
    """A run of its row in ``runs.page``, something of which was last seen then (0: never)."""
    fields = {name: row[name] for name in Run.__struct_fields__ if name in row}
    fields |= {"files": tuple(row["files"]), "checks": tuple(row["checks"])}
    return Run(**fields, usage=Usage(**{name: row[name] for name in _USAGE}), last_seen=max(row["last_at"], seen))


def _stages(found: list[dict[str, Any]]) -> list[Stage]:
    """The states a run went through, one stage each, however many reports came within."""
    stages: list[Stage] = []
    for row in found:
        state = _STOPPING.get(row["stopping"], row["state"])
        if not stages or stages[-1].state != state:
            if stages:
                stages[-1] = msgspec.structs.replace(stages[-1], until=row["at_us"])
            stages.append(Stage(state=state, seq=row["seq"], at=row["at_us"]))
    return stages


def _observed(row: dict[str, Any]) -> Observed:
    usage = None if row["usage"] is None else msgspec.json.decode(row["usage"], type=Usage)
    return Observed(
        seq=row["seq"], run_id=row["run_id"], n=row["n"], at=row["at_us"], kind=row["kind"], name=row["name"],
        says=row["says"], ref=row["ref"], failed=row["failed"], usage=usage, data=row["data"],
    )  # fmt: skip
