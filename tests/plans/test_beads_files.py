"""The real files: the counts beads itself would give, and a core that agrees with the report."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from console.plans import beads
from console.plans.report import PlanFile
from tests.plans import seal

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "beads"
NOW = datetime(2026, 11, 20, tzinfo=UTC)

# lines, tasks, done, blocked, ready by bd's rule, startable, containers: from the files' own README.
EXPECTED = {
    "small-beads_viewer-39.jsonl": (39, 39, 24, 6, 9, 9, 0),
    "medium-relay-439.jsonl": (439, 439, 223, 32, 172, 171, 1),
    "medium-abacus-473.jsonl": (473, 463, 448, 3, 10, 8, 4),
    "large-beads-1948.jsonl": (1948, 1610, 1563, 1, 21, 21, 0),
}


@pytest.fixture(params=EXPECTED)
def name(request: pytest.FixtureRequest) -> str:
    if not FOLDER.is_dir():
        pytest.skip(f"the real files are not here: {FOLDER.name} beside the checkout, in shared/data")
    return str(request.param)


def imported(name: str) -> PlanFile:
    with (FOLDER / name).open("rb") as lines:
        return beads.read(lines, session="default", now=NOW)


def test_a_real_file_has_exactly_the_counts_its_readme_gives(name: str):
    report = imported(name).report
    found = (
        report.lines,
        report.tasks,
        report.done,
        report.blocked,
        report.ready,
        report.startable,
        report.containers,
    )
    assert found == EXPECTED[name]
    assert report.malformed == 0


def test_the_core_starts_and_holds_back_exactly_what_the_report_says(name: str):
    found = imported(name)
    state = seal.sealed(found.tasks)
    assert seal.startable(state) == seal.queued(state) == found.startable
    assert seal.waiting(state) == found.blocked
    assert len(seal.containers(state)) == found.report.containers
    assert len(state.over) == found.report.done
    assert len(state.tasks) + len(state.over) == found.report.tasks


def test_the_same_file_again_changes_nothing(name: str):
    found = imported(name)
    state = seal.sealed(found.tasks)
    before = {task.task_id: (task.state, task.waits, task.open_children) for task in state.tasks.values()}
    seal.sealed(found.tasks, state=state)
    assert {task.task_id: (task.state, task.waits, task.open_children) for task in state.tasks.values()} == before


def test_every_field_of_a_real_line_is_kept(name: str):
    tasks = {task.spec.source["id"]: task for task in imported(name).tasks}
    for line in (FOLDER / name).read_bytes().splitlines():
        whole = msgspec.json.decode(line)
        if whole["status"] != "tombstone":
            assert tasks[whole["id"]].spec.source == whole


def test_the_circle_in_a_real_file_is_reported_with_its_members():
    if not FOLDER.is_dir():
        pytest.skip(f"the real files are not here: {FOLDER.name} beside the checkout, in shared/data")
    circles = [p for p in imported("medium-relay-439.jsonl").report.problems if p.kind == "cycle"]
    assert [p.says[:63] for p in circles] == ["9 issues wait for each other in a circle (2 of them not closed)"]
