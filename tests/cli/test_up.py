"""``up``: everything starts, is watched, and ends in time, nothing left behind; what stands in the way is one line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command_line import ROOT, Instance, alive, environment, switchtower, until


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Instance]:
    """An instance of this test's own, which it may break."""
    running = Instance(tmp_path / "data", "--agents", "2")
    yield running
    running.stop()


def up(data: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """An ``up`` that is expected to end by itself."""
    port = [] if "--port" in options else ["--port", "0"]
    command = [sys.executable, "-m", "console.cli", "up", "--data", str(data), *port, *options]
    return subprocess.run(
        command, cwd=ROOT, env=environment(**environ), capture_output=True, text=True, timeout=30, check=False
    )


def test_ctrl_c_interrupts_what_runs_and_ends_everything_within_5_s(own: Instance):
    pids = own.address["pids"]
    assert set(pids) == {"up", "nats", "core", "console", "worker"}
    own("task", "submit", "Sleep", "--name", "sleep", "--command", "sleep 61")
    until(lambda: own.json("task", "show", "sleep")["row"]["state"] == "running")
    until(lambda: own.json("run", "show", "sleep~1")["run"]["state"] == "running")
    began = time.monotonic()
    own.tell(signal.SIGINT)
    assert own.ended() == 0
    assert time.monotonic() - began < 5
    assert [name for name, pid in pids.items() if alive(pid)] == []
    assert not (own.data / "run.json").exists()
    assert subprocess.run(["pgrep", "-f", "^sleep 61$"], capture_output=True, check=False).stdout == b""

    again = Instance(own.data, "--agents", "0")
    try:
        run = again.json("run", "show", "sleep~1")["run"]
        task = again.json("task", "show", "sleep")["row"]
        assert (run["state"], task["state"], task.get("used", 0)) == ("interrupted", "ready", 0)
    finally:
        again.stop()


def test_a_second_ctrl_c_is_final(own: Instance):
    pids = own.address["pids"]
    own("task", "submit", "Sleep", "--command", "trap '' TERM INT; sleep 62")
    until(lambda: own.json("status")["agents"].get("busy") == 1)
    began = time.monotonic()
    own.tell(signal.SIGINT)
    time.sleep(0.2)  # two keystrokes are not one
    own.tell(signal.SIGINT)
    own.ended()
    assert time.monotonic() - began < 1.5
    assert [name for name, pid in pids.items() if alive(pid)] == []


def test_what_dies_is_started_again_and_everything_goes_on(own: Instance):
    before = own.address["pids"]
    for name in ("worker", "core", "console", "nats"):
        os.kill(before[name], signal.SIGKILL)
    until(lambda: set(json.loads((own.data / "run.json").read_text())["pids"]) == set(before), within_s=20)
    said = own(
        "task", "submit", "After", "--prompt", "sim: seconds=0.1", "--name", "after", "--wait", "--timeout", "30"
    )
    assert said.err == "default/after: done\n"
    assert "was ended by SIGKILL; starts again in 0.2 s" in own.log


def test_a_worker_that_was_drained_stays_away(own: Instance):
    pid = own.address["pids"]["worker"]
    until(lambda: own("worker", "drain", "w1").code == 0)  # it may not have registered yet
    until(lambda: not alive(pid))
    until(lambda: "left in good order" in own.log)
    assert "starts again" not in own.log


def test_when_up_itself_is_killed_its_children_end_and_the_next_one_starts(own: Instance):
    pids = own.address["pids"]
    os.kill(pids["up"], signal.SIGKILL)
    own.ended()
    left = lambda: [name for name, pid in pids.items() if alive(pid)]  # noqa: E731
    until(lambda: not left(), within_s=10, else_says=lambda: f"{left()} still there\n{own.log[-2000:]}")
    again = Instance(own.data, "--agents", "0")
    try:
        assert again.json("status")["core_leads"]
    finally:
        again.stop()


def test_a_second_up_on_the_same_data_points_to_the_first(own: Instance):
    said = up(own.data)
    assert said.returncode == 4
    assert said.stderr == (
        f"switchtower: Switchtower runs on {own.data} already: {own.address['url']} "
        f"(process {own.address['pids']['up']}). Stop that one, or --data DIR\n"
    )


def test_without_agents_nothing_runs_and_plans_can_be_looked_at(tmp_path: Path):
    running = Instance(tmp_path / "data", "--agents", "0", "--demo")
    try:
        assert "worker" not in running.address["pids"]
        until(lambda: "The sample plan is in" in running.log)
        until(lambda: running.json("status")["tasks"] == {"blocked": 35, "ready": 1})
    finally:
        running.stop()


def test_ephemeral_data_is_gone_afterwards(tmp_path: Path):
    running = Instance(tmp_path / "data", "--ephemeral", "--agents", "0")
    data = Path(running.address["data"])
    assert (data / "run.json").exists()
    running.stop()
    assert not data.exists()
    assert not running.data.exists()


def test_a_server_that_runs_already_is_used(tmp_path: Path, nats_server):
    running = Instance(
        tmp_path / "data", "--agents", "0", "--nats", nats_server.url, "--nats-monitor", nats_server.monitor_url
    )
    try:
        assert "nats" not in running.address["pids"]
        assert switchtower("task", "submit", "There", "--nats", nats_server.url, "--data", tmp_path / "x").code == 0
    finally:
        running.stop()
    assert nats_server.process.poll() is None


def test_a_busy_port_is_one_line(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = up(tmp_path / "data", "--port", str(port))
    assert said.returncode == 1
    assert said.stderr == (
        f"switchtower: port {port} cannot be used: Address already in use. Give another one: --port N (0: any)\n"
    )


def test_a_missing_server_is_one_line(tmp_path: Path):
    bare = tmp_path / "bin"
    bare.mkdir()
    python = bare / "python"
    python.symlink_to(sys.executable)
    code = "import sys; sys.executable = sys.argv.pop(1); from console.cli import main; main()"
    command = [sys.executable, "-c", code, str(python), "up", "--data", str(tmp_path / "data"), "--port", "0"]
    said = subprocess.run(
        command, cwd=ROOT, env=environment(PATH=str(bare)), capture_output=True, text=True, timeout=30, check=False
    )
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert "there is no nats-server beside" in said.stderr


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    said = up(tmp_path / "file" / "data")
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert "cannot be written: Not a directory. Give another one: --data DIR" in said.stderr


def test_a_newer_data_format_is_one_line(tmp_path: Path):
    (tmp_path / "format.json").write_text('{"data_format": 99}')
    said = up(tmp_path)
    assert said.returncode == 1
    assert said.stderr == (
        f"switchtower: {tmp_path} was written by a newer Switchtower (data format 99; this one knows 1). "
        "Run that one, or give another folder: --data DIR\n"
    )


def test_a_server_that_does_not_sync_is_named_and_nothing_is_left_running(tmp_path: Path):
    from tests.nats_server import NatsServer

    lazy = NatsServer(tmp_path / "nats", sync_interval='"2m"').start()
    try:
        said = up(tmp_path / "data", "--nats", lazy.url, "--nats-monitor", lazy.monitor_url, "--agents", "0")
    finally:
        lazy.stop()
    assert said.returncode == 1
    assert "acknowledges writes before they are on disk" in said.stderr


def test_a_wrong_setting_ends_with_2_and_names_it(tmp_path: Path):
    said = up(tmp_path / "data", SWITCHTOWER_AGENTS="many")
    assert (said.returncode, said.stderr) == (
        2,
        "switchtower: SWITCHTOWER_AGENTS is 'many' (environment); it needs a whole number from 0 to 10000\n",
    )
