"""What a reader who knows the facts and nothing else takes each task's state to be.

The read models are such a reader. The laws hold the core to it: whatever its state says, the log has said before.
"""

from __future__ import annotations

from core.domain import amend, plan, run, session, task, worker
from core.domain.spec import OPEN
from core.domain.words import Fact

States = dict[str, str]


def read(told: States, fact: Fact) -> None:  # noqa: C901 - one flat match
    """Take the next fact in."""
    match fact:
        case task.Submitted() | task.Resumed():
            told[fact.task_id] = fact.state
        case plan.Released():
            for state in ("ready", "blocked", "paused", "done"):
                told.update(dict.fromkeys(getattr(fact, state), state))
        case task.Retried():
            told[fact.task_id] = fact.state
            told.update(dict.fromkeys(fact.reopened, "ready"))
            told.update(dict.fromkeys(fact.blocked, "blocked"))
        case task.Cancelled():
            told[fact.task_id] = "cancelled"
        case task.Paused():
            told[fact.task_id] = "paused"
        case task.Woken():
            told[fact.task_id] = "ready"
        case task.RolledUp():
            told.update(dict.fromkeys(fact.unblocked, "ready"))
            told[fact.task_id] = fact.state  # up to rules 2 a container in a circle may name itself, too
        case task.Unblocked():
            told.update(dict.fromkeys(fact.unblocked, "ready"))
        case amend.DependencyAdded():
            told[fact.task_id] = fact.state
            told.update(dict.fromkeys(fact.blocked, "blocked"))
        case amend.DependencyRemoved():
            told[fact.task_id] = fact.state
            told.update(dict.fromkeys(fact.unblocked, "ready"))
        case worker.Assigned():
            told[fact.task_id] = "running"
        case run.Succeeded():
            told[fact.task_id] = "done"
            told.update(dict.fromkeys(fact.unblocked, "ready"))
        case run.Failed() | run.Interrupted():
            told[fact.task_id] = fact.then
        case worker.Registered() | worker.Left() | worker.Lost():
            for released in fact.released:
                told[released.task_id] = released.then
        case session.Closed():
            for name, state in told.items():
                if name.startswith(f"{fact.session_id}/") and state in OPEN:
                    told[name] = "cancelled"
        case _:
            pass
