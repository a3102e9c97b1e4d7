"""Whatever is ordered, in whatever order: every law of ``laws.py`` holds after it (``spec.History`` checks them all).

Three ways to look for the history that breaks one: Hypothesis (shrinks it to a few orders), seeded walks (long ones),
and walks with a low bound of facts, so that the scheduler is always behind.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from core.domain import machine
from tests.domain import orders
from tests.domain.orders import Draw
from tests.spec import given

KINDS = [kind for kind, weight in orders.WEIGHTS.items() for _ in range(weight)]


class AnyOrders(RuleBasedStateMachine):
    """Operators, agents and workers say what they like; Hypothesis chooses."""

    def __init__(self) -> None:
        super().__init__()
        self.story = given(orders.register(Random(0), given().state))

    @rule(kind=st.sampled_from(KINDS), rng=st.randoms(use_true_random=False), seconds=st.sampled_from((0, 0, 0.5, 10)))
    def order(self, kind: Draw, rng: Random, seconds: float) -> None:
        self.story = self.story.wait(seconds).after(kind(rng, self.story.state))


AnyOrders.TestCase.settings = settings(
    max_examples=30, stateful_step_count=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_few_orders = AnyOrders.TestCase


def walk(seed: int, steps: int) -> None:
    rng = Random(seed)
    story = given(rules=rng.choice((1, 2, 3, 4)))
    for _ in range(steps):
        if rng.random() < 0.2:
            story = story.wait(rng.choice((0.5, 3, 10)))
        story = story.after(orders.draw(rng, story.state))
        for fact in story.last:
            assert not (isinstance(fact, machine.CommandRefused) and fact.reason.startswith("internal")), fact.reason


@pytest.mark.parametrize("seed", range(40))
def test_any_many_orders(seed: int):
    walk(seed, 150)


@pytest.mark.parametrize("seed", range(1_000, 1_020))
def test_any_many_orders_when_the_scheduler_never_keeps_up(seed: int, monkeypatch):
    monkeypatch.setattr(machine, "MAX_FACTS", 1 + seed % 3)
    walk(seed, 150)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seeds", [range(first, first + 500) for first in range(10_000, 15_000, 500)])
def test_any_very_many_orders(seeds: range):
    for seed in seeds:
        walk(seed, 250)
