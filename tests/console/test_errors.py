"""What does not fit is said in words a person would use."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest

from console.errors import plainly
from console.forms import _with
from tests.console.tower import OURS, Tower


class Wish(msgspec.Struct):
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=5)]
    count: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    time_limit: Annotated[float, msgspec.Meta(gt=0, le=604_800)] = 1.0
    names: Annotated[list[str], msgspec.Meta(max_length=2)] = []


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({}, "Title is missing: write something there."), ({"title": ""}, "Title is empty: write something there."),
        ({"title": "far too long"}, "Title is too long: at most 5 characters."),
        ({"title": "ok", "count": 101}, "Count is at most 100."), ({"title": "ok", "count": 0}, "Count is at least 1."),
        ({"title": "ok", "time_limit": 0}, "Time limit is more than 0."),
        ({"title": "ok", "time_limit": 1e6}, "Time limit is at most 604,800."),
        ({"title": "ok", "count": "many"}, "Count is a whole number."),
        ({"title": "ok", "names": ["a", "b", "c"]}, "Names is too long: at most 2 of them."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_without_the_decoders_words(wish: dict[str, object], says: str):
    with pytest.raises(msgspec.ValidationError) as wrong:
        msgspec.convert(wish, Wish, strict=False)
    assert plainly(wrong.value) == says


def test_what_is_not_known_stays_as_it_is():
    assert plainly(msgspec.ValidationError("Invalid value 'x'")) == "Invalid value 'x'"


def test_the_way_back_keeps_its_place_on_the_page_behind_what_is_asked():
    assert _with("/tasks/a/b?at=3#needs", told="1") == "/tasks/a/b?at=3&told=1#needs"


async def test_a_browsers_line_ends_do_not_grow_into_what_was_written(busy: Tower):
    fields = {"param.idea": "one\r\ntwo", "param.name": "kit", "do": "check"}
    await busy.client.post("/templates", headers=OURS)
    await busy.folded()
    answer = await busy.client.post("/templates/generate_spec_kit/use", data=fields, headers=OURS)
    assert "one\ntwo" in answer.text
    assert "U+000D" not in answer.text
