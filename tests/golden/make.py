"""``python -m tests.golden.make``: records a tape for each way of the rules, from seeds of the simulation.

A tape is made once and kept for ever: what breaks one is a new rules number (design.md 2), never a new tape. Before the
first release ``--again`` makes them anew.
"""

from __future__ import annotations

import itertools
import sys

import msgspec

from core.envelope import chain_of
from tests.golden.tapes import FOLDER, Line, decided
from tests.simulation.play import played

COMMANDS = 150
WAYS = {"rules-1": [1], "rules-1-then-2": [1, 2], "rules-2": [2], "rules-2-again": [2]}


def main() -> None:
    missing = [name for name in WAYS if "--again" in sys.argv or not (FOLDER / f"{name}.jsonl").exists()]
    for seed in itertools.count(7_000):
        if not missing:
            return
        world, _ = played(seed, COMMANDS)
        lines = list(decided(world.server.messages("COMMANDS")))
        if lines[-1].chain != chain_of(world.server.messages("EVENTS")[-1].data):
            continue  # this seed played with other bounds than the real ones, or with a decider that raises
        way = _rules(lines)
        name = next((each for each in missing if WAYS[each] == way), None)
        if name is not None:
            missing.remove(name)
            (FOLDER / f"{name}.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, lines)) + b"\n")
            print(f"{name}: seed {seed}, {len(lines)} commands")


def _rules(lines: list[Line]) -> list[int]:
    """The rules the log was under, one after the other."""
    return [fact["rules"] for line in lines for fact in map(msgspec.json.decode, (f[2] for f in line.facts))
            if fact["type"] in ("core.genesis", "core.rules_adopted")]  # fmt: skip


if __name__ == "__main__":
    main()
