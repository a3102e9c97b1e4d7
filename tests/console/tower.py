"""A whole console in one process: a log in memory, the real core, the real read model, and a worker played by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from console.app import create
from console.desk import Desk
from console.live import Hub
from console.login import Gate, api_token, issue
from core.answers import LocalAnswers
from core.artifacts import MemoryArtifacts
from core.clock import SystemClock
from core.domain import plan, run, task, worker
from core.domain.spec import TaskSpec
from core.domain.words import Policy, Usage
from core.door import Door
from core.engine import Engine
from core.envelope import Answer, decode_fact
from core.memory import MemoryLedger
from core.observation import Observation, encode_observation, output
from projections.projector import Projector

BASE = "http://127.0.0.1:8420"
OURS = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}


class Tower:
    """Everything, running. ``client`` is signed in; ``stranger`` is not; ``machine`` bears the API token."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.clock = SystemClock()
        self.ledger = MemoryLedger(self.clock)
        answers = LocalAnswers()
        self.engine = Engine(self.ledger, self.clock, answers=answers, build="test")
        self.artifacts = MemoryArtifacts()
        self.door = Door(self.ledger, answers, self.clock, by="operator")
        self.hub = Hub()
        self.gate = Gate(data, self.clock)
        self.read_model = Projector(self.ledger, None, self.clock)
        self.app: FastAPI = create(self._desk, self.gate)
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)
        self.stranger = httpx2.AsyncClient(transport=transport, base_url=BASE, headers={"Accept": "text/html"})
        self.client = httpx2.AsyncClient(transport=transport, base_url=BASE, headers={"Accept": "text/html", **OURS})
        self.machine = httpx2.AsyncClient(
            transport=transport, base_url=BASE, headers={"Authorization": f"Bearer {api_token(data)}"}
        )
        self._epochs: dict[str, int] = {}

    @asynccontextmanager
    async def _desk(self) -> AsyncIterator[Desk]:
        async with self.read_model:
            yield Desk(
                ledger=self.ledger, read_model=self.read_model, door=self.door, clock=self.clock, gate=self.gate,
                hub=self.hub, artifacts=self.artifacts, version="test",
            )  # fmt: skip

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Tower]:
        deciding = asyncio.create_task(self.engine.run())
        try:
            async with self.app.router.lifespan_context(self.app):
                await self.sign_in(self.client)
                await self.folded()
                yield self
        finally:
            self.engine.stop()
            deciding.cancel()
            await asyncio.gather(deciding, return_exceptions=True)
            for client in (self.client, self.stranger, self.machine):
                await client.aclose()

    async def sign_in(self, client: httpx2.AsyncClient) -> None:
        token = issue(self.data, self.clock)
        answer = await client.post("/login", data={"token": token, "next": "/"}, headers=OURS)
        assert answer.status_code == 303, answer.text

    async def order(self, command: Any) -> Answer:
        answer = await self.door.order(command)
        assert isinstance(answer, Answer)
        return answer

    async def folded(self) -> int:
        """Wait until the read model has all there is; the last EVENTS sequence."""
        for _ in range(200):
            if self.ledger.logs["EVENTS"].last_seq:
                break
            await asyncio.sleep(0.01)
        assert await self.read_model.caught_up(10)
        return self.ledger.logs["EVENTS"].last_seq

    async def order_and_fold(self, command: dict[str, Any]) -> None:
        """Order as a program does, and wait until the read model shows it."""
        assert (await self.machine.post("/api/commands", json={"command": command})).status_code == 200
        await self.folded()

    # -- a plan and a worker, played by hand --------------------------------------------------------------------------

    async def submit(self, name: str, **spec: Any) -> str:
        task_id = f"default/{name}"
        answer = await self.order(task.Submit(task_id=task_id, spec=TaskSpec(**{"title": f"Task {name}"} | spec)))
        assert answer.outcome == "done", answer.reason
        return task_id

    async def bring_plan(self, **specs: TaskSpec) -> None:
        """A whole plan at once, as an import brings it."""
        planned = [plan.Planned(task_id=f"default/{name}", spec=spec) for name, spec in specs.items()]
        for command in (
            plan.Begin(plan_id="p", session_id="default", source="test"), plan.Add(plan_id="p", tasks=planned),
            plan.Seal(plan_id="p"),
        ):  # fmt: skip
            assert (await self.order(command)).outcome == "done"

    async def register(self, worker_id: str = "w1", agents: int = 2, **spec: Any) -> None:
        offered = [worker.AgentSpec(**{"name": f"a{i}", "adapter": "sim", "pool": "sim"} | spec) for i in range(agents)]
        answer = await self.order(worker.Register(worker_id=worker_id, boot_id="boot-1", agents=offered, host="test"))
        assert answer.outcome == "done", answer.reason
        for stored in reversed(self.ledger.logs["EVENTS"].messages):
            fact = decode_fact(stored.data).fact
            if isinstance(fact, worker.Registered) and fact.worker_id == worker_id:
                self._epochs[worker_id] = stored.seq
                return

    def epoch(self, worker_id: str) -> int:
        return self._epochs[worker_id]

    async def start(self, run_id: str, worker_id: str = "w1") -> None:
        await self.order(run.Start(run_id=run_id, worker_id=worker_id, epoch=self._epochs[worker_id]))

    async def progress(self, run_id: str, step: str, percent: int, worker_id: str = "w1") -> None:
        usage = Usage(input_tokens=1_000, output_tokens=200, tool_calls=1)
        await self.order(
            run.Progress(
                run_id=run_id, worker_id=worker_id, epoch=self._epochs[worker_id], step=step, percent=percent,
                usage=usage, files=["src/a.py"],
            )
        )  # fmt: skip

    async def finish(self, run_id: str, result: Any = "succeeded", worker_id: str = "w1", **told: Any) -> Answer:
        epoch = self._epochs[worker_id]
        return await self.order(run.Finish(run_id=run_id, worker_id=worker_id, epoch=epoch, result=result, **told))

    def say(self, run_id: str, text: str | bytes, stream: Any = "stdout", offset: int = 0) -> None:
        data = text.encode() if isinstance(text, str) else text
        self.ledger.put("OUTPUT", [output(run_id, stream, offset, data)])

    def see(self, run_id: str, n: int, kind: Any, **seen: Any) -> None:
        observation = Observation(run_id=run_id, n=n, at=self.clock.now_us(), kind=kind, **seen)
        self.ledger.put("OBSERVATIONS", [encode_observation(observation)])


ONE_TRY = Policy(max_attempts=1)


async def at_work(tower: Tower) -> Tower:
    """A tower in the middle of its day: something done, running, failed, blocked, paused, refused; a paused lane."""
    await tower.register(agents=3)
    await tower.bring_plan(
        schema=TaskSpec(title="Draw the schema", priority=0, files=["db/schema.sql"], labels=["db"]),
        load=TaskSpec(title="Load the rows", depends_on=["default/schema"], prompt="Load them all.\nThen count."),
        report=TaskSpec(title="Write the report", depends_on=["default/load"], lane="B"),
        broken=TaskSpec(title="Sharpen the saw", lane="C", policy=ONE_TRY, command="false", needs=["sim"]),
        later=TaskSpec(title="Sweep the yard", lane="D", begin="paused", because="someone else had begun"),
        odd=TaskSpec(title="Needs a rare thing", needs=["quantum"]),
    )
    await tower.register("shells", agents=1, adapter="shell", pool="shell", capabilities=["sim"])
    await tower.start("default/schema~1")
    await tower.finish("default/schema~1", summary="drawn", checks=["unit tests"], duration_ms=4_100)
    await tower.start("default/broken~1", "shells")
    await tower.finish("default/broken~1", "failed", "shells", error_class="exit", error="exit 1: dull", exit_code=1)
    await tower.start("default/load~1")
    await tower.progress("default/load~1", "counting rows", 40)
    tower.say("default/load~1", "\x1b[32mloaded 40\x1b[0m\nof 100\n")
    tower.see("default/load~1", 1, "text", says="I load the rows in batches.")
    tower.see("default/load~1", 2, "tool", name="Bash", says="psql -f load.sql", ref="c1")
    tower.see("default/load~1", 3, "tool_result", name="Bash", ref="c1", failed=True)
    tower.see("default/load~1", 4, "tool", name="Read", says="rows.csv", ref="c2")
    for command in (
        {"type": "lane.pause", "lane": "B", "reason": "freeze"},
        {"type": "lane.configure", "lane": "A", "concurrency": 2},
        {"type": "lane.pause", "lane": "B"},  # it is so already
    ):  # fmt: skip
        await tower.machine.post("/api/commands", json={"command": command})
    await tower.folded()
    return tower
