"""What goes wrong. A seed chooses which kinds of faults it plays and how often: some seeds are all of one kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from core.domain import agent, lane, plan, steer, system, task
from core.domain.words import Order
from core.envelope import Sent, encode_command

if TYPE_CHECKING:
    from tests.simulation.world import Place, World

STOREYS = 9  # a plan's command makes no more facts than the lowest bound allows
AHEAD_S = (-30, -2, 5, 70, 240)


class Nemesis:
    def __init__(self, world: World) -> None:
        self._world, self._rng = world, world.rng
        kinds: list[Callable[[], None]] = [
            self.kill_a_core, self.kill_a_worker, self.kill_the_read_model, self.stop_a_core, self.stop_a_worker,
            self.cut_a_link, self.cut_all_links, self.lose_the_lease, self.set_the_servers_clock,
            self.set_a_process_clock, self.fill_a_log, self.kill_a_core_as_it_writes, self.burn_a_worker,
        ]  # fmt: skip
        self._kinds = [kind for kind in kinds if self._rng.random() < 0.6]
        self._every_s = self._rng.choice((0.7, 2.0, 6.0))
        rough = self._rng.choice((0.0, 0.0, 0.01, 0.04))
        weather = world.weather
        weather.lost_request = weather.lost_answer = weather.refused = rough
        weather.latency = self._rng.choice((0.001, 0.01, 0.06))
        self._task = asyncio.ensure_future(self._plague())

    async def _plague(self) -> None:
        while self._kinds:
            await asyncio.sleep(self._rng.expovariate(1 / self._every_s))
            kind = self._rng.choice(self._kinds)
            kind()
            self._world.seen[kind.__name__.replace("_", " ")] += 1

    async def heal(self) -> None:
        """No more faults; everything that was broken is mended, and an operator opens what was closed."""
        world = self._world
        self._task.cancel()
        world.weather.lost_request = world.weather.lost_answer = world.weather.refused = 0.0
        world.server.full.clear()
        world.server.wall.ahead_us = 0
        for place in world.places.values():
            place.clock.ahead_us = 0
            if place.process.held is not None:
                place.process.go_on()
            place.wire.restore()
        self._caretaker = asyncio.ensure_future(self._look_after())
        for name in lane.DEFAULT_LANES:
            self._tell(lane.Resume(lane=name))
            self._tell(lane.Configure(lane=name))
        for agent_id in world.checker.state.agents:
            self._tell(agent.Resume(agent_id=agent_id))
        for task_id, known in world.checker.state.tasks.items():
            if known.state == "paused":
                self._tell(task.Resume(task_id=task_id))

    async def _look_after(self) -> None:
        """A suspicion, a halt or a hold may still be on its way when everything is well again."""
        while True:
            state = self._world.checker.state
            if state.clock_suspected:
                self._tell(system.TrustClock())
            if state.halted is not None:
                self._tell(system.Release())
            for run_id, held in state.runs.items():
                if held.state == "held":
                    self._tell(steer.Continue(run_id=run_id))
            await asyncio.sleep(5.0)

    def fell_a_tower(self) -> None:
        """Many things follow from one order while nobody else says anything: the core has to go on by itself."""
        names = [f"default/tower-{n}" for n in range(STOREYS)]
        tasks = [
            plan.Planned(task_id=name, spec=task.TaskSpec(title="storey", parents=below, needs=["nobody"]))
            for name, below in zip(names, [[], *([name] for name in names)], strict=False)
        ]
        self._tell(plan.Begin(plan_id="tower", session_id="default"))
        self._tell(plan.Add(plan_id="tower", tasks=tasks))
        self._tell(plan.Seal(plan_id="tower"))
        self._tell(task.Cancel(task_id=names[-1]))

    def _tell(self, order: Order) -> None:
        sent = Sent(id=f"~heal/{self._world.server.last_seq('COMMANDS')}", by="operator", command=order)  # type: ignore[arg-type]
        self._world.server.store("COMMANDS", [encode_command(sent)])

    def kill_a_core(self) -> None:
        self._world.kill(self._any("core"))

    def kill_a_worker(self) -> None:
        self._world.kill(self._any("worker"))

    def kill_a_core_as_it_writes(self) -> None:
        """Between two facts of one command."""
        place = self._any("core")
        place.wire.trap = partial(self._world.kill, place)

    def burn_a_worker(self) -> None:
        """Its machine is gone for good; the last one stays."""
        left = [place for name, place in self._world.places.items() if name.startswith("worker")]
        if len(left) > 1:
            place = self._rng.choice(left)
            del self._world.places[place.name]
            self._world.kill(place)

    def kill_the_read_model(self) -> None:
        self._world.kill(self._world.places["projector"])

    def stop_a_core(self) -> None:
        self._stop(self._any("core"))

    def stop_a_worker(self) -> None:
        self._stop(self._any("worker"))

    def cut_a_link(self) -> None:
        self._cut(self._rng.choice(list(self._world.places.values())), self._rng.uniform(0.1, 8.0))

    def cut_all_links(self) -> None:
        """The server is killed and started again."""
        self._world.server.lease = None
        for place in self._world.places.values():
            self._cut(place, self._rng.uniform(0.3, 2.0))

    def lose_the_lease(self) -> None:
        """Its bucket was made again: another core may take it while the first still thinks that it leads."""
        self._world.server.lease = None

    def set_the_servers_clock(self) -> None:
        self._world.server.wall.ahead_us = self._rng.choice(AHEAD_S) * 1_000_000

    def set_a_process_clock(self) -> None:
        place = self._rng.choice(list(self._world.places.values()))
        place.clock.ahead_us = self._rng.choice(AHEAD_S) * 1_000_000

    def fill_a_log(self) -> None:
        stream = self._rng.choice(("COMMANDS", "EVENTS"))
        self._world.server.full.add(stream)  # type: ignore[arg-type]
        later = self._rng.uniform(0.2, 3.0)
        asyncio.get_running_loop().call_later(later, self._world.server.full.discard, stream)

    def _any(self, kind: str) -> Place:
        return self._rng.choice([place for name, place in self._world.places.items() if name.startswith(kind)])

    def _stop(self, place: Place) -> None:
        process = place.process
        process.stop()
        asyncio.get_running_loop().call_later(self._rng.uniform(0.5, 12.0), _go_on, process)

    def _cut(self, place: Place, seconds: float) -> None:
        wire = place.wire
        wire.cut()
        asyncio.get_running_loop().call_later(seconds, wire.restore)


def _go_on(process: object) -> None:
    if process.held is not None:  # type: ignore[attr-defined]
        process.go_on()  # type: ignore[attr-defined]
