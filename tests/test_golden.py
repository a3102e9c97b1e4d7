"""Logs of the past: decided again today they give the same facts, to the byte, under the rules they were written by."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from core.domain import machine
from core.domain.state import State
from core.domain.system import KNOWN_RULES
from core.envelope import decode_command
from tests.golden.tapes import decided, read, tapes

MOST_BYTES = 1_000_000


@pytest.mark.parametrize("tape", tapes(), ids=lambda path: path.stem)
def test_a_recorded_log_is_decided_as_it_was(tape: Path):
    """If this fails, behaviour changed: branch on a new rules number and keep what the old one did (design.md 2)."""
    lines = read(tape)
    today = decided([line.command(seq) for seq, line in enumerate(lines, 1)])
    for seq, (was, now) in enumerate(zip(lines, today, strict=True), 1):
        assert _shown(now) == _shown(was), f"command {seq} of {tape.name}: {was.data}"
        assert now.chain == was.chain, f"command {seq} of {tape.name}: the envelope changed"


def test_every_rules_number_this_build_knows_has_a_log_that_was_written_by_it():
    seen = set()
    for tape in tapes():
        state = State()
        for seq, line in enumerate(read(tape), 1):
            machine.step(state, decode_command(line.command(seq)))
            seen.add(state.rules)
    assert seen >= set(KNOWN_RULES)


def test_every_command_that_came_with_newer_rules_was_carried_out_in_a_recorded_log():
    carried_out = set()
    for tape in tapes():
        for seq, line in enumerate(read(tape), 1):
            command = decode_command(line.command(seq)).command
            if command is not None and b'"command.refused"' not in bytes(line.facts[0][2]):
                carried_out.add(type(command))
    assert machine.NEEDS_RULES.keys() <= carried_out


def test_the_recorded_logs_are_small():
    assert 0 < sum(tape.stat().st_size for tape in tapes()) < MOST_BYTES


def _shown(line) -> list[tuple[int, str, object]]:
    return [(at, subject, msgspec.json.decode(fact)) for at, subject, fact in line.facts]
