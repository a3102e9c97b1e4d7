"""All process trees of a worker: started, leased, ended together, and what an earlier process of it left running."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from core.clock import Clock
from core.settings import inherited
from workers import keeper
from workers.journal import Entry, Journal, alive
from workers.limits import UNLIMITED, Limits
from workers.tree import GONE_WITHIN_S, CannotStart, Tree
from workers.within import within

log = logging.getLogger(__name__)

RUN_MARK, BOOT_MARK = "SWITCHTOWER_RUN_ID", "SWITCHTOWER_BOOT_ID"
OUR_PYTHON = "SWITCHTOWER_PYTHON"  # the interpreter that knows our own tools: python -m workers.spec_kit
# What a process needs to find its programs, its home and its language; nothing that opens a door.
ENVIRONMENT = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "TMPDIR",
)  # fmt: skip


class Processes:
    """All process trees of one worker."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.boot_id = ""
        self._journal = journal
        self._clock = clock
        self._trees: dict[str, Tree] = {}
        self._lease_until = float("inf")

    def __len__(self) -> int:
        return len(self._trees)

    async def start(
        self,
        run_id: str,
        argv: Sequence[str],
        *,
        folder: Path,
        env: Sequence[str] = (),
        given: Mapping[str, str] | None = None,
        time_limit_s: float,
        limits: Limits = UNLIMITED,
    ) -> Tree:
        """Start ``argv`` in a tree of its own; ``CannotStart`` says why not. ``env``: more variables it may see;
        ``given``: variables made for it."""
        if any("\0" in each for each in argv):
            raise CannotStart("its command holds a NUL byte, which no program can be given")
        seen = {**inherited((*ENVIRONMENT, *env)), **(given or {}), RUN_MARK: run_id, BOOT_MARK: self.boot_id}
        seen[OUR_PYTHON] = sys.executable
        tree = Tree(run_id, self._clock, self._sweep, self._forget)
        self._trees[run_id] = tree
        try:
            await tree.spawn(seen)
            entry = Entry(
                run_id=run_id, boot_id=self.boot_id, keeper_pid=tree.keeper, keeper_start=keeper.start_time(tree.keeper)
            )
            self._journal.write(entry)
            await tree.begin(argv, folder, time_limit_s=time_limit_s, lease_s=self._lease_left_s, limits=limits)
            self._journal.write(msgspec.structs.replace(entry, pgid=tree.pid, pgid_start=tree.pid_start))
        except BaseException:
            await tree.discard()
            self._forget(run_id)
            raise
        return tree

    def lease(self, until: float) -> None:
        """Let every tree live until then, by the monotonic clock: each ends by itself when it hears nothing of us."""
        self._lease_until = until
        for tree in self._trees.values():
            tree.lease(self._lease_left_s)

    @property
    def _lease_left_s(self) -> float:
        return max(0.0, self._lease_until - self._clock.monotonic())

    def kill_all(self) -> None:
        """Kill every tree now; ``gone`` waits for it."""
        for tree in self._trees.values():
            tree.kill()

    async def gone(self) -> bool:
        """Wait until no tree is left; False when one hangs in the kernel."""
        trees = list(self._trees.values())
        try:
            for tree in trees:
                await within(self._clock, GONE_WITHIN_S, asyncio.shield(tree.over))
        except TimeoutError:
            return False
        return True

    async def reap_leftovers(self) -> int:
        """End what an earlier process of this worker left running, before registering; how many processes that were."""
        ended = 0
        for entry in list(self._journal.entries()):
            if entry.run_id in self._trees:
                continue
            ended += await self._reap(entry)
            self._journal.remove(entry.run_id)
        return ended

    async def _reap(self, entry: Entry) -> int:
        """The keeper knows its tree best and is given time to clear it; then we go by the marks ourselves."""
        ended = 0
        if alive(entry.keeper_pid, entry.keeper_start):
            keeper.send(entry.keeper_pid, signal.SIGTERM)
            for _ in range(100):
                if not alive(entry.keeper_pid, entry.keeper_start):
                    break
                await self._clock.sleep(0.01)
            ended += 1
        for _ in range(200):
            left = leftovers(entry)
            if not left:
                break
            for pid in left:
                keeper.send(pid, signal.SIGKILL)
            ended += len(left)
            await self._clock.sleep(0.005)
        if ended:
            log.warning("ended leftovers run_id=%s processes=%d", entry.run_id, ended)
        return ended

    async def _sweep(self, run_id: str) -> None:
        """The run's keeper was killed and its tree may live on: the journal names it."""
        for entry in self._journal.entries():
            if entry.run_id == run_id:
                await self._reap(entry)

    def _forget(self, run_id: str) -> None:
        self._trees.pop(run_id, None)
        self._journal.remove(run_id)


def leftovers(entry: Entry) -> set[int]:
    """Processes of the run that still live: its group's leader, and all that carry its marks in their environment."""
    found = {entry.pgid} if alive(entry.pgid, entry.pgid_start) else set()
    marks = {f"{RUN_MARK}={entry.run_id}".encode(), f"{BOOT_MARK}={entry.boot_id}".encode()}
    for path in Path("/proc").iterdir():
        if not path.name.isdecimal():
            continue
        try:
            environment = (path / "environ").read_bytes()
        except OSError:
            continue  # gone, or another user's
        if marks <= set(environment.split(b"\0")) and keeper.state_of(int(path.name))[0] not in ("Z", "X", ""):
            found.add(int(path.name))
    return found
