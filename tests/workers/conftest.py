"""Plants to work in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.workers.plant import Plant


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    """On a clock wound by hand."""
    built = await Plant(tmp_path).start()
    yield built
    await built.stop()


@pytest.fixture
async def works(tmp_path: Path) -> AsyncIterator[Plant]:
    """On the machine's clock, for real processes."""
    built = await Plant(tmp_path, real=True).start()
    yield built
    await built.stop()
