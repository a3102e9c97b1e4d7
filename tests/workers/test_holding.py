"""A process tree that is frozen stands still whole, goes on as if nothing had been, and dies when any other would."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.workers.test_process import Yard, ended, said, until
from workers import keeper
from workers.limits import Limits
from workers.tree import Tree

COUNTS = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo $i >> counted; sleep 0.01; done"


@pytest.fixture
def field(tmp_path: Path):
    built = Yard(tmp_path)
    yield built
    for pid in built.living():
        os.kill(pid, signal.SIGKILL)
    built.journal.close()


def states(tree: Tree) -> set[str]:
    return {keeper.state_of(pid)[0] for pid in keeper.descendants(tree.keeper)}


def counted(field: Yard) -> int:
    path = field.folder / "counted"
    return len(path.read_text().split()) if path.exists() else 0


async def frozen(tree: Tree) -> None:
    tree.hold()
    await until(lambda: states(tree) == {"T"})


async def test_a_held_tree_stands_still_and_goes_on_where_it_was(field: Yard):
    tree = await field.sh(COUNTS)
    await until(lambda: counted(field) > 3)
    await frozen(tree)
    reached = counted(field)
    await asyncio.sleep(0.1)  # it would have counted on by now
    assert counted(field) == reached
    tree.go_on()
    await until(lambda: counted(field) > reached + 3)
    tree.kill()
    assert (await ended(tree)).why == "told"


async def test_all_of_a_double_forking_tree_is_frozen(field: Yard):
    tree = await field.wicked()
    tree.hold()
    await until(lambda: {keeper.state_of(pid)[0] for pid in field.living()} == {"T"})
    tree.kill()
    await ended(tree)
    assert field.living() == []


async def test_the_time_limit_of_a_held_tree_stands_still(field: Yard):
    tree = await field.sh("sleep 600", limit_s=1.0)
    await frozen(tree)
    await asyncio.sleep(1.2)  # more than its limit
    assert not tree.over.done()
    tree.go_on()
    assert (await ended(tree)).why == "limit"


async def test_F14_a_held_tree_dies_by_its_lease_as_any_other(field: Yard):
    tree = await field.wicked()
    tree.hold()
    field.processes.lease(time.monotonic() + 0.3)
    assert (await ended(tree)).why == "lease"
    assert field.living() == []


async def test_W1_a_held_tree_does_not_outlive_its_worker(field: Yard):
    tree = await field.wicked()
    tree.hold()
    await until(lambda: {keeper.state_of(pid)[0] for pid in field.living()} == {"T"})
    tree._hang_up()  # what the keeper sees of a worker that was killed
    assert await until(lambda: field.living() == [], within_s=2) < 2
    await ended(tree)


async def test_a_held_trees_keeper_that_is_killed_takes_it_along(field: Yard):
    tree = await field.wicked()
    tree.hold()
    await until(lambda: {keeper.state_of(pid)[0] for pid in field.living()} == {"T"})
    os.kill(tree.keeper, signal.SIGKILL)
    assert (await ended(tree)).why == "keeper"
    await until(lambda: field.living() == [])


async def test_a_held_process_hears_that_it_is_to_end(field: Yard):
    tree = await field.sh("trap 'echo bye; exit 7' TERM; echo up > counted; while :; do sleep 0.02; done")
    await until(lambda: counted(field))
    await frozen(tree)
    tree.terminate(kill_after_s=10)
    assert (await said(tree))["stdout"] == b"bye\n"
    assert (await ended(tree)).code == 7


# -- limits -------------------------------------------------------------------------------------------------------


async def limited(field: Yard, *argv: str, **most: int) -> Tree:
    return await field.processes.start(
        "default/t~1", argv, folder=field.folder, time_limit_s=30, limits=Limits(**most)
    )  # fmt: skip


async def test_a_tree_that_takes_more_memory_than_it_may_is_killed_for_that(field: Yard):
    greedy = "held = []\nwhile True: held.append(bytearray(1 << 20))"
    tree = await limited(field, sys.executable, "-c", greedy, memory_bytes=150_000_000)
    exit_ = await ended(tree)
    assert exit_.why == "memory"
    assert exit_.figure > 150_000_000


async def test_memory_counts_for_the_whole_tree(field: Yard):
    child = "x = bytearray(b'1') * 60_000_000; import time; time.sleep(60)"
    starts = (
        f"import subprocess, sys\nfor _ in range(3): c = subprocess.Popen([sys.executable, '-c', {child!r}])\nc.wait()"
    )
    tree = await limited(field, sys.executable, "-c", starts, memory_bytes=150_000_000)
    assert (await ended(tree)).why == "memory"


async def test_a_tree_with_more_processes_than_it_may_have_is_killed_for_that(field: Yard):
    tree = await limited(field, "/bin/sh", "-c", "for n in 1 2 3 4 5 6 7 8; do sleep 60 & done; wait", processes=5)
    exit_ = await ended(tree)
    assert exit_.why == "processes"
    assert exit_.figure > 5


async def test_a_tree_within_its_limits_is_left_alone(field: Yard):
    tree = await limited(field, "/bin/sh", "-c", "sleep 0.5; echo done", memory_bytes=500_000_000, processes=10)
    assert (await said(tree))["stdout"] == b"done\n"
    assert (await ended(tree)).code == 0


async def test_a_tree_is_held_to_its_processors_and_stands_back(field: Yard):
    tells = "import os; print(len(os.sched_getaffinity(0)), os.nice(0))"
    tree = await limited(field, sys.executable, "-c", tells, cpus=1, nice=7)
    assert (await said(tree))["stdout"] == f"1 {os.nice(0) + 7}\n".encode()


# -- what it uses -------------------------------------------------------------------------------------------------


async def test_a_tree_tells_what_it_uses(field: Yard):
    busy = "held = b'1' * 80_000_000\nn = 0\nwhile True: n += 1"
    tree = await field.processes.start(
        "default/t~1", [sys.executable, "-c", busy], folder=field.folder, time_limit_s=30
    )
    await until(lambda: tree.used and tree.used.cpu_ms > 100, within_s=15)
    assert 80_000_000 < tree.used.memory_bytes < 200_000_000
    assert tree.used.processes == 1
    tree.kill()
    await ended(tree)
