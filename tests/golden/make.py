"""``python -m tests.golden.make``: records a tape for each way of the rules, from seeds of the simulation; and one of
random orders that uses every command there is.

A tape is made once and kept for ever: what breaks one is a new rules number (design.md 2), never a new tape. Before the
first release ``--again`` makes them anew.
"""

from __future__ import annotations

import itertools
import sys
import typing
from random import Random

import msgspec

from core.domain import machine, system
from core.envelope import chain_of
from tests.domain import orders
from tests.golden.tapes import FOLDER, Line, decided
from tests.projections.history import History
from tests.simulation.play import played
from tests.spec import register

COMMANDS = 150
MOST_COMMANDS = 330
BY_THE_CORE = {system.Begin, system.AdoptRules, system.Continue, system.SuspectClock, system.TrustClock}
WAYS = {
    "rules-1": [1], "rules-1-then-2": [1, 2], "rules-2": [2], "rules-2-again": [2], "rules-3": [3],
    "rules-2-then-3": [2, 3], "rules-3-then-4": [3, 4], "rules-4": [4],
}  # fmt: skip
EVERY = "rules-3-every-command"


def main() -> None:
    if "--again" in sys.argv or not (FOLDER / f"{EVERY}.jsonl").exists():
        _write(EVERY, every_command())
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
            _write(name, lines)


def every_command() -> list[Line]:
    """Random orders, each kind as likely as any other, until every command was carried out."""
    for seed in itertools.count(9_000):
        rng, history = Random(seed), History().order(register("anvil", "ada", "bob"), register("bellows", "ada"))
        kinds = [kind for kind in orders.WEIGHTS if kind is not orders.adopt_rules]
        missing = {*typing.get_args(machine.Command)} - BY_THE_CORE
        for _ in range(MOST_COMMANDS):
            order = rng.choice([*kinds, orders.submit, orders.submit, orders.register])(rng, history.state)
            history.order(order, later_ms=rng.choice((1, 900)))
            if not isinstance(history.recorded[-1].fact, machine.CommandRefused):
                missing.discard(type(order))
        if not missing:
            return list(decided(history.commands))
        print(f"seed {seed}: never carried out {[kind.__name__ for kind in missing]}")
    raise AssertionError("unreachable")


def _write(name: str, lines: list[Line]) -> None:
    (FOLDER / f"{name}.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, lines)) + b"\n")
    print(f"{name}: {len(lines)} commands")


def _rules(lines: list[Line]) -> list[int]:
    """The rules the log was under, one after the other."""
    return [fact["rules"] for line in lines for fact in map(msgspec.json.decode, (f[2] for f in line.facts))
            if fact["type"] in ("core.genesis", "core.rules_adopted")]  # fmt: skip


if __name__ == "__main__":
    main()
