"""A plant in memory: a log, a core that decides, beats that are heard, workers. Time is wound by hand, or is real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from core.answers import LocalAnswers
from core.artifacts import MemoryArtifacts
from core.clock import Clock, HandClock, SystemClock
from core.domain import machine, task, worker
from core.domain.words import Policy
from core.door import Door
from core.engine import Engine
from core.envelope import Answer, decode_fact
from core.heartbeat import decode_beat
from core.ledger import Unknown
from core.memory import MemoryLedger
from core.observation import OFFSET, Observation, decode_observation
from workers.journal import Journal
from workers.pools import Pool
from workers.worker import Worker

F = TypeVar("F")


class Heart:
    """The heartbeats bucket: takes beats while it can be reached."""

    def __init__(self, clock: Clock) -> None:
        self.reached = True
        self.beats = 0
        self._clock = clock
        self._heard: dict[str, tuple[int, float, int]] = {}

    async def put(self, key: str, value: bytes, *, ttl_s: int | None = None, within_s: float = 5.0) -> int:  # noqa: ARG002
        if not self.reached:
            await self._clock.sleep(within_s)
            raise Unknown(f"no answer within {within_s} s")
        beat = decode_beat(value)
        assert key == beat.worker_id
        self.beats += 1
        self._heard[key] = (beat.epoch, self._clock.monotonic(), beat.at)
        return self.beats

    def last(self, worker_id: str, epoch: int) -> tuple[float, int] | None:
        heard = self._heard.get(worker_id)
        return (heard[1], heard[2]) if heard is not None and heard[0] == epoch else None


class Plant:
    """Everything but the server. ``real``: on the machine's clock, for tests with processes."""

    def __init__(self, folder: Path, *, real: bool = False) -> None:
        self.folder = folder
        self.hand = HandClock()
        self.clock: Clock = SystemClock() if real else self.hand
        self.real = real
        self.ledger = MemoryLedger(self.clock)
        self.answers = LocalAnswers()
        self.heart = Heart(self.clock)
        self.artifacts = MemoryArtifacts()
        self.door = Door(self.ledger, self.answers, self.clock, by="ada")
        self.engine = Engine(self.ledger, self.clock, answers=self.answers, beats=self.heart, build="test")
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Plant:
        self.tasks.append(asyncio.ensure_future(self.engine.run()))
        await self.until(lambda: self.engine.leading)
        return self

    async def stop(self) -> None:
        self.engine.stop()
        for each in self.tasks:
            each.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def hire(self, *pools: Pool, name: str = "w1", **settings: Any) -> Worker:
        """A worker at work; its own process's journal lies in the plant's folder."""
        journal = Journal(self.folder / name / "journal")
        hired = Worker(
            name,
            pools,
            ledger=self.ledger,
            door=Door(self.ledger, self.answers, self.clock, by=f"worker {name}"),
            heart=self.heart,
            clock=self.clock,
            journal=journal,
            artifacts=self.artifacts,
            folder=self.folder / name / "artifacts",
            **settings,
        )
        running = asyncio.ensure_future(hired.run())
        running.add_done_callback(lambda _: journal.close())
        hired.running = running  # type: ignore[attr-defined]
        self.tasks.append(running)
        return hired

    async def submit(self, name: str, *, policy: Policy | None = None, **spec: Any) -> str:
        task_id = f"default/{name}"
        given = task.TaskSpec(title=spec.pop("title", name), policy=policy or Policy(jitter=0), **spec)
        assert (await self.order(task.Submit(task_id=task_id, spec=given))).outcome == "done"
        return task_id

    async def order(self, command: machine.Command) -> Answer:
        answer = await self.door.order(command)
        assert isinstance(answer, Answer)
        return answer

    def facts(self, *kinds: type[F]) -> list[F]:
        """The facts of these types, in order; all of them without types."""
        found = [decode_fact(each.data).fact for each in self.ledger.logs["EVENTS"].messages]
        return [fact for fact in found if not kinds or isinstance(fact, kinds)]  # type: ignore[misc]

    def tags(self, *, about: str = "") -> list[str]:
        """Tags of the facts that concern a task, in order."""
        return [machine.tag(fact) for fact in self.facts() if not about or getattr(fact, "task_id", "") == about]

    def reports(self, run_id: str) -> list[str]:
        """Kinds of the reports made on a run, in order: start, progress, finish."""
        about = f'"run_id":"{run_id}"'.encode()
        commands = self.ledger.logs["COMMANDS"].messages
        return [each.subject.rpartition(".")[2] for each in commands if about in each.data]

    def seen(self, run_id: str) -> list[Observation]:
        found = [decode_observation(each.data) for each in self.ledger.logs["OBSERVATIONS"].messages]
        return [each for each in found if each.run_id == run_id]

    def output(self, stream: str = "stdout") -> bytes:
        """All output of one stream, put together by its offsets; a hole shows as question marks."""
        text = b""
        for each in self.ledger.logs["OUTPUT"].messages:
            if each.subject.endswith(stream):
                assert each.headers is not None
                text = text.ljust(int(each.headers[OFFSET]), b"?") + each.data
        return text

    async def until(self, holds: Callable[[], object], *, within_s: float = 10.0) -> None:
        """Let things happen, and time pass, until ``holds``; fail after ``within_s`` of that time."""
        end = self.clock.monotonic() + within_s
        while not holds():
            await self.settle()
            if holds():
                return
            if self.clock.monotonic() >= end:
                raise AssertionError(f"not within {within_s} s; facts: {[machine.tag(fact) for fact in self.facts()]}")
            await self.pass_(0.01)

    async def pass_(self, seconds: float) -> None:
        """Let time pass, and what is due happen on its way."""
        if self.real:
            await asyncio.sleep(seconds)
            return
        left = seconds
        while left > 1e-9:
            due = self.hand.next_due_s
            step = left if due is None else min(left, max(due, 0.0005))
            self.hand.advance(seconds=step)
            left -= step
            await self.settle()

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(40):
            await asyncio.sleep(0)

    def state(self, task_id: str) -> str:
        """Where a task stands, as the core has it."""
        state = self.engine.state
        return state.tasks[task_id].state if task_id in state.tasks else "done"

    def registered(self) -> list[worker.Registered]:
        return self.facts(worker.Registered)


def run_ids(facts: Sequence[worker.Assigned]) -> list[str]:
    return [fact.run_id for fact in facts]
