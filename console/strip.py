"""A strip of all that ever happened, one bar a bucket, for going anywhere in it: above the timeline, below the past."""

from __future__ import annotations

import math
from collections.abc import Awaitable

import msgspec

from console.desk import Desk
from console.swim import Range, Tick, ticks
from projections import activity

HEIGHT = 30.0  # of the tallest bar, pixels


class Bar(msgspec.Struct, frozen=True):
    """A bucket: where it stands (percent), how tall (pixels), and the fact it leads to."""

    x: float
    width: float
    height: float
    at: int
    facts: int
    failed: int
    seq: int
    failure: int


class Strip(msgspec.Struct, frozen=True):
    """``span``: from the first bucket to the end of the last one. ``width``: of a bucket, microseconds."""

    span: Range
    width: int
    bars: list[Bar]
    ticks: list[Tick]
    facts: int
    failed: int


async def strip(desk: Desk, most: int) -> Strip | None:
    """The whole log, whatever the moment looked at: what came after it is told ahead. None: nothing has happened.

    Buckets that are over never change, so they are counted once for all who ask, and only the last one anew.
    """
    first, last, _ = await desk.read_model.query(activity.extent)
    if not last:
        return None
    width = activity.width_for(last - first, most)
    since, border = first // width * width, last // width * width
    ask = desk.read_model.query
    over = await desk.shelf.get(
        ("strip", since, border, width), lambda: _answer(ask(activity.activity, since, border, width))
    )
    buckets = over + await ask(activity.activity, border, border + width, width)
    return _laid_out(buckets, Range(since, border + width), width)


async def _answer(asked: Awaitable[list[activity.Bucket]]) -> list[activity.Bucket]:
    return await asked


def _laid_out(buckets: list[activity.Bucket], span: Range, width: int) -> Strip:
    most = max(1, *(bucket.facts for bucket in buckets))
    each = 100 / len(buckets)
    bars = [
        Bar(
            x=round(place * each, 3), width=round(each * 0.84, 3), height=_height(bucket.facts, most), at=bucket.at,
            facts=bucket.facts, failed=bucket.failed, seq=bucket.seq, failure=bucket.failure,
        )
        for place, bucket in enumerate(buckets)
        if bucket.facts
    ]  # fmt: skip
    facts, failed = sum(bucket.facts for bucket in buckets), sum(bucket.failed for bucket in buckets)
    return Strip(span, width, bars, ticks(span, 8), facts, failed)


def _height(facts: int, most: int) -> float:
    """By the square root: a quiet minute is still seen beside a busy one."""
    return round(max(1.5, HEIGHT * math.sqrt(facts / most)), 1)
