"""Secrets never leave a worker, whole or in pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers.observe import HOLD, LONG_LINE, MARK, MAX_DATA_CHARS, MAX_KEY, Redactor, cut

PASSWORD = "correct horse battery"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nQyNTUxOQAAACB\n-----END RSA PRIVATE KEY-----\n"
SECRETS = [
    "sk-ant-api03-abcdefghijklmnopqrstuvwx",
    "sk-proj-0123456789abcdefghij",
    "ghp_0123456789abcdefghij0123456789abcdef",
    "github_pat_0123456789abcdefghij_0123456789",
    "glpat-0123456789abcdefghij",
    "xoxb-123456789012-abcdefghijkl",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA0123456789abcdefghij0123456789abc",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    PASSWORD,
]
redact = Redactor([PASSWORD, "abc"])


@pytest.mark.parametrize("secret", SECRETS)
def test_U3_a_secret_is_blotted_out_of_text(secret: str):
    said = redact.text(f"before {secret} after")
    assert said == f"before {MARK} after"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Authorization: Bearer abcdefghijklmnop1234", f"Authorization: Bearer {MARK}"),
        ('{"api_key": "0123456789"}', f'{{"api_key": "{MARK}"}}'),
        ("MY_TOKEN=0123456789abc; ls", f"MY_TOKEN={MARK}; ls"),
        ("password: hunter2hunter2", f"password: {MARK}"),
        ("https://ada:lovelace@host/path", f"https://{MARK}@host/path"),
    ],
)
def test_U3_what_follows_a_telling_word_is_blotted_out_and_the_word_stays(said: str, left: str):
    assert redact.text(said) == left


@pytest.mark.parametrize(
    "plain",
    ["input_tokens: 12345678", "the token is short", "abc", "sk-8", "a/b/c.py:12: error", "a new password"],
)
def test_ordinary_text_stays_as_it_is(plain: str):
    assert redact.text(plain) == plain


def test_U3_a_private_key_is_blotted_out_whole():
    assert redact.text(f"a\n{KEY}b") == f"a\n{MARK}\nb"


@pytest.mark.parametrize("secret", [*SECRETS, KEY, "Bearer abcdefghijklmnop1234", "token=0123456789abc"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 16])
def test_U3_a_secret_cut_by_the_edges_of_chunks_is_blotted_out(secret: str, size: int):
    data = f"first line\nsecond {secret} third\nlast".encode()
    assert pieces(data, size) == redact.raw(data)
    assert secret.encode() not in pieces(data, size)


PARTS = [*SECRETS, KEY, KEY[:50], "plain words", "\n", "\r", " ", "x" * 3000]


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PARTS), max_size=8), st.lists(st.integers(1, 200), min_size=1, max_size=5))
def test_U3_redaction_does_not_depend_on_how_the_stream_was_cut(parts: list[str], sizes: list[int]):
    whole = "\n".join(parts).encode()
    stream = redact.stream()
    out, at, turn = b"", 0, itertools.cycle(sizes)
    while at < len(whole):
        size = next(turn)
        out += stream.feed(whole[at : at + size])
        at += size
    assert out + stream.flush() == redact.raw(whole)


@pytest.mark.parametrize("secret", SECRETS)
def test_U3_a_secret_in_a_line_without_end_is_blotted_out_wherever_it_stands(secret: str):
    for before in range(LONG_LINE - HOLD - 60, LONG_LINE + 100, 37):
        data = b"," * before + secret.encode() + b"," * (LONG_LINE * 2)
        assert secret.encode() not in pieces(data, 1000)


def test_a_line_without_end_is_let_out_in_bounded_memory():
    stream = redact.stream()
    out = sum(len(stream.feed(b"y" * 1000)) for _ in range(1000))
    assert out > 1000 * 1000 - LONG_LINE - 2 * HOLD


def test_U3_a_private_key_without_end_is_dropped_in_bounded_memory():
    stream = redact.stream()
    out = stream.feed(b"-----BEGIN RSA PRIVATE KEY-----\n")
    for _ in range(3 * MAX_KEY // 1000):
        out += stream.feed(b"A" * 999 + b"\n")
    assert b"AAAA" not in out + stream.flush()


def test_data_is_redacted_at_every_depth_and_kept_within_bounds():
    given_ = {"a": [{"b": f"x {SECRETS[0]}"}], "n": 1, "none": None, "long": "y" * 100_000}
    said = redact.data(given_)
    assert said["a"] == [{"b": f"x {MARK}"}]
    assert (said["n"], said["none"]) == (1, None)
    assert len(said["long"]) <= MAX_DATA_CHARS


def test_a_cut_text_says_how_long_it_was():
    assert cut("a" * 100, 40) == "a" * 21 + " [… 100 characters]"
    assert cut("short", 40) == "short"


def pieces(data: bytes, size: int) -> bytes:
    stream = redact.stream()
    out = b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size))
    return out + stream.flush()
