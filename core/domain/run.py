"""A run: one attempt at a task by one agent, numbered, leased by its worker's epoch, fenced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from core.domain import errand, graph, retry, worker
from core.domain.retry import ERROR_CLASSES
from core.domain.words import Artifact, Count, Fact, Line, Order, Refused, Text, Usage

if TYPE_CHECKING:
    from core.domain.state import State

Files = Annotated[list[Annotated[str, Meta(max_length=1_000)]], Meta(max_length=500)]


class Start(Order, frozen=True, tag="run.start"):
    """The agent began. Left out for runs shorter than 50 ms: their finish carries it."""

    run_id: str
    worker_id: str
    epoch: int


class Progress(Order, frozen=True, tag="run.progress"):
    """Where the run stands. ``percent`` 0 to 100 or None where nobody can tell; usage and files are totals so far."""

    run_id: str
    worker_id: str
    epoch: int
    step: Line = ""
    percent: Annotated[int, Meta(ge=0, le=100)] | None = None
    usage: Usage = Usage()
    files: Files = []


class Finish(Order, frozen=True, tag="run.finish"):
    """The run is over and its processes are gone. ``duration_ms`` by the worker's monotonic clock."""

    run_id: str
    worker_id: str
    epoch: int
    result: Literal["succeeded", "failed", "interrupted", "cancelled"]
    error_class: str = ""
    error: Annotated[str, Meta(max_length=4_000)] = ""
    exit_code: Annotated[int, Meta(ge=-(1 << 31), lt=1 << 32)] | None = None
    summary: Text = ""
    checks: Annotated[list[Line], Meta(max_length=50)] = []
    usage: Usage = Usage()
    files: Files = []
    artifacts: Annotated[list[Artifact], Meta(max_length=50)] = []
    duration_ms: Count = 0


class Started(Fact, frozen=True, tag="run.started"):
    """``held``: it was held before it could say so, and still is."""

    run_id: str
    task_id: str
    agent_id: str
    worker_id: str
    held: bool = False


class Progressed(Fact, frozen=True, tag="run.progressed"):
    run_id: str
    task_id: str
    agent_id: str
    step: str = ""
    percent: int | None = None
    usage: Usage = Usage()
    files: list[str] = []


class Succeeded(Fact, frozen=True, tag="run.succeeded"):
    """The task is done with it: claimed, or verified where ``checks`` were recorded. ``unblocked``: tasks now ready."""

    run_id: str
    task_id: str
    agent_id: str
    worker_id: str
    lane: str
    summary: str = ""
    checks: list[str] = []
    exit_code: int | None = None
    usage: Usage = Usage()
    files: list[str] = []
    artifacts: list[Artifact] = []
    duration_ms: int = 0
    unblocked: list[str] = []


class Failed(Fact, frozen=True, tag="run.failed"):
    """``then`` is the task's next state: waiting (until ``retry_at``) or failed, or as for an interrupted run."""

    run_id: str
    task_id: str
    agent_id: str
    worker_id: str
    lane: str
    error_class: str
    error: str = ""
    exit_code: int | None = None
    usage: Usage = Usage()
    files: list[str] = []
    artifacts: list[Artifact] = []
    duration_ms: int = 0
    then: retry.After = "failed"
    retry_at: int = 0


class Interrupted(Fact, frozen=True, tag="run.interrupted"):
    """Stopped so that it can be taken up again; no attempt used. ``then``: ready; paused when that was the order;
    blocked when a plan has since given the task something to wait for."""

    run_id: str
    task_id: str
    agent_id: str
    worker_id: str
    lane: str
    usage: Usage = Usage()
    files: list[str] = []
    artifacts: list[Artifact] = []
    duration_ms: int = 0
    then: retry.After = "ready"


class Stopped(Fact, frozen=True, tag="run.stopped"):
    """A cancelled run's processes are gone. ``claimed`` is what it said of itself, which no longer counts."""

    run_id: str
    task_id: str
    agent_id: str
    worker_id: str
    lane: str
    claimed: str = ""
    usage: Usage = Usage()
    files: list[str] = []
    artifacts: list[Artifact] = []
    duration_ms: int = 0


Command = Start | Progress | Finish
Event = Started | Progressed | Succeeded | Failed | Interrupted | Stopped
Ended = Succeeded | Failed | Interrupted | Stopped


class Run(msgspec.Struct):
    """A run under way. Runs that are over leave the state; the log has them. ``begun``: its start was reported."""

    run_id: str
    task_id: str
    agent_id: str
    worker_id: str
    epoch: int
    lane: str
    state: Literal["assigned", "running", "held", "cancelling", "interrupting"] = "assigned"
    begun: bool = False


def decide(state: State, command: Command, at: int) -> list[Event]:
    run = _current(state, command)
    names = {"run_id": run.run_id, "task_id": run.task_id, "agent_id": run.agent_id}
    match command:
        case Start():
            if run.begun or run.state not in ("assigned", "held"):
                raise Refused(f"run {run.run_id} is {run.state} already", outcome="already_so")
            return [Started(**names, worker_id=run.worker_id, held=run.state == "held")]
        case Progress(step=step, percent=percent, usage=usage, files=files):
            return [Progressed(**names, step=step, percent=percent, usage=usage, files=files)]
        case Finish():
            return [_finish(state, run, command, at)]


def evolve(
    state: State,
    fact: errand.Assigned | errand.CancelOrdered | errand.InterruptOrdered | errand.HaltOrdered | Started | Ended
    | worker.Registered | worker.Left | worker.Lost,
    seq: int,
) -> None:  # fmt: skip
    match fact:
        case errand.Assigned():
            state.runs[fact.run_id] = Run(
                fact.run_id, fact.task_id, fact.agent_id, fact.worker_id, fact.epoch, fact.lane
            )
        case Started():
            run = state.runs[fact.run_id]
            run.begun = True
            run.state = "held" if fact.held else "running"
        case errand.CancelOrdered():
            state.runs[fact.run_id].state = "cancelling"
            state.to_stop.pop(fact.run_id, None)
        case errand.InterruptOrdered():
            state.runs[fact.run_id].state = "interrupting"
        case errand.HaltOrdered():
            for run in state.runs_of(fact.worker_id):
                if run.state != "cancelling":
                    run.state = "interrupting"
        case Succeeded() | Failed() | Interrupted() | Stopped():
            _end(state, fact.run_id)
        case worker.Registered() | worker.Left() | worker.Lost():
            for released in fact.released:
                _end(state, released.run_id)


def _end(state: State, run_id: str) -> None:
    del state.runs[run_id]
    state.to_stop.pop(run_id, None)


def _current(state: State, command: Command) -> Run:
    """The run a report is about, or refuse a report that comes from a run or an epoch that is over."""
    run = state.runs.get(command.run_id)
    if run is None:
        task_id = command.run_id.rpartition("~")[0]
        present = worker.is_present(state, command.worker_id, command.epoch)
        if isinstance(command, Finish) and present and state.last_run(task_id) == command.run_id:
            raise Refused(f"run {command.run_id} is over already", outcome="already_so")
        raise Refused(f"run {command.run_id} is not under way", outcome="fenced")
    if run.worker_id != command.worker_id or run.epoch != command.epoch:
        raise Refused(
            f"run {run.run_id} belongs to worker {run.worker_id!r}, epoch {run.epoch}, "
            f"not to {command.worker_id!r}, epoch {command.epoch}",
            outcome="fenced",
        )
    if run.state == "cancelling" and not isinstance(command, Finish):
        raise Refused(f"run {run.run_id} was cancelled", outcome="superseded")
    return run


def _finish(state: State, run: Run, report: Finish, at: int) -> Event:
    if run.state == "cancelling" or not state.tasks[run.task_id].is_open:
        return Stopped(
            run_id=run.run_id,
            task_id=run.task_id,
            agent_id=run.agent_id,
            worker_id=run.worker_id,
            lane=run.lane,
            claimed=report.result,
            usage=report.usage,
            files=report.files,
            artifacts=report.artifacts,
            duration_ms=report.duration_ms,
        )
    match report.result:
        case "succeeded":
            return _succeeded(state, run, report)
        case "failed":
            return _failed(state, run, report, at)
        case "interrupted" | "cancelled":
            return _interrupted(state, run, report)


def _succeeded(state: State, run: Run, report: Finish) -> Succeeded:
    return Succeeded(
        run_id=run.run_id,
        task_id=run.task_id,
        agent_id=run.agent_id,
        worker_id=run.worker_id,
        lane=run.lane,
        summary=report.summary,
        checks=report.checks,
        exit_code=report.exit_code,
        usage=report.usage,
        files=report.files,
        artifacts=report.artifacts,
        duration_ms=report.duration_ms,
        unblocked=graph.unblocked_by(state, run.task_id)[: graph.TOLD_AT_ONCE],
    )


def _interrupted(state: State, run: Run, report: Finish) -> Interrupted:
    task = state.tasks[run.task_id]
    return Interrupted(
        run_id=run.run_id,
        task_id=run.task_id,
        agent_id=run.agent_id,
        worker_id=run.worker_id,
        lane=run.lane,
        usage=report.usage,
        files=report.files,
        artifacts=report.artifacts,
        duration_ms=report.duration_ms,
        then="paused" if task.state == "paused" else retry.resting("ready", task.waits),
    )


def _failed(state: State, run: Run, command: Finish, at: int) -> Failed:
    task = state.tasks[run.task_id]
    error_class = command.error_class if command.error_class in ERROR_CLASSES else "unknown"
    then = retry.resting(retry.after_failure(task.spec.policy, task.used + 1, error_class), task.waits)
    retry_at = at + retry.backoff_us(task.spec.policy, task.used + 1, run.run_id) if then == "waiting" else 0
    if task.state == "paused" and then in ("waiting", "blocked"):
        then, retry_at = "paused", 0
    return Failed(
        run_id=run.run_id,
        task_id=run.task_id,
        agent_id=run.agent_id,
        worker_id=run.worker_id,
        lane=run.lane,
        error_class=error_class,
        error=command.error,
        exit_code=command.exit_code,
        usage=command.usage,
        files=command.files,
        artifacts=command.artifacts,
        duration_ms=command.duration_ms,
        then=then,
        retry_at=retry_at,
    )
