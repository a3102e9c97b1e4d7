"""One simulated yard: a server, cores, workers and operators on virtual time, and a nemesis; all of it from one seed.

``World.play`` plays at least ``commands`` commands with faults, then heals everything and waits until nothing is left
to do; it raises the first promise broken. The cores are the real ``core.engine``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import msgspec

from core.domain import system
from core.engine import Engine
from core.envelope import Sent, decode_answer, encode_command
from core.recovery import Snapshot
from tests.domain import laws
from tests.simulation.checker import Checker
from tests.simulation.fleet import Mailbox, Worker
from tests.simulation.loop import Process
from tests.simulation.nemesis import Nemesis
from tests.simulation.network import Weather, Wire, WiredBeats, WiredLease, WiredLedger, WiredSnapshots
from tests.simulation.operators import Operator
from tests.simulation.oracle import Violation
from tests.simulation.projector import Projector
from tests.simulation.server import Server, Wall

REST_S = 8.0  # longer than a killed worker needs to come back
SETTLE_WITHIN_S = 900.0  # after the last fault; clocks may have jumped by minutes


class Place(msgspec.Struct):
    """A process that is started again whenever it ends. ``make`` builds what it runs."""

    name: str
    make: Callable[[Place], Coroutine[Any, Any, None]]
    clock: Wall
    rng: Random
    process: Process
    wire: Wire
    task: asyncio.Task[None] | None = None
    closing: Callable[[], None] | None = None


class World:
    def __init__(self, seed: int, commands: int) -> None:
        self.seed, self.commands = seed, commands
        self.rng = Random(seed)
        self.seen: Counter[str] = Counter()
        self.server = Server()
        self.weather = Weather()
        self.checker = Checker(self.server, self.seen)
        self.snapshots: list[Snapshot] = []
        self.mailboxes: dict[str, Mailbox] = {}
        self.places: dict[str, Place] = {}
        self.projector = Projector(self.checker)
        self.calm = False
        self._rest_since = 0.0
        self.dead: list[asyncio.Task[None]] = []

    # -- processes ------------------------------------------------------------------------------------------------

    def place(self, name: str, make: Callable[[Place], Coroutine[Any, Any, None]]) -> Place:
        """A place for a process, and its first start."""
        rng = Random(f"{self.seed}/{name}")
        process = Process(name)
        wire = Wire(self.server, process, rng, self.weather, self.seen)
        place = Place(name, make, Wall(), rng, process, wire)
        self.places[name] = place
        self.start(place)
        return place

    def start(self, place: Place) -> None:
        place.task = place.process.start(place.make(place))
        place.task.add_done_callback(lambda task: self._ended(place, task))

    def kill(self, place: Place) -> None:
        """kill -9, and the supervisor's restart a moment later. What it had sent may still arrive, the first of it."""
        old = place.process
        if not old.alive:
            return
        old.alive = False
        place.wire.cut()
        place.wire.restore()
        if place.closing is not None:
            place.closing()
        if old.held is not None:
            old.go_on()
        assert place.task is not None
        self.dead.append(place.task)
        place.task.cancel()
        asyncio.get_running_loop().call_later(place.rng.uniform(0.2, 2.0), self._restart, place)

    def _restart(self, place: Place) -> None:
        if self.places.get(place.name) is not place:
            return
        place.process = Process(place.name)
        place.wire = Wire(self.server, place.process, place.rng, self.weather, self.seen)
        self.start(place)

    def _ended(self, place: Place, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task in self.dead:
            return
        error = task.exception()
        if self.calm and error is None:
            return
        if self.checker.failed is None:
            self.checker.failed = Violation(f"{place.name} ended by itself: {error!r}")
            self.checker.failed.__cause__ = error

    # -- who there is ---------------------------------------------------------------------------------------------

    def core(self, place: Place) -> Coroutine[Any, Any, None]:
        beats = WiredBeats(place.wire)
        place.closing = beats.close
        holder = f"{place.name}-{place.rng.getrandbits(32):08x}"
        return Engine(
            WiredLedger(place.wire), place.clock, lease=WiredLease(place.wire, holder), beats=beats,
            answers=Answers(self, place.wire), snapshots=WiredSnapshots(place.wire, self.snapshots), build="simulated",
        ).run()  # fmt: skip

    def worker(self, place: Place) -> Coroutine[Any, Any, None]:
        box = self._mailbox(place)
        crash = lambda: asyncio.get_running_loop().call_soon(self._crash, place, context=place.wire.outside)  # noqa: E731
        made = Worker(
            place.name, place.wire, box, rng=place.rng, clock=place.clock, crash=crash, seen=self.seen
        )  # fmt: skip
        return made.run()

    def operator(self, place: Place) -> Coroutine[Any, Any, None]:
        return Operator(self, place, self._mailbox(place)).run()

    def project(self, place: Place) -> Coroutine[Any, Any, None]:
        return self.projector.run(WiredLedger(place.wire))

    def _crash(self, place: Place) -> None:
        self.seen["a task took its worker down"] += 1
        self.kill(place)

    def _mailbox(self, place: Place) -> Mailbox:
        box = self.mailboxes[place.name] = Mailbox(place.name)
        return box

    # -- the play -------------------------------------------------------------------------------------------------

    async def play(self) -> None:
        rng = self.rng
        begin = system.Begin(
            commands_created=self._created, events_created=self._created, rules=rng.choice((1, 2, 3, 4))
        )
        if rng.random() < 0.5:
            self.server.store("COMMANDS", [encode_command(Sent(id="~begin", by="core", command=begin))])
        self.nemesis = Nemesis(self)
        for n in range(rng.choice((1, 2, 2, 3))):
            self.place(f"core-{n}", self.core)
        for n in range(rng.randint(1, 4)):
            self.place(f"worker-{n}", self.worker)
        for n in range(rng.randint(1, 3)):
            self.place(f"operator-{n}", self.operator)
        self.place("projector", self.project)
        await self.until(lambda: self.server.last_seq("COMMANDS") >= self.commands, 3_600, "enough commands were given")
        self.calm = True
        await self.nemesis.heal()
        await self.until(self._settled, SETTLE_WITHIN_S, "all is done that can be")
        self.nemesis.fell_a_tower()
        await self.until(self._settled, SETTLE_WITHIN_S, "a tower of containers is rolled up")
        laws.sound(self.checker.state, self.checker.misled)
        laws.the_log_tells(self.checker.state, self.checker.oracle.told)
        await self.until(lambda: self.projector.seq == self.checker.oracle.seq, 60, "the read model caught up")
        self.projector.check()

    async def until(self, done: Callable[[], bool], within_s: float, what: str) -> None:
        """Let time pass until it is so. Every promise broken meanwhile ends the play."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while not done():
            if self.checker.failed is not None:
                raise self.checker.failed
            if loop.time() > end:
                raise Violation(f"S4 {what}: not within {within_s:.0f} s. {self._state_of_things()}")
            await asyncio.sleep(0.25)
        if self.checker.failed is not None:
            raise self.checker.failed

    def _settled(self) -> bool:
        """Every command has its outcome, no task is under way or waits for time to pass, and it stays so a while."""
        if not self._at_rest():
            self._rest_since = asyncio.get_running_loop().time()
        return asyncio.get_running_loop().time() - self._rest_since >= REST_S

    def _at_rest(self) -> bool:
        state = self.checker.state
        if state.command_seq < self.server.last_seq("COMMANDS") or state.pending or self.checker.undecided:
            return False
        return not state.runs and not state.timers

    def _state_of_things(self) -> str:
        state = self.checker.state
        return (
            f"Decided {state.command_seq} of {self.server.last_seq('COMMANDS')} commands, pending {state.pending}, "
            f"runs {list(state.runs)}, waiting {state.timers}, "
            f"workers {[(held.worker_id, held.state) for held in state.workers.values()]}"
        )

    @property
    def _created(self) -> int:
        return self.server.head("COMMANDS").created


class Answers:
    """A core's way back to the doors."""

    def __init__(self, world: World, wire: Wire) -> None:
        self._world, self._wire = world, wire

    def tell(self, inbox: str, data: bytes) -> None:
        if not self._wire.process.alive:
            return
        self._world.checker.told(decode_answer(data))
        box = self._world.mailboxes.get(inbox.partition(".")[0])
        if box is not None and self._wire.up:
            loop = asyncio.get_running_loop()
            loop.call_later(self._wire.latency(), box.arrive, inbox, data, context=self._wire.outside)
