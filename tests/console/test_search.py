"""The search line: what it is read as, and what it says of what it cannot read."""

from __future__ import annotations

import pytest

from console.search import Search, searched, terms_of
from projections.rows.tasks import TaskFilter

NOW = 1_800_000_000_000_000
HOUR = 3_600_000_000


def read(line: str) -> Search:
    return searched(terms_of(line), NOW)


def test_qualifiers_and_words_become_one_filter():
    search = read('state:failed,waiting lane:B agent:opus-2 cost:>1 since:2h priority:P0,1 sharpen "the saw"')
    assert search.problems == ()
    assert search.wanted == TaskFilter(
        states=("failed", "waiting"), lanes=("B",), agent="opus-2", cost_least=1_000_001, since=NOW - 2 * HOUR,
        priorities=(0, 1), text='sharpen "the saw"',
    )  # fmt: skip


def test_the_same_qualifier_twice_widens_the_list():
    assert read("lane:A lane:B").wanted.lanes == ("A", "B")


def test_a_group_of_states_has_a_name():
    assert read("state:broken").wanted.states == ("failed", "quarantined")
    assert {"blocked", "ready", "running", "waiting", "paused"} <= set(read("state:open").wanted.states)
    assert "done" not in read("state:open").wanted.states


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("cost:>1", 1_000_001, None), ("cost:>=1", 1_000_000, None), ("cost:1", 1_000_000, None),
     ("cost:<0.5", None, 499_999), ("cost:>1,<=5", 1_000_001, 5_000_000), ("cost:>$2", 2_000_001, None)],
)  # fmt: skip
def test_a_cost_is_bounded_from_either_side(asked: str, least: int | None, most: int | None):
    wanted = read(asked).wanted
    assert (wanted.cost_least, wanted.cost_most) == (least, most)


@pytest.mark.parametrize(
    ("line", "names", "goes"),
    [
        ("state:broke", "state:broke", "quarantined"),
        ("stat:failed", "stat:", "state, lane, agent"),
        ("cost:cheap", "cost:cheap", "cost:>1"),
        ("since:yesterday", "since:yesterday", "since:2h"),
        ("priority:9", "priority:9", "P0"),
        ("containers:maybe", "containers:", "yes"),
        ("agent:", "agent:", "agent:opus-2"),
        ("agent:a agent:b", "agent:", "twice"),
        ("since:2h since:3h", "since:", "twice"),
        ("agent:a,b", "agent:", "one value"),
        ("http://example.test/x", "http:", '"http://example.test/x"'),
    ],
)
def test_what_does_not_fit_is_named_with_what_goes(line: str, names: str, goes: str):
    [problem] = read(line).problems
    assert names in problem
    assert goes in problem


def test_a_line_is_written_as_it_would_be_read_again():
    line = 'lane:A label:"two words",db "state:failed" saw'
    search = read(line)
    assert search.problems == ()
    assert search.wanted.labels == ("two words", "db")
    assert search.wanted.text == "state:failed saw"
    assert read(search.line).wanted == search.wanted


def test_a_term_is_taken_out_and_a_value_put_in_and_out():
    search = read("state:failed lane:A,B saw")
    assert search.without(search.terms[0]) == "lane:A,B saw"
    assert search.toggled("lane", "A") == "state:failed lane:B saw"
    assert search.toggled("lane", "C") == "state:failed lane:A,B saw lane:C"


NONSENSE = [
    '"', "::", ":x", '"""', "lane:", "a:b:c", " ", "since:99999999999h", "since:" + "9" * 300, "cost:>" + "9" * 99,
    "x " * 300, "state:,,,",
]  # fmt: skip


@pytest.mark.parametrize("line", NONSENSE)
def test_no_line_is_a_defect(line: str):
    search = read(line)
    assert isinstance(search.line, str)
    assert all(search.problems) or search.wanted is not None
