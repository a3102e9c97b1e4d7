"""A lease: how long a worker may believe that it is alive."""

from __future__ import annotations

import asyncio

from core.clock import HandClock
from workers.lease import Lease


def test_it_ends_a_margin_before_the_ttl_counted_from_when_the_beat_was_sent(clock: HandClock):
    clock.advance(seconds=2)
    lease = Lease(clock, sent_at=1.0, ttl_s=6, margin_s=1.5)
    assert lease.left_s == 3.5


def test_a_beat_renews_it_from_when_that_beat_was_sent_not_from_its_answer(clock: HandClock):
    lease = Lease(clock, sent_at=0.0, ttl_s=6, margin_s=1.5)
    clock.advance(seconds=3)
    assert lease.renew(2.0)
    assert lease.left_s == 3.5


def test_an_answer_that_comes_late_never_shortens_it(clock: HandClock):
    lease = Lease(clock, sent_at=3.0, ttl_s=6, margin_s=1.5)
    assert lease.renew(1.0)
    assert lease.until == 7.5


def test_one_that_has_ended_is_never_renewed(clock: HandClock):
    lease = Lease(clock, sent_at=0.0, ttl_s=6, margin_s=1.5)
    clock.advance(seconds=4.5)
    assert not lease.renew(4.4)
    assert lease.left_s == 0


async def test_whoever_waits_for_its_end_waits_through_renewals(clock: HandClock):
    lease = Lease(clock, sent_at=0.0, ttl_s=6, margin_s=1.5)
    ended = asyncio.ensure_future(lease.ended())
    await asyncio.sleep(0)
    clock.advance(seconds=4)
    lease.renew(4.0)
    for _ in range(4):
        clock.advance(seconds=1)
        await asyncio.sleep(0)
    assert not ended.done()
    clock.advance(seconds=0.5)
    for _ in range(3):
        await asyncio.sleep(0)
    assert ended.done()
