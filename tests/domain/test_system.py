"""The core's own orders: the beginning, rules by number, clocks that are not trusted."""

from __future__ import annotations

import pytest

from core.domain import system
from core.domain.machine import Received, step
from core.domain.state import State
from tests.spec import NOON, given, submit

BEGIN = system.Begin(commands_created=1, events_created=2, rules=1, build="0.1")


def test_a_log_begins_with_the_names_of_both_its_streams():
    facts = step(State(), Received(1, NOON, "~begin", "core", BEGIN))
    assert facts[0].fact == system.Genesis(commands_created=1, events_created=2, rules=1, build="0.1")


def test_nothing_is_decided_before_the_log_has_begun():
    state = State()
    facts = step(state, Received(1, NOON, "~x", "ada", submit("fix")))
    assert facts[0].fact.reason == "this log has not begun: the core writes core.begin first"
    assert step(state, Received(2, NOON, "~begin", "core", BEGIN))[0].fact.rules == 1


def test_a_log_begins_once():
    assert given().refusal(BEGIN).outcome == "already_so"


def test_a_log_cannot_begin_with_rules_nobody_knows():
    facts = step(State(), Received(1, NOON, "~b", "core", system.Begin(commands_created=1, events_created=2, rules=99)))
    assert facts[0].fact.reason == "rules 99 are not known here; known: 1, 2"


def test_newer_rules_are_adopted_on_the_way():
    story = given(rules=1)
    assert story.when(system.AdoptRules(rules=2)) == [system.RulesAdopted(rules=2)]
    assert story.after(system.AdoptRules(rules=2)).state.rules == 2


@pytest.mark.parametrize(
    ("rules", "outcome", "reason"),
    [
        (2, "already_so", "rules 2 are in force already"),
        (1, "refused", "rules 1 are older than rules 2, which are in force"),
        (99, "refused", "rules 99 are not known here; known: 1, 2"),
    ],
)
def test_rules_are_neither_taken_back_nor_made_up(rules: int, outcome: str, reason: str):
    said = given(rules=2).refusal(system.AdoptRules(rules=rules))
    assert (said.outcome, said.reason) == (outcome, reason)


def test_a_clock_is_suspected_until_somebody_looked():
    story = given(system.SuspectClock(ahead_s=90.0))
    assert story.state.clock_suspected
    assert story.refusal(system.SuspectClock(ahead_s=90.0)).outcome == "already_so"
    story = story.after(system.TrustClock())
    assert not story.state.clock_suspected
    assert story.refusal(system.TrustClock()).outcome == "already_so"


def test_going_on_with_nothing_left_over_changes_nothing():
    assert given().refusal(system.Continue()).reason == "nothing was left over"
