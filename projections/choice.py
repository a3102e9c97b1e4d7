"""What goes on a tape: which facts are asked for, and which others they cannot be understood without."""

from __future__ import annotations

from typing import Literal

import msgspec

from core.domain import errand, machine, notes, plan, run, session
from core.domain.machine import Event, Recorded
from core.domain.words import token
from core.envelope import chain_of, encode_fact
from core.ledger import Stored

Fit = Literal["own", "context", ""]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What goes on a tape. Empty: everything. ``since`` and ``until`` are times, 0: open. ``output``: what runs printed
    as well."""

    session: str = ""
    task: str = ""
    run: str = ""
    since: int = 0
    until: int = 0
    output: bool = False

    @property
    def whole(self) -> bool:
        return not (self.session or self.task or self.run or self.since or self.until)


class Choice:
    """Which facts go on a tape."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._task = wanted.task or wanted.run.rpartition("~")[0]
        self._session = wanted.session or self._task.partition("/")[0]

    @property
    def subjects(self) -> list[str]:
        """What has to be read at all: of one task its own subject and what is the context of all."""
        if not self._task:
            return []
        shared = ("core", "lane", "agent", "worker", "session", "plan", "command")
        return [
            f"evt.task.{token(self._task)}.>",
            f"evt.run.{token(self._task)}.>",
            *(f"evt.{kind}.>" for kind in shared),
        ]

    def cut(self, stored: Stored, recorded: Recorded, *, ends: bool) -> Stored:
        """The fact, without the other tasks of its plan when the tape is of one: their names alone would be there.

        ``ends``: it is the last of its command that is on the tape, so it says so.
        """
        fact, kept = recorded.fact, recorded
        if self._task and isinstance(fact, plan.Released):
            lists = {
                name: [each for each in getattr(fact, name) if each == self._task]
                for name in ("ready", "blocked", "paused", "done", "revised")
            }
            kept = msgspec.structs.replace(kept, fact=msgspec.structs.replace(fact, **lists))
        if ends and not kept.end:
            kept = msgspec.structs.replace(kept, end=True)
        if kept is recorded:
            return stored
        message, _ = encode_fact(kept, chain_of(stored.data))
        return msgspec.structs.replace(stored, data=message.data)

    def fit(self, recorded: Recorded) -> Fit:
        """Whether a fact is what was asked for, or what that cannot be understood without."""
        if not within(recorded.at, self._wanted):
            return ""
        return self._fit(recorded.fact) if self._session else "own"

    def _fit(self, fact: Event) -> Fit:
        match fact:
            case notes.BookmarkPlaced() | notes.BookmarkRemoved():
                return ""  # it marks a moment of the whole log
            case session.Opened() | session.Closed() | session.Amended():
                return self._of(fact.session_id == self._session)
            case plan.Begun() | plan.Sealed():
                return self._of(fact.session_id == self._session)
            case plan.Released() | plan.Dropped():
                return "context"  # it names tasks, of which only those on the tape are known to its readers
            case errand.Assigned() | run.Started() | run.Progressed() | run.Succeeded() | run.Failed():
                return self._of_run(fact.task_id, fact.run_id)
            case machine.CommandRefused(kind=kind, target=target):
                return self._of_task(target) if kind in ("task", "run") else ""
            case _:
                task_id, run_id = getattr(fact, "task_id", None), getattr(fact, "run_id", "")
                if run_id and task_id:
                    return self._of_run(task_id, run_id)
                return "context" if task_id is None else self._of_task(task_id)

    def _of(self, ours: bool) -> Fit:
        """What concerns the whole session: its own on a tape of it, context on a tape of one task."""
        return ("context" if self._task else "own") if ours else ""

    def _of_task(self, task_id: str) -> Fit:
        if self._task:
            return "own" if task_id == self._task else ""
        return "own" if task_id.startswith(prefix(self._session)) else ""

    def _of_run(self, task_id: str, run_id: str) -> Fit:
        return self._of_task(task_id) if not self._wanted.run or run_id == self._wanted.run else ""


def within(at: int, wanted: Wanted) -> bool:
    return wanted.since <= at and (not wanted.until or at <= wanted.until)


def prefix(session_id: str) -> str:
    return f"{session_id}/" if session_id else ""
