"""Read models to look at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.projections.folded import Folded


@pytest.fixture
async def folded() -> AsyncIterator[Callable[[], Awaitable[Folded]]]:
    """Makes empty read models in memory, and closes them at the end."""
    made: list[Folded] = []

    async def make(path: Path | None = None) -> Folded:
        made.append(Folded(path))
        return await made[-1].open()

    yield make
    for each in made:
        each.model.store.close()
