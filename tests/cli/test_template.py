"""Templates from the command line: defined from a file, looked at, used and waited for, refused with a reason."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest

from tests.cli.command_line import ROOT, Instance, Said, until

_numbers = count(1)
SPEC = {
    "title": "Say something",
    "params": [
        {"name": "word", "required": True, "most": 20},
        {"name": "times", "kind": "number", "whole": True, "most": 3, "default": 1},
        {"name": "places", "kind": "list"},
        {"name": "twice", "kind": "yes_no"},
    ],
    "tasks": [
        {"name": "say", "title": "Say {{word}}", "command": "printf '%s|' {{word}} {{places}}"},
        {"name": "again", "title": "Again", "command": "true", "depends_on": ["say"], "when": "twice"},
    ],
}


@pytest.fixture
def name(instance: Instance, tmp_path: Path) -> str:
    """A template no other test uses."""
    called = f"say_{next(_numbers)}"
    assert define(instance, tmp_path, called).code == 0
    return called


def define(instance: Instance, folder: Path, called: str, *options: object, **changes: object) -> Said:
    file = folder / f"{called}.json"
    file.write_text(json.dumps(SPEC | changes))
    return instance("template", "define", file, *options)


def test_a_template_is_used_and_its_tasks_waited_for(instance: Instance, session: str, name: str):
    said = instance(
        "template", "use", name, "--param", "word=it's $(date)", "--param", "places=a b,c", "--param", "twice=yes",
        "--session", session, "--prefix", "p", "--wait",
    )  # fmt: skip
    assert said.code == 0, said
    assert said.out == f"{name} made its tasks: {session}/p-…\n"
    assert "2 tasks are done" in said.err
    assert instance.json("run", "output", f"{session}/p-say~1")["stdout"] == "it's $(date)|a b|c|"


def test_it_is_listed_and_shown(instance: Instance, session: str, name: str):
    instance("template", "use", name, "--param", "word=x", "--session", session, "--prefix", "shown")
    rows = {row["template_id"]: row for row in instance.json("template", "list")["rows"]}
    assert (rows[name]["version"], rows[name]["params"], rows[name]["tasks"], rows[name]["uses"]) == (1, 4, 2, 1)
    shown = instance("template", "show", name).out
    assert "--param times=…  number, optional, '1' when left out" in shown
    assert "task again  Again, after say, only with twice" in shown
    assert f"{session}/shown-…" in shown
    assert instance.json("template", "show", name)["versions"][0]["spec"]["title"] == "Say something"


def test_defining_it_again_makes_a_version_and_an_old_base_is_refused(instance: Instance, tmp_path: Path, name: str):
    assert define(instance, tmp_path, name, title="Say it louder").code == 0
    refused = define(instance, tmp_path, name, "--base", "1", title="Say it softly")
    assert refused.code == 4
    assert "you saw version 1, it is at version 2" in refused.err
    assert instance("template", "show", name, "--version", "1").out.count("1 of 2") == 1
    assert instance("template", "show", name, "--version", "9").code == 3


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ([], "--param word: it is needed"),
        (["word=" + "x" * 30], "--param word: 30 characters is more than 20 characters"),
        (["word=x", "times=9"], "--param times: 9 is more than 3"),
        (["word=x", "times=many"], "--param times: 'many' is not a number"),
        (["word=x", "colour=red"], "it is not asked for 'colour'; it is asked for: word, times, places, twice"),
        (["word"], "write name=value"),
        (["word=@nowhere.txt"], "cannot be read"),
    ],
)
def test_parameters_that_do_not_fit_are_wrong_usage(instance: Instance, name: str, params: list[str], says: str):
    said = instance("template", "use", name, *(word for each in params for word in ("--param", each)))
    assert said.code == 2
    assert says in said.err


def test_a_template_with_a_fault_is_not_sent(instance: Instance, tmp_path: Path):
    said = define(instance, tmp_path, "faulty", tasks=[{"name": "a", "title": "{{nothing}}"}])
    assert said.code == 2
    assert "task a, title: {{nothing}} is no parameter of this template" in said.err
    assert instance("template", "show", "faulty").code == 3


def test_a_retired_template_is_not_used(instance: Instance, name: str):
    assert instance("template", "retire", name, "--reason", "enough").out == f"{name} is retired\n"
    said = instance("template", "use", name, "--param", "word=x")
    assert said.code == 4
    assert "is retired" in said.err


def test_a_spec_kit_is_generated_and_checked_by_the_shipped_templates(instance: Instance, session: str, tmp_path: Path):
    """By a shell, for real, to the files."""
    for called in ("generate_spec_kit", "validate_spec_kit"):
        assert instance("template", "define", ROOT / "samples" / "templates" / f"{called}.json").code == 0
    made = instance(
        "template", "use", "generate_spec_kit", "--session", session, "--prefix", "kit", "--wait",
        "--param", f"folder={tmp_path}", "--param", "look_over=no",
        "--param", "name=Billing", "--param", "requirements=Numbers without gaps,Export as CSV",
    )  # fmt: skip
    assert made.code == 0, made
    folder = tmp_path / "kit"
    assert sorted(path.name for path in folder.iterdir()) == [
        "constitution.md", "plan.md", "prd.md", "spec-kit.zip", "tasks.md",
    ]  # fmt: skip
    check = ("template", "use", "validate_spec_kit", "--session", session, "--param", f"folder={folder}")
    assert instance(*check, "--prefix", "good", "--wait").code == 0
    (folder / "plan.md").write_text("# Nothing")
    bad = instance(*check, "--prefix", "bad", "--wait")
    assert bad.code == 1
    until(lambda: "spec-kit-report.json" in str(instance.json("run", "show", f"{session}/bad-validate~1")))
    assert "spec-kit.zip" in str(instance.json("run", "show", f"{session}/kit-pack~1"))
    assert "there is no heading 'Milestones'" in instance.json("run", "output", f"{session}/bad-validate~1")["stdout"]
