"""Operators: they order what people order, by the real ``Door``, again when unsure; and somebody publishes garbage."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from core.domain import lane, system, task
from core.domain.words import Order
from core.door import Door, Pending
from core.ledger import LedgerError, Message
from tests.domain import orders
from tests.simulation.fleet import Mailbox, new_id
from tests.simulation.network import WiredLedger

if TYPE_CHECKING:
    from tests.simulation.world import Place, World

# What people do; reports and losses come from workers and cores, now and then from an impostor.
REPORTS = (orders.finish, orders.start, orders.progress, orders.leave, orders.lose, orders.grow)
BY_PEOPLE: dict[orders.Draw, float] = {
    kind: weight
    for kind, weight in orders.WEIGHTS.items()
    if kind not in {orders.register, orders.wake, *REPORTS}
} | {orders.submit: 40, orders.retry: 8, orders.resume_lane: 4, orders.go_on: 0.5, orders.release: 8}  # fmt: skip
BY_IMPOSTORS = (orders.wake, orders.finish, orders.finish, *REPORTS)
GARBAGE = (b"", b"{", b"null", b'{"id":"~x"}', b"\xff" * 40, b'{"id":"~1","by":"x","command":{"type":"no.such"}}')


class Operator:
    """One person at one door."""

    def __init__(self, world: World, place: Place, mailbox: Mailbox) -> None:
        self._world, self._place, self._rng = world, place, place.rng
        self._ledger = WiredLedger(place.wire)
        self._door = Door(self._ledger, mailbox, place.clock, by=place.name)
        self._said: list[tuple[Order, str]] = []

    async def run(self) -> None:
        while not self._world.calm:
            await self._place.clock.sleep(self._rng.expovariate(8.0))
            try:
                await self._say()
            except LedgerError:
                self._world.seen["order not accepted"] += 1

    async def _say(self) -> None:
        state, rng = self._world.checker.state, self._rng
        if rng.random() < 0.03:
            subject = rng.choice(("cmd.task.x.submit", "cmd.nonsense", "cmd.run.y.finish"))
            await self._ledger.append("COMMANDS", [Message(subject, rng.choice(GARBAGE))])
            return
        if self._said and rng.random() < 0.05:  # a form sent again from an old page
            await self._insist(*rng.choice(self._said[-20:]))
            return
        order: Order
        if not state.rules:
            order = lane.Pause(lane="D")
        elif rng.random() < 0.05:
            order = rng.choice(BY_IMPOSTORS)(rng, state)
        else:
            order = rng.choices(list(BY_PEOPLE), list(BY_PEOPLE.values()))[0](rng, state)
        self._said.append((_armed(order, rng), new_id(rng, self._place.clock)))
        await self._insist(*self._said[-1])

    async def _insist(self, order: Order, command_id: str) -> None:
        """Order it; not sure that it was taken, order it again under the same id."""
        deadline_s = self._rng.choice((0, 0, 0, 0, 0, 0, 0.05, 2.0))
        for _ in range(self._rng.choice((1, 1, 1, 1, 1, 2))):
            try:
                answer = await self._door.order(
                    order, command_id=command_id, wait_s=self._rng.choice((0.05, 1.0)), deadline_s=deadline_s
                )
                self._world.seen["outcome unknown yet"] += isinstance(answer, Pending)
            except LedgerError:
                self._world.seen["order sent again, not sure"] += 1


def _armed(order: Order, rng: Random) -> Order:
    """Now and then a task that takes its worker down, or a lane whose name makes the decider raise."""
    if isinstance(order, task.Submit) and rng.random() < 0.03:
        spec = task.TaskSpec(title="bomb", lane=order.spec.lane, policy=order.spec.policy)
        return task.Submit(task_id=order.task_id, spec=spec)
    if isinstance(order, lane.Pause) and rng.random() < 0.2:
        return lane.Pause(lane="explode")
    if isinstance(order, system.AdoptRules) and rng.random() < 0.5:
        return system.AdoptRules(rules=rng.choice((2, 3, 4)))
    return order
