"""Lanes: named queues with a pause switch and a number of slots."""

from __future__ import annotations

import pytest

from core.domain import lane, worker
from core.domain.machine import CommandRefused
from tests.spec import finish, given, planned, register, submit

CREW = register("anvil", "ada", "bob", "eve")


def test_the_lanes_a_log_begins_with_are_a_to_d_open_and_unlimited():
    lanes = given().state.lanes
    assert [(name, each.paused, each.concurrency) for name, each in lanes.items()] == [
        (name, False, None) for name in "ABCD"
    ]


def test_a_paused_lane_gives_nothing_out_and_what_runs_goes_on():
    story = given(CREW, submit("one"), lane.Pause(lane="A", reason="release"), submit("two"))
    assert (story.state_of("default/one"), story.state_of("default/two")) == ("running", "ready")
    assert story.after(finish(story, "one")).state_of("default/one") == "done"


def test_a_resumed_lane_gives_out_what_waited():
    story = given(CREW, lane.Pause(lane="A"), submit("one"), submit("two"))
    facts = story.when(lane.Resume(lane="A"))
    assert [type(fact) for fact in facts] == [lane.Resumed, worker.Assigned, worker.Assigned]


def test_a_paused_lane_does_not_hold_up_another():
    story = given(CREW, lane.Pause(lane="A"), submit("one"), submit("two", lane="B"))
    assert story.state_of("default/two") == "running"


def test_a_lane_runs_no_more_at_once_than_it_has_slots():
    story = given(CREW, lane.Configure(lane="A", concurrency=1), submit("one"), submit("two"), submit("b", lane="B"))
    assert [story.state_of(f"default/{name}") for name in ("one", "two", "b")] == ["running", "ready", "running"]
    assert story.after(finish(story, "one")).state_of("default/two") == "running"


def test_a_lane_with_fewer_slots_than_runs_waits_until_they_end():
    story = given(CREW, submit("one"), submit("two"), lane.Configure(lane="A", concurrency=1), submit("three"))
    story = story.after(finish(story, "one"))
    assert story.state_of("default/three") == "ready"
    assert story.after(finish(story, "two")).state_of("default/three") == "running"


def test_a_lane_without_slots_gives_nothing_out():
    story = given(CREW, lane.Configure(lane="A", concurrency=0), submit("one"))
    assert story.state_of("default/one") == "ready"
    assert story.after(lane.Configure(lane="A")).state_of("default/one") == "running"


def test_a_lane_is_made_by_configuring_it():
    story = given(CREW, lane.Configure(lane="review", concurrency=2), submit("one", lane="review"))
    assert story.state_of("default/one") == "running"


@pytest.mark.parametrize(
    ("before", "order"),
    [
        ((), lane.Resume(lane="A")),
        ((lane.Pause(lane="A"),), lane.Pause(lane="A")),
        ((), lane.Configure(lane="A")),
        ((lane.Configure(lane="A", concurrency=3),), lane.Configure(lane="A", concurrency=3)),
    ],
)
def test_what_is_so_already_changes_nothing(before: tuple, order: lane.Command):
    assert given(*before).refusal(order).outcome == "already_so"


def test_a_lane_nobody_knows_is_refused_with_those_there_are():
    assert given().refusal(lane.Pause(lane="Z")).reason == "there is no lane 'Z'; the lanes are A, B, C, D"


def test_a_lane_name_must_be_one():
    assert "cannot be used" in given().refusal(lane.Configure(lane="a b")).reason


def test_a_slot_is_free_again_when_its_worker_is_lost():
    story = given(
        register(), register("bellows"), lane.Configure(lane="A", concurrency=1), submit("one"), submit("two")
    )
    story = story.after(worker.Lose(worker_id="anvil", epoch=story.epoch()))
    assert story.state_of("default/two") == "running"


def test_a_task_moved_to_a_paused_lane_is_not_given_out_by_its_old_one():
    story = given(lane.Pause(lane="B"), submit("one"))
    story = story.after(*planned("p", submit("one", lane="B")), register())
    assert story.state_of("default/one") == "ready"


def test_a_task_that_moved_while_it_ran_frees_the_slot_it_took():
    story = given(CREW, lane.Configure(lane="A", concurrency=1), submit("one"))
    story = story.after(*planned("p", submit("one", lane="B")))
    assert story.state.lanes["A"].running == 1
    assert story.after(finish(story, "one")).state.lanes["A"].running == 0


def test_a_task_that_asks_for_more_now_is_not_given_to_who_could_do_it_before():
    story = given(submit("one"))
    story = story.after(*planned("p", submit("one", needs=["gpu"])), register())
    assert story.state_of("default/one") == "ready"
    assert not isinstance(story.last[0], CommandRefused)
