"""``python -m tests.simulation --seconds 60``: as many seeds as fit, what was seen, and how to play a failure again."""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import sys
import time

from tests.simulation.campaign import COMMANDS, REPRODUCE, SOMETIMES, Tally, campaign
from tests.simulation.play import run

ENOUGH_SEEDS = 100  # from here on everything that should happen sometimes must have happened


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to run seeds (default 60)")
    parser.add_argument("--long", action="store_true", help="ten minutes of them")
    parser.add_argument("--seed", type=int, help="play this seed alone, with the core's log")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    if args.seed is not None:
        return one(args.seed)
    started = time.monotonic()
    seconds = 600.0 if args.long else args.seconds
    tally = campaign(itertools.count(args.first), seconds=seconds, processes=args.processes)
    return report(tally, time.monotonic() - started)


def one(seed: int) -> int:
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    result = run(seed, COMMANDS)
    did = f"{result.commands} commands, {result.facts} facts, {result.virtual_s:.0f} s"
    print(f"seed {seed}: {did}, ends in {result.chain}")
    return 0


def report(tally: Tally, took_s: float) -> int:
    for what in SOMETIMES:
        print(f"  {tally.seen[what]:8,}  {what}")
    print(
        f"{tally.seeds:,} seeds of at least {COMMANDS} commands in {took_s:.0f} s "
        f"({tally.seeds / took_s * 60:,.0f} a minute): {tally.commands:,} commands ({tally.commands / took_s:,.0f}/s), "
        f"{tally.facts:,} facts, {tally.faults:,} faults, {tally.virtual_s / 3600:,.1f} h of virtual time "
        f"({tally.virtual_s / took_s:,.0f} times real time)"
    )
    for failure in tally.failures:
        print(f"FAILED seed {failure.seed}: {failure.error[:2_000]}\n  {REPRODUCE.format(failure.seed)}")
    if tally.never and tally.seeds >= ENOUGH_SEEDS:
        print(f"never seen, so not looked at: {', '.join(tally.never)}")
    return 1 if tally.failures or (tally.never and tally.seeds >= ENOUGH_SEEDS) else 0


if __name__ == "__main__":
    sys.exit(main())
