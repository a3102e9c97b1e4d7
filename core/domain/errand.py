"""What a worker is told to do: facts on the worker's own subject. Each carries its epoch, so that an old one is known.

They are the core's only way to a worker; what the worker makes of them it reports as commands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.domain.words import Fact, Policy, Text

if TYPE_CHECKING:
    from core.domain.run import Run


class Assigned(Fact, frozen=True, tag="worker.assigned"):
    """Do this run. Holds all the worker needs; task, run, agent and lane evolve from it."""

    worker_id: str
    epoch: int
    run_id: str
    task_id: str
    session_id: str
    agent_id: str
    attempt: int
    lane: str
    title: str
    prompt: Text = ""
    command: Text = ""
    files: list[str] = []
    policy: Policy = Policy()


class CancelOrdered(Fact, frozen=True, tag="worker.cancel_ordered"):
    """End this run's processes now; report when they are gone."""

    worker_id: str
    epoch: int
    run_id: str
    task_id: str
    agent_id: str


class InterruptOrdered(Fact, frozen=True, tag="worker.interrupt_ordered"):
    """Stop this run so that it can be taken up again; no attempt is used."""

    worker_id: str
    epoch: int
    run_id: str
    task_id: str
    agent_id: str


class HaltOrdered(Fact, frozen=True, tag="worker.halt_ordered"):
    """Interrupt every run there is: the fleet is halted."""

    worker_id: str
    epoch: int


class HoldOrdered(Fact, frozen=True, tag="worker.hold_ordered"):
    """Freeze this run's processes; its time limit stands still with them."""

    worker_id: str
    epoch: int
    run_id: str
    task_id: str
    agent_id: str


class ContinueOrdered(Fact, frozen=True, tag="worker.continue_ordered"):
    """Let this run's frozen processes go on."""

    worker_id: str
    epoch: int
    run_id: str
    task_id: str
    agent_id: str


class MessageOrdered(Fact, frozen=True, tag="worker.message_ordered"):
    """Say this to the agent at work. What became of it is an observation of kind ``message``."""

    worker_id: str
    epoch: int
    run_id: str
    task_id: str
    agent_id: str
    text: str


class HireOrdered(Fact, frozen=True, tag="worker.hire_ordered"):
    """Take on ``count`` more agents of this kind, and report them with ``worker.grow``."""

    worker_id: str
    epoch: int
    adapter: str
    model: str = ""
    pool: str = ""
    count: int = 1
    capabilities: list[str] = []


Event = (
    Assigned | CancelOrdered | InterruptOrdered | HaltOrdered | HoldOrdered | ContinueOrdered | MessageOrdered
    | HireOrdered
)  # fmt: skip


def cancel_order(held: Run) -> CancelOrdered:
    """The order that ends a run's processes."""
    return CancelOrdered(
        worker_id=held.worker_id, epoch=held.epoch, run_id=held.run_id, task_id=held.task_id, agent_id=held.agent_id
    )


def interrupt_order(held: Run) -> InterruptOrdered:
    """The order that stops a run so that its task can be taken up again."""
    return InterruptOrdered(
        worker_id=held.worker_id, epoch=held.epoch, run_id=held.run_id, task_id=held.task_id, agent_id=held.agent_id
    )
