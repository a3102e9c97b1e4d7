"""A bound for every wait, by a clock that is passed in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from core.clock import Clock

T = TypeVar("T")


async def within(clock: Clock, seconds: float, doing: Awaitable[T]) -> T:
    """What ``doing`` returns, or ``TimeoutError`` after ``seconds``; then it was cancelled."""
    task = asyncio.ensure_future(doing)
    bell = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, bell}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise TimeoutError(f"not done within {seconds:g} s")
    finally:
        bell.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
