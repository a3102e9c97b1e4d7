"""A shell finishes our commands: the script knows them all, and bash takes it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from console.cli.app import COMMANDS, NOUNS
from tests.cli.command_line import switchtower


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_knows_every_noun_and_command(shell: str):
    said = switchtower("completion", shell)
    assert said.code == 0, said
    for name in {name for name, _, _ in COMMANDS} | {name for name, _, _ in NOUNS} | {"submit", "verify", "--priority"}:
        assert name in said.out or (shell == "fish" and name.lstrip("-") in said.out), name


def test_a_shell_we_do_not_know_is_wrong_usage():
    assert switchtower("completion", "dos").code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on PATH")
def test_bash_offers_what_may_follow(tmp_path):
    script = tmp_path / "completion"
    script.write_text(switchtower("completion", "bash").out)
    asked = f"""source {script}
        COMP_WORDS=(switchtower pl) COMP_CWORD=1
        _switchtower switchtower pl switchtower
        echo "${{COMPREPLY[@]}}" """
    found = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=20, check=True)
    assert "plan" in found.stdout.split(), found
