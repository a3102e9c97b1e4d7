"""A rule as a test reads it: ``given(what was ordered).when(an order) == [the facts it makes]``.

A history never changes: ``when`` looks at what would happen, ``after`` gives the longer history. Every order on the way
is also held to the laws that need no story of their own (``tests/domain/laws.py``): encode and decode give the same
back, folding the facts gives the state that made them, a snapshot gives the state it was taken of, the state is sound.
"""

from __future__ import annotations

from core import envelope
from core.domain import machine, plan, run, task, worker
from core.domain.machine import CommandRefused, Received, Recorded
from core.domain.state import State, restore, snapshot
from core.domain.system import NEWEST_RULES, Begin
from core.domain.words import Fact, Order, Policy, Usage
from core.ledger import Stored
from tests.domain import laws, reader

NOON = 1_800_000_000_000_000  # when every story begins, in microseconds
SECOND = 1_000_000


def given(*orders: Order, rules: int = NEWEST_RULES) -> History:
    """The history in which these orders were given, one each millisecond, on a log that has begun."""
    story = History(State(), NOON).after(Begin(commands_created=1, events_created=2, rules=rules))
    return story.after(*orders)


class History:
    """What was decided so far. ``facts`` are all of it, in order; ``last`` those of the last order."""

    def __init__(  # noqa: PLR0917 - only itself makes longer ones
        self, state: State, now: int, log: tuple[Recorded, ...] = (), last: int = 0, told: reader.States | None = None,
        misled: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.state = state
        self.now = now
        self.log = log
        self._last = last
        self._told = told or {}
        self._misled = misled

    @property
    def last(self) -> list[Fact]:
        return [recorded.fact for recorded in self.log[self._last :]]

    @property
    def facts(self) -> list[Fact]:
        return [recorded.fact for recorded in self.log]

    def after(self, *orders: Order) -> History:
        """The history in which these orders were given too."""
        story = self
        for order in orders:
            story = story.told(order)
        return story

    def wait(self, seconds: float) -> History:
        """The same history, later."""
        return History(self.state, self.now + int(seconds * SECOND), self.log, self._last, self._told, self._misled)

    def when(self, order: Order, **envelope_fields: object) -> list[Fact]:
        """The facts the order would make, in order."""
        return self.told(order, **envelope_fields).last

    def refusal(self, order: Order, **envelope_fields: object) -> CommandRefused:
        """The refusal the order would meet; it must be met by one, and by nothing else."""
        facts = self.when(order, **envelope_fields)
        assert len(facts) == 1, facts
        assert isinstance(facts[0], CommandRefused), facts
        return facts[0]

    def told(
        self, order: Order | None, *, command_id: str = "", by: str = "operator", deadline: int = 0, problem: str = ""
    ) -> History:
        """The history after one order, all laws held."""
        now, seq = self.now + 1_000, self.state.command_seq + 1
        received = Received(seq, now, command_id or f"~order/{seq}", by, order, deadline, problem)
        if order is not None:
            laws.command_survives_the_wire(received)
        state = restore(snapshot(self.state))
        recorded = machine.step(state, received)
        laws.facts_survive_the_wire(recorded)
        laws.a_command_ends_once(recorded, received)
        laws.folding_gives_the_same(self.state, recorded, state)
        laws.only_what_the_rule_allows_is_given_out(self.state, recorded)
        misled = self._misled
        if isinstance(order, plan.Seal) and order.plan_id in self.state.plans:
            misled |= laws.misled(self.state.plans[order.plan_id].staged, [each.fact for each in recorded], state)
        laws.sound(state, misled)
        told = dict(self._told)
        for each in recorded:
            reader.read(told, each.fact)
        laws.the_log_tells(state, told)
        return History(state, now, (*self.log, *recorded), len(self.log), told, misled)

    def state_of(self, task_id: str) -> str:
        """The task's state; ``done`` when only its tombstone is left."""
        if task_id in self.state.over:
            return "done"
        return self.state.tasks[task_id].state

    def run_of(self, task_id: str) -> str:
        """The id of the task's last run."""
        return self.state.last_run(task_id)

    def epoch(self, worker_id: str = "anvil") -> int:
        return self.state.workers[worker_id].epoch


def spec(title: str = "work", **fields: object) -> task.TaskSpec:
    """What a task is. Ids in ``depends_on`` and ``parents`` may be written without their session."""
    for edges in ("depends_on", "parents"):
        if edges in fields:
            fields[edges] = [_full(name) for name in fields[edges]]  # type: ignore[attr-defined]
    return task.TaskSpec(title=title, **fields)  # type: ignore[arg-type]


def submit(name: str, **fields: object) -> task.Submit:
    """Submit the task ``default/name``, titled so."""
    return task.Submit(task_id=_full(name), spec=spec(name, **fields))


def register(
    worker_id: str = "anvil", *names: str, boot: str = "boot-1", adapter: str = "noop", able: tuple[str, ...] = (),
    replace: bool = False,
) -> worker.Register:  # fmt: skip
    """A worker comes, with these agents (``ada`` when none is named), all of them able to do the same."""
    agents = [worker.AgentSpec(name=name, adapter=adapter, capabilities=list(able)) for name in names or ("ada",)]
    return worker.Register(worker_id=worker_id, boot_id=boot, agents=agents, replace=replace)


def finish(story: History, name: str, result: str = "succeeded", **fields: object) -> run.Finish:
    """The report that ends the task's present run, from the worker that holds it."""
    held = story.state.runs[story.run_of(_full(name))]
    return run.Finish(
        run_id=held.run_id,
        worker_id=held.worker_id,
        epoch=held.epoch,
        result=result,
        **fields,  # type: ignore[arg-type]
    )


def planned(plan_id: str, *orders: task.Submit, cycles: str = "refuse", seal: bool = True) -> list[Order]:
    """The orders that bring these tasks in as one plan."""
    tasks = [plan.Planned(task_id=order.task_id, spec=order.spec) for order in orders]
    chunks = [tasks[first : first + 400] for first in range(0, len(tasks), 400)]
    return [
        plan.Begin(plan_id=plan_id, session_id="default", cycles=cycles),  # type: ignore[arg-type]
        *(plan.Add(plan_id=plan_id, tasks=chunk) for chunk in chunks),
        *([plan.Seal(plan_id=plan_id)] if seal else []),
    ]


def stored(received: Received) -> Stored:
    """The command as it would stand in COMMANDS."""
    assert received.command is not None
    sent = envelope.Sent(id=received.id, by=received.by, deadline=received.deadline, command=received.command)
    message = envelope.encode_command(sent)
    return Stored(received.seq, message.subject, received.at, message.data)


def _full(name: object) -> str:
    return str(name) if "/" in str(name) else f"default/{name}"


ONCE = Policy(max_attempts=1)
STEADY = Policy(jitter=0.0)
USED = Usage(input_tokens=1_200, output_tokens=80, tool_calls=3)
