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
from projections import activity
from projections.prices import MILLION, Rates, rates
from projections.rows import At, Row
from projections.rows.runs import tokens
from projections.sql import load
from projections.store import Reader

By = Literal["session", "agent", "model", "task", "lane", "hour", "run", "state"]
Basis = Literal["reported", "estimated", "partly estimated", "unpriced", "none"]

MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
HOURS = 24  # told one by one
MOST = 100  # rows of a table of costs

_MODEL = "coalesce(nullif(a.model, ''), a.adapter, '')"
_KEYS: dict[str, str] = {
    "session": "r.session_id",
    "agent": "r.agent_id",
    "model": _MODEL,
    "task": "r.task_id",
    "lane": "r.lane",
    "run": "r.run_id",
    "state": "r.state",
    "hour": "(case when r.hour = 0 then $now // 3600000000 else r.hour end) * 3600000000",
    "lately": "r.lately",
}
_BASES = {
    "reported": "and r.told",
    "estimated": "and not r.told and not r.silent and /*who*/ in (select who from rates)",
    "unpriced": "and not r.told and not r.silent and coalesce(/*who*/, '') not in (select who from rates)",
    "none": "and not r.told and r.silent",
}
_TITLED = ("task", "run")
_SUMMED = frozenset({"session", "agent", "lane", "hour", "state"})  # that the sums tell apart
_AS_IT_STANDS = "r.from_seq <= $seq and r.to_seq > $seq and (r.ended_at = 0 or r.ended_at >= $since)"
_IN_WHOLE_HOURS = "(r.hour = 0 or r.hour * 3600000000 >= $since)"
# By its agent's model when the run began, where agents changed theirs or that is asked for; else by its agent alone.
_MODELS = " left join agents a on a.agent_id = r.agent_id and a.from_seq <= r.born and a.to_seq > r.born"


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

    ``unpriced``: runs of today whose cost nobody knows are not in it. ``began``: the log's first fact."""

    today: Spent
    last_5m_uusd: int
    last_60m_uusd: int
    midnight: int
    next_midnight: int
    now: int
    began: int = 0

    @property
    def a_minute_uusd(self) -> float:
        """By the last five minutes, or what there is of them."""
        return self.last_5m_uusd * MINUTE_US / self._covered(5 * MINUTE_US)

    @property
    def calm(self) -> bool:
        return not self.last_5m_uusd and not self.today.under_way

    @property
    def hour_us(self) -> int:
        """How much of the last hour there was a log."""
        return self._covered(HOUR_US)

    @property
    def forecast_uusd(self) -> int:
        """Today's sum if the last hour, or what there is of it, goes on as it did until midnight; as it is while
        nothing is at work and nothing was spent lately."""
        left = 0 if self.calm else self.next_midnight - self.now
        return (self.today.uusd or 0) + round(self.last_60m_uusd * left / self.hour_us)

    def _covered(self, window_us: int) -> int:
        """The window, or the log's age where that is less; not below a minute, from which nothing follows."""
        return min(window_us, max(MINUTE_US, self.now - self.began))


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
    return {str(row.key): row for row in found.rows}


def costs(
    db: Reader, at: At, by: By, wanted: CostFilter, *, otherwise: Rates | None = None, limit: int = MOST
) -> Costs:
    """What the wanted runs cost, by one thing about them. ``limit`` 0: every row."""
    values = {"since": wanted.since, **_asked(wanted)}
    shown = {"limit": f"limit {limit}" if limit else "", "order": "key," if by == "hour" else ""}
    return _ask(db, at, by, {"where": _where(wanted), **shown}, values, otherwise, of_models=bool(wanted.model))


def burn(db: Reader, at: At) -> Burn:
    """Today, and how fast money goes."""
    midnight = at.at // DAY_US * DAY_US
    then = {"then_5": _before(db, at, 5 * MINUTE_US), "then_60": _before(db, at, HOUR_US)}
    lately = _ask(db, at, "lately", {"rows": "true"}, {"since": 0, **then}, runs=load().queries["costs.lately"])
    found = {str(row.key): row.uusd or 0 for row in lately.rows}
    under_way, last_5 = found.get("under way", 0), found.get("last 5", 0)
    return Burn(
        today=_together([hour for hour in _by_hour(db, at, CostFilter()) if int(hour.key) >= midnight]),
        last_5m_uusd=under_way + last_5 - found.get("then 5", 0),
        last_60m_uusd=under_way + last_5 + found.get("last 60", 0) - found.get("then 60", 0),
        midnight=midnight,
        next_midnight=midnight + DAY_US,
        now=at.at,
        began=activity.extent(db)[0],
    )


def _before(db: Reader, at: At, window_us: int) -> int:
    """The last fact before a span that ends at the moment."""
    after = db.ask("costs.first", since=at.at - window_us)[0]["seq"]
    return at.events_seq if after is None else min(int(after) - 1, at.events_seq)


def hours(db: Reader, at: At, wanted: CostFilter, *, count: int = HOURS) -> list[Spent]:
    """The last hours up to the moment, oldest first, those in which no run ended among them. A run counts in the hour
    it ended in, one under way in the present one."""
    last = at.at // HOUR_US * HOUR_US
    found = {row.key: row for row in _by_hour(db, at, wanted, count)}
    return [found.get(hour, Spent(key=hour)) for hour in range(last - (count - 1) * HOUR_US, last + 1, HOUR_US)]


def _by_hour(db: Reader, at: At, wanted: CostFilter, count: int = HOURS) -> list[Spent]:
    """Of the last hours those with runs; what ended by a clock that is ahead is in an hour yet to come."""
    first = (at.at // HOUR_US - count + 1) * HOUR_US
    narrowed = msgspec.structs.replace(wanted, since=max(first, wanted.since), hour=0)
    return costs(db, at, "hour", narrowed, limit=0).rows


def _together(rows: Sequence[Spent]) -> Spent:
    fields = [name for name in Spent.__struct_fields__ if name not in ("key", "title", "keys")]
    sums: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in fields}
    return Spent(**sums)


def models(db: Reader, at: At) -> list[str]:
    """Every model an agent had up to the moment."""
    return sorted({row["model"] for row in db.ask("costs.models", seq=at.events_seq) if row["model"]})


def _ask(  # noqa: PLR0917 - clauses and values of one query
    db: Reader,
    at: At,
    by: str,
    clauses: dict[str, str],
    values: dict[str, Any],
    otherwise: Rates | None = None,
    *,
    of_models: bool = False,
    runs: str = "runs",
) -> Costs:
    agents = db.ask("costs.models", seq=at.events_seq)
    of_models = of_models or by == "model" or len({row["agent_id"] for row in agents}) < len(agents)
    who = "a.model" if of_models else "r.agent_id"
    named = {
        "key": _KEYS[by], "who": who, "title": "r.title" if by in _TITLED else "''", "where": "", **_source(
            by, values, runs, of_models=of_models),
    }  # fmt: skip
    named |= clauses
    named["where"] = named["where"].replace("/*who*/", who)
    owners = [(row["model"] if of_models else row["agent_id"], row["model"]) for row in agents]
    found = db.ask(
        "costs.spent", named, seq=at.events_seq, now=at.at, **_price_list(owners), **_as(otherwise), **values
    )
    rows = [_spent(row) for row in found if not row["whole"]]
    total = next((_spent(row) for row in found if row["whole"]), Spent())
    return Costs(rows=rows, total=msgspec.structs.replace(total, key="", title=""))


def _source(by: str, values: dict[str, Any], runs: str, *, of_models: bool) -> dict[str, str]:
    """Where runs are read from: their sums where those tell apart what is asked for, else one by one."""
    if by in _SUMMED and not of_models and not values.get("task_id") and values["since"] % HOUR_US == 0:
        return {"of": "runs_summed($unsummed, $seq) r", "rows": _IN_WHOLE_HOURS}
    each = load().queries["costs.each"].replace("/*runs*/", runs) + " r"
    return {"of": each + _MODELS if of_models else each, "rows": _AS_IT_STANDS}


def _spent(row: dict[str, Any]) -> Spent:
    """Sums are told in millionths of a dollar for a million tokens; money in millionths of a dollar."""
    told: dict[str, Any] = {name: value for name, value in row.items() if name in Spent.__struct_fields__}
    return Spent(**told, estimated_uusd=_millionth(row["estimated"]), otherwise_uusd=_millionth(row["otherwise"]))


def _millionth(total: int) -> int:
    return (int(total) + MILLION // 2) // MILLION


def _price_list(owners: Sequence[tuple[str, str]]) -> dict[str, list[Any]]:
    """The rates of those whose model has any, as columns."""
    known = {who: found for who, model in owners if (found := rates(model)) is not None}
    columns: dict[str, list[Any]] = {"who": list(known)}
    for field in ("fresh", "cache_read", "cache_write", "output"):
        columns[field] = [getattr(found, field) for found in known.values()]
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
    clauses += [_BASES[wanted.basis]] if wanted.basis else []
    return " ".join(clauses)
