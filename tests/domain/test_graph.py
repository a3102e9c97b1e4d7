"""The dependency graph: what a completion lifts, and where it goes in circles; held against the slow and plain way."""

from __future__ import annotations

from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from core.domain import graph, task
from tests.spec import given, planned, register, submit

NODES = "abcdefg"
edges = st.dictionaries(st.sampled_from(NODES), st.lists(st.sampled_from(NODES), max_size=3, unique=True))


def reachable(graph_of: dict[str, list[str]], start: str) -> set[str]:
    found: set[str] = set()
    look = list(graph_of.get(start, ()))
    while look:
        node = look.pop()
        if node not in found and node in graph_of:
            found.add(node)
            look += graph_of[node]
    return found


@settings(max_examples=300, derandomize=True, deadline=None)
@drawn(edges)
def test_a_circle_is_a_group_of_which_each_needs_every_other(graph_of: dict[str, list[str]]):
    needs = {node: reachable(graph_of, node) for node in graph_of}
    groups = {
        tuple(sorted({node} | {o for o in needs[node] if node in needs[o]})) for node in graph_of if node in needs[node]
    }
    assert graph.cycles(graph_of) == sorted(list(group) for group in groups)


def test_circles_far_apart_are_told_apart():
    assert graph.cycles({"a": ["b"], "b": ["a"], "c": ["a", "d"], "d": ["c"], "e": ["e"], "f": ["a"]}) == [
        ["a", "b"], ["c", "d"], ["e"],
    ]  # fmt: skip


def test_a_completion_unblocks_in_order_of_ids():
    story = given(*planned("p", submit("root"), *(submit(name, depends_on=["root"]) for name in "zbx")), register())
    assert graph.unblocked_by(story.state, "default/root") == ["default/b", "default/x", "default/z"]


def test_a_task_with_two_needs_is_unblocked_by_the_second():
    story = given(submit("a"), submit("b"), submit("c", depends_on=["a", "b"]))
    assert graph.unblocked_by(story.state, "default/a") == []


def test_unblocking_goes_down_through_containers():
    tasks = [submit("x"), submit("outer", depends_on=["x"]), submit("inner", parents=["outer"])]
    story = given(*tasks, submit("part", parents=["inner"]), submit("other", parents=["inner"], depends_on=["part"]))
    assert graph.unblocked_by(story.state, "default/x") == ["default/inner", "default/outer", "default/part"]


def test_a_container_done_although_blocked_no_longer_holds_its_parts():
    story = given(submit("x"), submit("epic", depends_on=["x"]), submit("a", parents=["epic"]))
    story = story.after(submit("b", parents=["epic"]))
    story = story.after(*planned("p", submit("a", parents=["epic"], begin="done")))
    story = story.after(task.Cancel(task_id="default/b"))
    assert story.state_of("default/epic") == "done"
    assert story.when(task.Retry(task_id="default/b"))[0].state == "ready"
