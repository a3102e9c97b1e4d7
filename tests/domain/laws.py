"""What must hold of every state and every step, whatever was ordered: written down again, slow and plain.

Each law says what it found in an ``AssertionError``. The specs, the stateful test and the simulation all hold to these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from core import envelope
from core.domain import machine, plan, schedule, worker
from core.domain.conditions import Condition, view, why
from core.domain.machine import CommandRefused, Received, Recorded
from core.domain.spec import OPEN, Task
from core.domain.state import Book, State, restore, snapshot
from core.domain.words import MAX_FACTS, Fact
from core.ledger import Stored

MOST_LOOKS, MOST_LOOKED_AT = 10_000, 20  # where every task and agent would be too many


def command_survives_the_wire(received: Received) -> None:
    """Decoding what was encoded gives the command back."""
    sent = envelope.Sent(id=received.id, by=received.by, deadline=received.deadline, command=received.command)
    message = envelope.encode_command(sent)
    assert envelope.decode_command(Stored(received.seq, message.subject, received.at, message.data)) == received


def facts_survive_the_wire(recorded: list[Recorded]) -> None:
    """Decoding what was encoded gives the fact back, and its subject can be one."""
    for each in recorded:
        message, chain = envelope.encode_fact(each, envelope.GENESIS_CHAIN)
        assert envelope.decode_fact(message.data) == each
        assert envelope.chain_of(message.data) == chain
        assert len(message.data) <= envelope.MAX_FACT
        assert len(message.subject.split(".")) == 4 or message.subject == "evt.command.refused", message.subject


def a_command_ends_once(recorded: list[Recorded], received: Received) -> None:
    """One to 400 facts, numbered, the last one says so, all of them name the command; at most one refusal."""
    assert 1 <= len(recorded) <= MAX_FACTS
    for number, each in enumerate(recorded, 1):
        assert (each.part, each.of, each.end) == (number, len(recorded), number == len(recorded))
        assert (each.cause, each.command_seq, each.by) == (received.id, received.seq, received.by)
        assert each.at >= received.at
    assert sum(isinstance(each.fact, CommandRefused) for each in recorded) <= 1


def folding_gives_the_same(before: State, recorded: list[Recorded], after: State) -> None:
    """Reading the facts back gives the state that wrote them."""
    read = restore(snapshot(before))
    for each in recorded:
        machine.fold(read, each)
    assert book(read) == book(after)


def only_what_the_rule_allows_is_given_out(before: State, recorded: list[Recorded]) -> None:
    """At the moment a task is given out, every condition of ``why`` is met and no other comes first."""
    if not any(isinstance(each.fact, worker.Assigned) for each in recorded):
        return
    state = restore(snapshot(before))
    for each in recorded:
        if isinstance(each.fact, worker.Assigned) and each.part <= MOST_LOOKED_AT:
            unmet = [condition.says for condition in conditions(state, each.fact.task_id) if not condition.met]
            assert not unmet, f"{each.fact.task_id} was given out although: {unmet}"
            given = state.tasks[each.fact.task_id]
            better = [t.task_id for t in startable(state) if _rank(t) < _rank(given)]
            assert not better, f"{each.fact.task_id} was given out before {better}"
            _least_recently_busy(state, given, each.fact.agent_id)
        machine.fold(state, each)


def misled(staged: Collection[str], facts: Iterable[Fact], state: State) -> set[str]:
    """Up to rules 3: who waits for a task that a plan took for done without naming it. They were not told."""
    done = {name for fact in facts if isinstance(fact, plan.Released) for name in fact.done} - set(staged)
    return {task.task_id for task in state.tasks.values() if state.rules < 4 and done & set(task.spec.depends_on)}


def sound(state: State, misled: Collection[str] = ()) -> None:
    """The state hangs together: every count and every queue is what a recount from scratch gives."""
    wrong = [*_counts(state), *_halted(state), *_left_over(state, misled), *_runs(state)]
    for task in state.tasks.values():
        wrong += [f"{task.task_id} {complaint}" for complaint in _parts(state, task)]
        if task.task_id not in misled:
            wrong += [f"{task.task_id} {complaint}" for complaint in _waits(state, task)]
        wrong += [f"{task.task_id} {complaint}" for complaint in _held(state, task)]
    assert not wrong, "; ".join(wrong)
    assert book(restore(snapshot(state))) == book(state)


def startable(state: State) -> list[Task]:
    """Tasks of which ``why`` says that nothing stands in the way; of a very large state a sample."""
    every = max(1, len(state.tasks) * len(state.agents) // MOST_LOOKS)
    looked_at = list(state.tasks.values())[::every]
    return [task for task in looked_at if all(condition.met for condition in conditions(state, task.task_id))]


def conditions(state: State, task_id: str) -> list[Condition]:
    seen, agents = view(state, task_id)
    return why(seen, agents, state.at)


def the_log_tells(state: State, told: dict[str, str]) -> None:
    """Whoever knows the facts alone takes every task to be in the state the core has it in."""
    known = {task.task_id: task.state for task in state.tasks.values()} | dict.fromkeys(state.over, "done")
    wrong = {name: (known.get(name), told.get(name)) for name in {*known, *told} if known.get(name) != told.get(name)}
    assert state.pending or not wrong, f"(in the core, as told): {wrong}"


def book(state: State) -> Book:
    """The stored part of the state, to compare."""
    return Book(**{name: getattr(state, name) for name in Book.__struct_fields__})


def _rank(task: Task) -> tuple[int, float, str]:
    return task.priority, task.order, task.task_id


def _least_recently_busy(state: State, task: Task, chosen: str) -> None:
    fitting = [
        agent for agent in state.agents.values()
        if agent.state == "idle" and state.workers[agent.worker_id].state == "live"
        and schedule.fits(schedule.needs_of(task.spec), agent.abilities)
    ]  # fmt: skip
    assert chosen == min(fitting, key=lambda agent: (agent.last_busy, agent.agent_id)).agent_id


def _counts(state: State) -> Iterator[str]:
    running = Counter(held.lane for held in state.runs.values())
    for name, lane in state.lanes.items():
        if lane.running != running[name]:
            yield f"lane {name} counts {lane.running} runs, there are {running[name]}"
    if state.timers != {t.task_id: t.retry_at for t in state.tasks.values() if t.state == "waiting"}:
        yield f"timers are {state.timers}"
    if set(state.tasks) & set(state.over):
        yield "a task is both open and done"
    yield from _edges(state)


def _edges(state: State) -> Iterator[str]:
    """Who waits for a task and who is a part of it stand beside it as long as it is not done. Parts stay on, done."""
    for told, field in ((state.dependents, "depends_on"), (state.children, "parents")):
        found: dict[str, list[str]] = {}
        for task in state.tasks.values():
            for other in getattr(task.spec, field):
                found.setdefault(other, []).append(task.task_id)
        open_edges = {name: sorted(o for o in others if o in state.tasks) for name, others in told.items()}
        wanted = {name: sorted(others) for name, others in found.items() if name not in state.over}
        if {name: others for name, others in open_edges.items() if others} != wanted:
            yield f"{field} are not what the tasks say"


def _halted(state: State) -> Iterator[str]:
    """While the fleet is halted, and not gently, every worker was told to interrupt what it does."""
    if state.halted is None or state.halted.gently:
        return
    for held in state.runs.values():
        if held.state not in ("interrupting", "cancelling") and held.worker_id not in state.to_halt:
            yield f"{held.run_id} goes on although the fleet is halted"


def _left_over(state: State, misled: Collection[str]) -> Iterator[str]:
    """What the scheduler still has to say; nothing, unless the bound of facts stopped it."""
    for name in state.to_roll_up:
        if not state.tasks[name].is_open or state.tasks[name].open_children:
            yield f"{name} cannot be rolled up"
    for run_id in state.to_stop:
        if state.runs[run_id].state == "cancelling":
            yield f"{run_id} is being stopped already"
    if state.pending:
        return
    if state.to_halt or state.to_stop or state.to_roll_up:
        yield f"left over: {[*state.to_halt, *state.to_stop, *state.to_roll_up]}"
    for task in startable(state):
        if task.task_id in misled:
            continue
        yield f"{task.task_id} was not given out, yet all conditions are met"


def _waits(state: State, task: Task) -> Iterator[str]:
    needs = sum(1 for need in task.spec.depends_on if need not in state.over)
    gates = sum(1 for parent in task.spec.parents if parent in state.tasks and state.tasks[parent].waits > 0)
    if task.waits != needs + gates:
        yield f"waits for {task.waits}, not for {needs} needs and {gates} gates"
    if task.state in ("ready", "waiting") and task.waits:
        yield f"is {task.state} and waits for {task.waits}"
    if task.state == "blocked" and not task.waits:
        yield "is blocked and waits for nothing"


def _parts(state: State, task: Task) -> Iterator[str]:
    parts = [state.tasks.get(part) for part in state.children.get(task.task_id, ())]
    opened = sum(1 for part in parts if part is not None and part.state in OPEN)
    failed = sum(1 for part in parts if part is not None and part.state in ("failed", "quarantined"))
    if (task.open_children, task.failed_children) != (opened, failed):
        yield f"counts {task.open_children} open and {task.failed_children} failed parts, not {opened} and {failed}"
    if opened and (task.run_id in state.runs or not task.is_open):
        yield f"is {task.state} with {opened} open parts"


def _held(state: State, task: Task) -> Iterator[str]:
    """A task's run and its state fit each other."""
    held = state.runs.get(task.run_id)
    if held is None:
        if task.state == "running":
            yield "is running without a run"
        return
    fitting = {"running": ("assigned", "running", "held", "interrupting"), "paused": ("interrupting",)}
    if task.state in ("ready", "blocked", "waiting"):
        yield f"is {task.state} with a run under way"
    elif held.state not in fitting.get(task.state, ("cancelling",)) and held.run_id not in state.to_stop:
        yield f"is {task.state}, its run {held.state}"


def _runs(state: State) -> Iterator[str]:
    for held in state.runs.values():
        if held.task_id not in state.tasks:
            yield f"run {held.run_id} of a task that is gone"
        elif held.state == "running" and not held.begun:
            yield f"run {held.run_id} is running and has not begun"
        elif state.tasks[held.task_id].run_id != held.run_id:
            yield f"task {held.task_id} has two runs under way"
        agent, host = state.agents[held.agent_id], state.workers[held.worker_id]
        if agent.run_id != held.run_id:
            yield f"agent {held.agent_id} does not do {held.run_id}, which says so"
        if agent.gone or host.state not in ("live", "draining") or not host.epoch == held.epoch == agent.epoch:
            yield f"run {held.run_id} outlived its worker"
    if sorted(agent.run_id for agent in state.agents.values() if agent.run_id) != sorted(state.runs):
        yield "agents and runs disagree"
