"""Tapes: exported straight from the log, whole or not at all, and opened again read-only in a console of their own."""

from __future__ import annotations

import csv
import gzip
import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pyarrow.parquet as pq
import pytest

from projections.played import BadTape, read
from tests.cli.command_line import ROOT, Instance, environment, switchtower, until


@pytest.fixture(scope="module")
def lived(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Instance:
    """An instance in which session ``tale`` had a failure, a retry and a success, and ``other`` something else."""
    tale = [
        {"id": "first", "title": "First", "prompt": "sim: seconds=0.2 fail=1", "policy": {"backoff_s": 0.1}},
        {"id": "second", "title": "Second", "prompt": "sim: seconds=0.2", "depends_on": ["first"]},
    ]
    for session, tasks in (("tale", tale), ("other", [{"id": "x", "title": "X", "command": "true"}])):
        plan = tmp_path_factory.mktemp("plans") / f"{session}.json"
        plan.write_text(json.dumps({"session": session, "tasks": tasks}))
        said = instance("plan", "import", plan, "--wait", "--timeout", "60")
        assert said.code == 0, said
    return instance


def exported(instance: Instance, path: Path, *options: str) -> list[Any]:
    said = instance("timeline", "export", "--format", "jsonl", *options, "-o", path)
    assert said.code == 0, said
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_tape_of_everything_is_the_log_in_the_order_of_time(lived: Instance, tmp_path: Path):
    header, *lines, end = exported(lived, tmp_path / "all.jsonl")
    facts = [line for line in lines if line["stream"] == "EVENTS"]
    of = [line["stream"] for line in lines]
    assert header["tape"] == 2
    assert end == {
        "end": True, "events": len(facts), "observations": of.count("OBSERVATIONS"),
        "commands": of.count("COMMANDS"), "output": 0, "left_out": 0,
    }  # fmt: skip
    assert [line["seq"] for line in facts] == list(range(1, len(facts) + 1))
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert not any(line.get("context") for line in lines)
    assert {"at", "by", "cause", "fact", "chain"} <= facts[0]["body"].keys()


def test_a_tape_of_a_session_holds_its_facts_and_what_they_need(lived: Instance, tmp_path: Path):
    _, *lines, _ = exported(lived, tmp_path / "tale.jsonl", "--session", "tale")
    own = [line for line in lines if line["stream"] == "EVENTS" and not line.get("context")]
    context = {line["body"]["fact"]["type"] for line in lines if line.get("context")}
    assert {"session.opened", "task.staged", "run.failed", "run.succeeded", "worker.assigned"} <= {
        line["body"]["fact"]["type"] for line in own
    }
    assert all("tale" in json.dumps(line["body"]["fact"]) for line in own)
    assert {"core.genesis", "worker.registered"} <= context
    assert not any("other/x" in json.dumps(line) for line in lines if not line.get("context"))


def test_a_tape_of_a_task_or_a_run_is_that_alone(lived: Instance, tmp_path: Path):
    _, *lines, _ = exported(lived, tmp_path / "task.jsonl", "--task", "tale/first")
    own = [line["body"]["fact"] for line in lines if line["stream"] == "EVENTS" and not line.get("context")]
    assert {fact["task_id"] for fact in own} == {"tale/first"}
    assert [fact["type"] for fact in own if fact["type"].startswith("run.") and "progress" not in fact["type"]] == [
        "run.started", "run.failed", "run.started", "run.succeeded",
    ]  # fmt: skip
    _, *lines, _ = exported(lived, tmp_path / "run.jsonl", "--run", "tale/first~1")
    runs = [line["body"]["run_id"] for line in lines if line["stream"] == "OBSERVATIONS"]
    assert set(runs) == {"tale/first~1"}


def test_a_tape_of_a_span_of_time_begins_and_ends_there(lived: Instance, tmp_path: Path):
    _, *lines, _ = exported(lived, tmp_path / "all.jsonl")
    facts = [line for line in lines if line["stream"] == "EVENTS"]
    middle = facts[len(facts) // 2]["body"]["at"]
    text = f"{middle // 1_000_000}"
    whole_second = int(text) * 1_000_000
    from datetime import UTC, datetime

    since = datetime.fromtimestamp(int(text), UTC).isoformat()
    _, *later, _ = exported(lived, tmp_path / "later.jsonl", "--since", since)
    _, *earlier, _ = exported(lived, tmp_path / "earlier.jsonl", "--until", since)
    assert all(line["body"]["at"] >= whole_second for line in later if line["stream"] == "EVENTS")
    assert 0 < len(earlier) < len(lines)
    assert 0 < len(later) < len(lines)
    _, *recent, _ = exported(lived, tmp_path / "recent.jsonl", "--since", "0s")
    assert recent == []


def test_a_tape_goes_to_standard_output_when_no_file_is_named(lived: Instance):
    said = lived("timeline", "export", "--session", "tale")
    assert json.loads(said.out.splitlines()[0])["session"] == "tale"
    assert "facts and" in said.err


@pytest.mark.parametrize(
    "options",
    [
        ("--session", "a", "--task", "b"),
        ("--since", "yesterday"),
        ("--run", "t-1"),
        ("--json",),
        ("--format", "xml"),
        ("--format", "csv", "--run", "tale/first~1"),
        ("--format", "csv", "--with-output"),
    ],
)
def test_what_cannot_be_exported_is_wrong_usage(lived: Instance, options: tuple[str, ...]):
    assert lived("timeline", "export", *options).code == 2


def test_a_tape_that_cannot_be_written_leaves_nothing_half_done(lived: Instance, tmp_path: Path):
    said = lived("timeline", "export", "-o", tmp_path / "none" / "tape.jsonl")
    assert (said.code, list(tmp_path.iterdir())) == (1, [])


@pytest.mark.parametrize("kind", ["csv", "parquet", "perfetto"])
def test_the_runs_of_a_session_go_into_a_file_that_others_read(lived: Instance, tmp_path: Path, kind: str):
    file = tmp_path / f"tale.{kind}"
    said = lived("timeline", "export", "--format", kind, "--session", "tale", "-o", file, "--json")
    assert said.code == 0, said
    assert json.loads(said.out) == {"file": str(file), "format": kind, "runs": 3}
    if kind == "csv":
        rows = list(csv.DictReader(file.read_text().splitlines()))
        assert [(row["run_id"], row["state"]) for row in rows] == [
            ("tale/first~1", "failed"), ("tale/first~2", "succeeded"), ("tale/second~1", "succeeded"),
        ]  # fmt: skip
    elif kind == "parquet":
        assert pq.read_table(file).column("run_id").to_pylist()[0] == "tale/first~1"
    else:
        slices = [event for event in json.loads(file.read_text())["traceEvents"] if event["ph"] == "X"]
        assert [event["args"]["run_id"] for event in slices] == ["tale/first~1", "tale/first~2", "tale/second~1"]


class Played:
    """A console on a tape, signed in."""

    def __init__(self, tape: Path, folder: Path) -> None:
        command = [sys.executable, "-m", "console.cli", "timeline", "play", str(tape), "--json"]
        said = folder / "said"
        with said.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, cwd=ROOT, env=environment())
        until(lambda: said.read_bytes().endswith(b"}\n"))
        self.told = json.loads(said.read_bytes())
        self._where = urlsplit(self.told["url"])
        self._cookie = ""
        until(self._answers)
        token = self.told["login_url"].rpartition("=")[2]
        _, _, headers = self.ask("POST", "/login", token=token)
        self._cookie = headers.get("set-cookie", "").partition(";")[0]

    def ask(self, method: str, path: str, **form: str) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection(self._where.hostname or "", self._where.port, timeout=10)
        headers = {"Origin": self.told["url"], "Cookie": self._cookie, "Accept": "text/html"}
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, urlencode(form) if form else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def close(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=8)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@pytest.fixture(scope="module")
def played(lived: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("tape")
    exported(lived, folder / "tale.jsonl", "--session", "tale", "--with-output")
    console = Played(folder / "tale.jsonl", folder)
    yield console
    assert console.close() == 0


def test_a_played_tape_shows_the_session_as_it_ended(played: Played):
    status, body, _ = played.ask("GET", "/api/tasks?session=tale")
    rows = json.loads(body)["rows"]
    assert status == 200
    assert {row["task_id"]: row["state"] for row in rows} == {"tale/first": "done", "tale/second": "done"}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/tasks",
        "/tasks/tale/first",
        "/runs/tale/first~1",
        "/agents",
        "/queues",
        "/?at=5",
        "/timeline",
        "/replay",
        "/replay/compare?a=5&b=now",
        "/commands",
    ],
)
def test_every_page_of_a_played_tape_opens(played: Played, path: str):
    assert played.ask("GET", path)[0] == 200


def test_a_played_tape_shows_who_ordered_what_and_what_runs_printed(played: Played):
    _, body, _ = played.ask("GET", "/api/commands?reports=true")
    rows = json.loads(body)["rows"]
    assert {"plan.seal", "run.finish"} <= {row["type"] for row in rows}
    assert "pending" not in {row["outcome"] for row in rows}
    assert played.told["commands"] == len(rows)
    assert played.told["output"] > 0
    status, printed, _ = played.ask("GET", "/runs/tale/first~2/output")
    assert (status, bool(printed)) == (200, True)


def test_nothing_can_be_ordered_on_a_tape(played: Played):
    status, body, _ = played.ask("POST", "/orders", type="task.cancel", task_id="tale/first")
    assert status == 409
    assert "this is a tape (tale.jsonl): nothing can be ordered on it" in body


def test_a_file_that_is_no_tape_ends_with_a_line(tmp_path: Path):
    assert switchtower("timeline", "play", tmp_path / "none.jsonl").code == 3
    (tmp_path / "bad.jsonl").write_text("no tape\n")
    said = switchtower("timeline", "play", tmp_path / "bad.jsonl")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "line 1 is not the beginning of a tape" in said.err


def test_the_sample_timeline_opens_with_its_commands_and_its_output():
    with gzip.open(ROOT / "samples/timelines/lantern.jsonl.gz") as lines:
        sample = read(lines)
    assert min(sample.events, sample.observations, sample.commands, sample.output) > 50
    facts = {json.loads(each.data)["fact"]["type"] for each in sample.ledger.logs["EVENTS"].messages}
    assert {"run.failed", "lane.paused", "agent.paused", "task.cancelled", "task.retried"} <= facts


def test_a_packed_tape_that_was_cut_off_ends_with_a_line(tmp_path: Path):
    whole = (ROOT / "samples/timelines/lantern.jsonl.gz").read_bytes()
    (tmp_path / "half.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    said = switchtower("timeline", "play", tmp_path / "half.jsonl.gz")
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "not whole" in said.err


def test_a_tape_that_was_cut_off_or_spoilt_names_the_place(lived: Instance, tmp_path: Path):
    exported(lived, tmp_path / "tale.jsonl", "--session", "tale")
    lines = (tmp_path / "tale.jsonl").read_bytes().splitlines(keepends=True)
    assert read(lines).events > 5
    for spoilt, told in (
        (lines[:-1], "cut off"),
        (lines[:4], "cut off"),
        ([*lines, lines[1]], "after the tape's end"),
        ([lines[0], lines[1].replace(b'"seq"', b'"sqe"')], "line 2 cannot be read"),
        ([lines[0].replace(b'"tape":2', b'"tape":7'), *lines[1:]], "format 7"),
        ([], "empty"),
    ):
        with pytest.raises(BadTape, match=told):
            read(spoilt)
