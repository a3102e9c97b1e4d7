"""The command line as a test uses it: a whole instance started by ``up``, and commands called in this process."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from console.cli.app import call

ROOT = Path(__file__).parents[2]
UP_WITHIN_S = 30.0
ENDED_WITHIN_S = 8.0


class Said:
    """What a command left: exit code, stdout, stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


def switchtower(*tokens: object) -> Said:
    """Call a command in this process."""
    out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = call([str(token) for token in tokens])
    out.seek(0)
    return Said(code, out.read(), err.getvalue())


def environment(**more: str) -> dict[str, str]:
    """Ours without what would point a child to another instance."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHTOWER_")}
    return kept | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"} | more


class Instance:
    """Everything ``up`` starts, on a data folder of its own and free ports."""

    def __init__(self, data: Path, *options: str, **environ: str) -> None:
        self.data = data
        self._said = data.with_name(f"{data.name}.out")
        self._log = data.with_name(f"{data.name}.log")
        command = [sys.executable, "-m", "console.cli", "up", "--data", str(data), "--port", "0", "--json", *options]
        with self._said.open("wb") as said, self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=said, stderr=log, cwd=ROOT, env=environment(**environ))
        self.address: dict[str, Any] = self._until_up()

    def __call__(self, *tokens: object) -> Said:
        """A command for this instance."""
        return switchtower(*tokens, "--data", self.data)

    def json(self, *tokens: object) -> Any:
        """The document a command answers with; it must not fail."""
        said = self(*tokens, "--json")
        assert said.code == 0, said
        return said.document

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def tell(self, how: signal.Signals) -> None:
        self.process.send_signal(how)

    def ended(self, within_s: float = ENDED_WITHIN_S) -> int:
        """Wait for ``up`` to end: its exit code."""
        return self.process.wait(timeout=within_s)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.tell(signal.SIGINT)
            try:
                self.ended()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _until_up(self) -> dict[str, Any]:
        deadline = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < deadline:
            try:
                return dict(json.loads(self._said.read_bytes()))
            except json.JSONDecodeError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.02)
        self.stop()
        raise AssertionError(f"the instance did not come up:\n{self.log[-4000:]}")


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(holds: Callable[[], object], within_s: float = 15.0, else_says: Callable[[], str] | None = None) -> None:
    """Look until ``holds()`` is true; a failed assertion when it does not become so in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        late = time.monotonic() > deadline
        assert not late, else_says() if else_says is not None else "it did not come about in time"
        time.sleep(0.03)
