"""Bugs to plant: each breaks one promise, and the simulation must find it. A check that finds none is worth nothing.

Planted while the context lasts, in the modules the real core runs on. ``BUGS`` names them as an operator meets them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from random import SystemRandom
from typing import Any

import msgspec

from core import committer, engine, recovery, watch
from core.domain import amend, graph, machine, retry, run, schedule, spec, state, task, worker
from tests.simulation import network
from tests.simulation.patches import replaced

Wrong = tuple[object, str, Callable[[Any], Any]]  # where, which name, from the right one to the wrong one


def _any_report_counts(_: Any) -> Any:
    def current(known: state.State, command: run.Command) -> run.Run:
        if command.run_id not in known.runs:
            raise machine.Refused("not under way", outcome="fenced")
        return known.runs[command.run_id]

    return current


def _success_counts_after_a_cancel(right: Any) -> Any:
    def finish(known: state.State, held: run.Run, report: run.Finish, at: int) -> run.Event:
        if report.result == "succeeded":
            return run._succeeded(known, held, report)
        return right(known, held, report, at)

    return finish


def _without_expectation(right: Any) -> Any:
    async def send(self: Any, stream: Any, messages: Any, *, expect: int | None = None) -> Any:
        return await right(self, stream, messages)

    return send


def _recovering(spoil: Callable[[recovery.Recovered], None]) -> Callable[[Any], Any]:
    def wrong(right: Any) -> Any:
        async def recover(*args: Any) -> recovery.Recovered:
            recovered = await right(*args)
            spoil(recovered)
            return recovered

        return recover

    return wrong


def _one_too_far(recovered: recovery.Recovered) -> None:
    recovered.state.command_seq += bool(recovered.state.command_seq)


def _half_is_whole(recovered: recovery.Recovered) -> None:
    for stored in recovered.tail:
        machine.fold(recovered.state, recovery.decode_fact(stored.data))
        recovered.chain = recovery.chain_of(stored.data)
    recovered.state.command_seq += bool(recovered.tail)
    recovered.tail = []


def _told_before_it_is_stored(right: Any) -> Any:
    def add(self: committer.Committer, pending: committer.Pending) -> None:
        right(self, pending)
        if pending.answer is not None and pending.inbox:
            self._answered(pending.inbox, pending.answer)

    return add


def _chain_begins_anew(recovered: recovery.Recovered) -> None:
    recovered.chain = recovery.GENESIS_CHAIN


def _takes_unknown_for_done(_: Any) -> Any:
    async def mend(self: committer.Committer) -> None:
        self._generation += 1
        self._commits.clear()
        while len(self._pending) > self._unsent:
            self._acknowledge()
        self.broken = None
        await self.flush()

    return mend


def _skips_when_reading(right: Any) -> Any:
    async def follow(self: Any, stream: Any, **how: Any) -> AsyncIterator[Any]:
        async for batch in right(self, stream, **how):
            yield batch[1:] if stream == "COMMANDS" and len(batch) > 5 else batch

    return follow


def _forgets_a_free_agent(right: Any) -> Any:
    return lambda self, agent: None if self.seq % 7 == 3 else right(self, agent)


def _forgets_ids(right: Any) -> Any:
    def restore(data: bytes) -> state.State:
        known = right(data)
        known.recent.clear()
        return known

    return restore


def _leaves_runs_of_closed_sessions(right: Any) -> Any:
    def next_fact(known: state.State) -> Any:
        known.to_stop.clear()
        return right(known)

    return next_fact


def _wakes_at_any_time(right: Any) -> Any:
    def decide(known: state.State, command: task.Command, at: int) -> list[task.Event]:
        if isinstance(command, task.Wake) and command.task_id in known.tasks:
            at = max(at, known.tasks[command.task_id].retry_at)
        return right(known, command, at)

    return decide


def _no_deadline(right: Any) -> Any:
    return lambda known, received: right(known, msgspec.structs.replace(received, deadline=0))


def _never(*names: str) -> Callable[[Any], Any]:
    """An order the core never gives."""
    return lambda right: lambda self, order_id: not order_id.startswith(names) and right(self, order_id)


def _impatient(right: Any) -> Any:
    def silent(self: watch.Watch, known: state.State, beats: watch.Beats) -> Any:
        self._beat_ttl_s = 1.0
        return right(self, known, beats)

    return silent


def _by_chance(right: Any) -> Any:
    return lambda policy, used, run_id: right(policy, used, run_id) + SystemRandom().randint(0, 1_000)


def _misses_a_worker(right: Any) -> Any:
    def halt(self: state.State, reason: str, *, gently: bool) -> None:
        right(self, reason, gently=gently)
        if len(self.to_halt) > 1:
            self.to_halt.popitem()

    return halt


def _as_it_was(right: Any) -> Any:
    def assign(given: spec.Task, to: Any) -> Any:
        fact = right(given, to)
        return msgspec.structs.replace(fact, prompt="") if "prompt" in given.amended else fact

    return assign


def _held_runs_cannot_report(right: Any) -> Any:
    def current(known: state.State, command: run.Command) -> run.Run:
        held: run.Run = right(known, command)
        if held.state == "held":
            raise machine.Refused("it is held", outcome="superseded")
        return held

    return current


BUGS: dict[str, Wrong] = {
    "a report of an earlier epoch counts": (run, "_current", _any_report_counts),
    "a success counts after a cancel": (run, "_finish", _success_counts_after_a_cancel),
    "facts are appended without an expected sequence": (network.WiredLedger, "send", _without_expectation),
    "a takeover goes on one command too far": (engine, "recover", _recovering(_one_too_far)),
    "a half-written command is taken for whole": (engine, "recover", _recovering(_half_is_whole)),
    "an outcome is told before it is stored": (committer.Committer, "add", _told_before_it_is_stored),
    "a takeover begins a new chain": (engine, "recover", _recovering(_chain_begins_anew)),
    "no answer is taken for done": (committer.Committer, "mend", _takes_unknown_for_done),
    "a reader skips a message": (network.WiredLedger, "follow", _skips_when_reading),
    "a snapshot forgets which commands were decided": (recovery, "restore", _forgets_ids),
    "a repeated command counts again": (machine, "_check_id", lambda _: lambda *_: None),
    "a command is carried out after its deadline": (machine, "_acceptable", _no_deadline),
    "time goes back": (machine, "max", lambda _: lambda _, later: later),
    "a task starts when one of its needs is done": (
        graph, "_blocked_by_just", lambda _: lambda known, name, _: known.tasks[name].state == "blocked",
    ),
    "a part starts although its container is blocked": (
        task, "waits_of", lambda _: lambda known, spec: sum(need not in known.over for need in spec.depends_on),
    ),
    "a lane runs one more than it has slots": (
        schedule, "lane_gives", lambda right: lambda paused, running, most: right(paused, running - 1, most),
    ),
    "a paused lane gives out work": (
        schedule, "lane_gives", lambda right: lambda _, running, most: right(False, running, most),
    ),
    "a lost worker keeps a run": (worker, "_release", lambda right: lambda *args, **how: right(*args, **how)[:-1]),
    "a lost worker is never noticed": (watch.Watch, "once", _never("~lose/")),
    "a worker is called lost too soon": (watch.Watch, "_silent", _impatient),
    "a waiting task is never woken": (watch.Watch, "once", _never("~wake/")),
    "what the bound left over is left": (watch.Watch, "once", _never("~continue/")),
    "a task is woken before its backoff is over": (task, "decide", _wakes_at_any_time),
    "attempts never end": (retry, "after_failure", lambda _: lambda *_: "waiting"),
    "a task that kills workers is never quarantined": (retry, "after_loss", lambda _: lambda *_: "waiting"),
    "a free agent is forgotten": (state.State, "offer", _forgets_a_free_agent),
    "runs of a closed session go on": (schedule, "next_fact", _leaves_runs_of_closed_sessions),
    "a halted fleet gives out work": (schedule, "fleet_gives", lambda _: lambda _: True),
    "a halt misses a worker": (state.State, "halt", _misses_a_worker),
    "an amended task is given out as it was": (schedule, "_assign", _as_it_was),
    "an added dependency is not waited for": (amend, "_hold_back", lambda _: lambda *_: None),
    "a dependency closes a circle": (graph, "way_round", lambda _: lambda *_: []),
    "a place in the line is forgotten": (spec.Task, "order", lambda _: property(lambda self: self.born)),
    "a held run's report does not count": (run, "_current", _held_runs_cannot_report),
    "the backoff is drawn by chance": (retry, "backoff_us", _by_chance),
}  # fmt: skip


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Plant the bug."""
    where, what, wrong = BUGS[name]
    with replaced((where, what, wrong(getattr(where, what, None)))):
        yield
