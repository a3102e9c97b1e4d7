"""A tape opened again: all of it as it was, or one task of it, with what it needs to be understood."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from core.clock import HandClock
from core.ledger import Message
from core.memory import MemoryLedger
from core.observation import OFFSET, output
from projections import played, queries, tape
from projections.projector import Projector
from projections.rows.record import CommandFilter
from projections.rows.tasks import TaskFilter
from tests.projections.history import History, wandering


async def test_a_tape_of_everything_gives_the_same_read_model_commands_and_all(clock: HandClock):
    history = wandering(41, 150)
    ledger = _ledger(clock, history)
    opened = await _opened(ledger, tape.Wanted())
    async with Projector(ledger, None, clock) as whole, Projector(opened, None, clock) as again:
        assert await whole.caught_up(20), whole.positions()
        assert await again.caught_up(20), again.positions()
        assert await whole.digest() == await again.digest()


async def test_a_tape_of_one_task_shows_that_task_as_it_ended_and_no_other(clock: HandClock):
    history = wandering(42, 200)
    ledger = _ledger(clock, history)
    for task_id, task in list(history.state.tasks.items())[:4]:
        opened = await _opened(ledger, tape.Wanted(task=task_id))
        async with Projector(opened, None, clock) as again:
            assert await again.caught_up(20), again.positions()
            assert again.positions().problem == ""
            at = await again.query(queries.latest, clock.now_us())
            shown = await again.query(queries.tasks, at, TaskFilter(limit=0))
            assert [(row.task_id, row.state, row.title) for row in shown.rows] == [
                (task_id, task.state, task.spec.title)
            ]


async def test_a_tape_of_one_task_names_the_orders_its_facts_came_from(clock: HandClock):
    history = wandering(43, 200)
    ledger = _ledger(clock, history)
    task_id = next(iter(history.state.tasks))
    opened = await _opened(ledger, tape.Wanted(task=task_id))
    async with Projector(opened, None, clock) as again:
        assert await again.caught_up(20), again.positions()
        at = await again.query(queries.latest, clock.now_us())
        given = await again.query(queries.commands, at, CommandFilter(reports=True, limit=0))
        assert [row.command_seq for row in given.rows] == list(range(len(given.rows), 0, -1))
        assert "pending" not in {row.outcome for row in given.rows}
        assert task_id in {row.target for row in given.rows}


async def test_what_runs_printed_comes_along_when_asked_for_within_bounds(clock: HandClock):
    ledger = _ledger(clock, wandering(44, 50))
    pieces = [b"one\n", b"\x1b[31mtwo\xff\x00\n"]
    for offset, piece in zip((0, 4), pieces, strict=True):
        ledger.put("OUTPUT", [output("default/t~1", "stdout", offset, piece)])
    ledger.put("OUTPUT", [output("other/t~1", "stderr", 0, b"other")])
    for offset in range(0, 3 << 19, 1 << 19):  # more than a run may have
        ledger.put("OUTPUT", [output("default/big~1", "stdout", offset, b"x" * (1 << 19))])
    assert (await _opened(ledger, tape.Wanted())).logs["OUTPUT"].messages == []
    opened = await _opened(ledger, tape.Wanted(session="default", output=True))
    kept = opened.logs["OUTPUT"].messages
    assert [each.data for each in kept[:2]] == pieces
    assert [each.headers for each in kept[:2]] == [{OFFSET: "0"}, {OFFSET: "4"}]
    assert sum(len(each.data) for each in kept[2:]) == tape.MOST_OF_RUN


async def test_a_command_that_is_no_json_at_all_stands_on_the_tape_as_it_was(clock: HandClock):
    ledger = _ledger(clock, wandering(45, 20))
    garbage = [b"\xff\xfe not json", b'{"id":\n"two lines"}', b""]
    for each in garbage:
        ledger.put("COMMANDS", [Message("cmd.task.x.submit", each)])
    opened = await _opened(ledger, tape.Wanted())
    assert [each.data for each in opened.logs["COMMANDS"].messages[-3:]] == garbage


def test_a_tape_of_the_first_format_still_opens(clock: HandClock):
    history = wandering(46, 60)
    facts = [
        {"stream": "EVENTS", "seq": each.seq, "at": each.at, "subject": each.subject, "body": msgspec.Raw(each.data)}
        for each in history.events
    ]
    lines = [{"tape": 1, "made_at": 5}, *facts, {"end": True, "events": len(facts), "observations": 0}]
    opened = played.read(map(msgspec.json.encode, lines))
    assert (opened.events, opened.commands, opened.output) == (len(facts), 0, 0)
    assert [each.data for each in opened.ledger.logs["EVENTS"].messages] == [each.data for each in history.events]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda lines: lines[:-1], "cut off"),
        (lambda lines: [*lines, lines[1]], "after the tape's end"),
        (lambda lines: [lines[0].replace(b'"tape":2', b'"tape":9'), *lines[1:]], "format 9"),
        (lambda lines: [lines[0], b'{"stream":"OUTPUT","seq":1,"at":1,"subject":"x","body":{"offset":0,"bytes":"%"}}'],
         "line 2 cannot be read"),
        (lambda _: [], "empty"),
    ],
)  # fmt: skip
async def test_a_spoilt_tape_is_refused_and_the_place_named(clock: HandClock, spoil: Any, told: str):
    lines: list[bytes] = []
    await tape.export(_ledger(clock, wandering(47, 20)), tape.Wanted(), lines.append, made_at=1)
    with pytest.raises(played.BadTape, match=told):
        played.read(spoil(lines))


async def _opened(ledger: MemoryLedger, wanted: tape.Wanted) -> MemoryLedger:
    lines: list[bytes] = []
    await tape.export(ledger, wanted, lines.append, made_at=1)
    return played.read(lines).ledger


def _ledger(clock: HandClock, history: History) -> MemoryLedger:
    ledger = MemoryLedger(clock)
    for stored in history.events:
        ledger.put("EVENTS", [Message(stored.subject, stored.data)])
    for stored in history.commands:
        ledger.put("COMMANDS", [Message(stored.subject, stored.data)])
    return ledger
