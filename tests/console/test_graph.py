"""The graph of a task: boxes that never touch, whatever hangs together; what is not drawn is counted."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

import pytest

from console.layers import BOX_H, BOX_W, Layout, layout
from core.domain.spec import TaskSpec
from tests.console.tower import Tower

Edges = set[tuple[str, str]]


def some_plan(count: int, near: int, seed: int = 1) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Tasks that each need one to three of those just before them."""
    chance = random.Random(seed)
    ids = tuple(f"t-{n:03}" for n in range(count))
    edges: Edges = set()
    for n in range(1, count):
        edges |= {(ids[chance.randrange(max(0, n - near), n)], ids[n]) for _ in range(chance.choice((1, 1, 2, 3)))}
    return ids, tuple(sorted(edges))


def assert_readable(drawn: Layout) -> None:
    for x, y in drawn.at.values():
        assert 0 <= x <= drawn.width - BOX_W
        assert 0 <= y <= drawn.height - BOX_H
    for (x, y), (x2, y2) in combinations(drawn.at.values(), 2):
        assert abs(x - x2) >= BOX_W or abs(y - y2) >= BOX_H


@pytest.mark.parametrize(("count", "near"), [(1, 1), (2, 1), (21, 6), (64, 12), (300, 20), (300, 300)])
def test_no_two_boxes_touch_and_what_is_needed_stands_left_of_what_needs_it(count: int, near: int):
    ids, edges = some_plan(count, near)
    drawn = layout(ids, edges)
    assert_readable(drawn)
    assert all(drawn.column[before] < drawn.column[after] for before, after in edges)


def test_a_hub_becomes_several_columns_and_not_one_of_two_hundred_rows():
    ids = ("hub", *(f"a-{n}" for n in range(200)))
    drawn = layout(ids, tuple(("hub", name) for name in ids[1:]))
    assert_readable(drawn)
    assert drawn.height < 2_500
    assert max(drawn.column.values()) < 30


def test_a_chain_of_three_hundred_is_one_row():
    ids = tuple(f"c-{n:03}" for n in range(300))
    drawn = layout(ids, tuple(pairwise(ids)))
    assert len({y for _, y in drawn.at.values()}) == 1


def test_a_circle_is_drawn_and_the_line_that_closes_it_leads_back():
    drawn = layout(("a", "b", "c"), (("a", "b"), ("b", "c"), ("c", "a"), ("b", "b")))
    assert_readable(drawn)
    assert {(line.source, *line.to) for line in drawn.lines if line.back} == {("c", "a"), ("b", "b")}


def test_the_same_plan_is_drawn_the_same_and_only_once():
    ids, edges = some_plan(120, 30)
    assert layout(ids, edges) is layout(ids, edges)


async def boxes_of(tower: Tower, path: str) -> tuple[set[str], str]:
    page = (await tower.client.get(path)).text
    part = page.split('id="reach-box"', 1)[1].split("</section>", 1)[0]
    return {each.split('"', 1)[0] for each in part.split('id="node-default/')[1:]}, part


async def test_the_graph_goes_as_far_as_it_is_asked_and_counts_what_lies_beyond(tower: Tower):
    names = [f"t-{n}" for n in range(8)]
    await tower.bring_plan(
        **{
            name: TaskSpec(title=name, depends_on=[f"default/{names[n - 1]}"] if n else [])
            for n, name in enumerate(names)
        }
    )
    await tower.folded()
    for depth, shown in (("1", {"t-3", "t-4", "t-5"}), ("", {"t-2", "t-3", "t-4", "t-5", "t-6"}), ("all", set(names))):
        drawn, part = await boxes_of(tower, f"/tasks/default/t-4?depth={depth}")
        assert drawn == shown
        assert ("more before" in part) == (shown != set(names))


async def test_it_goes_up_and_down_but_not_to_the_side_unless_the_whole_plan_is_asked_for(tower: Tower):
    await tower.bring_plan(
        root=TaskSpec(title="root"), one=TaskSpec(title="one", depends_on=["default/root"]),
        two=TaskSpec(title="two", depends_on=["default/root"]), end=TaskSpec(title="end", depends_on=["default/one"]),
    )  # fmt: skip
    await tower.folded()
    assert (await boxes_of(tower, "/tasks/default/one"))[0] == {"root", "one", "end"}
    assert (await boxes_of(tower, "/tasks/default/one?depth=all"))[0] == {"root", "one", "two", "end"}


async def test_parts_stand_before_their_container(tower: Tower):
    await tower.bring_plan(
        box=TaskSpec(title="The whole"), a=TaskSpec(title="a", parents=["default/box"]),
        b=TaskSpec(title="b", parents=["default/box"], depends_on=["default/a"]),
    )  # fmt: skip
    await tower.folded()
    page = (await tower.client.get("/tasks/default/box")).text
    assert "2 before, 0 after" in page
    assert "0 of 2 over" in page


@pytest.mark.parametrize("depth", ["0", "10", "-1", "x", "1e9", "\u0663"])
async def test_a_distance_that_is_none_is_told_what_to_write(busy: Tower, depth: str):
    answer = await busy.client.get("/tasks/default/load", params={"depth": depth})
    assert answer.status_code == 422
    assert "write 1 to 9 steps, or all" in answer.text
