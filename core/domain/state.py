"""All the core knows: a fold of EVENTS, nothing else. Plus two queues that are rebuilt from it, never stored."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

import msgspec

from core.domain.agent import PROMPT, SHELL, Agent
from core.domain.lane import Lane
from core.domain.notes import Bookmark, View
from core.domain.plan import Plan
from core.domain.run import Run
from core.domain.session import Session
from core.domain.spec import Over, Task, TaskSpec
from core.domain.template import Template
from core.domain.worker import Worker

ReadyKey = tuple[str, frozenset[str]]  # lane, needs
ReadyEntry = tuple[int, float, str]  # priority, age or place, task id: the order in which tasks are given out
IdleEntry = tuple[int, str]  # last busy, agent id: the least recently busy first

DueEntry = tuple[int, str]  # due, task id: the next timer first


class Halt(msgspec.Struct, frozen=True):
    """Nothing is given out until it is released. ``gently``: what runs, runs on."""

    by: str
    reason: str
    gently: bool


class Book(msgspec.Struct):
    """The part of the state a snapshot holds. Times in microseconds; ``by``: who ordered what is being taken in."""

    seq: int = 0
    command_seq: int = 0
    at: int = 0
    by: str = ""
    rules: int = 0
    commands_created: int = 0
    events_created: int = 0
    pending: bool = False
    clock_suspected: bool = False
    halted: Halt | None = None
    sessions: dict[str, Session] = {}
    lanes: dict[str, Lane] = {}
    tasks: dict[str, Task] = {}
    over: dict[str, Over] = {}
    dependents: dict[str, list[str]] = {}
    children: dict[str, list[str]] = {}
    runs: dict[str, Run] = {}
    agents: dict[str, Agent] = {}
    workers: dict[str, Worker] = {}
    plans: dict[str, Plan] = {}
    sealed_plans: dict[str, None] = {}
    templates: dict[str, Template] = {}
    timers: dict[str, int] = {}
    to_halt: dict[str, None] = {}
    to_stop: dict[str, None] = {}
    to_roll_up: dict[str, None] = {}
    to_tell: dict[str, list[str]] = {}
    views: dict[str, View] = {}
    bookmarks: dict[str, Bookmark] = {}
    board_limits: dict[str, int] = {}
    recent: dict[str, int] = {}
    forgotten: int = 0  # when the youngest id that is no longer in ``recent`` was made


class State(Book):
    """The book and its queues. Entries of a queue may be stale: whoever looks drops those that no longer hold."""

    ready: dict[ReadyKey, list[ReadyEntry]] = {}
    idle: dict[frozenset[str], list[IdleEntry]] = {}
    due: list[DueEntry] = []

    def offer_task(self, task: Task) -> None:
        """Put a ready task into its queue."""
        if task.state == "ready" and not task.open_children:
            key = (task.spec.lane, needs_of(task.spec))
            heappush(self.ready.setdefault(key, []), (task.priority, task.order, task.task_id))

    def offer(self, agent: Agent) -> None:
        """Put an idle agent into its queue."""
        if agent.state == "idle":
            heappush(self.idle.setdefault(agent.abilities, []), (agent.last_busy, agent.agent_id))

    def set_timer(self, task_id: str, due: int) -> None:
        """Note that the task wants to be woken at ``due`` microseconds."""
        self.timers[task_id] = due
        heappush(self.due, (due, task_id))

    def next_due(self) -> DueEntry | None:
        """The next timer that still holds."""
        while self.due:
            due, task_id = self.due[0]
            if self.timers.get(task_id) == due:
                return self.due[0]
            heappop(self.due)
        return None

    def halt(self, reason: str, *, gently: bool) -> None:
        """Give nothing out; every worker is yet to be told, unless it is done gently."""
        self.halted = Halt(self.by, reason, gently)
        if not gently:
            present = (w.worker_id for w in self.workers.values() if w.state in ("live", "draining"))
            self.to_halt |= dict.fromkeys(present)

    def tasks_of(self, session_id: str) -> list[Task]:
        """The session's tasks that are not done."""
        return [task for task in self.tasks.values() if task.session_id == session_id]

    def agents_of(self, worker_id: str) -> Iterable[Agent]:
        """The agents the worker last registered with."""
        worker = self.workers.get(worker_id)
        if worker is None:
            return []
        return [self.agents[agent_id] for agent_id in worker.agents if agent_id in self.agents]

    def runs_of(self, worker_id: str) -> Iterable[Run]:
        """The runs under way on the worker."""
        return [self.runs[agent.run_id] for agent in self.agents_of(worker_id) if agent.run_id]

    def last_run(self, task_id: str) -> str:
        """The id of the task's last run, or nothing."""
        task = self.tasks.get(task_id)
        if task is not None:
            return task.run_id
        over = self.over.get(task_id)
        return f"{task_id}~{over.runs}" if over is not None and over.runs else ""


def needs_of(spec: TaskSpec) -> frozenset[str]:
    """Abilities an agent must have for the task: a command needs a shell, words need somebody who reads them."""
    return frozenset((*spec.needs, SHELL if spec.command else PROMPT))


def snapshot(state: State) -> bytes:
    """The book as msgpack. Reading it back with ``restore`` gives an equal state."""
    return msgspec.msgpack.encode(Book(**{name: getattr(state, name) for name in Book.__struct_fields__}))


def restore(data: bytes) -> State:
    """The state a snapshot was made of."""
    book = msgspec.msgpack.decode(data, type=Book)
    state = State(**{name: getattr(book, name) for name in Book.__struct_fields__})
    for task in state.tasks.values():
        state.offer_task(task)
    for task_id, due in state.timers.items():
        heappush(state.due, (due, task_id))
    for agent in state.agents.values():
        state.offer(agent)
    return state
