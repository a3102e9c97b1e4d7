"""Spans: runs as stretches of time on tracks, as they stood at a moment. What the timeline draws, lists and exports.

A track is whatever the timeline goes by: an agent, a task, or an agent within a lane or a session. An agent does one
run at a time and a task has one run at a time, so no track ever holds two spans at once. Times are microseconds.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from projections.rows import At, Row
from projections.sql import load
from projections.store import Reader

By = Literal["agent", "task", "lane", "session"]
BYS: tuple[By, ...] = get_args(By)
LOOKS = ("run", "live", "bad", "cut")  # in the order of ``Columns.look``
MOST_PARTS = 2_000

# SQL of a track's key and of the group it stands in. A group within a key ends with a character no id holds.
_TRACK: dict[By, tuple[str, str]] = {
    "agent": ("r.agent_id", "r.worker_id"),
    "task": ("r.task_id", "r.session_id"),
    "lane": ("r.lane || chr(31) || r.agent_id", "r.lane"),
    "session": ("r.session_id || chr(31) || r.agent_id", "r.session_id"),
}
# What a filter's word means in the states of runs.
_STATES = {"running": ("assigned", "running", "held"), "done": ("succeeded",)}


class SpanFilter(Row, frozen=True):
    """Which runs: those that touch ``since`` to ``until``. Empty means all; ``text`` is looked for in id and title."""

    since: int
    until: int
    states: tuple[str, ...] = ()
    lanes: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    text: str = ""

    @property
    def narrow(self) -> bool:
        """Whether it leaves out anything but by time."""
        return bool(self.states or self.lanes or self.sessions or self.agents or self.tasks or self.text)


class Span(Row, frozen=True):
    """A run as a stretch of time. ``ready_at`` 0: not known; ``until``: its end, or the moment while it is under way.
    ``look``: run, live, bad or cut (ended by order)."""

    run_id: str
    task_id: str
    session_id: str
    title: str
    agent_id: str
    worker_id: str
    lane: str
    attempt: int
    state: str
    look: str
    ready_at: int
    assigned_at: int
    started_at: int
    ended_at: int
    until: int
    born: int
    stopping: str = ""
    step: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    tool_calls: int = 0
    cost_uusd: int | None = None
    error_class: str = ""
    error: str = ""
    summary: str = ""
    duration_ms: int = 0

    @property
    def wait_us(self) -> int:
        """From ready to given out."""
        return max(0, self.assigned_at - self.ready_at) if self.ready_at else 0

    @property
    def took_us(self) -> int:
        return max(0, self.until - (self.started_at or self.assigned_at))

    @property
    def because(self) -> str:
        """Why it ended as it did, or what it does."""
        return self.error or self.error_class or self.summary or self.step


class Spans(Row, frozen=True):
    """A page of spans, newest first. ``before``: cursor of the next page, 0 at the end."""

    rows: list[Span]
    before: int = 0


class Totals(Row, frozen=True):
    """``first_at``: when the first of them was given out; 0 where there is none."""

    spans: int
    agents: int
    first_at: int = 0


class Track(Row, frozen=True):
    """A row of the drawing. ``state``: of its latest run; ``bad``: how many of its runs failed or were lost."""

    key: str
    group: str
    title: str = ""
    spans: int = 0
    bad: int = 0
    first_at: int = 0
    state: str = ""


class Pieces(Row, frozen=True):
    """Of one track and look, what is drawn: from column ``x[i]`` to before column ``x2[i]``. Looks: run, live, cut, and
    end (a run failed there). Waits are left out: where spans are this crowded, they are narrower than a column."""

    place: int
    look: str
    x: list[int]
    x2: list[int]


class Columns(Row, frozen=True):
    """All spans of the range as columns of equal length, in order of their ``born``. Milliseconds; ``born`` and
    ``start`` (since the range's beginning) are differences to the one before."""

    track: list[int] = []
    born: list[int] = []
    start: list[int] = []
    took: list[int] = []
    lead: list[int] = []
    wait: list[int] = []
    look: list[int] = []


class Part(Row, frozen=True):
    """A part of a span: ``held`` or ``stopping``."""

    track: str
    born: int
    what: str
    since: int
    until: int


class Level(Row, frozen=True):
    """From ``at`` on: runs under way, and tasks ready that were given out later."""

    at: int
    running: int
    ready: int


def totals(db: Reader, at: At, wanted: SpanFilter) -> Totals:
    found = run(db, "spans.count", at, wanted)[0]
    return Totals(spans=found["spans"], agents=found["agents"], first_at=found["first_at"] or 0)


def tracks(db: Reader, at: At, wanted: SpanFilter, by: By) -> list[Track]:
    """Every track that has a span in the range, in no order."""
    found = run(db, "spans.tracks", at, wanted, by)
    return [Track(key=row.pop("track"), **row) for row in found]


def tracks_by_task(db: Reader, at: At, wanted: SpanFilter, *, skip: int, most: int) -> list[Track]:
    """A page of the tracks by task, each session's in the order in which they began."""
    found = run(db, "spans.tracks_by_task", at, wanted, "task", skip=skip, most=most)
    return [Track(key=row.pop("track"), **row) for row in found]


def count_by_task(db: Reader, at: At, wanted: SpanFilter) -> int:
    return int(run(db, "spans.count_by_task", at, wanted)[0]["tracks"])


def pieces(db: Reader, at: At, wanted: SpanFilter, by: By, keys: list[str], *, columns: int) -> list[Pieces]:
    """What the tracks ``keys`` look like in ``columns`` columns, however many spans there are."""
    step = max(1, (wanted.until - wanted.since) // columns)
    found = run(db, "spans.pieces", at, wanted, by, tracks=keys, columns=columns, step=step)
    return [Pieces(**row) for row in found]


def spans(db: Reader, at: At, wanted: SpanFilter, *, limit: int, before: int = 0) -> Spans:
    """A page of spans, newest first."""
    clauses = {"page": "and born < $cursor" if before else "", "order": "r.born desc"}
    clauses["page"] += f" order by born desc limit {int(limit) + 1}"
    found = run(db, "spans.rows", at, wanted, clauses=clauses, cursor=before)
    more = len(found) > limit
    rows = _spans(db, found[:limit])
    return Spans(rows=rows, before=rows[-1].born if more else 0)


def spans_after(db: Reader, at: At, wanted: SpanFilter, after: int, limit: int) -> list[Span]:
    """At most ``limit`` spans whose ``born`` is after that, oldest first."""
    clauses = {"page": f"and born > $cursor order by born limit {int(limit)}", "order": "r.born"}
    return _spans(db, run(db, "spans.rows", at, wanted, clauses=clauses, cursor=after))


def columns(db: Reader, at: At, wanted: SpanFilter, by: By, keys: list[str]) -> Columns:
    """All spans of the tracks ``keys``, as a drawing program wants them; a track is its place among them."""
    found = run(db, "spans.columns", at, wanted, by, tracks=keys)[0]
    return Columns(**{name: values or [] for name, values in found.items()})


def parts(db: Reader, at: At, wanted: SpanFilter, by: By) -> list[Part]:
    """Held and stopping parts of the range's runs, at most ``MOST_PARTS``."""
    found = run(db, "spans.parts", at, wanted, by, most=MOST_PARTS)
    lasting = (row for row in found if row["what"] != "continued")
    return [Part(**{name: row[name] for name in Part.__struct_fields__}) for row in lasting]


def levels(db: Reader, at: At, wanted: SpanFilter, points: int = 20_000) -> list[Level]:
    """How many ran and were ready over the range, at most ``points`` values."""
    step = max(1, (wanted.until - wanted.since) // points)
    found = run(db, "spans.levels", at, wanted, step=step)
    return [Level(at=row["at_us"], running=row["running"], ready=row["ready"]) for row in found]


def names(db: Reader, at: At, most: int) -> dict[str, list[str]]:
    """What there is to choose from: lanes, sessions, and the first ``most`` agents, by kind."""
    found = db.ask("spans.names", seq=at.events_seq, most=most)
    return {kind: [row["name"] for row in found if row["kind"] == kind] for kind in ("lane", "session", "agent")}


def span(db: Reader, at: At, born: int) -> Span | None:
    """The run that was given out by that fact, as it stood."""
    clauses = {"page": "and born = $cursor", "order": "r.born"}
    found = _spans(db, run(db, "spans.rows", at, SpanFilter(since=0, until=2**62), clauses=clauses, cursor=born))
    return found[0] if found else None


def run_born(db: Reader, at: At, born: int) -> str:
    """The id of the run that was given out by that fact; empty where there is none."""
    found = db.ask("spans.one", seq=at.events_seq, born=born)
    return found[0]["run_id"] if found else ""


def run(
    db: Reader,
    name: str,
    at: At,
    wanted: SpanFilter,
    by: By = "agent",
    *,
    clauses: dict[str, str] | None = None,
    **values: Any,
) -> list[dict[str, Any]]:
    """The rows of the query ``file.name`` over the chosen runs.

    Not kept for the next asker: one answer may hold 50,000 numbers.
    """
    texts = load().queries
    track, group = _TRACK[by]
    places = {"chosen": texts["spans.chosen"], "where": _where(wanted), "track": track, "group": group}
    text = texts[name]
    for place, clause in ((clauses or {}) | places).items():
        text = text.replace(f"/*{place}*/", clause)
    asked = {
        "seq": at.events_seq, "time": at.at, "since": wanted.since, "before": wanted.until,
        "states": [name for state in wanted.states for name in _STATES.get(state, (state,))],
        "lanes": list(wanted.lanes), "sessions": list(wanted.sessions), "agents": list(wanted.agents),
        "tasks": list(wanted.tasks), "text": wanted.text.lower(),
    }  # fmt: skip
    return db.look(text, **asked, **values)


def _where(wanted: SpanFilter) -> str:
    lists = {
        "states": "r.state", "lanes": "r.lane", "sessions": "r.session_id", "agents": "r.agent_id",
        "tasks": "r.task_id",
    }  # fmt: skip
    clauses = [f"and list_contains(${name}, {column})" for name, column in lists.items() if getattr(wanted, name)]
    clauses += ["and contains(lower(r.run_id || ' ' || r.title), $text)"] if wanted.text else []
    return " ".join(clauses)


def _spans(db: Reader, found: list[dict[str, Any]]) -> list[Span]:
    if not found:
        return []
    borns = [row["born"] for row in found]
    near = db.look(load().queries["spans.ready"], first=min(borns), last=max(borns))
    ready = {row["born"]: row["ready_at"] for row in near}
    return [msgspec.convert(row | {"ready_at": ready.get(row["born"], 0)}, Span) for row in found]
