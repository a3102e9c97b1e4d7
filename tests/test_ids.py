"""Ids: sortable by time, and their age can be read from them."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import HandClock
from core.ids import new_id, time_us

LAST_US = ((1 << 48) - 1) * 1000 + 999


def test_an_id_is_a_version_7_uuid(clock: HandClock):
    made = uuid.UUID(new_id(clock))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122


def test_two_ids_of_one_moment_differ(clock: HandClock):
    assert len({new_id(clock) for _ in range(1000)}) == 1000


@given(st.integers(0, LAST_US))
def test_an_id_gives_back_the_microsecond_it_was_made_in(at: int):
    assert time_us(new_id(HandClock(at))) == at


@given(st.integers(0, LAST_US - 1), st.integers(1, 10_000_000))
def test_a_later_id_sorts_later(at: int, later_by: int):
    assert new_id(HandClock(at)) < new_id(HandClock(min(at + later_by, LAST_US)))


@pytest.mark.parametrize(
    "other", ["", "lost:worker-1:42", "919108f7-52d1-4320-9bac-f847db4148a8", "not-an-id", "0" * 36]
)
def test_other_ids_have_no_time(other: str):
    assert time_us(other) is None


def test_a_time_an_id_cannot_hold_is_an_error():
    with pytest.raises(ValueError, match="set the clock"):
        new_id(HandClock(-1))
