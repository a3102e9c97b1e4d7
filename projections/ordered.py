"""A list of tasks in one of its orders, a page at a time.

Most tasks there ever were are at rest. A list that begins with the others, or with the newest, does not look at all of
them to find its first hundred.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from core.domain.spec import OPEN
from projections import activity
from projections.known import Rows
from projections.recent import newest
from projections.rows import At
from projections.rows.tasks import STATE_ORDER, TaskFilter, TaskOrder
from projections.store import Reader

AT_REST = ("done", "cancelled")
_RANK = f"case t.state {' '.join(f'when {state!r} then {rank}' for rank, state in enumerate(STATE_ORDER))} end"
_RESTS = "t.state in ('done', 'cancelled')"
_NEED = (
    f"{_RANK} as k1, case when {_RESTS} then 0 else t.priority end as k2, "
    f"case when {_RESTS} then -t.since else t.born end as k3"
)
_KEYS: dict[TaskOrder, str] = {
    "need": _NEED,
    "queue": "t.priority as k1, coalesce(t.placed, t.born) as k2, 0 as k3",
    "recent": "-t.since as k1, -t.born as k2, 0 as k3",
    "cost": "-coalesce(u.cost_uusd, -1) as k1, t.priority as k2, t.born as k3",
    "tokens": "-coalesce(u.tokens, 0) as k1, t.priority as k2, t.born as k3",
    "id": "0 as k1, 0 as k2, 0 as k3",
    "title": "lower(t.title) as k1, 0 as k2, 0 as k3",
    "lane": "t.lane as k1, t.priority as k2, t.born as k3",
    "priority": f"t.priority as k1, {_RANK} as k2, t.born as k3",
    "agent": "(t.agent_id = '')::int as k1, t.agent_id as k2, t.born as k3",
    "attempt": "-t.attempt as k1, t.priority as k2, t.born as k3",
    "age": "t.since as k1, t.born as k2, 0 as k3",
}
_BY_WORD = {"title": (0,), "lane": (0,), "agent": (1,)}  # the keys that are words; the others are numbers
_USED = """left join (select task_id, sum(cost_uusd)::bigint as cost_uusd,
        sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens)::bigint as tokens
    from runs where from_seq <= $seq and to_seq > $seq group by task_id) u using (task_id)"""
_FORWARD, _BACK = "k1, k2, k3, task_id", "k1 desc, k2 desc, k3 desc, task_id desc"
UNORDERED = {"keys": _KEYS["need"], "cost": "", "after": "", "order": _FORWARD, "limit": ""}
_MOST_KEY = 1 << 62
_Key = int | float | str


class BadPlace(ValueError):
    """Not a place in a list; the text says what could be."""


class Page:
    """One page of the tasks that fit a filter. ``where``: the filter's clauses; ``values``: their parameters;
    ``by_state``: how many fit, by state, whatever states the filter asks for."""

    def __init__(
        self, db: Reader, at: At, wanted: TaskFilter, *, where: str, values: dict[str, Any], by_state: Mapping[str, int]
    ) -> None:
        self._db, self._at, self._wanted = db, at, wanted
        self._where, self._by_state = where, by_state
        self._cursor = _cursor(wanted)
        self._values = {**values, **self._cursor}
        beyond = f"and ({_FORWARD}) {'<' if wanted.reverse else '>'} ($k1, $k2, $k3, $last)"
        self._clauses = {
            "keys": _KEYS[wanted.order],
            "cost": _USED if wanted.order in ("cost", "tokens") else "",
            "after": beyond if wanted.after else "",
            "order": _BACK if wanted.reverse else _FORWARD,
            "limit": f"limit {int(wanted.limit) + 1}" if wanted.limit else "",
        }

    def find(self) -> tuple[Rows, str]:
        """Its rows, and where the next one begins; empty: there is none."""
        found, limit = self._found(), self._wanted.limit
        if not limit or len(found) <= limit:
            return found, ""
        return found[:limit], _encode(found[limit - 1])

    def _found(self) -> Rows:
        """One row more than the page takes, where there is one."""
        if self._wanted.limit and not self._wanted.reverse:
            if self._wanted.order == "need":
                return self._by_need()
            if self._wanted.order == "recent":
                return self._newest("", self._wanted.states or tuple(self._by_state), "k1")
        return self._ask("", self._wanted.states)

    def _by_need(self) -> Rows:
        """Those that are not at rest, then the done ones and the cancelled ones, of each the newest first."""
        found: Rows = []
        states = [state for state in STATE_ORDER if state in (self._wanted.states or STATE_ORDER)]
        others = tuple(state for state in states if state not in AT_REST)
        if others and _rank(others[-1]) >= self._cursor["k1"]:
            found = self._ask("and t.state <> 'done' and t.state <> 'cancelled'", self._wanted.states and others)
        for state in states[len(others) :]:
            if len(found) <= self._wanted.limit and _rank(state) >= self._cursor["k1"]:
                goes_on = self._cursor["k1"] == _rank(state)
                found += self._newest(f"and t.state = '{state}'", (state,), "k3" if goes_on else "")
        return found[: self._wanted.limit + 1]

    def _newest(self, clause: str, states: tuple[str, ...], key: str) -> Rows:
        """Sorted by when they came into their state. ``key``: the one of the cursor that says since when it goes on."""
        began, last, _ = activity.extent(self._db)
        until = min(last, self._at.at, -int(self._cursor[key]) if key else last)
        return newest(
            lambda least: self._ask(clause + (" and t.since >= $least" if least else ""), states, least=least),
            since=began, until=until, total=sum(self._by_state.get(state, 0) for state in states),
            wanted=self._wanted.limit + 1,
        )  # fmt: skip

    def _ask(self, clause: str, states: tuple[str, ...], **values: Any) -> Rows:
        places = {**self._clauses, "where": f"{self._where} {clause}"}
        if states and OPEN.issuperset(states):
            places["of"] = "_moving"
        return self._db.ask("tasks.page", places, **self._values, **values)


def _rank(state: str) -> int:
    return STATE_ORDER.index(state)


def _encode(row: dict[str, Any]) -> str:
    """Where a page ended, as one word for the address."""
    data = msgspec.json.encode([row["k1"], row["k2"], row["k3"], row["task_id"]])
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _cursor(wanted: TaskFilter) -> dict[str, Any]:
    """What ``_encode`` made; a word it made of another order begins at the first page. ``BadPlace`` for any other."""
    if not wanted.after:
        return _beginning(wanted)
    try:
        data = base64.urlsafe_b64decode(wanted.after + "=" * (-len(wanted.after) % 4))
        *keys, last = msgspec.json.decode(data, type=tuple[_Key, _Key, _Key, str])
    except (ValueError, msgspec.DecodeError):
        says = f"after={wanted.after[:40]} is no place in a list: take one from a page's own link, or leave it out."
        raise BadPlace(says) from None
    by_word = _BY_WORD.get(wanted.order, ())
    if any(isinstance(key, str) != (n in by_word) for n, key in enumerate(keys)):
        return _beginning(wanted)
    if any(abs(key) > _MOST_KEY for key in keys if not isinstance(key, str)):
        return _beginning(wanted)
    return {"k1": keys[0], "k2": keys[1], "k3": keys[2], "last": last}


def _beginning(wanted: TaskFilter) -> dict[str, Any]:
    """A place before every task, or after every one where the order is backwards."""
    number, word = (2**60, "\U0010ffff") if wanted.reverse else (-(2**60), "")
    by_word = _BY_WORD.get(wanted.order, ())
    return {f"k{n + 1}": word if n in by_word else number for n in range(3)} | {"last": word}
