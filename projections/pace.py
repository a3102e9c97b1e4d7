"""Runs that are out of step with the others: far slower than their kind, or using tokens far faster than their model.

Like attention it is a query of a moment; unlike it, nobody has to act: it is where to look first.
"""

from __future__ import annotations

from statistics import median
from typing import Literal

from projections.costs import cost_of
from projections.rows import At, Row
from projections.rows.runs import Run
from projections.runs import runs_under_way
from projections.store import Reader, only

WINDOW = 200_000  # facts looked back over: the present day's manner, not last month's
ENOUGH = 8  # ended runs that make a custom
OTHERS = 4  # runs under way that make one, where too few have ended
SLOW_FROM_US = 30_000_000  # younger than this nothing is slow, and nothing has a rate
SLOW_TIMES = 1.5  # one in twenty is beyond the p95 on any good day
DEAR_TIMES = 3.0
MINUTE_US = 60_000_000


class OutOfStep(Row, frozen=True):
    """``slow``: ``usual`` is the time, in µs, that 19 of 20 of its kind in its lane end within. ``dear``: ``rate`` and
    ``usual`` are tokens a minute; ``uusd_a_minute`` is None where nobody knows the price. ``times``: how much beyond.
    ``of``: what it is compared with; ``seen``: how many of them."""

    kind: Literal["slow", "dear"]
    run: Run
    since: int
    times: float
    usual: float
    of: str
    seen: int
    rate: float = 0.0
    uusd: int | None = None
    uusd_a_minute: int | None = None


class Custom(Row, frozen=True):
    """``times``: by lane and kind of task, the p95 of its runs in ms and how many they are. ``rates``: by model, the
    median of tokens a minute and of how many runs."""

    times: dict[tuple[str, str], tuple[float, int]]
    rates: dict[str, tuple[float, int]]


def custom(db: Reader, at: At) -> Custom:
    """What is usual. It changes slowly: whoever asks often may ask for one of a moment ago."""
    values = {"seq": at.events_seq, "window": WINDOW, "enough": ENOUGH}
    times, rates = db.ask("pace.times", **values), db.ask("pace.rates", **values)
    return Custom(
        times={(row["lane"], row["kind"]): (row["p95_ms"], int(row["n"])) for row in times},
        rates={row["model"]: (row["tokens_a_minute"], int(row["n"])) for row in rates},
    )


def out_of_step(db: Reader, at: At, usual: Custom | None = None) -> list[OutOfStep]:
    """The furthest out first."""
    old = [run for run in runs_under_way(db, at).values() if at.at - _began(run) >= SLOW_FROM_US]
    if not old:
        return []
    usual = usual or custom(db, at)
    found = [*_slow(db, at, old, usual), *_dear(at, old, usual)]
    return sorted(found, key=lambda each: -each.times)


def _slow(db: Reader, at: At, old: list[Run], usual: Custom) -> list[OutOfStep]:
    if not usual.times:
        return []
    ids = [run.task_id for run in old]
    kinds = {
        row["task_id"]: row["kind"]
        for row in db.ask("pace.kinds", {"ids": only("task_id", ids)}, seq=at.events_seq, ids=ids)
    }
    found = []
    for run in old:
        kind = kinds.get(run.task_id, "")
        p95_ms, seen = usual.times.get((run.lane, kind), (0.0, 0))
        so_far = at.at - _began(run)
        if seen and run.state == "running" and so_far > SLOW_TIMES * p95_ms * 1_000:
            found.append(
                OutOfStep(
                    kind="slow", run=run, since=_began(run), times=so_far / (p95_ms * 1_000), usual=p95_ms * 1_000,
                    of=f"{kind}s in lane {run.lane}", seen=seen,
                )
            )  # fmt: skip
    return found


def _dear(at: At, old: list[Run], usual: Custom) -> list[OutOfStep]:
    rates = {run.run_id: run.tokens * MINUTE_US / (at.at - _began(run)) for run in old if run.tokens}
    if not rates:
        return []
    found = []
    for run in old:
        rate = rates.get(run.run_id)
        if rate is None or run.state != "running":
            continue
        others = [rates[each.run_id] for each in old if each is not run and each.run_id in rates and _like(each, run)]
        norm, seen = usual.rates.get(_model(run)) or (median(others) if len(others) >= OTHERS else 0.0, len(others))
        if norm and rate > DEAR_TIMES * norm:
            found.append(_dear_one(run, at, rate, norm, seen))
    return found


def _dear_one(run: Run, at: At, rate: float, norm: float, seen: int) -> OutOfStep:
    cost = cost_of(run.usage, run.model).uusd
    minutes = (at.at - _began(run)) / MINUTE_US
    return OutOfStep(
        kind="dear", run=run, since=_began(run), times=rate / norm, usual=norm, rate=rate, of=_model(run), seen=seen,
        uusd=cost, uusd_a_minute=None if cost is None else round(cost / minutes),
    )  # fmt: skip


def _began(run: Run) -> int:
    return run.started_at or run.assigned_at


def _model(run: Run) -> str:
    return run.model or run.adapter


def _like(one: Run, other: Run) -> bool:
    return _model(one) == _model(other)
