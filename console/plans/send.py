"""A plan on its way in: begin, adds, seal, each order answered before the next; all or nothing.

The plan's id comes from its content. The same file sent again begins a plan of another id in which every task is
known already, so nothing changes; an import that was cut off is dropped and begun anew.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from core.clock import Clock
from core.domain import plan, session
from core.domain.machine import Command
from core.domain.plan import Planned
from core.domain.session import DEFAULT_SESSION
from core.domain.words import MAX_FACTS, Refused, check_name, token
from core.door import Door, Pending
from core.envelope import Answer, decode_fact
from core.ids import new_id
from core.ledger import Ledger

MOST_BYTES = 200 << 10  # of the tasks in one plan.add; a command may hold 256 KiB
UNDER_WAY = 6  # plan.adds at a time
WAIT_S = 15.0  # for one order's outcome: a full plan.add takes the core some tens of milliseconds

Progress = Callable[[int, int], None]  # tasks sent, tasks in all


class NotSent(Exception):
    """The plan is not in force; the text says why. ``unanswered``: the core did not answer in time."""

    def __init__(self, why: str, *, unanswered: bool = False) -> None:
        super().__init__(why)
        self.unanswered = unanswered


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What the import changed. ``seq`` is the EVENTS sequence from which it can be seen."""

    plan_id: str
    session_id: str
    new: int
    revised: int
    unchanged: int
    circles: list[list[str]]
    seq: int


async def send(
    door: Door,
    ledger: Ledger,
    clock: Clock,
    tasks: Sequence[Planned],
    *,
    session_id: str,
    source: str,
    cycles: Literal["refuse", "block"],
    goal: str = "",
    progress: Progress | None = None,
) -> Sent:
    """Bring the tasks into force in the session, which is opened (for ``goal``) when it is missing.

    ``NotSent`` when anything of it is refused.
    """
    _check(session_id)
    sending = _Sending(door, clock)
    if session_id != DEFAULT_SESSION:
        await sending.order(session.Open(session_id=session_id, goal=goal), "open", allow="already_so")
    plan_id = await sending.begin(plan_id_of(tasks, session_id), session_id, source, cycles)
    try:
        await sending.add_all(plan_id, tasks, progress)
    except NotSent as why:
        if not why.unanswered:
            await sending.order(plan.Drop(plan_id=plan_id, reason=str(why)[:500]), "drop")
        raise
    sealed = await sending.order(plan.Seal(plan_id=plan_id), "seal")
    return await _told(ledger, plan_id, len(tasks), sealed.seq)


def plan_id_of(tasks: Sequence[Planned], session_id: str) -> str:
    """The same for the same tasks in the same session, whatever their order."""
    each = sorted(hashlib.blake2b(msgspec.json.encode(task, order="deterministic")).digest() for task in tasks)
    return "import-" + hashlib.blake2b(session_id.encode() + b"".join(each), digest_size=8).hexdigest()


def chunks(tasks: Sequence[Planned]) -> Iterator[list[Planned]]:
    """The tasks in lists that fit one command each: at most 400 of them and 200 KiB."""
    chunk: list[Planned] = []
    size = 0
    for task in tasks:
        more = len(msgspec.json.encode(task)) + 1
        if chunk and (len(chunk) == MAX_FACTS or size + more > MOST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(task)
        size += more
    if chunk:
        yield chunk


class _Sending:
    def __init__(self, door: Door, clock: Clock) -> None:
        self._door, self._clock = door, clock
        self._name = new_id(clock)

    async def begin(self, plan_id: str, session_id: str, source: str, cycles: Literal["refuse", "block"]) -> str:
        """Begin the plan; where its id is taken, by an import cut off or by one sealed, make way or take another."""
        order = plan.Begin(plan_id=plan_id, session_id=session_id, source=source, cycles=cycles)
        if (await self.order(order, "begin", allow="already_so")).outcome == "done":
            return plan_id
        cut_off = await self.order(plan.Drop(plan_id=plan_id, reason="begun again"), "make-way", allow="already_so")
        if cut_off.outcome != "done":
            plan_id = f"{plan_id}-{self._name}"
        await self.order(msgspec.structs.replace(order, plan_id=plan_id), "begin-again")
        return plan_id

    async def add_all(self, plan_id: str, tasks: Sequence[Planned], progress: Progress | None) -> None:
        """Every chunk of the plan, a few under way at a time: their order does not matter before the seal."""
        room = asyncio.Semaphore(UNDER_WAY)
        sent = 0

        async def add(number: int, chunk: list[Planned]) -> None:
            nonlocal sent
            async with room:
                await self.order(plan.Add(plan_id=plan_id, tasks=chunk), f"add/{number}", allow="already_so")
            sent += len(chunk)
            if progress is not None:
                progress(sent, len(tasks))

        adding = [asyncio.create_task(add(number, chunk)) for number, chunk in enumerate(chunks(tasks))]
        try:
            await asyncio.gather(*adding)
        finally:
            for each in adding:
                each.cancel()
            await asyncio.gather(*adding, return_exceptions=True)

    async def order(self, command: Command, step: str, *, allow: str = "") -> Answer:
        command_id = f"~import/{self._name}/{step}"
        answer = await self._door.order(command, command_id=command_id, wait_s=WAIT_S)
        if isinstance(answer, Pending):
            raise NotSent(
                f"the core did not answer within {WAIT_S:g} s (step {step}): is it running? Import again when it is; "
                "nothing of the plan is in force before its seal",
                unanswered=True,
            )
        if answer.outcome not in ("done", allow):
            raise NotSent(answer.reason)
        return answer


async def _told(ledger: Ledger, plan_id: str, total: int, seq: int) -> Sent:
    async for found in ledger.read("EVENTS", until=seq, subjects=[f"evt.plan.{token(plan_id)}.sealed"]):
        fact = decode_fact(found[-1].data).fact
        if isinstance(fact, plan.Sealed):
            unchanged = total - fact.new - fact.revised
            return Sent(
                plan_id=plan_id,
                session_id=fact.session_id,
                new=fact.new,
                revised=fact.revised,
                unchanged=unchanged,
                circles=fact.cycles,
                seq=seq,
            )
    raise NotSent(f"plan {plan_id} is sealed, but the fact is not in EVENTS up to {seq}")


def _check(session_id: str) -> None:
    try:
        check_name("session", session_id)
    except Refused as refused:
        raise NotSent(refused.reason) from None
