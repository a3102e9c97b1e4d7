"""A process tree: started, watched, ended, and proved to be gone, whatever it does about that."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from core.clock import SystemClock
from workers import keeper
from workers.journal import Entry, Journal, Occupied, alive
from workers.process import BOOT_MARK, RUN_MARK, Processes, leftovers
from workers.tree import CannotStart, Tree

DAEMON = Path(__file__).with_name("daemon.py")
ROOT = Path(__file__).parents[2]
LIMIT = 60.0
BOOTS = count(1)


class Yard:
    """A worker's processes, and what the wicked agent wrote down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = folder / "pids"
        self.journal = Journal(folder / "w1" / "journal")
        self.processes = Processes(self.journal, SystemClock())
        # Its own: what is swept is known by this mark, wherever on the machine it runs, in another test, too.
        self.processes.boot_id = f"boot-{os.getpid()}-{next(BOOTS)}"

    async def sh(self, command: str, *, run_id: str = "default/t~1", limit_s: float = LIMIT) -> Tree:
        return await self.processes.start(run_id, ["/bin/sh", "-c", command], folder=self.folder, time_limit_s=limit_s)

    async def wicked(self, *extra: str, run_id: str = "default/t~1") -> Tree:
        argv = [sys.executable, str(DAEMON), str(self.written), *extra]
        tree = await self.processes.start(run_id, argv, folder=self.folder, time_limit_s=LIMIT)
        await until(lambda: len(self.pids()) == 4)
        return tree

    def pids(self) -> list[int]:
        return [int(line) for line in self.written.read_text().split()] if self.written.exists() else []

    def living(self) -> list[int]:
        return [pid for pid in self.pids() if keeper.state_of(pid)[0] not in ("", "Z", "X")]


@pytest.fixture
def yard(tmp_path: Path):
    built = Yard(tmp_path)
    yield built
    for pid in built.living():
        os.kill(pid, signal.SIGKILL)
    built.journal.close()


async def until(holds, *, within_s: float = 5.0) -> float:
    """Seconds it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_s, "not in time"
        await asyncio.sleep(0.005)
    return time.monotonic() - began


async def ended(tree: Tree):
    async with asyncio.timeout(15):
        await said(tree)
        return await asyncio.shield(tree.over)


async def said(tree: Tree) -> dict[str, bytes]:
    pieces = {"stdout": b"", "stderr": b""}
    async for name, piece in tree.output():
        pieces[name] += piece
    return pieces


async def test_output_and_exit_code_come_back(yard: Yard):
    tree = await yard.sh("echo out; echo err >&2; exit 3")
    assert await said(tree) == {"stdout": b"out\n", "stderr": b"err\n"}
    exit_ = await ended(tree)
    assert (exit_.code, exit_.signal, exit_.why, exit_.strays) == (3, 0, "ended", 0)


async def test_a_command_is_one_argument_whatever_stands_in_it(yard: Yard):
    text = "a b'\"$HOME\n;*é"
    tree = await yard.processes.start("r~1", ["/bin/echo", text], folder=yard.folder, time_limit_s=LIMIT)
    assert (await said(tree))["stdout"] == text.encode() + b"\n"


async def test_a_signal_that_ends_it_is_told(yard: Yard):
    exit_ = await ended(await yard.sh("kill -SEGV $$"))
    assert (exit_.code, exit_.signal) == (-1, signal.SIGSEGV)


async def test_what_it_left_running_is_killed_when_it_ends(yard: Yard):
    exit_ = await ended(await yard.wicked("--leave"))
    assert exit_.strays == 3
    assert yard.living() == []


async def test_C4_a_deaf_double_forking_tree_is_gone_when_it_is_told_to_end(yard: Yard):
    tree = await yard.wicked()
    tree.terminate(kill_after_s=0.2)
    exit_ = await ended(tree)
    assert exit_.why == "told"
    assert yard.living() == []


async def test_a_polite_process_may_end_by_itself_when_told(yard: Yard):
    tree = await yard.sh("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done")
    pieces = tree.output()
    assert await anext(pieces) == ("stdout", b"up\n")
    tree.terminate(kill_after_s=10)
    assert [piece async for name, piece in pieces if name == "stdout"] == [b"bye\n"]
    assert (await ended(tree)).code == 7


async def test_a_time_limit_ends_it(yard: Yard):
    tree = await yard.sh("sleep 600", limit_s=0.2)
    assert (await ended(tree)).why == "limit"


async def test_F14_a_tree_ends_by_itself_when_its_worker_says_nothing_for_the_length_of_its_lease(yard: Yard):
    tree = await yard.wicked()
    yard.processes.lease(time.monotonic() + 0.3)
    assert (await ended(tree)).why == "lease"
    assert yard.living() == []


async def test_a_lease_is_renewed(yard: Yard):
    tree = await yard.sh("sleep 0.6; echo done")
    yard.processes.lease(time.monotonic() + 0.3)
    yard.processes.lease(time.monotonic() + 30)
    assert (await said(tree))["stdout"] == b"done\n"


async def test_a_fork_bomb_is_ended(yard: Yard):
    bomb = "bomb() { sleep 0.02; [ $(ls /proc | grep -c '^[0-9]') -lt 400 ] && { bomb & bomb & }; sleep 600; }; bomb"
    tree = await yard.sh(bomb)
    await until(lambda: len(keeper.descendants(tree.keeper)) > 60, within_s=10)  # some are gone by the next look
    tree.kill()
    exit_ = await ended(tree)
    assert exit_.strays > 40
    assert leftovers(Entry(run_id="default/t~1", boot_id=yard.processes.boot_id, keeper_pid=0, keeper_start=0)) == set()


async def test_a_killed_keepers_tree_is_swept_up(yard: Yard):
    tree = await yard.wicked()
    os.kill(tree.keeper, signal.SIGKILL)
    assert (await ended(tree)).why == "keeper"
    await until(lambda: yard.living() == [])
    await until(lambda: list(yard.journal.entries()) == [])


async def test_W1_nothing_outlives_a_worker_that_is_killed_by_two_seconds(yard: Yard):
    yard.journal.close()
    worker = start_worker_with_a_wicked_agent(yard)
    await until(lambda: len(yard.pids()) == 4, within_s=10)
    worker.kill()
    worker.wait()
    took_s = await until(lambda: yard.living() == [], within_s=2)
    print(f"gone {took_s * 1000:.0f} ms after kill -9")


@pytest.mark.long
async def test_F10_of_fifty_trees_that_double_fork_none_survives_their_worker_by_two_seconds(yard: Yard):
    yard.journal.close()
    worker = start_worker_with_a_wicked_agent(yard, agents=50)
    await until(lambda: len(yard.pids()) == 200, within_s=60)
    worker.kill()
    worker.wait()
    took_s = await until(lambda: yard.living() == [], within_s=2)
    print(f"200 processes gone {took_s * 1000:.0f} ms after kill -9")


async def test_F14_nothing_outlives_the_lease_of_a_worker_that_is_frozen(yard: Yard):
    yard.journal.close()
    worker = start_worker_with_a_wicked_agent(yard, lease_s=1.0)
    await until(lambda: len(yard.pids()) == 4, within_s=10)
    worker.send_signal(signal.SIGSTOP)
    await until(lambda: yard.living() == [], within_s=3)
    worker.kill()
    worker.wait()


async def test_leftovers_of_an_earlier_life_are_ended_before_it_registers_again(yard: Yard):
    tree = await yard.wicked()
    entry = next(iter(yard.journal.entries()))
    os.kill(tree.keeper, signal.SIGSTOP)  # a keeper that does not do its duty
    later = Processes(yard.journal, SystemClock())
    assert await later.reap_leftovers() >= 4
    assert yard.living() == []
    assert not alive(entry.pgid, entry.pgid_start)
    assert list(yard.journal.entries()) == []
    await ended(tree)


async def test_a_recycled_pid_is_never_killed(yard: Yard):
    bystander = subprocess.Popen(["sleep", "600"])  # noqa: ASYNC220 - it is nobody's agent
    try:
        start = keeper.start_time(bystander.pid)
        assert alive(bystander.pid, start)
        yard.journal.write(
            Entry(
                run_id="default/old~1",
                boot_id="boot-0",
                keeper_pid=bystander.pid,
                keeper_start=start - 1,
                pgid=bystander.pid,
                pgid_start=start - 1,
            )
        )
        await yard.processes.reap_leftovers()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


async def test_the_journal_names_the_processes_while_they_run_and_nothing_after(yard: Yard):
    tree = await yard.sh("sleep 600")
    [entry] = yard.journal.entries()
    assert (entry.run_id, entry.keeper_pid, entry.pgid) == ("default/t~1", tree.keeper, tree.pid)
    assert alive(entry.keeper_pid, entry.keeper_start)
    assert alive(entry.pgid, entry.pgid_start)
    tree.kill()
    await ended(tree)
    await until(lambda: list(yard.journal.entries()) == [])


async def test_a_journal_is_held_by_one_process_at_a_time(yard: Yard):
    yard.journal.begin(yard.processes.boot_id)
    with pytest.raises(Occupied, match=f"'w1' is running already, as process {os.getpid()}"):
        Journal(yard.folder / "w1" / "journal")


async def test_a_process_sees_its_home_and_its_marks_and_no_credential(yard: Yard, monkeypatch):
    monkeypatch.setenv("SWITCHTOWER_NATS_PASSWORD", "hush")
    monkeypatch.setenv("MODEL_KEY", "passed-on")
    monkeypatch.setenv("OTHER_KEY", "not-passed-on")
    tree = await yard.processes.start(
        "default/t~1", ["/usr/bin/env"], folder=yard.folder, env=["MODEL_KEY"], time_limit_s=LIMIT
    )
    seen = dict(line.split("=", 1) for line in (await said(tree))["stdout"].decode().splitlines())
    assert seen[RUN_MARK] == "default/t~1"
    assert seen[BOOT_MARK] == yard.processes.boot_id
    assert seen["MODEL_KEY"] == "passed-on"
    assert seen["PATH"]
    assert not {name for name in seen if "PASSWORD" in name or name == "OTHER_KEY" or name.startswith("PYTHON")}


@pytest.mark.parametrize(
    ("argv", "folder", "why"),
    [
        (["/no/such/program"], ".", "No such file"),
        (["/bin/sh"], "nowhere", "nowhere"),
        (["/bin/echo", "a\0b"], ".", "NUL"),
    ],
)
async def test_what_cannot_be_started_says_why(yard: Yard, argv, folder, why):
    with pytest.raises(CannotStart, match=why):
        await yard.processes.start("r~1", argv, folder=yard.folder / folder, time_limit_s=LIMIT)
    assert list(yard.journal.entries()) == []
    assert len(yard.processes) == 0


async def test_F24_forty_runs_leave_no_process_no_zombie_and_no_descriptor(yard: Yard):
    await ended(await yard.sh("true", run_id="warm~1"))
    before = descriptors()
    for tens in range(4):
        trees = [await yard.sh("(sleep 600 &) ; exit 0", run_id=f"r{tens}~{n}") for n in range(10)]
        for tree in trees:
            await said(tree)
            assert (await ended(tree)).code == 0
    await until(lambda: descriptors() <= before)
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    assert [pid for pid in pids if keeper.state_of(pid) == ("Z", os.getpid())] == []
    assert len(yard.processes) == 0


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def start_worker_with_a_wicked_agent(yard: Yard, *, agents: int = 1, lease_s: float = 60) -> subprocess.Popen[bytes]:
    """A process of its own that holds the journal and runs wicked agents, until it is killed."""
    script = f"""
import asyncio, sys, time
from pathlib import Path
import uvloop
from core.clock import SystemClock
from workers.journal import Journal
from workers.process import Processes
async def main():
    processes = Processes(Journal(Path({str(yard.folder / "w1" / "journal")!r})), SystemClock())
    processes.boot_id = "boot-2"
    processes.lease(time.monotonic() + {lease_s})
    argv = [sys.executable, {str(DAEMON)!r}, {str(yard.written)!r}]
    for n in range({agents}):
        await processes.start(f"default/t{{n}}~1", argv, folder=Path("."), time_limit_s=600)
    await asyncio.sleep(600)
uvloop.run(main())
"""
    return subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, start_new_session=True)
