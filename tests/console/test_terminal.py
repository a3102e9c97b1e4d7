"""What an agent prints can colour its words and do nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.terminal import lines, visible

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
