"""Processes of the benchmark: started with a log of their own, ended by pid, and never outliving it."""

from __future__ import annotations

import asyncio
import ctypes
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.settings import for_our_own

END_WITHIN_S = 5.0
_PR_SET_PDEATHSIG = 1


class Failed(Exception):
    """A part of a scenario did not come up, or did not do what it must in time. The text says which."""


class Process:
    """One child. ``log`` holds what it said."""

    def __init__(
        self, name: str, argv: Sequence[str], *, folder: Path, environ: dict[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self.name = name
        self.log = folder / f"{name}.log"
        root = Path(__file__).parents[1]
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**for_our_own(), "PYTHONPATH": str(root), **(environ or {})},
                pass_fds=pass_fds,
                start_new_session=True,  # as `up` does it: the kernel's scheduler weighs sessions
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads have been started here
            )

    @property
    def pid(self) -> int:
        return self.child.pid

    def check(self) -> None:
        """``Failed`` with the end of its log when it is no more."""
        code = self.child.poll()
        if code is not None:
            raise Failed(f"{self.name} ended with {code}: {self.said()}")

    def said(self) -> str:
        """The last of what it said."""
        return " | ".join(self.log.read_text(errors="replace").strip().splitlines()[-4:])[-600:]

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end; killed when that takes more than five seconds."""
        if self.child.poll() is not None:
            return
        self.child.send_signal(how)
        try:
            self.child.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait(END_WITHIN_S)


async def answer_of(*argv: str) -> Any:
    """Run a program of ours to its end and return the JSON it prints; ``Failed`` with its complaint."""
    child = await asyncio.create_subprocess_exec(
        *argv,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        preexec_fn=_die_with_parent,
    )
    try:
        said, complaint = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise Failed(f"{argv[2]} ended with {child.returncode}: {complaint.decode(errors='replace')[-300:]}")
    return json.loads(said)


def module(name: str, *arguments: str) -> list[str]:
    """How to run one of our own programs."""
    return [sys.executable, "-m", name, *arguments]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
