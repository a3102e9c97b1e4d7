"""``?since=`` as a person writes it."""

from __future__ import annotations

import pytest

from console.look import BadQuestion
from console.since import since_us

NOON = 1_800_014_400_000_000  # Fri 15 Jan 2027, 12:00:00 UTC
HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("", 0), ("all", 0), ("today", NOON - 12 * HOUR), ("2h", NOON - 2 * HOUR), ("-90m", NOON - 3 * HOUR // 2),
        ("2027-01-15T11:00", NOON - HOUR), ("2027-01-15T12:00:00+01:00", NOON - HOUR), ("9999999d", 0),
        ("2027-01-15", NOON - 12 * HOUR), (str(NOON), NOON),
    ],
)  # fmt: skip
def test_a_beginning_is_a_span_before_now_a_day_a_time_or_everything(text: str, begins: int):
    assert since_us(text, NOON) == begins


@pytest.mark.parametrize("text", ["soon", "2 weeks", "12345", "h2", "2027-13-01", "99999999h", "²h"])
def test_what_is_none_is_told_with_what_would_be(text: str):
    with pytest.raises(BadQuestion, match="write 2h"):
        since_us(text, NOON)
