"""One whole instance for each test process; tests use names of their own in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.cli.command_line import Instance

_numbers = count(1)


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Up, with one simulated agent and one shell."""
    running = Instance(tmp_path_factory.mktemp("cli") / "data", "--agents", "2")
    yield running
    running.stop()


@pytest.fixture
def session(instance: Instance) -> str:
    """A session no other test has tasks in."""
    name = f"s{next(_numbers)}"
    plan = instance.data.with_name(f"{name}.json")
    plan.write_text(f'{{"session": "{name}", "tasks": [{{"id": "first", "title": "First", "needs": ["nobody"]}}]}}')
    assert instance("plan", "import", plan).code == 0
    return name


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A data folder nothing runs on."""
    return tmp_path / "nowhere"
