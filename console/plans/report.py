"""What a plan's file held: the tasks to send in, the counts, and everything that was not as it should be."""

from __future__ import annotations

from typing import Literal

import msgspec

from core.domain.plan import Planned

Kind = Literal[
    "malformed",  # a line or a task that cannot be read; it is left out
    "duplicate",  # one id more than once
    "priority",  # outside 0 to 4
    "status",  # not one of the tracker's own
    "dangling",  # an edge to something that is not there
    "cycle",  # tasks that wait for each other
    "lane",  # a lane that does not exist
    "renamed",  # an id that could not be used as it is
    "shortened",  # a text over our limits
    "edge",  # an edge that means something else here than there
    "date",  # a date that cannot be read
]


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing a person should know. ``line`` counts from 1; ``task`` is the id as the file has it."""

    kind: Kind
    says: str
    line: int | None = None
    task: str = ""


class Report(msgspec.Struct, kw_only=True):
    """The file in figures. ``ready`` is by the tracker's own rule, ``startable`` by ours: ready, with no open parts,
    and nothing else it waits for. ``done`` + ``paused`` + ``blocked`` + ``startable`` + containers that wait for
    nothing but their parts make up ``tasks``, but for those that are both paused and blocked."""

    format: str
    lines: int = 0
    tasks: int = 0
    done: int = 0
    paused: int = 0
    blocked: int = 0
    ready: int = 0
    startable: int = 0
    containers: int = 0
    tombstones: int = 0
    skipped: int = 0
    problems: list[Problem] = []

    @property
    def malformed(self) -> int:
        return sum(1 for problem in self.problems if problem.kind == "malformed")


class PlanFile(msgspec.Struct, frozen=True):
    """A file that was read. ``blocked`` and ``startable`` name tasks (``session/name``), for who wants to compare;
    ``goal`` is what the session is for, where the file says."""

    tasks: list[Planned]
    report: Report
    startable: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    goal: str = ""
