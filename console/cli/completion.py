"""``switchtower completion``: what a shell needs to finish commands and options with the tab key."""

from __future__ import annotations

import sys
from typing import Literal

from console.cli import exits, out

Shell = Literal["bash", "zsh", "fish"]

INTO: dict[Shell, str] = {
    "bash": "~/.local/share/bash-completion/completions/switchtower",
    "zsh": "~/.zfunc/_switchtower, with `fpath+=(~/.zfunc)` before `compinit` in ~/.zshrc",
    "fish": "~/.config/fish/completions/switchtower.fish",
}


def completion(shell: Shell) -> int:
    """Print the completion script for a shell; on a terminal also say where it belongs.

    Parameters
    ----------
    shell
        bash, zsh or fish.
    """
    from console.cli.app import build

    print(build().generate_completion(shell=shell))
    if sys.stdout.isatty():
        out.say(f"Write it into {INTO[shell]}")
    return exits.OK
