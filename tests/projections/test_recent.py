"""The newest of many: found among the new, and never other than if all had been looked at."""

from __future__ import annotations

from typing import Any

import pytest

from projections import queries
from projections.recent import newest
from projections.rows import At
from projections.rows.runs import RunFilter
from projections.rows.tasks import TaskFilter
from tests.projections.folded import Folded
from tests.projections.history import wandering


class Rows:
    """Ages, and which stretches of them were asked for."""

    def __init__(self, ages: list[int]) -> None:
        self.ages, self.asked = sorted(ages, reverse=True), []

    def find(self, least: int) -> list[dict[str, Any]]:
        self.asked.append(least)
        return [{"age": age} for age in self.ages if age >= least]

    def newest(self, wanted: int) -> list[int]:
        found = newest(self.find, since=0, until=1_000, total=len(self.ages), wanted=wanted)
        return [row["age"] for row in found][:wanted]


def test_the_newest_of_an_even_pace_are_found_at_once() -> None:
    rows = Rows(list(range(1, 1_001)))
    assert rows.newest(10) == list(range(1_000, 990, -1))
    assert rows.asked == [960]


def test_after_a_pause_they_are_looked_for_further_back() -> None:
    rows = Rows(list(range(1, 501)) * 2)
    assert rows.newest(10) == [500, 500, 499, 499, 498, 498, 497, 497, 496, 496]
    assert rows.asked == [960, 360]


def test_in_the_end_all_are_looked_at() -> None:
    rows = Rows([1] * 300)
    assert rows.newest(2) == [1, 1]
    assert rows.asked[-1] == 0
    assert rows.newest(301) == [1] * 300


@pytest.mark.parametrize("states", [(), ("done",), ("cancelled", "done"), ("failed", "done"), ("ready", "nonsense")])
@pytest.mark.parametrize("order", ["need", "recent"])
async def test_pages_of_one_task_each_are_the_whole_list(folded, order, states) -> None:
    history = wandering(51, 300)
    seen: Folded = await (await folded()).take(history)
    now = await seen.ask(queries.latest, history.now)
    for at in (now, await moment(seen, now.events_seq // 2)):
        whole = await seen.ask(queries.tasks, at, TaskFilter(order=order, states=states, limit=0))
        paged, after = [], ""
        while True:
            page = await seen.ask(queries.tasks, at, TaskFilter(order=order, states=states, limit=1, after=after))
            paged += page.rows
            after = page.after
            if not after:
                break
        assert paged == whole.rows


async def test_pages_of_one_run_each_are_all_runs(folded) -> None:
    history = wandering(52, 400)
    seen: Folded = await (await folded()).take(history)
    now = await seen.ask(queries.latest, history.now)
    for wanted in (RunFilter(limit=0), RunFilter(limit=0, lane="A"), RunFilter(limit=0, states=("failed", "lost"))):
        whole = await seen.ask(queries.runs, now, wanted)
        assert len(whole.rows) == whole.total > 2
        paged, before = [], ""
        while True:
            page = await seen.ask(
                queries.runs, now, RunFilter(lane=wanted.lane, states=wanted.states, limit=1, before=before)
            )
            paged += page.rows
            before = page.before
            if not before:
                break
        assert paged == whole.rows


@pytest.mark.parametrize("by", ["", "session", "lane"])
async def test_the_first_card_of_a_cell_is_the_first_of_all_its_cards(folded, by) -> None:
    history = wandering(53, 500)
    seen: Folded = await (await folded()).take(history)
    now = await seen.ask(queries.latest, history.now)
    for at in (now, await moment(seen, now.events_seq // 2)):
        few = await seen.ask(queries.board, at, TaskFilter(), by=by, most=1)
        every = await seen.ask(queries.board, at, TaskFilter(), by=by, most=1_000)
        assert few.cells.keys() == every.cells.keys()
        for place, cell in every.cells.items():
            assert len(cell.rows) == cell.total == few.cells[place].total
            assert few.cells[place].rows == cell.rows[:1]


async def moment(seen: Folded, seq: int) -> At:
    return await seen.ask(queries.moment, str(seq), 1 << 60)
