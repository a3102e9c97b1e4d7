"""A read model in the simulation: folds EVENTS once each, its position stored with what it knows, killed at will."""

from __future__ import annotations

from core.envelope import decode_fact
from core.ledger import Ledger
from tests.domain import reader
from tests.simulation.checker import Checker
from tests.simulation.oracle import Violation


class Projector:
    """``seq`` and ``told`` are on disk: they change together or not at all."""

    def __init__(self, checker: Checker) -> None:
        self.seq = 0
        self.told: reader.States = {}
        self._checker = checker

    async def run(self, ledger: Ledger) -> None:
        async for batch in ledger.follow("EVENTS", after=self.seq):
            told, seq = dict(self.told), self.seq
            for stored in batch:
                if stored.seq != seq + 1:
                    raise Violation(f"L2 the read model was given {stored.seq} after {seq}")
                reader.read(told, decode_fact(stored.data).fact)
                seq = stored.seq
            self.told, self.seq = told, seq

    def check(self) -> None:
        """R1, R2: it knows what a fold from the beginning knows."""
        if self.told != self._checker.oracle.told:
            raise Violation("R2 the read model is not what a rebuild gives")
