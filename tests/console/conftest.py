"""Towers: an empty one, and one in the middle of its day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.console.tower import Tower, at_work


@pytest.fixture
async def tower(tmp_path: Path) -> AsyncIterator[Tower]:
    """Nothing has run yet; no worker."""
    async with Tower(tmp_path).running() as running:
        yield running


@pytest.fixture
async def busy(tower: Tower) -> Tower:
    """In the middle of its day."""
    return await at_work(tower)
