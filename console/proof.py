"""The log proved against itself, from a page: one proof at a time, with progress, bounded, and it can be stopped.

The work is cut into slices of two milliseconds with as long a pause after each, on the console's own loop: pages and
folds wait no longer than one slice. (A thread of lower rank would hold the interpreter's lock while it waits for a
processor.) What came of the last proof is kept until the console ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from core.clock import Clock
from core.ledger import Ledger
from projections import verify
from projections.projector import Projector
from projections.redecide import Verified, rechain, recompute
from projections.sql import load

log = logging.getLogger("console.proof")

SLICE_S = 0.002
MOST_S = 3_600.0
TOPIC = "proof"  # what open pages are told under

Kind = Literal["chain", "all"]
Doing = Literal["reading the chain", "deciding again", "folding again"]
Outcome = Literal["equal", "different", "stopped", "failed"]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A proof that is over. Times in microseconds. ``tables``: how many read-model tables were folded again;
    ``different``: those whose digests were others; ``not_compared``: those whose stream forgets by age."""

    kind: Kind
    outcome: Outcome
    began_at: int
    ended_at: int
    by: str = "operator"
    verified: Verified | None = None
    tables: int = 0
    different: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()
    problem: str = ""


class Running(msgspec.Struct, kw_only=True):
    """A proof under way. ``done`` of ``of`` messages in what it is ``doing``."""

    kind: Kind
    began_at: int
    doing: Doing
    done: int = 0
    of: int = 0

    @property
    def percent(self) -> int:
        return 100 * self.done // self.of if self.of else 0


class Prover:
    """``start`` a proof, ``stop`` it, look at ``running`` and ``last``. ``tell`` is called whenever there is news."""

    def __init__(self) -> None:
        self.running: Running | None = None
        self.last: Proof | None = None
        self._task: asyncio.Task[None] | None = None
        self._tell: Callable[[], None] = lambda: None

    def start(self, kind: Kind, ledger: Ledger, read_model: Projector, clock: Clock, tell: Callable[[], None]) -> bool:
        """Whether it was begun; not while another one runs."""
        if self.running is not None:
            return False
        self._tell = tell
        doing: Doing = "reading the chain" if kind == "chain" else "deciding again"
        self.running = Running(kind=kind, began_at=clock.now_us(), doing=doing)
        self._task = asyncio.create_task(self._run(kind, ledger, read_model, clock), name="prove the log")
        return True

    async def stop(self) -> None:
        """End the proof under way; nothing to do when there is none."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, kind: Kind, ledger: Ledger, read_model: Projector, clock: Clock) -> None:
        assert self.running is not None
        began_at = self.running.began_at

        def over(outcome: Outcome, problem: str = "", **found: Any) -> None:
            self.last = Proof(
                kind=kind, outcome=outcome, began_at=began_at, ended_at=clock.now_us(), problem=problem, **found
            )  # fmt: skip

        try:
            async with asyncio.timeout(MOST_S):
                found = await self._prove(kind, ledger, read_model)
            over("equal" if _holds(found) else "different", **found)
        except asyncio.CancelledError:
            over("stopped", "It was stopped before its end.")
        except TimeoutError:
            over("failed", f"It was not done within {MOST_S / 60:.0f} minutes; use `switchtower replay verify`.")
        except Exception as error:  # whatever it is, the page says it; the log has its trace
            log.exception("a proof of the log failed")
            over("failed", f"{type(error).__name__}: {error}")
        finally:
            self.running = None
            self._tell()

    async def _prove(self, kind: Kind, ledger: Ledger, read_model: Projector) -> dict[str, Any]:
        commands = (await ledger.head("COMMANDS")).last_seq
        events = (await ledger.head("EVENTS")).last_seq
        rest = gently()
        if kind == "chain":
            return {"verified": await rechain(ledger, events=events, progress=self._progress, rest=rest)}
        verified = await recompute(ledger, commands=commands, events=events, progress=self._progress, rest=rest)
        if not verified.equal:
            return {"verified": verified}
        return {"verified": verified, **await self._fold_again(ledger, read_model, rest)}

    async def _fold_again(
        self, ledger: Ledger, read_model: Projector, rest: Callable[[], Awaitable[None]]
    ) -> dict[str, Any]:
        """Digests of the read model as it stands, against the same folded anew in memory."""
        standing = await read_model.query(verify.standing)
        of = sum(standing.sequences.values())
        self._note("folding again", 0, of)
        computed = await verify.recompute(
            ledger, standing.sequences, progress=lambda done: self._note("folding again", done, of), rest=rest
        )
        forgotten = (await ledger.head("OBSERVATIONS")).first_seq > 1
        beside = tuple(table.name for table in load().of_stream("OBSERVATIONS")) if forgotten else ()
        return {
            "tables": len(computed.digests) - len(beside),
            "different": tuple(verify.different(standing, computed, forgotten=forgotten)),
            "not_compared": beside,
        }

    def _progress(self, done: int, of: int) -> None:
        if self.running is not None:
            self._note(self.running.doing, done, of)

    def _note(self, doing: Doing, done: int, of: int) -> None:
        if self.running is not None:
            self.running.doing, self.running.done, self.running.of = doing, done, of
            self._tell()


def gently() -> Callable[[], Awaitable[None]]:
    """What to await between two small pieces of work: it pauses for as long as the work took, once that is a slice."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def rest() -> None:
        nonlocal began
        took = loop.time() - began
        if took >= SLICE_S:
            await asyncio.sleep(took)
            began = loop.time()

    return rest


def _holds(found: dict[str, Any]) -> bool:
    verified = found["verified"]
    assert isinstance(verified, Verified)
    return verified.equal and not found.get("different")
