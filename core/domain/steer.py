"""A run steered while it goes on: told something, held where it is, let go on. Reports on it are in ``run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from core.domain import errand, run
from core.domain.words import Fact, Line, Order, Refused

if TYPE_CHECKING:
    from core.domain.state import State

LONGEST_MESSAGE = 10_000  # characters
Said = Annotated[str, Meta(min_length=1, max_length=LONGEST_MESSAGE)]


class Message(Order, frozen=True, tag="run.message"):
    """Say something to the agent at work."""

    run_id: str
    text: Said


class Hold(Order, frozen=True, tag="run.hold"):
    """Freeze the run where it is. It keeps its agent; its time limit stands still."""

    run_id: str
    reason: Line = ""


class Continue(Order, frozen=True, tag="run.continue"):
    """Let a held run go on."""

    run_id: str


class Held(Fact, frozen=True, tag="run.held"):
    run_id: str
    task_id: str
    agent_id: str
    reason: str = ""


class Continued(Fact, frozen=True, tag="run.continued"):
    """``state``: where the run stood when it was held, or what it has reported since."""

    run_id: str
    task_id: str
    agent_id: str
    state: Literal["assigned", "running"]


Command = Message | Hold | Continue
Event = Held | Continued | errand.MessageOrdered | errand.HoldOrdered | errand.ContinueOrdered


def decide(state: State, command: Command, at: int) -> list[Event]:
    held = _under_way(state, command.run_id)
    names = {"run_id": held.run_id, "task_id": held.task_id, "agent_id": held.agent_id}
    where = {"worker_id": held.worker_id, "epoch": held.epoch}
    match command:
        case Message(text=text):
            return [errand.MessageOrdered(**where, **names, text=text)]  # type: ignore[arg-type]
        case Hold(reason=reason):
            if held.state == "held":
                raise Refused(f"run {held.run_id} is held already", outcome="already_so")
            return [Held(**names, reason=reason), errand.HoldOrdered(**where, **names)]  # type: ignore[arg-type]
        case Continue():
            if held.state != "held":
                raise Refused(f"run {held.run_id} is not held: it is {held.state}", outcome="already_so")
            stood: Literal["assigned", "running"] = "running" if held.begun else "assigned"
            return [Continued(**names, state=stood), errand.ContinueOrdered(**where, **names)]  # type: ignore[arg-type]


def evolve(state: State, fact: Held | Continued, seq: int) -> None:
    match fact:
        case Held():
            state.runs[fact.run_id].state = "held"
        case Continued():
            state.runs[fact.run_id].state = fact.state


def _under_way(state: State, run_id: str) -> run.Run:
    """The run, or refuse one that is over, never was, or is being stopped: nobody would hear."""
    held = state.runs.get(run_id)
    if held is None:
        if run_id and state.last_run(run_id.rpartition("~")[0]) == run_id:
            raise Refused(f"run {run_id} is over")
        raise Refused(f"there is no run {run_id!r} under way")
    if held.state in ("cancelling", "interrupting"):
        raise Refused(f"run {run_id} is being stopped")
    return held
