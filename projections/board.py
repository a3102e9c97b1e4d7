"""The board: tasks as cards in columns of state, in swimlanes by session or lane."""

from __future__ import annotations

from typing import Literal

import msgspec

from projections.notes import board_limits
from projections.rows import At, Row
from projections.rows.tasks import TaskFilter, TaskRow
from projections.store import Reader
from projections.tasks import task_rows, values_of, where_of

COLUMNS = ("blocked", "ready", "running", "waiting", "paused", "failed", "done", "cancelled")
MOST_LANES = 12  # swimlanes drawn, those with the most open tasks
AT_REST = ("done", "cancelled")

By = Literal["", "session", "lane"]


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
    lane = {"session": "t.session_id", "lane": "t.lane", "": "''"}[by]
    found = db.ask("board.cells", {"lane": lane, "where": where_of(wanted)}, **values_of(at, wanted), most=most)
    totals = dict.fromkeys(COLUMNS, 0)
    open_in: dict[str, int] = {}
    for row in found:
        totals[row["col"]] += int(row["n"])
        open_in[row["lane"]] = open_in.get(row["lane"], 0) + (row["col"] not in AT_REST) * int(row["n"])
    busiest = sorted(open_in, key=lambda name: (-open_in[name], name))[:MOST_LANES]
    shown = [row for row in found if row["lane"] in busiest]
    rows = {row.task_id: row for row in task_rows(db, at, [each for row in shown for each in row["ids"]])}
    limits = board_limits(db, at)
    any_kind = msgspec.structs.replace(wanted, containers=None)
    wholes = db.ask("board.wholes", {"where": where_of(any_kind)}, **values_of(at, any_kind), most=most)
    return Board(
        columns=[Column(name=name, total=n, most=limits.get(name, 0)) for name, n in totals.items()],
        lanes=sorted(busiest),
        left_out=len(open_in) - len(busiest),
        cells={
            (row["lane"], row["col"]): Cell(total=int(row["n"]), rows=[rows[each] for each in row["ids"]])
            for row in shown
        },
        containers=[Whole(**{name: row[name] for name in Whole.__struct_fields__}) for row in wholes],
        whole=int(wholes[0]["total"]) if wholes else 0,
    )
