"""Many seeds: run them, add up what was seen, and say what never was."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import get_args

import msgspec

from core.domain import machine
from tests.simulation.play import Result, run

COMMANDS = 300
REPRODUCE = "python -m tests.simulation --seed {}"

FAULTS = (
    "request lost", "answer lost", "server busy", "kill a core", "kill a core as it writes", "kill a worker",
    "burn a worker", "kill the read model", "stop a core", "stop a worker", "cut a link", "cut all links",
    "lose the lease", "set the servers clock", "set a process clock", "fill a log", "a task took its worker down",
)  # fmt: skip

# What has to happen now and then, or the simulation does not look where it should.
SOMETIMES = (
    *FAULTS,
    *(str(kind.__struct_config__.tag) for kind in get_args(machine.Event)),
    *(f"outcome {outcome}" for outcome in ("refused", "already_so", "expired", "superseded", "fenced")),
    "a decider raised", "garbage refused", "half-written command found", "core deposed", "started from a snapshot",
    "left over", "outcome unknown yet", "order not accepted", "order sent again, not sure", "worker's lease ended",
    "worker learnt that its epoch was over", "quarantined",
)  # fmt: skip


class Failure(msgspec.Struct):
    seed: int
    error: str


class Tally(msgspec.Struct):
    """What a campaign did; ``hits`` counts the seeds in which a thing was seen."""

    seeds: int = 0
    commands: int = 0
    facts: int = 0
    virtual_s: float = 0.0
    seen: Counter[str] = msgspec.field(default_factory=Counter)
    failures: list[Failure] = []

    def add(self, outcome: Result | Failure) -> None:
        if isinstance(outcome, Failure):
            self.failures.append(outcome)
            return
        self.seeds += 1
        self.commands += outcome.commands
        self.facts += outcome.facts
        self.virtual_s += outcome.virtual_s
        self.seen.update(outcome.seen)

    @property
    def faults(self) -> int:
        return sum(self.seen[fault] for fault in FAULTS)

    @property
    def never(self) -> list[str]:
        return [what for what in SOMETIMES if not self.seen[what]]


def attempt(seed: int) -> Result | Failure:
    """Run one seed; what goes wrong is told, with the seed."""
    try:
        return run(seed, COMMANDS)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return Failure(seed, f"{type(error).__name__}: {error}")


def campaign(seeds: Iterable[int], *, seconds: float, processes: int) -> Tally:
    """Run seeds until the time is over or the first ones failed."""
    tally, end = Tally(), time.monotonic() + seconds
    if processes == 1:
        for seed in seeds:
            if time.monotonic() >= end or len(tally.failures) >= 3:
                break
            tally.add(attempt(seed))
        return tally
    with ProcessPoolExecutor(processes) as pool:
        source = iter(seeds)
        while time.monotonic() < end and len(tally.failures) < 3:
            batch = [seed for _, seed in zip(range(8 * processes), source, strict=False)]
            if not batch:
                break
            for outcome in pool.map(attempt, batch, chunksize=2):
                tally.add(outcome)
    return tally
