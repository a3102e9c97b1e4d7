"""Two moments compared, and the strip of all that happened."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from core.domain import agent
from projections import activity, compare, queries
from projections.rows import At
from tests.projections.folded import Folded
from tests.projections.history import History, wandering
from tests.spec import register


async def moments(model: Folded, history: History, count: int) -> list[At]:
    """So many moments from the first fact to the last, each when a command was done and all of it told."""
    seqs = [history.ends[step * (len(history.ends) - 1) // (count - 1)] for step in range(count)]
    return [await model.ask(queries.moment, str(seq), history.now) for seq in seqs]


def states(history: History, seq: int) -> dict[str, str]:
    """Every task's state as the core knew it then."""
    state = history.state_at(seq)
    return dict.fromkeys(state.over, "done") | {name: task.state for name, task in state.tasks.items()}


async def test_what_changed_is_the_difference_of_what_both_moments_say(folded):
    history = wandering(51, 250)
    model = await (await folded()).take(history)
    for first, second in pairwise(await moments(model, history, 5)):
        found = await model.ask(compare.compare, first, second, 1_000)
        before, after = states(history, first.events_seq), states(history, second.events_seq)
        expected = {task_id: (before.get(task_id, ""), state) for task_id, state in after.items()}
        expected = {task_id: (was, state) for task_id, (was, state) in expected.items() if was != state}
        assert {task.task_id: (task.was, task.state) for task in found.tasks} == expected
        assert found.moved == len(expected)
        assert found.first.tasks == Counter(before.values())
        kinds = Counter(
            fact.fact.__struct_config__.tag for fact in history.recorded[first.events_seq : second.events_seq]
        )
        told = {kind.type: kind.n for kind in found.facts}
        assert told == {kind: n for kind, n in kinds.items() if kind in told}
        assert kinds.keys() - told.keys() <= {"task.staged", "plan.released"}  # told by the seal that makes them real
        assert found.decided == second.events_seq - first.events_seq


async def test_moments_may_come_in_any_order_and_be_the_same(folded):
    history = wandering(52, 120)
    model = await (await folded()).take(history)
    first, second = await moments(model, history, 2)
    assert await model.ask(compare.compare, second, first, 100) == await model.ask(compare.compare, first, second, 100)
    same = await model.ask(compare.compare, second, second, 100)
    assert (same.tasks, same.agents, same.facts, same.orders, same.decided) == ([], [], [], [], 0)


async def test_agents_that_came_or_were_paused_are_named(folded):
    history = History()
    history.order(register("anvil", "ada", "bob"), agent.Pause(agent_id="anvil/bob", reason="tired"))
    model = await (await folded()).take(history)
    first, second = await moments(model, history, 2)
    found = await model.ask(compare.compare, first, second, 100)
    assert [(each.agent_id, each.was, each.state) for each in found.agents] == [
        ("anvil/ada", "gone", "idle"), ("anvil/bob", "gone", "paused"),
    ]  # fmt: skip
    assert [(order.type, order.target) for order in found.orders] == [("agent.pause", "anvil/bob")]


async def test_the_strip_counts_every_fact_once_wherever_it_is_cut(folded):
    history = wandering(53, 250)
    model = await (await folded()).take(history)
    since, until, last = await model.ask(activity.extent)
    assert last == len(history.events)
    for most in (10, 60, 400):
        width = activity.width_for(until - since, most)
        begin = since // width * width
        border = until // width * width
        buckets = await model.ask(activity.activity, begin, border, width)
        buckets += await model.ask(activity.activity, border, border + width, width)
        assert sum(bucket.facts for bucket in buckets) == last
        assert len(buckets) <= most
        first_facts = [bucket.seq for bucket in buckets if bucket.facts]
        assert first_facts == sorted(first_facts)
        assert all(
            bucket.at <= history.recorded[bucket.seq - 1].at < bucket.at + width for bucket in buckets if bucket.facts
        )


async def test_failures_are_found_one_after_the_other_in_both_directions(folded):
    history = wandering(54, 250)
    model = await (await folded()).take(history)
    whole = await model.ask(queries.moment, str(len(history.events)), history.now)
    every = [failure.seq for failure in await model.ask(activity.failures, whole, 10_000)][::-1]
    assert len(every) > 3
    forward, seq = [], 0
    while (found := await model.ask(activity.next_failure, seq)) is not None:
        seq = found.seq
        forward.append(seq)
    assert sorted(set(forward)) == sorted(set(every)) == sorted(forward)
    back, seq = [], len(history.events) + 1
    while (found := await model.ask(activity.last_failure, seq)) is not None:
        seq = found.seq
        back.append(seq)
    assert back == forward[::-1]


def test_widths_of_buckets_are_ones_a_person_can_name():
    assert activity.width_for(0, 100) == 1_000_000
    assert activity.width_for(3_600_000_000, 100) == 60_000_000
    assert activity.width_for(400 * 86_400_000_000, 100) == 5 * 86_400_000_000
