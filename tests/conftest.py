"""What any test may ask for. Things of one room are made in that room's own test files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.clock import HandClock
from tests.nats_server import NatsServer

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.console.tower import Tower


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One fsyncing JetStream server for each test process; streams are told apart by name, or purged.

    A test that kills or configures its server makes its own: ``NatsServer(tmp_path / "nats").start()``.
    """
    server = NatsServer(tmp_path_factory.mktemp("nats")).start()
    yield server
    server.stop()


@pytest.fixture
def clock() -> HandClock:
    """Time that stands still until the test winds it."""
    return HandClock()


# A tower brings the console with it, a browser its driver: both are imported by whoever asks for one.


@pytest.fixture
async def tower(tmp_path: Path) -> AsyncIterator[Tower]:
    """A whole console in which nothing has run yet; no worker."""
    from tests.console.tower import Tower

    async with Tower(tmp_path).running() as running:
        yield running


@pytest.fixture
async def busy(tower: Tower) -> Tower:
    """In the middle of its day."""
    from tests.console.tower import at_work

    return await at_work(tower)


@pytest.fixture
async def base(tower: Tower) -> AsyncIterator[str]:
    """The address of the tower's console on a real port."""
    from tests.real_browser import serving

    async with serving(tower) as address:
        yield address


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """The system's chromium."""
    from tests.real_browser import launched

    async with launched() as started:
        yield started
