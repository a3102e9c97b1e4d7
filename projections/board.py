"""The board: tasks as cards in columns of state, in swimlanes by session or lane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from projections.activity import extent
from projections.notes import board_limits
from projections.ordered import AT_REST
from projections.recent import newest
from projections.rows import At, Row
from projections.rows.tasks import TaskFilter, TaskRow
from projections.store import Reader
from projections.tasks import task_rows, task_states, values_of, where_of

COLUMNS = ("blocked", "ready", "running", "waiting", "paused", "failed", "done", "cancelled")
MOST_LANES = 12  # swimlanes drawn, those with the most open tasks

By = Literal["", "session", "lane"]
Place = tuple[str, str]  # swimlane and column
_LANES: dict[By, str] = {"session": "t.session_id", "lane": "t.lane", "": "''"}


class Cell(Row, frozen=True):
    """One column of one swimlane. ``total``: how many stand in it; ``rows``: the foremost of them."""

    total: int
    rows: list[TaskRow]


class Column(Row, frozen=True):
    """``most``: how many it should hold, 0: no limit."""

    name: str
    total: int
    most: int

    @property
    def over(self) -> int:
        return max(0, self.total - self.most) if self.most else 0


class Whole(Row, frozen=True):
    """An open task that is made of parts."""

    task_id: str
    title: str
    parts: int
    open_parts: int

    @property
    def name(self) -> str:
        return self.task_id.partition("/")[2]


class Board(Row, frozen=True):
    """``lanes``: the swimlanes drawn, by name; one without a name where there are none. ``left_out``: how many more
    there are. ``containers``: the most urgent of those that are open, of ``whole``; they stand in no column."""

    columns: list[Column]
    lanes: list[str]
    left_out: int
    cells: dict[tuple[str, str], Cell]
    containers: list[Whole]
    whole: int

    @property
    def total(self) -> int:
        return sum(column.total for column in self.columns)


def board(db: Reader, at: At, wanted: TaskFilter, *, by: By = "", most: int = 12) -> Board:
    """``most``: cards in a cell. Containers are left out of the columns: they are done when their parts are."""
    wanted = msgspec.structs.replace(wanted, containers=False)
    counts = _counts(db, at, wanted, by)
    totals = dict.fromkeys(COLUMNS, 0)
    open_in: dict[str, int] = {}
    for (lane, name), n in counts.items():
        totals[name] += n
        open_in[lane] = open_in.get(lane, 0) + (name not in AT_REST) * n
    busiest = sorted(open_in, key=lambda name: (-open_in[name], name))[:MOST_LANES]
    shown = {place: n for place, n in counts.items() if place[0] in busiest}
    ids = _foremost(db, at, wanted, by, shown=shown, most=most)
    rows = {row.task_id: row for row in task_rows(db, at, [each for place in shown for each in ids.get(place, ())])}
    limits = board_limits(db, at)
    any_kind = msgspec.structs.replace(wanted, containers=None)
    wholes = db.ask("board.wholes", {"where": where_of(any_kind)}, **values_of(at, any_kind), most=most)
    return Board(
        columns=[Column(name=name, total=n, most=limits.get(name, 0)) for name, n in totals.items()],
        lanes=sorted(busiest),
        left_out=len(open_in) - len(busiest),
        cells={place: Cell(total=n, rows=[rows[each] for each in ids.get(place, ())]) for place, n in shown.items()},
        containers=[Whole(**{name: row[name] for name in Whole.__struct_fields__}) for row in wholes],
        whole=int(wholes[0]["total"]) if wholes else 0,
    )


def _counts(db: Reader, at: At, wanted: TaskFilter, by: By) -> dict[Place, int]:
    """How many stand in each cell where any does."""
    if by:
        found = db.ask("board.counts", {"lane": _LANES[by], "where": where_of(wanted)}, **values_of(at, wanted))
        states = {(row["lane"], row["state"]): int(row["n"]) for row in found}
    else:
        asked = task_states(db, at, wanted).items()
        states = {("", state): n for state, n in asked if not wanted.states or state in wanted.states}
    counts: dict[Place, int] = {}
    for (lane, state), n in states.items():
        place = (lane, "failed" if state == "quarantined" else state)
        counts[place] = counts.get(place, 0) + n
    return counts


def _foremost(
    db: Reader, at: At, wanted: TaskFilter, by: By, *, shown: Mapping[Place, int], most: int
) -> dict[Place, list[str]]:
    """The tasks at the head of each cell that is shown, at most so many."""
    clauses = {"lane": _LANES[by], "where": where_of(wanted)}
    values = values_of(at, wanted) | {"most": most}
    done = {place: n for place, n in shown.items() if place[1] == "done"}

    def enough(found: list[dict[str, Any]]) -> bool:
        held = {(row["lane"], row["col"]): len(row["ids"]) for row in found}
        return all(held.get(place, 0) >= min(n, most) for place, n in done.items())

    began, last, _ = extent(db)
    found = newest(
        lambda least: db.ask("board.foremost", clauses, **values, least=least),
        since=began, until=min(last, at.at), total=min(done.values(), default=0), wanted=most, enough=enough,
    )  # fmt: skip
    return {(row["lane"], row["col"]): row["ids"] for row in found}
