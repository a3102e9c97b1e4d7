"""Who is out of step: a run is compared with its kind in its lane, and with its model, and never with a guess."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from core.domain import run, task, worker
from core.domain.spec import TaskSpec
from core.domain.words import Usage
from projections import queries
from projections.agents import stretches
from projections.pace import OutOfStep
from projections.rows import At
from tests.projections.folded import Folded
from tests.projections.history import History

SECOND = 1_000_000
Make = Callable[[], Awaitable[Folded]]
CLAUDE = "claude-sonnet-4-5"


class Day:
    """A worker with a few agents; tasks are given out as they come and end when told."""

    def __init__(self, agents: int = 6, model: str = CLAUDE) -> None:
        self.told = History()
        specs = [worker.AgentSpec(name=f"a{n}", adapter="sim", model=model) for n in range(agents)]
        self.told.order(worker.Register(worker_id="anvil", boot_id="b", agents=specs))
        self.epoch = self.told.state.workers["anvil"].epoch

    def start(self, name: str, lane: str = "A") -> Day:
        self.told.order(task.Submit(task_id=f"default/{name}", spec=TaskSpec(title=name, lane=lane)))
        self.told.order(run.Start(run_id=f"default/{name}~1", worker_id="anvil", epoch=self.epoch), later_ms=0)
        return self

    def wait(self, seconds: float) -> Day:
        self.told.now += int(seconds * SECOND)
        return self

    def use(self, name: str, tokens: int) -> Day:
        usage = Usage(input_tokens=tokens)
        self.told.order(
            run.Progress(run_id=f"default/{name}~1", worker_id="anvil", epoch=self.epoch, usage=usage), later_ms=0
        )
        return self

    def end(self, name: str, seconds: float, tokens: int = 0) -> Day:
        self.told.order(
            run.Finish(run_id=f"default/{name}~1", worker_id="anvil", epoch=self.epoch, result="succeeded",
                       duration_ms=int(seconds * 1_000), usage=Usage(input_tokens=tokens)),
            later_ms=0,
        )  # fmt: skip
        return self

    def custom(self, runs: int, seconds: float, tokens: int = 0, lane: str = "A") -> Day:
        """So many runs that took so long."""
        for n in range(runs):
            self.start(f"{lane}-past-{n}", lane).wait(seconds).end(f"{lane}-past-{n}", seconds, tokens)
        return self

    async def out_of_step(self, folded: Make) -> list[OutOfStep]:
        model = await (await folded()).take(self.told)
        at = At(events_seq=len(self.told.events), observations_seq=0, at=self.told.now)
        found: list[OutOfStep] = await model.ask(queries.out_of_step, at)
        return found


async def test_a_run_that_takes_twice_what_its_kind_takes_is_slow_and_says_by_what(folded: Make):
    day = Day().custom(10, 60).start("stuck").wait(120)
    found = await day.out_of_step(folded)
    assert [(each.kind, each.run.task_id, each.seen) for each in found] == [("slow", "default/stuck", 10)]
    assert found[0].times == pytest.approx(2.0, rel=0.05)
    assert found[0].of == "tasks in lane A"
    assert found[0].usual == pytest.approx(60 * SECOND)


async def test_nothing_is_slow_without_a_custom_nor_in_another_lane_nor_before_half_a_minute(folded: Make):
    few = Day().custom(3, 60).start("stuck").wait(600)
    assert await few.out_of_step(folded) == []
    elsewhere = Day().custom(10, 60, lane="B").start("stuck").wait(600)
    assert await elsewhere.out_of_step(folded) == []
    young = Day().custom(10, 1).start("stuck").wait(20)
    assert await young.out_of_step(folded) == []


async def test_a_run_that_burns_three_times_its_models_tokens_is_dear_with_its_price_a_minute(folded: Make):
    day = Day().custom(10, 60, tokens=10_000).start("hungry").wait(60).use("hungry", 80_000)
    found = await day.out_of_step(folded)
    assert [(each.kind, each.run.task_id, each.of) for each in found] == [("dear", "default/hungry", CLAUDE)]
    assert found[0].times == pytest.approx(8.0, rel=0.1)
    assert found[0].uusd_a_minute == pytest.approx(240_000, rel=0.1)  # 80 k tokens at $3 a million


async def test_where_nobody_knows_the_price_it_is_told_in_tokens(folded: Make):
    day = Day(model="nobody-sells-this").custom(10, 60, tokens=10_000).start("hungry").wait(60).use("hungry", 80_000)
    found = await day.out_of_step(folded)
    assert [each.uusd_a_minute for each in found] == [None]
    assert found[0].rate == pytest.approx(80_000, rel=0.1)


async def test_where_too_few_have_ended_a_run_is_compared_with_those_beside_it(folded: Make):
    day = Day()
    for name in ("one", "two", "three", "four", "hungry"):
        day.start(name)
    day.wait(60)
    for name in ("one", "two", "three", "four"):
        day.use(name, 5_000)
    found = await day.use("hungry", 50_000).out_of_step(folded)
    assert [(each.kind, each.run.task_id, each.seen) for each in found] == [("dear", "default/hungry", 4)]


def test_an_agents_day_has_no_gap_and_no_overlap():
    was = [
        {"at": 100, "present": True, "paused": False, "because": ""},
        {"at": 400, "present": True, "paused": True, "because": "lunch"},
        {"at": 600, "present": True, "paused": False, "because": ""},
    ]
    worked = [
        {"run_id": "r1", "title": "first", "state": "succeeded", "assigned_at": 50, "ended_at": 200},
        {"run_id": "r2", "title": "second", "state": "running", "assigned_at": 700, "ended_at": 0},
    ]
    told = stretches(was, worked, 120, 900)
    assert [(each.state, each.at, each.until) for each in told] == [
        ("succeeded", 120, 200), ("idle", 200, 400), ("paused", 400, 600), ("idle", 600, 700), ("running", 700, 900),
    ]  # fmt: skip
    assert told[2].because == "lunch"
