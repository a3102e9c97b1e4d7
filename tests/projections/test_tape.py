"""A tape opened again: all of it as it was, or one task of it, with what it needs to be understood."""

from __future__ import annotations

from core.clock import HandClock
from core.ledger import Message
from core.memory import MemoryLedger
from projections import queries, tape
from projections.projector import Projector
from projections.rows import TaskFilter
from tests.projections.history import History, wandering

# Filled from COMMANDS, which are not on a tape, or with the times at which the facts were stored.
NOT_ON_A_TAPE = {"commands"}


async def test_a_tape_of_everything_gives_the_same_read_model(clock: HandClock):
    history = wandering(41, 150)
    ledger = _ledger(clock, history)
    played = await _played(ledger, tape.Wanted())
    async with Projector(ledger, None, clock) as whole, Projector(played, None, clock) as again:
        assert await whole.caught_up(20), whole.positions()
        assert await again.caught_up(20), again.positions()
        one, other = await whole.digest(), await again.digest()
        assert {name for name in one if one[name] != other[name]} <= NOT_ON_A_TAPE


async def test_a_tape_of_one_task_shows_that_task_as_it_ended_and_no_other(clock: HandClock):
    history = wandering(42, 200)
    ledger = _ledger(clock, history)
    for task_id, task in list(history.state.tasks.items())[:4]:
        played = await _played(ledger, tape.Wanted(task=task_id))
        async with Projector(played, None, clock) as again:
            assert await again.caught_up(20), again.positions()
            assert again.positions().problem == ""
            at = await again.query(queries.latest, clock.now_us())
            shown = await again.query(queries.tasks, at, TaskFilter(limit=0))
            assert [(row.task_id, row.state, row.title) for row in shown.rows] == [
                (task_id, task.state, task.spec.title)
            ]


async def _played(ledger: MemoryLedger, wanted: tape.Wanted) -> MemoryLedger:
    lines: list[bytes] = []
    await tape.export(ledger, wanted, lines.append, made_at=1)
    return tape.read(lines).ledger


def _ledger(clock: HandClock, history: History) -> MemoryLedger:
    ledger = MemoryLedger(clock)
    for stored in history.events:
        ledger.put("EVENTS", [Message(stored.subject, stored.data)])
    for stored in history.commands:
        ledger.put("COMMANDS", [Message(stored.subject, stored.data)])
    return ledger
