"""The real core on virtual time, with faults: every promise holds in every seed, and every planted bug is found."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.bugs import BUGS, planted
from tests.simulation.campaign import REPRODUCE, campaign
from tests.simulation.oracle import Violation
from tests.simulation.play import run

QUICK = range(12)
BUG_WITHIN = 60  # seeds
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", QUICK)
def test_every_promise_holds(seed: int):
    run(seed)


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str):
    with planted(name), pytest.raises(AssertionError):
        for seed in range(BUG_WITHIN):
            run(seed)


def test_a_seed_plays_the_same_everywhere():
    program = "from tests.simulation.play import run; print(run(3).chain)"
    chains = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": salt, "PYTHONPATH": str(ROOT)}, cwd=ROOT,
            capture_output=True, check=True, text=True,
        ).stdout.strip()
        for salt in ("1", "2")
    }  # fmt: skip
    assert chains == {run(3).chain}


def test_a_failure_names_the_promise_and_the_time_to_look_at():
    with planted("time goes back"), pytest.raises(Violation, match=r"^R1 time went back at \d+$"):
        for seed in range(BUG_WITHIN):
            run(seed)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_ten_minutes_of_seeds():
    tally = campaign(itertools.count(100_000), seconds=600, processes=2)
    assert not tally.failures, "\n".join(f"{each.error}\n{REPRODUCE.format(each.seed)}" for each in tally.failures)
    assert not tally.never
