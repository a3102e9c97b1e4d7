"""Looking at an instance: facts, status, doctor, replay, logins; and what a command says when nobody is there."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.link import connect
from core.settings import Credentials
from tests.cli.command_line import ROOT, Instance, environment, switchtower, until


@pytest.fixture
def there(instance: Instance, tmp_path: Path) -> tuple[object, ...]:
    """The same instance from another data folder, which knows its server and its users but no console."""
    users = tmp_path / "nats-users.json"
    users.write_bytes((instance.data / "nats-users.json").read_bytes())
    users.chmod(0o600)
    return ("--data", tmp_path, "--nats", instance.address["nats_url"])


def test_the_last_facts_are_one_document(instance: Instance, session: str):
    found = instance.json("events", "tail", "--limit", "3")
    assert [event["seq"] for event in found["events"]] == list(range(found["last_seq"] - 2, found["last_seq"] + 1))
    assert {"seq", "subject", "at", "by", "cause", "fact", "chain"} <= found["events"][0].keys()


def test_facts_of_one_subject_tell_one_tasks_life(instance: Instance, session: str):
    instance("task", "pause", f"{session}/first")
    found = instance.json("events", "tail", "--subject", f"evt.*.{session}=2Ffirst.>", "--limit", "0")
    assert [event["fact"]["type"] for event in found["events"]] == ["task.staged", "task.paused"]


def test_facts_after_a_sequence(instance: Instance, session: str):
    head = instance.json("events", "tail")["last_seq"]
    instance("task", "pause", f"{session}/first")
    found = instance.json("events", "tail", "--after", head)
    assert any(event["fact"]["type"] == "task.paused" for event in found["events"])
    assert all(event["seq"] > head for event in found["events"])


def test_following_prints_facts_as_they_come_until_it_is_told_to_stop(instance: Instance, session: str, tmp_path: Path):
    said = tmp_path / "said"
    command = [sys.executable, "-m", "console.cli", "events", "tail", "-f", "--json", "--data", str(instance.data)]
    with said.open("wb") as out:
        tail = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, cwd=ROOT, env=environment())
    until(lambda: said.read_bytes().count(b"\n") >= 5)
    instance("task", "pause", f"{session}/first")
    until(lambda: b'"task.paused"' in said.read_bytes())
    tail.send_signal(2)
    _, err = tail.communicate(timeout=5)
    assert (tail.returncode, err) == (130, b"")
    assert all("seq" in json.loads(line) for line in said.read_bytes().splitlines())


def test_output_into_a_closed_pipe_is_no_error(instance: Instance):
    command = f"{sys.executable} -m console.cli events tail --limit 0 --data {instance.data} | head -1"
    said = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, b"")


def test_status_says_how_the_instance_is_doing(instance: Instance):
    status = instance.json("status")
    assert status["core_leads"] is True
    assert status["problems"] == []
    assert set(status["sequences"]) == {"COMMANDS", "EVENTS", "OBSERVATIONS", "OUTPUT"}
    assert set(status["lag"]) == {"core", "console events", "console observations", "console commands"}
    assert {"tasks", "agents", "workers", "versions", "pids", "console"} <= status.keys()
    assert set(status["versions"]) == {"nats-server", "switchtower"}
    assert "agents" in instance("status").out


def test_the_doctor_finds_a_healthy_instance_healthy(instance: Instance):
    found = {each["name"]: each["ok"] for each in instance.json("doctor")["findings"]}
    assert {"server version", "fsync", "clock", "stream EVENTS", "leader", "lag of core", "disk"} <= found.keys()
    assert {name for name, ok in found.items() if ok is not True} <= {
        "storage limit",
        "disk",
    }  # the machine's own affair


def test_the_doctor_never_says_ok_of_what_it_cannot_see(there: tuple[object, ...]):
    said = switchtower("doctor", "--json", *there)
    found = {each["name"]: each["ok"] for each in said.document["findings"]}
    assert (found["fsync"], found["disk"]) == (None, None)
    assert "unknown" in switchtower("doctor", *there).out


def test_replay_finds_events_to_be_what_commands_make_of_them(instance: Instance, session: str):
    found = instance.json("replay", "verify")
    assert (found["equal"], found["since"], found["difference"]) == (True, 1, None)
    assert found["events"] > 0
    assert found["read_models"]["equal"] is True
    assert found["read_models"]["found_in"] == "the console"


def test_the_running_console_folds_its_read_models_anew(instance: Instance, session: str):
    found = instance.json("projections", "rebuild")
    assert found["folded_by"] == "the console"
    assert found["sequences"]["EVENTS"] > 0
    assert instance.json("task", "show", f"{session}/first")["row"]["state"] == "ready"
    assert instance.json("replay", "verify")["read_models"]["equal"] is True


def test_without_a_console_the_file_is_folded_and_checked(instance: Instance, there: tuple[object, ...]):
    assert switchtower("replay", "verify", "--json", *there).document["read_models"] is None
    found = switchtower("projections", "rebuild", "--json", *there).document
    assert found["folded_by"] == "this command"
    checked = switchtower("replay", "verify", "--json", *there).document["read_models"]
    assert (checked["equal"], checked["found_in"].endswith("read-model.duckdb")) == (True, True)
    assert checked["tables"] == len(found["digests"])


def test_a_login_link_works_once(instance: Instance):
    found = instance.json("login")
    assert found["login_url"].startswith(f"{instance.address['url']}/login?token=")
    assert instance.json("login")["login_url"] != found["login_url"]


@pytest.mark.parametrize(
    "tokens",
    [
        ("task", "list"),
        ("task", "submit", "T"),
        ("events", "tail"),
        ("status",),
        ("doctor",),
        ("replay", "verify"),
        ("login",),
        ("run", "output", "t-1~1"),
    ],
)
def test_where_nothing_runs_a_command_ends_with_5_and_says_what_to_do(nowhere: Path, tokens: tuple[str, ...]):
    said = switchtower(*tokens, "--data", nowhere)
    assert said.code == 5, said
    assert "start it with `switchtower up`" in said.err
    assert not nowhere.exists()


def test_a_server_that_does_not_answer_ends_with_5_in_time(nowhere: Path):
    began = time.monotonic()
    said = switchtower("task", "submit", "T", "--data", nowhere, "--nats", "nats://127.0.0.1:1")
    assert said.code == 5
    assert "cannot reach NATS at nats://127.0.0.1:1" in said.err
    assert time.monotonic() - began < 8


def test_with_json_an_error_is_one_document_too(nowhere: Path):
    said = switchtower("task", "list", "--json", "--data", nowhere)
    assert said.document["exit_code"] == said.code == 5


def test_orders_go_in_with_the_console_down_and_lists_say_so(there: tuple[object, ...], session: str):
    assert switchtower("task", "pause", f"{session}/first", *there).code == 0
    assert switchtower("events", "tail", *there).code == 0
    assert switchtower("replay", "verify", "--json", *there).code == 0
    assert switchtower("task", "list", *there).code == 5
    status = switchtower("status", "--json", *there)
    assert (status.code, status.document["tasks"]) == (1, None)


def test_help_and_version_need_nothing_heavy():
    code = (
        "import sys; from console.cli.app import call; call(['--help']); call(['task', '--help']); "
        "heavy = {'nats', 'duckdb', 'fastapi', 'uvloop', 'pyarrow'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert "--help" in said.stdout


def test_a_worker_cannot_publish_facts_give_orders_or_change_streams(instance: Instance):
    path = instance.data / "nats-users.json"
    assert {path.stat().st_mode & 0o777, path.with_suffix(".conf").stat().st_mode & 0o777} == {0o600}
    worker = Credentials(**json.loads(path.read_bytes())["worker"])
    # What reached COMMANDS would be decided: garbage is refused under evt.command.refused.
    traces = ("events", "tail", "--subject", "evt.command.refused", "--subject", "evt.task.intruder.>", "--limit", "0")
    before = instance.json(*traces)["events"]
    asyncio.run(_try_everything(instance.address["nats_url"], worker))
    assert instance.json(*traces)["events"] == before


async def _try_everything(url: str, who: Credentials) -> None:
    """What a worker gone bad might send, and a question that is answered only when all of it was read."""
    link = await connect(url, name="intruder", user=who.user, password=who.password)
    try:
        for subject in ("evt.task.intruder.cancelled", "cmd.task.x.cancel", "cmd.lane.A.pause", "cmd.worker.w1.lose"):
            link.publish(subject, b"{}")
        for verb in ("STREAM.DELETE.", "STREAM.PURGE.", "STREAM.UPDATE.", "STREAM.MSG.DELETE."):
            link.publish(f"$JS.API.{verb}EVENTS", b"{}")
        assert (await link.ask("$JS.API.STREAM.INFO.EVENTS")).status == 0
    finally:
        await link.close()
