"""What was drawn or asked a moment ago, for whoever asks the very same: many open pages, one answer.

A key names everything the answer depends on, the moment included; so nothing here is ever wrong, only no longer asked
for. The oldest goes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 500


class Shelf:
    """Answers by key, the ones under way included: who asks for one of those waits for it."""

    def __init__(self, most: int = MOST) -> None:
        self._answers: dict[Hashable, asyncio.Task[Any]] = {}
        self._most = most

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """The answer kept under ``key``, else what ``make`` gives. A failure is told to all who wait and not kept."""
        task = self._answers.get(key)
        if task is None:
            while len(self._answers) >= self._most:
                del self._answers[next(iter(self._answers))]
            task = self._answers[key] = asyncio.ensure_future(make())
            task.add_done_callback(lambda done: self._drop_failed(key, done))
        answer: T = await asyncio.shield(task)
        return answer

    def _drop_failed(self, key: Hashable, done: asyncio.Task[Any]) -> None:
        if (done.cancelled() or done.exception() is not None) and self._answers.get(key) is done:
            del self._answers[key]
