"""``docs/nats-cli.md`` line by line: the JetStream request each makes, always; the line itself where ``nats`` is."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from core.link import Link, connect
from core.settings import Credentials
from tests.cli.command_line import Instance, until

PAGE = Path(__file__).parents[2] / "docs" / "nats-cli.md"
LINES = re.findall(r"^\| [^|]+ \| `(nats [^`]+)` \| (.+?) \|$", PAGE.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def lived(instance: Instance) -> Instance:
    """An instance with the task and the worker the page names."""
    command = "sleep 60 & echo printed; exit 1"  # what it leaves running is killed, and noted as an observation
    instance(
        "task",
        "submit",
        "Print",
        "--name",
        "t-147",
        "--command",
        command,
        "--max-attempts",
        "1",
        "--wait",
    )
    until(lambda: instance.json("run", "output", "t-147~1")["stdout"] == "printed\n")
    return instance


def test_the_page_has_lines():
    assert len(LINES) >= 18


@pytest.mark.parametrize(("line", "asks"), LINES)
def test_the_request_a_line_makes_is_answered_with_what_the_page_says(lived: Instance, line: str, asks: str):
    asked = [re.sub(r"\(.*", "", each).strip("`") for each in asks.split(", ")]
    found = asyncio.run(_ask(lived, shlex.split(line)[1:], asked[0]))
    assert found, f"{line}: nothing was found"


@pytest.mark.parametrize(("line", "asks"), LINES)
def test_the_line_itself_works(lived: Instance, line: str, asks: str):
    if shutil.which("nats") is None:
        pytest.skip("no nats command line here: go install github.com/nats-io/natscli/nats@latest")
    if "stream view" in line:
        pytest.skip("it pages on a terminal only")
    endless = "--new" in line or "kv watch" in line
    users = json.loads((lived.data / "nats-users.json").read_bytes())["operator"]
    environ = os.environ | {
        "NATS_URL": lived.address["nats_url"],
        "NATS_USER": users["user"],
        "NATS_PASSWORD": users["password"],
    }
    command = ["timeout", "-s", "INT", "3", *shlex.split(line)] if endless else shlex.split(line)
    said = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert endless or said.returncode == 0, said.stderr
    assert "permissions violation" not in said.stderr.lower()
    assert "error:" not in said.stderr.lower()


async def _ask(instance: Instance, words: list[str], request: str) -> Any:
    """Make the request of a line as the operator; what was found, empty where nothing was."""
    who = Credentials(**json.loads((instance.data / "nats-users.json").read_bytes())["operator"])
    link = await connect(instance.address["nats_url"], name="nats-cli", user=who.user, password=who.password)
    try:
        match request, words:
            case "STREAM.LIST", _:
                return (await _call(link, "STREAM.LIST", {}))["streams"]
            case "STREAM.INFO", ["stream", "info", stream]:
                return (await _call(link, f"STREAM.INFO.{stream}", {}))["state"]["last_seq"]
            case "STREAM.INFO", ["stream", "subjects", stream, subject]:
                asked = {"subjects_filter": subject}
                return (await _call(link, f"STREAM.INFO.{stream}", asked))["state"]["subjects"]
            case "STREAM.MSG.GET", ["stream", "get", stream, seq]:
                return (await _call(link, f"STREAM.MSG.GET.{stream}", {"seq": int(seq)}))["message"]["data"]
            case "CONSUMER.CREATE", ["stream", "view", stream, *_]:
                return await _consumer(link, stream, ">", {"deliver_policy": "by_start_sequence", "opt_start_seq": 1})
            case "CONSUMER.CREATE", ["sub", "--stream", stream, *flags, subject]:
                policy = "new" if "--new" in flags else "all"
                return await _consumer(link, stream, subject, {"deliver_policy": policy}) or policy == "new"
            case "CONSUMER.CREATE", ["kv", _, bucket]:
                return await _consumer(link, f"KV_{bucket}", f"$KV.{bucket}.>", {"deliver_policy": "last_per_subject"})
            case "DIRECT.GET", ["kv", "get", bucket, key, "--raw"]:
                return (await link.ask(f"$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.{key}")).data
            case "CONSUMER.LIST", ["consumer", "report", stream]:
                return (await _call(link, f"CONSUMER.LIST.{stream}", {}))["consumers"]
            case "CONSUMER.NAMES", ["consumer", "ls", stream]:
                return (await _call(link, f"CONSUMER.NAMES.{stream}", {}))["consumers"]
        raise AssertionError(f"the test does not know what {words} asks")
    finally:
        await link.close()


async def _call(link: Link, subject: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = json.loads((await link.ask(f"$JS.API.{subject}", json.dumps(body).encode() if body else b"")).data)
    assert "error" not in answer, answer
    return dict(answer)


async def _consumer(link: Link, stream: str, subject: str, how: dict[str, Any]) -> int:
    """How many messages a consumer with this filter would be given; it is deleted again."""
    config = {"ack_policy": "none", "mem_storage": True, "inactive_threshold": 5_000_000_000, "filter_subject": subject}
    asked = {"stream_name": stream, "config": config | how}
    made = await _call(link, f"CONSUMER.CREATE.{stream}", asked)
    await _call(link, f"CONSUMER.DELETE.{stream}.{made['name']}", {})
    return int(made["num_pending"])
