"""Places for parameters in a text: filled once, with values that stay values, whatever is in them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from core.domain import expansion, slots
from core.domain.template_spec import Draft, Param, TemplateSpec

GOAL = Param(name="goal", required=True, most=20)
CAREFUL = Param(name="careful", kind="yes_no")
FILES = Param(name="files", kind="list", most=3)


def with_tasks(*drafts: Draft, params: tuple[Param, ...] = (GOAL, CAREFUL, FILES)) -> TemplateSpec:
    return TemplateSpec(title="t", params=list(params), tasks=list(drafts))


def made(spec: TemplateSpec, **params: object) -> dict[str, object]:
    found = expansion.expand(spec, params, session_id="default", prefix="p")
    return {each.task_id.removeprefix("default/p-"): each.spec for each in found}


def run_in(folder: Path, command: str) -> str:
    """What the command writes, by the shell that shell agents use."""
    done = subprocess.run(["/bin/sh", "-c", command], cwd=folder, capture_output=True, check=True, timeout=10)
    return done.stdout.decode()


HOSTILE = [
    "$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"; touch pwned; "', "a\\", "x' y", "-rf *", "{{goal}}",
    "${HOME}", "a\nb", "$((1+1))", "!!", "~", "&& touch pwned", "ünïcode \u202e", "'\"'\"'",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "command", ["printf %s {{goal}}", 'printf %s "{{goal}}"', "# it's {{goal}}\nprintf %s {{goal}}"]
)
def test_a_value_in_a_command_is_a_value_whatever_is_in_it(tmp_path, value: str, command: str):
    spec = with_tasks(Draft(name="a", title="a", command=command), params=(Param(name="goal", long=True),))
    assert run_in(tmp_path, made(spec, goal=value)["a"].command) == value
    assert not list(tmp_path.iterdir())


def test_each_item_of_a_list_is_a_word_of_its_own(tmp_path):
    spec = with_tasks(Draft(name="a", title="a", command="printf '[%s]' {{files}}"), params=(FILES,))
    command = made(spec, files=["a b", "$(touch pwned)", "'"])["a"].command
    assert run_in(tmp_path, command) == "[a b][$(touch pwned)][']"
    assert not list(tmp_path.iterdir())


def test_braces_in_a_value_are_not_looked_at_again():
    spec = with_tasks(Draft(name="a", title="a", prompt="{{goal}} and \\{{goal}}"))
    assert made(spec, goal="{{careful}}")["a"].prompt == "{{careful}} and {{goal}}"


def test_the_length_of_a_text_is_never_more_than_foretold():
    values = {"goal": "g" * 7, "files": ["a", "bb"], "n": 2.0}
    for text in ("{{goal}}{{goal}}", "x {{files}} {{n}}", "\\{{"):
        assert len(slots.fill(text, values)) <= slots.length(slots.pieces(text), values)
