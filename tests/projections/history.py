"""Histories to fold: what random orders make of a log, as messages, and the core's own state at any sequence of it."""

from __future__ import annotations

import copy
from random import Random

import msgspec

from core.domain import machine, task
from core.domain.machine import Received
from core.domain.state import State
from core.domain.system import NEWEST_RULES, Begin
from core.domain.words import Order
from core.envelope import GENESIS_CHAIN, Sent, encode_command, encode_fact
from core.ledger import Stored
from tests.domain import orders
from tests.spec import register

NOON = 1_800_000_000_000_000
MS = 1_000


class History:
    """Commands given one after the other, and every fact they made, as COMMANDS and EVENTS would hold them.

    ``ends``: sequences at which a command is done and the log has told all the core knows.
    """

    def __init__(self) -> None:
        self.state = State()
        self.now = NOON
        self.commands: list[Stored] = []
        self.events: list[Stored] = []
        self.recorded: list[machine.Recorded] = []
        self.ends: list[int] = []
        self._chain = GENESIS_CHAIN
        self.order(Begin(commands_created=1, events_created=2, rules=NEWEST_RULES))

    def order(self, *given: Order, by: str = "operator", later_ms: float = 40) -> History:
        """Give orders; each is decided at once, a few milliseconds after the one before."""
        for order in given:
            self.now += int(later_ms * MS)
            seq = len(self.commands) + 1
            sent = Sent(id=f"~order/{seq}", by=by, command=order)
            message = encode_command(sent)
            self.commands.append(Stored(seq, message.subject, self.now, message.data))
            for recorded in machine.step(self.state, Received(seq, self.now, sent.id, by, order)):
                message, self._chain = encode_fact(recorded, self._chain)
                # stored a little after it was ordered, as it would be
                self.events.append(Stored(len(self.events) + 1, message.subject, self.now + 2 * MS, message.data))
                self.recorded.append(recorded)
            if not self.state.to_tell and not self.state.pending:
                self.ends.append(len(self.events))
        return self

    def wander(self, rng: Random, commands: int) -> History:
        """Give so many random orders; time passes between them so that what waits is woken now and then."""
        for _ in range(commands):
            for name, due in list(self.state.timers.items()):
                if due <= self.now and rng.random() < 0.5:
                    self.order(task.Wake(task_id=name, after_run=self.state.tasks[name].runs), by="~timer")
            self.order(orders.draw(rng, self.state), later_ms=rng.choice((1, 40, 900)))
        return self

    def state_at(self, seq: int) -> State:
        """The core's state when it had folded the first ``seq`` facts and no more."""
        state = State()
        for recorded in self.recorded[:seq]:
            machine.fold(state, recorded)
        return state

    def fork(self) -> History:
        """An independent history with the same past."""
        return copy.deepcopy(self)


def wandering(seed: int, commands: int = 400) -> History:
    """A history of random orders with two workers to do them, always the same for a seed."""
    return History().order(register("anvil", "ada", "bob"), register("bellows", "ada")).wander(Random(seed), commands)


def pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()
