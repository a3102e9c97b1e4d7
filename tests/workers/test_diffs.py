"""What changed in a file: made from two texts, counted, never too long, and what the tape's agent says of its edits."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from workers import diffs
from workers.adapters.claude_stream import ClaudeStream

TEXT = st.lists(st.sampled_from(["a", "b", "", "+c", "-d", "@@ x"]), max_size=12).map("\n".join)


@given(TEXT, TEXT)
def test_a_diff_leads_from_one_text_to_the_other(before: str, after: str):
    diff = diffs.between(before, after, "x.py")
    old, new, at = diffs.lines(before), [], 0
    inside = False
    for line in diffs.lines(diff):
        if line.startswith("@@ -") and (not inside or line.endswith("@@")):
            start = int(line.split()[1][1:].split(",")[0])
            size = line.split()[1].split(",")[1:] or ["1"]
            start = start - 1 if size[0] != "0" else start
            new += old[at:start]
            at, inside = start, True
        elif inside and line[:1] in (" ", "-"):
            assert old[at] == line[1:]
            new += [line[1:]] if line[0] == " " else []
            at += 1
        elif inside and line[:1] == "+":
            new.append(line[1:])
    assert new + old[at:] == diffs.lines(after)


@given(TEXT, TEXT)
def test_its_figures_count_what_it_adds_and_takes_away(before: str, after: str):
    added, removed = diffs.figures(diffs.between(before, after, "x.py"))
    assert len(diffs.lines(before)) + added - removed == len(diffs.lines(after))


def test_lines_are_numbered_from_where_the_texts_begin():
    assert "@@ -41 +41 @@" in diffs.between("a\n", "b\n", "x.py", line=41)


def test_texts_too_long_to_compare_are_all_old_and_all_new():
    long = "x\n" * diffs.MAX_LINES
    assert diffs.figures(diffs.between(long, long + "y\n", "x.py")) == (diffs.MAX_LINES + 1, diffs.MAX_LINES)


def test_a_long_diff_is_cut_at_a_line_and_says_so():
    diff = diffs.between("", "x" * 99 + "\n" + ("line\n" * 40_000), "x.py")
    short = diffs.bounded(diff)
    assert len(short) < diffs.MAX_CHARS + 100
    assert short.splitlines()[-1].endswith("more characters of this diff were not kept")
    assert short.splitlines()[-2] == "+line"


def seen_of(name: str, **given: object) -> list[str]:
    block = {"type": "tool_use", "id": "t1", "name": name, "input": given}
    line = msgspec.json.encode({"type": "assistant", "message": {"id": "m1", "content": [block]}})
    return [each.diff for each in ClaudeStream().line(line) if each.kind == "file"]


def test_what_an_agents_edit_says_becomes_a_diff():
    assert seen_of("Edit", file_path="/a/x.py", old_string="one\ntwo", new_string="one\nthree") == [
        "--- a/a/x.py\n+++ b/a/x.py\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n"
    ]
    [many] = seen_of("MultiEdit", file_path="x", edits=[{"old_string": "a", "new_string": "b"}] * 2)
    assert diffs.figures(many) == (2, 2)
    [whole] = seen_of("Write", file_path="x", content="a\nb\n")
    assert diffs.figures(whole) == (2, 0)


def test_an_edit_of_another_shape_has_no_diff_and_breaks_nothing():
    assert seen_of("Edit", file_path="x", old_string=None, new_string=4) == [""]
    assert seen_of("MultiEdit", file_path="x", edits="all of it") == [""]
