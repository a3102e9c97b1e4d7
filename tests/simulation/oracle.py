"""What may stand in EVENTS, told a second time and only from facts: the promises of reliability.md, fact by fact.

It shares nothing with the deciders but the words. ``take`` raises ``Violation`` naming the promise that was broken.
"""

from __future__ import annotations

from typing import Any

import msgspec

from core.domain import agent, amend, hire, lane, plan, run, session, steer, system, task, worker
from core.domain.machine import CommandRefused, Received, Recorded
from core.domain.spec import OPEN, TaskSpec
from core.domain.words import Fact
from tests.domain import reader

QUARANTINE_AFTER = 3


class Violation(AssertionError):
    """A promise was broken; the text begins with its id."""


class Known(msgspec.Struct):
    """A task as the facts tell it."""

    spec: TaskSpec
    priority: int
    order: float  # its age, or what an operator put in its place
    runs: int = 0
    used: int = 0
    losses: int = 0
    not_before: int = 0


class Oracle:
    """Follows the facts. ``told`` is every task's state, ``active`` the runs that were given out and have not ended."""

    def __init__(self) -> None:
        self.told: reader.States = {}
        self.active: dict[str, worker.Assigned] = {}
        self.seq = 0
        self._at = 0
        self._tasks: dict[str, Known] = {}
        self._staged: dict[str, dict[str, TaskSpec]] = {}
        self._lanes: dict[str, lane.Lane] = {}
        self._workers: dict[str, tuple[int, str, set[str]]] = {}
        self._paused_agents: set[str] = set()
        self._halted: system.Halted | None = None
        self._held: set[str] = set()
        self._ordered: set[str] = set()  # runs whose worker was ordered to end them
        self._decided: dict[str, int] = {}

    def take(self, recorded: Recorded, received: Received) -> None:
        """The next fact, and the command that it says caused it."""
        self.seq += 1
        if recorded.at < self._at:
            raise Violation(f"R1 time went back at {self.seq}")
        self._at = recorded.at
        if recorded.part == 1:
            self._outcome(recorded, received)
        self._fact(recorded.fact, received)
        reader.read(self.told, recorded.fact)

    def said_all(self) -> None:
        """A command is done, nothing was left over: whoever works on what is cancelled or paused was told to stop."""
        for run_id, given in self.active.items():
            if self.told[given.task_id] != "running" and run_id not in self._ordered:
                raise Violation(f"C4 {run_id} goes on at {self.seq}, its task is {self.told[given.task_id]}")
        if self._halted is not None and not self._halted.gently and self.active.keys() - self._ordered:
            raise Violation(f"H2 {self.active.keys() - self._ordered} go on at {self.seq} although all was halted")

    def _outcome(self, recorded: Recorded, received: Received) -> None:
        refused = isinstance(recorded.fact, CommandRefused)
        if not received.id.startswith("~"):
            if not refused and received.id in self._decided:
                raise Violation(f"C2 command {received.id} counted at {self._decided[received.id]} and {received.seq}")
            self._decided.setdefault(received.id, received.seq)
        if received.deadline and received.at > received.deadline and not refused:
            raise Violation(f"C6 command {received.seq} was carried out after its deadline")

    def _fact(self, fact: Fact, received: Received) -> None:  # noqa: C901 - one flat match
        match fact:
            case system.Genesis():
                self._lanes = {name: lane.Lane(name) for name in lane.DEFAULT_LANES}
            case task.Submitted():
                self._tasks[fact.task_id] = Known(fact.spec, fact.spec.priority, self.seq)
            case plan.Staged():
                self._staged.setdefault(fact.plan_id, {})[fact.task_id] = fact.spec
            case plan.Sealed():
                self._seal(self._staged.pop(fact.plan_id, {}))
            case task.Retried():
                known = self._tasks[fact.task_id]
                known.used = known.losses = known.not_before = 0
            case worker.Assigned():
                self._assigned(fact)
            case run.Succeeded() | run.Failed() | run.Interrupted() | run.Stopped():
                self._ended(fact, received)
            case worker.CancelOrdered() | worker.InterruptOrdered():
                self._ordered.add(fact.run_id)
            case worker.HaltOrdered():
                self._ordered |= {name for name, given in self.active.items() if given.worker_id == fact.worker_id}
            case system.Halted() | system.Released():
                self._halted = fact if isinstance(fact, system.Halted) else None
            case steer.Held() | steer.Continued():
                self._hold(fact)
            case hire.Grown():
                self._workers[fact.worker_id][2].update(f"{fact.worker_id}/{each.name}" for each in fact.agents)
            case amend.Amended() | amend.DependencyAdded() | amend.DependencyRemoved() | amend.Placed():
                self._amended(fact)
            case task.Reprioritised():
                self._tasks[fact.task_id].priority = fact.priority
            case worker.Registered() | worker.Left() | worker.Lost():
                self._released(fact)
            case worker.Draining():
                self._workers[fact.worker_id] = (fact.epoch, "draining", self._workers[fact.worker_id][2])
            case lane.Configured():
                self._lanes.setdefault(fact.lane, lane.Lane(fact.lane)).concurrency = fact.concurrency
            case lane.Paused() | lane.Resumed():
                self._lanes[fact.lane].paused = isinstance(fact, lane.Paused)
            case agent.Paused():
                self._paused_agents.add(fact.agent_id)
            case agent.Resumed():
                self._paused_agents.discard(fact.agent_id)
            case task.RolledUp(state="done"):
                self._rolled_up(fact.task_id)
            case session.Closed():
                pass

    def _seal(self, staged: dict[str, TaskSpec]) -> None:
        for name, spec in staged.items():
            if name in self._tasks:
                self._tasks[name].spec, self._tasks[name].not_before = spec, 0
                self._tasks[name].priority = spec.priority
            else:
                self._tasks[name] = Known(spec, spec.priority, self.seq)

    def _hold(self, fact: steer.Held | steer.Continued) -> None:
        if fact.run_id not in self.active or fact.run_id in self._ordered:
            raise Violation(f"H3 {fact.run_id} at {self.seq} is held or let go on, but is over or being stopped")
        if (fact.run_id in self._held) == isinstance(fact, steer.Held):
            raise Violation(f"H3 {fact.run_id} at {self.seq} is held or let go on twice")
        self._held ^= {fact.run_id}

    def _amended(self, fact: amend.Event) -> None:
        known = self._tasks[fact.task_id]
        match fact:
            case amend.Amended():
                if fact.spec.depends_on != known.spec.depends_on:
                    raise Violation(f"A1 {fact.task_id} at {self.seq}: a new wording changed what it depends on")
                known.spec, known.priority = fact.spec, fact.spec.priority
            case amend.DependencyAdded():
                if self._waits(fact.on, fact.task_id):
                    raise Violation(f"A2 {fact.task_id} at {self.seq} depends on {fact.on}, which waits for it")
                known.spec = msgspec.structs.replace(known.spec, depends_on=[*known.spec.depends_on, fact.on])
                for name in (fact.task_id, *fact.blocked):  # what is blocked meanwhile waits for that instead
                    self._tasks[name].not_before = 0
            case amend.DependencyRemoved():
                left = [each for each in known.spec.depends_on if each != fact.on]
                known.spec = msgspec.structs.replace(known.spec, depends_on=left)
            case amend.Placed():
                known.order = fact.order

    def _waits(self, name: str, other: str) -> bool:
        """Whether ``name`` cannot be done before ``other`` is, or before that may start (its gate)."""
        look, seen = [name], set[str]()
        while look:
            here = look.pop()
            task_id = here.rstrip("\0")
            if here in seen or self.told.get(task_id) == "done":
                continue
            seen.add(here)
            spec = self._tasks[task_id].spec
            look += [*spec.depends_on, *(f"{parent}\0" for parent in spec.parents)]
            if here == task_id:
                look += [each for each, known in self._tasks.items() if task_id in known.spec.parents]
        return bool(seen & {other, f"{other}\0"})

    def _assigned(self, fact: worker.Assigned) -> None:
        known, where = self._tasks[fact.task_id], f"{fact.run_id} at {self.seq}"
        if self._halted is not None:
            raise Violation(f"H1 {where}: the fleet is halted")
        if self.told.get(fact.task_id) != "ready":
            raise Violation(f"S1 {where}: its task is {self.told.get(fact.task_id)}")
        unmet = [need for need in known.spec.depends_on if self.told.get(need) != "done"]
        if unmet:
            raise Violation(f"S1 {where}: {unmet} not done")
        if any(other.task_id == fact.task_id or other.agent_id == fact.agent_id for other in self.active.values()):
            raise Violation(f"S8 {where}: its task or agent is at work already")
        if (fact.attempt, fact.run_id) != (known.runs + 1, f"{fact.task_id}~{known.runs + 1}"):
            raise Violation(f"S2 {where}: attempt {fact.attempt} after {known.runs}")
        open_parts = [
            n for n, other in self._tasks.items() if fact.task_id in other.spec.parents and self.told[n] in OPEN
        ]
        if open_parts:
            raise Violation(f"S1 {where}: its parts {open_parts} are open")
        if self._at < known.not_before:
            raise Violation(f"S2 {where}: {known.not_before - self._at} us before its backoff is over")
        if known.losses >= QUARANTINE_AFTER:
            raise Violation(f"W4 {where}: its task took {known.losses} workers down")
        spec = known.spec
        if (fact.title, fact.prompt, fact.command, fact.lane, fact.files, fact.policy) != (
            spec.title, spec.prompt, spec.command, spec.lane, spec.files, spec.policy
        ):  # fmt: skip
            raise Violation(f"A1 {where}: given out as {fact}, not as it is worded: {spec}")
        self._is_first(fact.task_id, known, where)
        self._place_is_free(fact, where)
        known.runs += 1
        self.active[fact.run_id] = fact

    def _is_first(self, task_id: str, given: Known, where: str) -> None:
        """Of all that stand in the same line and ask for the same, it is the first."""
        containers = {p for n, known in self._tasks.items() if self.told[n] in OPEN for p in known.spec.parents}
        like = (given.spec.lane, given.priority, sorted(given.spec.needs), bool(given.spec.command))
        for name, known in self._tasks.items():
            asks = (known.spec.lane, known.priority, sorted(known.spec.needs), bool(known.spec.command))
            earlier = (known.order, name) < (given.order, task_id)
            if earlier and asks == like and self.told[name] == "ready" and name not in containers:
                raise Violation(f"S6 {where}: {name} stands before it")

    def _place_is_free(self, fact: worker.Assigned, where: str) -> None:
        place = self._lanes[fact.lane]
        running = sum(other.lane == fact.lane for other in self.active.values())
        if place.paused or (place.concurrency is not None and running >= place.concurrency):
            raise Violation(f"S4 {where}: lane {fact.lane} is paused or full ({running})")
        epoch, state, agents = self._workers[fact.worker_id]
        if state != "live" or epoch != fact.epoch or fact.agent_id not in agents:
            raise Violation(f"W3 {where}: worker {fact.worker_id} is {state}, epoch {epoch}")
        if fact.agent_id in self._paused_agents:
            raise Violation(f"S4 {where}: agent {fact.agent_id} is paused")

    def _ended(self, fact: Any, received: Received) -> None:
        given = self.active.pop(fact.run_id, None)
        if given is None:
            raise Violation(f"S3 {fact.run_id} ended at {self.seq}, but was not under way")
        report = received.command
        if not isinstance(report, run.Finish) or report.run_id != fact.run_id:
            raise Violation(f"S3 {fact.run_id} ended at {self.seq} by command {received.seq}, which is no report on it")
        if (report.worker_id, report.epoch) != (given.worker_id, given.epoch):
            raise Violation(f"K2 {fact.run_id}: a report of {report.worker_id}, epoch {report.epoch}, was accepted")
        self._held.discard(fact.run_id)
        if self.told[fact.task_id] not in OPEN and not isinstance(fact, run.Stopped):
            raise Violation(
                f"C4 {fact.run_id}: its task was {self.told[fact.task_id]}, yet it ended as a success or such"
            )
        known = self._tasks[fact.task_id]
        if isinstance(fact, run.Failed):
            known.used += 1
            known.not_before = fact.retry_at
            if fact.then == "waiting" and (known.used >= known.spec.policy.max_attempts or fact.retry_at < self._at):
                raise Violation(f"S2 {fact.run_id}: waits for another attempt after {known.used}")

    def _released(self, fact: worker.Registered | worker.Left | worker.Lost) -> None:
        held = sorted(run_id for run_id, given in self.active.items() if given.worker_id == fact.worker_id)
        if sorted(released.run_id for released in fact.released) != held:
            raise Violation(f"W3 {fact.worker_id} at {self.seq} held {held}, released {fact.released}")
        for released in fact.released:
            del self.active[released.run_id]
            self._held.discard(released.run_id)
            known = self._tasks[released.task_id]
            known.losses += not isinstance(fact, worker.Left) and self.told[released.task_id] in OPEN
            known.not_before = released.retry_at
        if isinstance(fact, worker.Registered):
            agents = {f"{fact.worker_id}/{each.name}" for each in fact.agents}
            self._workers[fact.worker_id] = (self.seq, "live", agents)
        else:
            self._workers[fact.worker_id] = (fact.epoch, "gone", set())

    def _rolled_up(self, task_id: str) -> None:
        parts = [name for name, known in self._tasks.items() if task_id in known.spec.parents]
        still_open = [name for name in parts if self.told[name] in OPEN]
        if still_open:
            raise Violation(f"S1 container {task_id} is done at {self.seq} with {still_open} open")
