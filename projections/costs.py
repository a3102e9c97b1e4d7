"""What work costs: one way to tell it for a run, an agent, a task, a lane, a model, a session, an hour, and the fleet.

A run's cost is, in this order: what it **reported** itself; else **estimated**, its tokens by its model's rates
(``prices.py``); else it is **unpriced**: it used tokens and nobody knows what they cost. A run that used none and
reported none is silent. Unpriced is never zero: it is counted beside the sum.

For pages that show one thing: ``cost_of(run.usage, run.model)`` for a run that is at hand, and
``await read_model.query(spent_by, at, "agent", ["w1/a0", …])`` for many agents, tasks, lanes, sessions or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from core.domain.words import Usage
from projections.prices import Rates, rates
from projections.rows import At, Row, tokens
from projections.store import Reader

By = Literal["session", "agent", "model", "task", "lane", "hour", "run", "state"]
Basis = Literal["reported", "estimated", "partly estimated", "unpriced", "none"]

MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
MOST = 100  # rows of a table of costs

_KEYS: dict[str, str] = {
    "session": "r.session_id",
    "agent": "r.agent_id",
    "model": "coalesce(nullif(a.model, ''), a.adapter, '')",
    "task": "r.task_id",
    "lane": "r.lane",
    "run": "r.run_id",
    "state": "r.state",
    "hour": "(case when r.ended_at = 0 then $now else r.ended_at end // 3600000000) * 3600000000",
}
_BASES = {
    "reported": "where reported is not null",
    "estimated": "where estimated is not null",
    "unpriced": "where reported is null and estimated is null and tokens > 0",
    "none": "where reported is null and tokens = 0",
}
_TITLED = ("task", "run")
_AS_IT_STANDS = "r.from_seq <= $seq and r.to_seq > $seq and (r.ended_at = 0 or r.ended_at >= $since)"
_UNDER_WAY_THEN = "r.from_seq <= $first and r.to_seq > $first and r.ended_at = 0"


class Cost(Row, frozen=True):
    """What one run cost, in millionths of a dollar (None: unpriced, or nothing was used), and on whose word."""

    uusd: int | None
    basis: Basis


class CostFilter(Row, frozen=True):
    """Which runs. ``since``: ended no earlier, or still under way (microseconds; 0: all). ``hour``: ended within it.
    ``basis``: on whose word their cost is told; empty: any."""

    session_id: str = ""
    agent_id: str = ""
    model: str = ""
    task_id: str = ""
    lane: str = ""
    hour: int = 0
    since: int = 0
    basis: Literal["", "reported", "estimated", "unpriced", "none"] = ""


class Spent(Row, frozen=True):
    """What a number of runs cost; ``keys``: how many rows like this one there are. Money in millionths of a dollar.

    ``unpriced_tokens``: of runs whose cost nobody knows; ``silent_runs`` told of no usage; ``otherwise_uusd``: all
    their tokens by the rates of another model, which leaves out ``without_tokens`` runs that told a cost and no tokens.
    """

    key: str | int = ""
    title: str = ""
    keys: int = 0
    runs: int = 0
    under_way: int = 0
    done: int = 0
    failed: int = 0
    tokens: int = 0
    reported_uusd: int = 0
    reported_runs: int = 0
    estimated_uusd: int = 0
    estimated_runs: int = 0
    unpriced_tokens: int = 0
    unpriced_runs: int = 0
    silent_runs: int = 0
    without_tokens: int = 0
    otherwise_uusd: int = 0

    @property
    def uusd(self) -> int | None:
        """Reported and estimated together; None when no run of them has a price."""
        return self.reported_uusd + self.estimated_uusd if self.reported_runs + self.estimated_runs else None

    @property
    def basis(self) -> Basis:
        if self.reported_runs and self.estimated_runs:
            return "partly estimated"
        if self.reported_runs:
            return "reported"
        if self.estimated_runs:
            return "estimated"
        return "unpriced" if self.unpriced_runs else "none"


class Costs(Row, frozen=True):
    """The dearest first (hours: in their order), and the sum of all, shown or not."""

    rows: list[Spent]
    total: Spent

    @property
    def keys(self) -> int:
        """How many rows there are, shown or not."""
        return self.rows[0].keys if self.rows else 0


class Burn(Row, frozen=True):
    """What is being spent: since midnight UTC, in the last minutes, and what that comes to by the next midnight.

    ``unpriced``: runs of today whose cost nobody knows are not in it."""

    today: Spent
    last_5m_uusd: int
    last_60m_uusd: int
    midnight: int
    next_midnight: int
    now: int

    @property
    def a_minute_uusd(self) -> float:
        """By the last five minutes."""
        return self.last_5m_uusd / 5

    @property
    def forecast_uusd(self) -> int:
        """Today's sum if the last hour goes on as it did until midnight."""
        left = self.next_midnight - self.now
        return (self.today.uusd or 0) + round(self.last_60m_uusd * left / HOUR_US)


def cost_of(usage: Usage, model: str) -> Cost:
    """What a run with that usage, by an agent of that model, cost."""
    if usage.cost_uusd is not None:
        return Cost(uusd=usage.cost_uusd, basis="reported")
    if not tokens(usage):
        return Cost(uusd=None, basis="none")
    known = rates(model)
    return Cost(uusd=known.price(usage), basis="estimated") if known else Cost(uusd=None, basis="unpriced")


def spent_by(db: Reader, at: At, by: By, keys: Sequence[str] = ()) -> dict[str, Spent]:
    """What each of these agents (tasks, lanes, …) cost in all its runs up to the moment; of all there are, without
    ``keys``."""
    where = f"and list_contains($keys, {_KEYS[by]})" if keys else ""
    found = _ask(db, at, by, {"where": where}, {"keys": list(keys), "since": 0})
    return {str(row.key): row for row in found}


def costs(
    db: Reader, at: At, by: By, wanted: CostFilter, *, otherwise: Rates | None = None, limit: int = MOST
) -> Costs:
    """What the wanted runs cost, by one thing about them. ``limit`` 0: every row."""
    where = _where(wanted)
    values = {"since": wanted.since, **_asked(wanted)}
    clauses = {"where": where, "basis": _BASES.get(wanted.basis, "")}
    shown = {"limit": f"limit {limit}" if limit else "", "order": "key," if by == "hour" else ""}
    rows = _ask(db, at, by, clauses | shown, values, otherwise)
    total = _ask(db, at, None, clauses, values, otherwise)
    return Costs(rows=rows, total=total[0] if total else Spent())


def burn(db: Reader, at: At) -> Burn:
    """Today, and how fast money goes."""
    midnight = at.at // DAY_US * DAY_US
    return Burn(
        today=_sum(db, at, midnight),
        last_5m_uusd=_increase(db, at, at.at - 5 * MINUTE_US),
        last_60m_uusd=_increase(db, at, at.at - HOUR_US),
        midnight=midnight,
        next_midnight=midnight + DAY_US,
        now=at.at,
    )


def hours(db: Reader, at: At, wanted: CostFilter, *, count: int = 24) -> list[Spent]:
    """The last hours up to the moment, oldest first, those in which no run ended among them. A run counts in the hour
    it ended in, one under way in the present one."""
    last = at.at // HOUR_US * HOUR_US
    first = last - (count - 1) * HOUR_US
    narrowed = msgspec.structs.replace(wanted, since=max(first, wanted.since), hour=0)
    values = {"since": narrowed.since, **_asked(narrowed)}
    found = {row.key: row for row in _ask(db, at, "hour", {"where": _where(narrowed)}, values)}
    return [found.get(hour, Spent(key=hour)) for hour in range(first, last + 1, HOUR_US)]


def models(db: Reader, at: At) -> list[str]:
    """Every model an agent had up to the moment."""
    return sorted(row["model"] for row in db.ask("costs.models", seq=at.events_seq))


def _sum(db: Reader, at: At, since: int) -> Spent:
    found = _ask(db, at, None, {}, {"since": since})
    return found[0] if found else Spent()


def _increase(db: Reader, at: At, since: int) -> int:
    """What the fleet spent since then: runs over or under way now, less what those under way then had cost by then."""
    first = int(db.ask("costs.first", since=since)[0]["seq"])
    before = _ask(db, at, None, {"rows": _UNDER_WAY_THEN}, {"first": first})
    return (_sum(db, at, since).uusd or 0) - ((before[0].uusd or 0) if before else 0)


def _ask(  # noqa: PLR0917 - clauses and values of one query
    db: Reader,
    at: At,
    by: By | None,
    clauses: dict[str, str],
    values: dict[str, Any],
    otherwise: Rates | None = None,
) -> list[Spent]:
    key = _KEYS[by] if by else "''"
    named = {"key": key, "title": "r.title" if by in _TITLED else "''", "rows": _AS_IT_STANDS, "where": ""}
    found = db.ask(
        "costs.spent",
        {**named, **clauses},
        seq=at.events_seq,
        now=at.at,
        **_price_list(models(db, at)),
        **_as(otherwise),
        **values,
    )
    return [Spent(**row) for row in found]


def _price_list(names: list[str]) -> dict[str, list[Any]]:
    """The rates of the models that have any, as columns."""
    known = [(name, found) for name in names if (found := rates(name)) is not None]
    columns: dict[str, list[Any]] = {"models": [name for name, _ in known]}
    for field in ("fresh", "cache_read", "cache_write", "output"):
        columns[field] = [getattr(found, field) for _, found in known]
    return columns


def _as(model: Rates | None) -> dict[str, int]:
    fields = ("fresh", "cache_read", "cache_write", "output")
    return {f"as_{field}": getattr(model, field) if model else 0 for field in fields}


def _asked(wanted: CostFilter) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in ("session_id", "agent_id", "model", "task_id", "lane", "hour")}


def _where(wanted: CostFilter) -> str:
    clauses = [f"and r.{name} = ${name}" for name in ("session_id", "agent_id", "task_id", "lane")
               if getattr(wanted, name)]  # fmt: skip
    clauses += [f"and {_KEYS['model']} = $model"] if wanted.model else []
    clauses += [f"and {_KEYS['hour']} = $hour"] if wanted.hour else []
    return " ".join(clauses)
