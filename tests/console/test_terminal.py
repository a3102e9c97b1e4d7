"""What an agent prints can colour its words and do nothing else."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.terminal import MOST_CHARS, Screen, lines, marked, visible

ESC = "\x1b"
CLASSES = {
    "", "sgr-bold", "sgr-dim", "sgr-italic", "sgr-under", "sgr-black", "sgr-red", "sgr-green", "sgr-yellow", "sgr-blue",
    "sgr-magenta", "sgr-cyan", "sgr-white",
}  # fmt: skip


def shown(text: str) -> list[str]:
    return ["".join(piece.text for piece in line.pieces) for line in lines(text)]


def test_colours_become_class_names():
    (line,) = lines(f"a {ESC}[31mred{ESC}[0m b {ESC}[1;32mboth")
    assert [(piece.text, piece.style) for piece in line.pieces] == [
        ("a ", ""), ("red", "sgr-red"), (" b ", ""), ("both", "sgr-green sgr-bold"),
    ]  # fmt: skip


def test_a_colour_lasts_until_it_is_taken_back():
    first, second = lines(f"{ESC}[33mone\ntwo{ESC}[39m plain")
    assert [piece.style for piece in first.pieces + second.pieces] == ["sgr-yellow", "sgr-yellow", ""]


@pytest.mark.parametrize(
    ("attack", "written"),
    [
        (f"{ESC}]0;owned\x07", "⟨ESC⟩]0;owned⟨BEL⟩"),  # sets the window's title
        (f"{ESC}]8;;http://evil{ESC}\\click{ESC}]8;;{ESC}\\", "⟨ESC⟩]8;;http://evil⟨ESC⟩\\click⟨ESC⟩]8;;⟨ESC⟩\\"),
        (f"{ESC}[2J{ESC}[H", "⟨ESC⟩[2J⟨ESC⟩[H"),  # clears the screen
        (f"{ESC}[1A", "⟨ESC⟩[1A"),  # goes back a line to write over it
        ("rm -rf /\x08\x08\x08\x08ls", "rm -rf /⟨BS⟩⟨BS⟩⟨BS⟩⟨BS⟩ls"),
        ("user\u202enimda", "user⟨U+202E⟩nimda"),  # turns the writing around
        ("\u2066a\u2069", "⟨U+2066⟩a⟨U+2069⟩"),
        ("pass\u200bword", "pass⟨U+200B⟩word"),
        ("\x9b31m", "⟨U+009B⟩31m"),  # the one-byte form of ESC [
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("\ufeffx", "⟨U+FEFF⟩x"),
        ("\U000e0041", "⟨U+E0041⟩"),
    ],
)
def test_what_could_deceive_the_eye_is_written_out(attack: str, written: str):
    assert shown(attack) == [written]
    assert visible(attack) == written


def test_a_carriage_return_hides_nothing():
    assert shown("rm -rf /\rls -l   ") == ["rm -rf /", "ls -l   "]


def test_windows_line_ends_are_line_ends():
    assert shown("one\r\ntwo\r\n") == ["one", "two"]


def test_emoji_and_joined_scripts_stay_whole():
    family = "👩\u200d💻 می\u200cخواهم"
    assert shown(family) == [family]


def test_colours_beyond_the_sixteen_keep_the_readers_ink():
    (line,) = lines(f"{ESC}[38;2;255;0;0mtrue{ESC}[48;5;9m colour")
    assert {piece.style for piece in line.pieces} == {""}


@given(st.text(alphabet=st.sampled_from("ab\x1b[]0123456789;mJ\x07\r\n\t\u202e\x9b"), max_size=60))
def test_no_input_makes_a_class_of_its_own_or_an_invisible_sign(text: str):
    for line in lines(text):
        for piece in line.pieces:
            assert set(piece.style.split(" ")) <= CLASSES
            assert not any(sign in piece.text for sign in "\x1b\x07\r\n\u202e\x9b")


# -- as it comes --------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet=st.sampled_from("abé\x1b[]0;31mJ\r\n\t\u202e"), max_size=80)


def screen(*pieces: bytes, most_lines: int = 1_000) -> Screen:
    made = Screen(most_lines=most_lines, most_chars=1 << 20)
    for piece in pieces:
        made.write("stdout", piece)
    return made


@given(TEXTS, st.lists(st.integers(0, 200), max_size=6))
def test_it_does_not_matter_in_which_pieces_output_comes(text: str, cuts: list[int]):
    data = text.encode()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    whole = lines(text)
    in_pieces = screen(*(data[a:b] for a, b in pairwise(edges))).lines()
    assert [(each.number, each.pieces) for each in in_pieces] == [(each.number, each.pieces) for each in whole]


@given(st.lists(TEXTS, min_size=2, max_size=6))
def test_whoever_asks_from_the_steady_line_on_has_all_lines_in_the_end(pieces: list[str]):
    made = screen()
    known = {}
    steady = 1
    for piece in pieces:
        made.write("stdout", piece.encode())
        known = {number: text for number, text in known.items() if number < steady}
        known |= {each.number: each.text for each in made.lines(steady)}
        steady = made.steady
    assert known == {each.number: each.text for each in made.lines()}


def test_a_line_ends_where_the_other_stream_breaks_in():
    made = screen(b"half a li")
    made.write("stderr", b"oops\n")
    made.write("stdout", b"ne\n")
    assert [(each.stream, each.text) for each in made.lines()] == [
        ("stdout", "half a li"), ("stderr", "oops"), ("stdout", "ne"),
    ]  # fmt: skip


def test_a_line_without_end_is_broken_into_lines_that_have_one():
    made = screen(b"x" * (2 * MOST_CHARS + 1), b"y")
    assert [len(each.text) for each in made.lines()] == [MOST_CHARS, MOST_CHARS, 2]


@given(TEXTS, st.text(alphabet="abé0", min_size=1, max_size=3))
def test_a_search_marks_what_it_looks_for_and_changes_no_text(text: str, wanted: str):
    for line in lines(text):
        found = marked(line, wanted)
        assert found.text == line.text
        assert "".join(piece.text for piece in found.pieces if piece.found).lower().count(wanted) >= (
            1 if wanted in line.text else 0
        )
