"""``docs/cli.md`` against the command line itself: what is there is told, what is told is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from console.cli import exits
from console.cli.app import COMMANDS, NOUNS, build

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
EXAMPLES = re.findall(r"^    (switchtower [^\n#]+?)(?:\s+#.*)?$", PAGE, re.MULTILINE)
PROCESSES = ("core", "console", "worker")  # their options are the programs' own


def test_every_command_is_told_and_every_told_command_is_there():
    there = {name for name, _, _ in COMMANDS} | {f"{noun} {name}" for noun, _, verbs in NOUNS for name, _, _ in verbs}
    told = set(re.findall(r"^\| `switchtower ([a-z ]+)` \|", PAGE, re.MULTILINE))
    assert told == there | {"worker"}


@pytest.mark.parametrize("example", [example for example in EXAMPLES if example.split()[1] not in PROCESSES])
def test_an_example_is_one_the_command_line_takes(example: str):
    build().parse_args(shlex.split(example)[1:], exit_on_error=False, print_error=True)


def test_every_exit_code_is_told():
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert codes == {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}


@pytest.mark.parametrize(("noun", "verb"), [(noun, name) for noun, _, verbs in NOUNS for name, _, _ in verbs])
def test_every_command_answers_help_and_takes_json(noun: str, verb: str, capsys: pytest.CaptureFixture[str]):
    build()([noun, verb, "--help"])
    assert "--json" in capsys.readouterr().out
