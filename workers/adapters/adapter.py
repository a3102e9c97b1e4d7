"""The one interface between a worker and whatever does the work: start, events, send, interrupt, stop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from core.clock import Clock
from core.domain.words import Policy, Usage
from core.observation import Kind
from workers.pools import Pool
from workers.process import Processes
from workers.tree import Used


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run, as its agent needs to know it. ``artifacts``: a folder whose files are kept when it ends."""

    run_id: str
    task_id: str
    agent_id: str
    attempt: int
    title: str
    prompt: str = ""
    command: str = ""
    files: list[str] = []
    policy: Policy = Policy()
    pool: Pool
    artifacts: Path | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened in a run, worth looking at later. Fields as in ``core.observation.Observation``;
    ``percent`` where the agent can tell; ``usage`` totals so far; ``diff``: of a file touched, unified."""

    kind: Kind
    name: str = ""
    says: str = ""
    ref: str = ""
    failed: bool = False
    usage: Usage | None = None
    percent: int | None = None
    data: dict[str, Any] = {}
    diff: str = ""


class Made(msgspec.Struct, frozen=True):
    """Bytes worth keeping, from an agent that has no folder to leave them in."""

    name: str
    data: bytes


class Output(msgspec.Struct, frozen=True):
    """Bytes from the agent's terminal, as they came."""

    stream: Literal["stdout", "stderr"]
    data: bytes


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How the run ended, as far as the agent can tell; its processes are gone."""

    result: Literal["succeeded", "failed", "interrupted"]
    error_class: str = ""
    error: str = ""
    exit_code: int | None = None
    summary: str = ""
    checks: list[str] = []


Happening = Seen | Output | Made | Ended


class Unfit(Exception):
    """The job cannot be done by this adapter as it stands, now or ever: it fails with the class ``invalid``."""


class Means(msgspec.Struct, frozen=True):
    """What a worker lends its adapters."""

    clock: Clock
    processes: Processes


class Adapter(Protocol):
    """Does one job, once. Made by ``workers.adapters.adapter_for``."""

    async def start(self) -> None:
        """Begin; ``Unfit`` when the job makes no sense here."""
        ...

    def events(self) -> AsyncIterator[Happening]:
        """What happens, as it happens; the last one is ``Ended``. Asked for once, after ``start``."""
        ...

    async def send(self, text: str) -> None:
        """A word from the operator; ``Unfit`` where nobody listens."""
        ...

    def used(self) -> Used | None:
        """What its processes use, as last told; None for an agent that has none."""
        ...

    async def hold(self) -> None:
        """Stand still where it is, until ``go_on``; also before it was started. Ending it ends that, too."""
        ...

    async def go_on(self) -> None:
        """Stand still no longer."""
        ...

    async def interrupt(self) -> None:
        """Stop so that the work can be taken up again. ``events`` ends soon after, in ``interrupted``."""
        ...

    async def stop(self) -> None:
        """Stop now. When this returns nothing of it is left running; ``events`` ends."""
        ...
