"""Tasks put elsewhere in the line of their lane and priority."""

from __future__ import annotations

from core.domain.amend import Amend, Changes, Place, Placed
from core.domain.task import Cancel, Reprioritise
from tests.spec import finish, given, register, submit


def place(name: str, before: str = "") -> Place:
    return Place(task_id=f"default/{name}", before=f"default/{before}" if before else "")


def order_of(story) -> list[str]:
    """The order in which one agent does what is ready."""
    story, order = story.after(register()), []
    while story.state.runs:
        (held,) = story.state.runs.values()
        order.append(held.task_id.partition("/")[2])
        story = story.after(finish(story, held.task_id))
    return order


FOUR = [submit(name) for name in "abcd"]


def test_a_task_can_be_put_before_another_one():
    assert order_of(given(*FOUR, place("d", "b"))) == ["a", "d", "b", "c"]


def test_a_task_can_be_put_first_and_last():
    assert order_of(given(*FOUR, place("c", "a"), place("b"))) == ["c", "a", "d", "b"]


def test_a_place_is_a_number_that_takes_the_place_of_the_age():
    story = given(*FOUR)
    born = [story.state.tasks[f"default/{name}"].born for name in "ab"]
    assert story.when(place("d", "b")) == [Placed(task_id="default/d", order=sum(born) / 2)]


def test_what_is_submitted_later_stands_behind_what_was_put_last():
    assert order_of(given(*FOUR, place("a")).after(submit("e"))) == ["b", "c", "d", "a", "e"]


def test_a_task_that_stands_there_stays_there():
    story = given(*FOUR)
    assert story.refusal(place("a", "b")).reason == "task default/a stands there already"
    assert story.refusal(place("d")).outcome == "already_so"
    assert given(submit("a")).refusal(place("a")).outcome == "already_so"


def test_the_line_is_that_of_a_lane_and_a_priority():
    story = given(*FOUR, submit("now", priority=0), submit("far", lane="B"))
    assert story.refusal(place("a", "now")).reason == (
        "task default/a is of lane A, P2; default/now is of lane A, P0: they stand in different lines"
    )
    assert "lane B, P2: they stand in different lines" in story.refusal(place("a", "far")).reason
    assert "no open task 'default/nobody'" in story.refusal(place("a", "nobody")).reason
    assert "cannot stand before itself" in story.refusal(place("b", "b")).reason
    assert "it is cancelled" in story.after(Cancel(task_id="default/a")).refusal(place("a", "b")).reason


def test_there_is_always_room_between_two_tasks():
    story = given(*FOUR)
    for n in range(120):
        story = story.after(submit(f"x{n}"), place(f"x{n}", "b"))
    assert order_of(story) == ["a", *(f"x{n}" for n in range(120)), "b", "c", "d"]
    story = given(*FOUR)
    last = "b"
    for n in range(120):
        story, last = story.after(submit(f"x{n}"), place(f"x{n}", last)), f"x{n}"
    assert order_of(story) == ["a", *(f"x{n}" for n in reversed(range(120))), "b", "c", "d"]


def test_a_place_outlives_a_new_priority_and_a_new_wording():
    story = given(*FOUR, place("d", "a"), Reprioritise(task_id="default/d", priority=1))
    story = story.after(Amend(task_id="default/d", changes=Changes(priority=2, title="D")))
    assert order_of(story) == ["d", "a", "b", "c"]
