"""What ``--wait`` waits for: the end of a task, of a run that was told to stop, of a plan. Read from EVENTS alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from collections.abc import Set as AbstractSet
from contextlib import aclosing

from console.cli.exits import Stop
from console.cli.line import Line, Outcome
from core.domain import run, session, task, worker
from core.domain.machine import Event, Recorded
from core.domain.words import MAX_FACTS, token
from core.envelope import decode_fact

# Facts about workers and sessions that end runs and tasks without a fact of the task's own.
_FROM_ABOVE = ("evt.worker.*.lost", "evt.worker.*.left", "evt.worker.*.registered", "evt.session.*.closed")


async def task_over(line: Line, outcome: Outcome) -> str:
    """Wait until the task is over: "done", or ``Stop`` with how else it ended."""
    await _decided(line, outcome)
    await _all_over(line, {outcome.target}, [f"evt.*.{token(outcome.target)}.>", *_FROM_ABOVE])
    return "done"


async def all_over(line: Line, task_ids: AbstractSet[str]) -> str:
    """Wait until every one of the tasks is done, by one reader for all; ``Stop`` at the first that ends otherwise."""
    await _all_over(line, task_ids, ["evt.run.>", "evt.task.>", *_FROM_ABOVE])
    return f"{len(task_ids)} tasks are done"


async def _all_over(line: Line, task_ids: AbstractSet[str], subjects: list[str]) -> None:
    """Read from the beginning: what ended before may have been opened again, and only the last word counts."""
    left = set(task_ids)
    head = (await line.ledger.head("EVENTS")).last_seq
    failed: dict[str, str] = {}
    async with aclosing(line.ledger.follow("EVENTS", after=0, subjects=subjects, idle=0.2)) as following:
        async for stored in following:
            for each in stored:
                _take(decode_fact(each.data).fact, task_ids, left, failed)
            caught_up = not stored or stored[-1].seq >= head
            if failed and caught_up:
                raise Stop("; ".join(f"task {name} {end}" for name, end in sorted(failed.items())[:5]))
            if not left:
                return


async def _decided(line: Line, outcome: Outcome) -> int:
    """The EVENTS sequence at which the order is decided; waits for it where the core has not said so yet."""
    if outcome.outcome != "accepted":
        return outcome.seq
    after = max(0, (await line.ledger.head("EVENTS")).last_seq - MAX_FACTS)
    async with aclosing(line.ledger.follow("EVENTS", after=after)) as following:
        async for stored in following:
            for each in stored:
                recorded = decode_fact(each.data)
                if recorded.command_seq >= outcome.command_seq and recorded.end:
                    return each.seq
    raise AssertionError("following never ends by itself")


def _take(fact: Event, wanted: AbstractSet[str], left: set[str], failed: dict[str, str]) -> None:
    """What the fact means for the tasks that are waited for; a retry opens one again."""
    for name in left.copy() if isinstance(fact, session.Closed) else _named_by(fact) & wanted:
        end = _end_of(fact, name)
        if isinstance(fact, task.Retried):
            failed.pop(name, None)
            left.add(name)
        elif end == "done":
            failed.pop(name, None)
            left.discard(name)
        elif end is not None:
            failed[name] = end


def _named_by(fact: Event) -> set[str]:
    match fact:
        case worker.Lost() | worker.Left() | worker.Registered():
            return {released.task_id for released in fact.released}
        case _:
            name = getattr(fact, "task_id", "")
            return {name} if name else set()


async def run_stopped(line: Line, outcome: Outcome) -> str:
    """Wait until the run that the order was to stop is over, its processes gone; at once when none was under way."""
    seq = await _decided(line, outcome)
    ordered = [
        recorded.fact.run_id
        async for recorded in _orders_of(line, outcome.command_seq, seq)
        if isinstance(recorded.fact, worker.CancelOrdered | worker.InterruptOrdered)
        and recorded.fact.task_id == outcome.target
    ]
    if not ordered:
        return "nothing was under way"
    subjects = [f"evt.run.{token(outcome.target)}.*", *_FROM_ABOVE]
    async with aclosing(line.ledger.follow("EVENTS", after=seq, subjects=subjects)) as following:
        async for stored in following:
            if any(_ends_run(decode_fact(each.data).fact, ordered[0]) for each in stored):
                return f"run {ordered[0]} is over"
    raise AssertionError("following never ends by itself")


async def worker_drained(line: Line, outcome: Outcome) -> str:
    """Wait until the worker holds no run: it has left, or was lost."""
    after = await _decided(line, outcome)
    subjects = [f"evt.worker.{token(outcome.target)}.{verb}" for verb in ("left", "lost")]
    async with aclosing(line.ledger.follow("EVENTS", after=after, subjects=subjects)) as following:
        async for stored in following:
            for each in stored:
                return each.subject.rpartition(".")[2]
    raise AssertionError("following never ends by itself")


async def _orders_of(line: Line, command_seq: int, seq: int) -> AsyncGenerator[Recorded, None]:
    """The orders to workers among the facts of the command itself, which ends at ``seq``."""
    subjects = ["evt.worker.*.cancel_ordered", "evt.worker.*.interrupt_ordered"]
    after = max(0, seq - MAX_FACTS)
    async with aclosing(line.ledger.read("EVENTS", after=after, until=seq, subjects=subjects)) as reading:
        async for stored in reading:
            for each in stored:
                recorded = decode_fact(each.data)
                if recorded.command_seq == command_seq:
                    yield recorded


def _end_of(fact: Event, task_id: str) -> str | None:
    """How the fact ends the task; None when it does not."""
    match fact:
        case run.Succeeded():
            return "done"
        case run.Failed(then="failed", error_class=error_class, error=error):
            return f"failed ({error_class}): {error}" if error else f"failed ({error_class})"
        case task.Cancelled(task_id=name) if name == task_id:
            return "was cancelled"
        case task.RolledUp(task_id=name, state=state) if name == task_id:
            return "done" if state == "done" else state
        case session.Closed(session_id=name) if task_id.startswith(f"{name}/"):
            return "was cancelled with its session"
        case worker.Lost() | worker.Left() | worker.Registered():
            for released in fact.released:
                if released.task_id == task_id and released.then in ("failed", "quarantined", "cancelled"):
                    return f"is {released.then}: its worker was lost"
        case _:
            pass
    return None


def _ends_run(fact: Event, run_id: str) -> bool:
    match fact:
        case run.Succeeded() | run.Failed() | run.Interrupted() | run.Stopped():
            return fact.run_id == run_id
        case worker.Lost() | worker.Left() | worker.Registered():
            return any(released.run_id == run_id for released in fact.released)
        case _:
            return False
