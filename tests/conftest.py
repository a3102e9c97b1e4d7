"""What any test may ask for. Things of one room are made in that room's own test files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.clock import HandClock
from tests.nats_server import NatsServer


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
