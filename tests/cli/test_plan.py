"""``plan import`` and the lists it fills, against a whole instance."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.command_line import Instance, switchtower

TRAPS = Path(__file__).parents[1] / "plans" / "data" / "traps.jsonl"
REAL = Path(__file__).parents[3] / "shared" / "data" / "beads"


@pytest.fixture
def held(instance: Instance) -> Iterator[Callable[[str], None]]:
    """The lanes are paused, so that counts stand still; called with a session, its tasks are cancelled afterwards:
    the one agent that would do them has other tests to serve."""
    sessions: list[str] = []
    instance("queue", "pause", "A", "B", "C", "D")
    yield sessions.append
    for session in sessions:
        rows = instance.json("task", "list", "--session", session, "--state", "open", "--limit", "0")["rows"]
        instance("task", "cancel", *(row["task_id"] for row in rows))
    instance("queue", "resume", "A", "B", "C", "D")


def test_a_dry_run_needs_no_instance_and_sends_nothing(nowhere: Path):
    said = switchtower("plan", "import", TRAPS, "--format", "beads", "--dry-run", "--json", "--data", nowhere)
    assert said.code == 0
    report = said.document
    names = ("lines", "tasks", "done", "blocked", "ready", "startable", "containers")
    assert {name: report[name] for name in names} == {
        "lines": 38, "tasks": 30, "done": 2, "blocked": 8, "ready": 13, "startable": 11, "containers": 3,
    }  # fmt: skip
    assert {"kind", "says", "line"} <= report["problems"][0].keys()
    assert report["dry_run"] is True
    assert not nowhere.exists()


def test_an_import_brings_in_what_the_report_says(instance: Instance, held: Callable[[str], None]):
    held("traps")
    report = instance.json("plan", "import", TRAPS, "--session", "traps")
    assert (report["new"], report["revised"], report["unchanged"]) == (30, 0, 0)
    found = instance.json("task", "list", "--session", "traps", "--limit", "0")
    by_state = Counter(row["state"] for row in found["rows"])
    assert len(found["rows"]) == found["total"] == 30
    assert [by_state[name] for name in ("done", "blocked", "paused")] == [
        report[name] for name in ("done", "blocked", "paused")
    ]


def test_the_same_file_again_changes_nothing_and_a_changed_one_its_differences(instance: Instance, tmp_path: Path):
    plan = tmp_path / "plan.json"
    tasks = [{"id": f"t{n}", "title": f"Task {n}", "needs": ["nobody"]} for n in range(5)]
    plan.write_text(json.dumps({"session": "again", "tasks": tasks}))
    first = instance.json("plan", "import", plan)
    assert (first["new"], first["session"]) == (5, "again")
    again = instance.json("plan", "import", plan)
    assert (again["new"], again["revised"], again["unchanged"]) == (0, 0, 5)
    tasks[2]["title"] = "Other"
    plan.write_text(
        json.dumps({"session": "again", "tasks": [*tasks, {"id": "t5", "title": "New", "needs": ["nobody"]}]})
    )
    changed = instance.json("plan", "import", plan)
    assert (changed["new"], changed["revised"], changed["unchanged"]) == (1, 1, 4)
    assert instance.json("task", "show", "again/t2")["row"]["title"] == "Other"


def test_with_strict_a_malformed_line_lets_nothing_in(instance: Instance):
    said = instance("plan", "import", TRAPS, "--session", "strict", "--strict", "--json")
    assert said.code == 4
    assert "4 malformed lines, so nothing is imported" in said.document["error"]
    assert instance.json("task", "list", "--session", "strict")["total"] == 0


def test_a_circle_in_our_own_format_is_refused(instance: Instance, tmp_path: Path):
    plan = tmp_path / "plan.json"
    plan.write_text('{"tasks":[{"id":"x","title":"X","depends_on":["y"]},{"id":"y","title":"Y","depends_on":["x"]}]}')
    said = instance("plan", "import", plan)
    assert said.code == 4
    assert "in a circle" in said.err


def test_a_plan_that_is_wrong_names_the_place(instance: Instance, tmp_path: Path):
    plan = tmp_path / "plan.json"
    plan.write_text('{"tasks":[{"id":"x","title":"X","priority":9}]}')
    said = instance("plan", "import", plan)
    assert said.code == 4
    assert "at `$.tasks[0].priority`" in said.err


def test_a_file_that_is_not_there_ends_with_3(instance: Instance, tmp_path: Path):
    assert instance("plan", "import", tmp_path / "none.jsonl").code == 3


def test_a_plan_waited_for_is_over_when_the_command_returns(instance: Instance, tmp_path: Path):
    plan = tmp_path / "plan.json"
    tasks = [
        {"id": "box", "title": "A container"},
        {"id": "a", "title": "A", "command": "true", "parents": ["box"]},
        {"id": "b", "title": "B", "command": "true", "parents": ["box"], "depends_on": ["a"]},
    ]
    plan.write_text(json.dumps({"session": "waited", "tasks": tasks}))
    assert instance("plan", "import", plan, "--wait", "--timeout", "30").code == 0
    states = {row["task_id"]: row["state"] for row in instance.json("task", "list", "--session", "waited")["rows"]}
    assert set(states.values()) == {"done"}


def test_a_plan_whose_task_fails_ends_the_wait_with_1(instance: Instance, tmp_path: Path):
    plan = tmp_path / "plan.json"
    task = {"id": "a", "title": "A", "command": "false", "policy": {"max_attempts": 1}}
    plan.write_text(json.dumps({"session": "fails", "tasks": [task]}))
    said = instance("plan", "import", plan, "--wait", "--timeout", "30")
    assert said.code == 1
    assert "task fails/a failed" in said.err


def test_lists_are_filtered_and_limited(instance: Instance, tmp_path: Path):
    plan = tmp_path / "plan.json"
    tasks = [
        {"id": f"t{n}", "title": f"Task {n}", "lane": "C" if n % 2 else "D", "needs": ["nobody"], "priority": n % 3}
        for n in range(120)
    ]
    plan.write_text(json.dumps({"session": "many", "tasks": tasks}))
    instance("plan", "import", plan)
    listed = lambda *more: instance.json("task", "list", "--session", "many", *more)  # noqa: E731
    assert (len(listed()["rows"]), listed()["total"]) == (100, 120)
    assert len(listed("--limit", "0")["rows"]) == 120
    assert len(listed("--limit", "7")["rows"]) == 7
    assert {row["lane"] for row in listed("--lane", "C", "--limit", "0")["rows"]} == {"C"}
    assert listed("--state", "done")["total"] == 0
    assert listed("--state", "open")["total"] == 120
    assert listed("--state", "ready", "--lane", "C", "--lane", "D")["total"] == 120
    said = instance("task", "list", "--session", "many", "--limit", "3")
    assert (said.out.count("\n"), said.err) == (4, "117 more; --limit 0 lists all.\n")


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here: shared/data/beads beside the checkout")
def test_a_real_file_goes_in_with_its_counts(instance: Instance, held: Callable[[str], None]):
    held("abacus")
    report = instance.json("plan", "import", REAL / "medium-abacus-473.jsonl", "--session", "abacus")
    rows = instance.json("task", "list", "--session", "abacus", "--limit", "0")["rows"]
    by_state = Counter(row["state"] for row in rows)
    assert (report["tasks"], len(rows)) == (463, 463)
    assert (by_state["done"], by_state["paused"]) == (448, 2)
    assert sum(1 for row in rows if row["state"] == "ready" and not row.get("open_parts")) == report["startable"] == 8
