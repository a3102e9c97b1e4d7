"""A diff is drawn with the numbers its lines have, whatever it holds and however it is put together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from console.diff import drawn

ONE = "--- a/x\n+++ b/x\n@@ -3,2 +3,3 @@ def f():\n same\n-old\n+new\n+--- a/y\n"


def rows(diff: str) -> list[tuple[str, int, int, str]]:
    return [(row.kind, row.old, row.new, row.text) for row in drawn(diff).rows]


def test_lines_are_numbered_before_and_after():
    assert rows(ONE) == [
        ("hunk", 0, 0, "@@ -3,2 +3,3 @@ def f():"), ("", 3, 3, "same"), ("del", 4, 0, "old"), ("add", 0, 4, "new"),
        ("add", 0, 5, "--- a/y"),
    ]  # fmt: skip


def test_several_diffs_in_a_row_do_not_run_into_each_other():
    assert rows(ONE + ONE) == rows(ONE) * 2


def test_what_is_no_diff_is_shown_as_it_stands():
    assert rows("hello\n+1") == [("meta", 0, 0, "hello"), ("meta", 0, 0, "+1")]


def test_a_sign_that_only_some_take_for_a_lines_end_makes_no_row():
    assert rows("@@ -0,0 +1 @@\n+a\u2028+forged\x0c+too\n")[1:] == [("add", 0, 1, "a\u2028+forged\x0c+too")]


def test_only_the_beginning_of_a_long_one_is_drawn():
    long = drawn("@@ -0,0 +1,1000 @@\n" + "+x\n" * 1000, 100)
    assert (len(long.rows), long.more) == (100, 901)


@given(st.text(alphabet="@@ -+,1 ab\\\n", max_size=200))
def test_no_text_breaks_it(text: str):
    assert len(drawn(text).rows) <= text.count("\n") + 1
