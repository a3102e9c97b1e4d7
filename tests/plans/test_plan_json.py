"""Our own plan format: what a file says becomes tasks, and what is wrong in it is told with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.plans import plan_json
from console.plans.report import PlanFile
from tests.plans import seal

SAMPLE = Path(__file__).parents[2] / "samples" / "plan.json"


def read(*tasks: Any, **more: Any) -> PlanFile:
    return plan_json.read(msgspec.json.encode({"tasks": tasks} | more))[1]


def said(plan: PlanFile) -> list[str]:
    return [problem.says for problem in plan.report.problems]


def test_a_plan_names_its_session_and_an_option_overrules_it():
    data = b'{"session":"harbour","tasks":[{"id":"a","title":"A"}]}'
    assert plan_json.read(data)[0] == "harbour"
    session, plan = plan_json.read(data, session="pier")
    assert (session, plan.tasks[0].task_id) == ("pier", "pier/a")


def test_every_field_of_a_task_arrives():
    task = {
        "id": "a",
        "title": "A",
        "prompt": "Do it.",
        "command": "make",
        "kind": "chore",
        "priority": 0,
        "lane": "B",
        "depends_on": ["b"],
        "parents": ["c"],
        "needs": ["gpu"],
        "files": ["a.py"],
        "labels": ["x"],
        "policy": {"max_attempts": 5},
    }
    plan = read(task, {"id": "b", "title": "B"}, {"id": "c", "title": "C"})
    spec = plan.tasks[0].spec
    assert (spec.prompt, spec.command, spec.kind, spec.priority, spec.lane) == ("Do it.", "make", "chore", 0, "B")
    assert (spec.depends_on, spec.parents, spec.needs) == (["default/b"], ["default/c"], ["gpu"])
    assert (spec.files, spec.labels, spec.policy.max_attempts) == (["a.py"], ["x"], 5)


def test_a_need_with_a_slash_is_a_task_of_another_session():
    assert read({"id": "a", "title": "A", "depends_on": ["other/t"]}).tasks[0].spec.depends_on == ["other/t"]


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ({"title": "no id"}, "Object missing required field `id` - at `$.tasks[1]`"),
        ({"id": "a"}, "Object missing required field `title` - at `$.tasks[1]`"),
        ({"id": "a", "title": "A", "priority": 7}, "Expected `int` <= 4 - at `$.tasks[1].priority`"),
        ({"id": "a", "title": "A", "prio": 1}, "Object contains unknown field `prio` - at `$.tasks[1]`"),
        (
            {"id": "a", "title": "A", "policy": {"max_attempts": 0}},
            "Expected `int` >= 1 - at `$.tasks[1].policy.max_attempts`",
        ),
        ({"id": "ok", "title": "again"}, "'ok' is the id of `$.tasks[0]` too - at `$.tasks[1].id`"),
        (
            {"id": "a", "title": "A", "depends_on": ["z"]},
            "a names 'z', which is no task of the plan - at `$.tasks[1].depends_on`",
        ),
        (3, "Expected `object`, got `int` - at `$.tasks[1]`"),
    ],
)
def test_what_is_wrong_with_a_task_is_told_with_its_place(task: Any, told: str):
    plan = read({"id": "ok", "title": "OK"}, task)
    assert said(plan) == [told]
    assert plan.report.malformed == 1


def test_a_name_that_cannot_be_one_is_told_with_its_place():
    plan = read({"id": "a b", "title": "A"})
    assert "cannot be used" in said(plan)[0]
    assert said(plan)[0].endswith("- at `$.tasks[0].id`")


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"tasks":3}', b'{"tasks":[],"more":1}', b"\xff", b"[" * 100_000])
def test_what_is_no_plan_is_told(data: bytes):
    _, plan = plan_json.read(data)
    assert plan.report.malformed == 1
    assert said(plan)[0].startswith("not a plan: ")


def test_a_circle_is_told():
    plan = read({"id": "a", "title": "A", "depends_on": ["b"]}, {"id": "b", "title": "B", "depends_on": ["a"]})
    assert [problem.kind for problem in plan.report.problems] == ["cycle"]


def test_the_sample_plan_is_about_forty_tasks_that_end_in_a_release():
    session, plan = plan_json.read(SAMPLE.read_bytes())
    assert plan.report.problems == []
    assert 35 <= plan.report.tasks <= 45
    assert plan.report.containers == 4
    assert session == "lantern"
    assert any("fail=1" in task.spec.prompt for task in plan.tasks)


def test_the_core_takes_the_sample_plan_as_it_is():
    from core.domain.session import Open

    session, plan = plan_json.read(SAMPLE.read_bytes())
    state = seal.begun()
    seal.order(state, Open(session_id=session))
    seal.sealed(plan.tasks, session=session, state=state)
    assert seal.startable(state) == plan.startable == {"lantern/skeleton"}
    assert seal.waiting(state) == plan.blocked
