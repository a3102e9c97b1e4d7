"""A plan on its way in, through a real core on a ledger in memory: all or nothing, the same again nothing new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
import pytest

from console.plans import beads
from console.plans.send import MOST_BYTES, NotSent, Sent, chunks, plan_id_of, send
from core.answers import LocalAnswers
from core.clock import SystemClock
from core.domain import plan, task
from core.domain.plan import Planned
from core.domain.spec import TaskSpec
from core.door import Door
from core.engine import Engine
from core.memory import MemoryLedger


class Desk(msgspec.Struct):
    engine: Engine
    door: Door
    ledger: MemoryLedger
    clock: SystemClock

    async def send(self, tasks: list[Planned], session: str = "default", cycles: str = "refuse") -> Sent:
        return await send(
            self.door,
            self.ledger,
            self.clock,
            tasks,
            session_id=session,
            source="a test",
            cycles=cycles,  # type: ignore[arg-type]
        )


@asynccontextmanager
async def core() -> AsyncIterator[Desk]:
    clock, answers = SystemClock(), LocalAnswers()
    ledger = MemoryLedger(clock)
    engine = Engine(ledger, clock, answers=answers)
    running = asyncio.create_task(engine.run())
    while not engine.state.rules:
        await asyncio.sleep(0.001)
    try:
        yield Desk(engine, Door(ledger, answers, clock, by="tests"), ledger, clock)
    finally:
        engine.stop()
        await asyncio.wait_for(running, 5)


def some(count: int, session: str = "default", **spec: object) -> list[Planned]:
    return [
        Planned(task_id=f"{session}/t{n}", spec=TaskSpec(title=f"Task {n}", **spec))  # type: ignore[arg-type]
        for n in range(count)
    ]


async def test_a_plan_comes_into_force_whole():
    async with core() as desk:
        sent = await desk.send(some(900))
        assert (sent.new, sent.revised, sent.unchanged) == (900, 0, 0)
        assert len(desk.engine.state.tasks) == 900


async def test_the_same_plan_again_changes_nothing():
    async with core() as desk:
        await desk.send(some(5))
        again = await desk.send(some(5))
        assert (again.new, again.revised, again.unchanged) == (0, 0, 5)


async def test_a_changed_plan_applies_its_differences_and_the_first_one_again_takes_them_back():
    async with core() as desk:
        await desk.send(some(3))
        changed = await desk.send([*some(2), Planned(task_id="default/t2", spec=TaskSpec(title="Other"))])
        assert (changed.new, changed.revised, changed.unchanged) == (0, 1, 2)
        back = await desk.send(some(3))
        assert (back.revised, desk.engine.state.tasks["default/t2"].spec.title) == (1, "Task 2")


async def test_a_missing_session_is_opened_and_a_closed_one_refuses():
    from core.domain.session import Close

    async with core() as desk:
        assert (await desk.send(some(1, "harbour"), "harbour")).new == 1
        await desk.door.order(Close(session_id="harbour", cancel_open=True))
        with pytest.raises(NotSent, match="closed"):
            await desk.send(some(2, "harbour"), "harbour")


async def test_a_circle_refuses_the_whole_plan():
    tasks = [
        Planned(task_id=f"default/{a}", spec=TaskSpec(title=a, depends_on=[f"default/{b}"]))
        for a, b in (("a", "b"), ("b", "a"))
    ]
    async with core() as desk:
        with pytest.raises(NotSent, match="circle"):
            await desk.send(tasks)
        assert not desk.engine.state.tasks
        sent = await desk.send(tasks, cycles="block")
        assert sent.circles == [["default/a", "default/b"]]


async def test_a_refused_task_drops_the_plan_so_that_nothing_is_left_staged():
    async with core() as desk:
        with pytest.raises(NotSent, match="there is no lane"):
            await desk.send([*some(450), Planned(task_id="default/x", spec=TaskSpec(title="X", lane="nowhere"))])
        assert not desk.engine.state.tasks
        assert not desk.engine.state.plans


async def test_an_import_that_was_cut_off_is_begun_anew():
    tasks = some(450)
    async with core() as desk:
        name = plan_id_of(tasks, "default")
        await desk.door.order(plan.Begin(plan_id=name, session_id="default"))
        await desk.door.order(plan.Add(plan_id=name, tasks=tasks[:100]))
        sent = await desk.send(tasks)
        assert (sent.plan_id, sent.new) == (name, 450)


async def test_a_core_that_does_not_answer_is_told_as_such(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("console.plans.send.WAIT_S", 0.05)
    clock = SystemClock()
    ledger = MemoryLedger(clock)
    door = Door(ledger, LocalAnswers(), clock, by="tests")
    with pytest.raises(NotSent, match="did not answer") as told:
        await send(door, ledger, clock, some(1), session_id="default", source="", cycles="refuse")
    assert told.value.unanswered


def test_a_chunk_fits_a_command():
    for chunk in chunks(some(1_000, prompt="x" * 3_000)):
        assert len(chunk) <= 400
        assert sum(len(msgspec.json.encode(task)) + 1 for task in chunk) <= MOST_BYTES
    assert [len(chunk) for chunk in chunks(some(1_000))] == [400, 400, 200]
    assert [len(chunk) for chunk in chunks(some(2, prompt="x" * 99_000))] == [2]


def test_a_plans_id_comes_from_its_content_and_not_from_its_order():
    tasks = some(5)
    assert plan_id_of(tasks, "a") == plan_id_of(tasks[::-1], "a")
    assert plan_id_of(tasks, "a") != plan_id_of(tasks, "b")
    assert plan_id_of(tasks, "a") != plan_id_of(tasks[:4], "a")


async def test_the_largest_task_a_file_may_hold_goes_in():
    line = msgspec.json.encode({"id": "a", "title": "t", "status": "open", "priority": 1, "description": "é" * 58_000})
    found = beads.read([line], session="default", now=datetime(2026, 11, 20, tzinfo=UTC))
    async with core() as desk:
        assert (await desk.send(found.tasks)).new == 1
        answer = await desk.door.order(task.Cancel(task_id="default/a"))
        assert answer.outcome == "done"  # type: ignore[union-attr]
