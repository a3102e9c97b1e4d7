"""The task's command, by ``/bin/sh``, in a process tree of its own."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

from workers.adapters.adapter import Ended, Happening, Job, Means, Output, Seen, Unfit
from workers.keepsakes import FOLDER_MARK, emptied
from workers.tree import CannotStart, Exit, Tree, Used

SHELL = "/bin/sh"
POLITE_S = 0.8  # from SIGTERM to SIGKILL when interrupted: `up` gives a worker about 3 s, 2 of them to drain


class Shell:
    """Exit code 0: succeeded; any other: failed as ``exit``; by a signal: ``crash``; its time limit: ``timeout``; more
    memory or processes than its pool allows: ``limit``."""

    def __init__(self, job: Job, means: Means) -> None:
        self._job = job
        self._processes = means.processes
        self._tree: Tree | None = None
        self._told = False
        self._held = False

    async def start(self) -> None:
        job = self._job
        if not job.command.strip():
            raise Unfit(
                f"task {job.task_id} has no command and a shell agent can do nothing else: give it one (--command), "
                "or have it done by another kind of agent (needs)"
            )
        folder = _absolute(job.pool.folder)
        try:
            self._tree = await self._processes.start(
                job.run_id,
                [SHELL, "-c", job.command],
                folder=folder,
                env=job.pool.env,
                given={FOLDER_MARK: str(emptied(job.artifacts))} if job.artifacts else None,
                time_limit_s=job.policy.time_limit_s,
                limits=job.pool.limits,
            )
        except CannotStart as error:
            raise Unfit(f"the command of task {job.task_id} cannot be started: {error}") from error
        if self._told:
            self._tree.kill()  # told to stop while it was starting
        elif self._held:
            self._tree.hold()

    async def events(self) -> AsyncIterator[Happening]:
        assert self._tree is not None
        async for stream, piece in self._tree.output():
            yield Output("stderr" if stream == "stderr" else "stdout", piece)
        exit_ = await self._tree.over
        if exit_.strays and exit_.why == "ended":
            left, were = ("processes", "were") if exit_.strays > 1 else ("process", "was")
            says = f"{exit_.strays} {left} it had left running {were} killed"
            yield Seen(kind="note", name="strays", says=says, data={"strays": exit_.strays})
        yield self._ended(exit_)

    async def send(self, text: str) -> None:
        raise Unfit(f"a command listens to nobody; {text[:40]!r} was not sent")

    def used(self) -> Used | None:
        return self._tree.used if self._tree is not None else None

    async def hold(self) -> None:
        self._held = True
        if self._tree is not None:
            self._tree.hold()

    async def go_on(self) -> None:
        self._held = False
        if self._tree is not None:
            self._tree.go_on()

    async def interrupt(self) -> None:
        self._told = True
        if self._tree is not None:
            self._tree.terminate(kill_after_s=POLITE_S)

    async def stop(self) -> None:
        self._told = True
        if self._tree is not None:
            self._tree.kill()
            await self._tree.over

    def _ended(self, exit_: Exit) -> Ended:
        if exit_.why == "limit":
            says = f"not done within its time limit of {self._job.policy.time_limit_s:g} s; its processes were killed"
            return Ended(result="failed", error_class="timeout", error=says)
        if exit_.why in ("memory", "processes"):
            return Ended(result="failed", error_class="limit", error=_too_much(exit_, self._job))
        if exit_.why in ("told", "orphaned", "lease"):
            return Ended(result="interrupted", exit_code=exit_.code if exit_.code >= 0 else None)
        if exit_.why == "keeper":
            return Ended(result="failed", error_class="crash", error="its keeper was killed, and it with it")
        if exit_.signal:
            name = signal.Signals(exit_.signal).name if exit_.signal in set(signal.Signals) else str(exit_.signal)
            return Ended(result="failed", error_class="crash", error=f"the command was ended by {name}")
        if exit_.code:
            says = f"the command exited {exit_.code}"
            return Ended(result="failed", error_class="exit", error=says, exit_code=exit_.code)
        return Ended(result="succeeded", exit_code=0)


def _too_much(exit_: Exit, job: Job) -> str:
    """What it had too much of, how much that was, and what its pool allows."""
    pool = job.pool
    way_out = f"pool {pool.called!r} allows it; its processes were killed"
    if exit_.why == "memory":
        return f"it used {exit_.figure / 1e6:,.0f} MB of memory, more than the {pool.memory_mb:,} MB {way_out}"
    return f"it had {exit_.figure:,} processes at once, more than the {pool.processes:,} {way_out}"


def _absolute(folder: str) -> Path:
    return Path(folder or ".").expanduser().absolute()
