"""The real thing: a server, a core, workers as processes; killed, started again, told to stop."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from core.answers import LinkAnswers
from core.clock import SystemClock
from core.domain import machine, run, task, worker
from core.domain.words import Policy, token
from core.door import Door
from core.envelope import Answer, decode_fact
from core.jetstream import JetStreamLedger
from core.link import connect
from tests.nats_server import NatsServer
from workers import keeper

ROOT = Path(__file__).parents[2]
DAEMON = Path(__file__).with_name("daemon.py")


class Site:
    """A running system without a console, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = NatsServer(folder / "nats")
        self.data = folder / "data"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.facts: list[machine.Event] = []
        self.seen_at: dict[int, float] = {}

    async def start(self) -> Site:
        self.data.mkdir()
        self.server.start()
        self.core = self.spawn("core", "--nats-monitor", self.server.monitor_url)
        self.link = await connect(self.server.url, name="test")
        self.ledger = JetStreamLedger(self.link)
        self.door = Door(self.ledger, LinkAnswers(self.link), SystemClock(), by="ada")
        await self.until(self.begun, within_s=20)
        self.following = asyncio.ensure_future(self._follow())
        return self

    def spawn(self, room: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{room}.log").open("ab")
        argv = [sys.executable, "-m", room, "--nats", self.server.url, "--data", str(self.data), *arguments]
        started = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        log.close()
        self.processes.append(started)
        return started

    def hire(self, agents: str, *arguments: str, name: str = "w1") -> subprocess.Popen[bytes]:
        return self.spawn("workers", "--name", name, "--agents", agents, *arguments)

    async def stop(self) -> None:
        self.following.cancel()
        await asyncio.gather(self.following, return_exceptions=True)
        await self.link.close()
        for each in self.processes:
            each.kill()
            each.wait()
        self.server.stop()

    async def begun(self) -> bool:
        try:
            return (await self.ledger.head("EVENTS")).last_seq > 0
        except Exception:  # noqa: BLE001 - the streams are not there yet
            return False

    async def _follow(self) -> None:
        async with aclosing(self.ledger.follow("EVENTS", after=0)) as news:
            async for stored in news:
                for each in stored:
                    self.facts.append(decode_fact(each.data).fact)
                    self.seen_at[id(self.facts[-1])] = time.monotonic()

    def of(self, *kinds: type) -> list:
        return [fact for fact in self.facts if isinstance(fact, kinds)]

    async def submit(self, name: str, **spec) -> str:
        policy = spec.pop("policy", Policy(backoff_s=0.1))
        order = task.Submit(task_id=f"default/{name}", spec=task.TaskSpec(title=name, policy=policy, **spec))
        answer = await self.door.order(order, wait_s=10)
        assert isinstance(answer, Answer), f"no outcome; {self.logs()}"
        assert answer.outcome == "done"
        return order.task_id

    async def until(self, holds: Callable[[], object], *, within_s: float = 15.0) -> float:
        """Seconds it took."""
        began = time.monotonic()
        while True:
            held = holds()
            if asyncio.iscoroutine(held):
                held = await held
            if held:
                return time.monotonic() - began
            assert time.monotonic() - began < within_s, f"not within {within_s} s; {self.logs()}"
            await asyncio.sleep(0.01)

    def logs(self) -> str:
        tags = [machine.tag(fact) for fact in self.facts[-40:]]
        return f"{tags}\n" + "\n".join(path.read_text()[-3000:] for path in self.folder.glob("*.log"))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    built = await Site(tmp_path).start()
    yield built
    await built.stop()


def living(written: Path) -> list[int]:
    pids = [int(line) for line in written.read_text().split()] if written.exists() else []
    return [pid for pid in pids if keeper.state_of(pid)[0] not in ("", "Z", "X")]


async def test_a_task_is_done_by_a_worker_process_and_its_output_is_in_the_log(site: Site):
    site.hire("shell:1,sim:1,noop:1")
    await site.submit("t1", command="echo hello from $PPID")
    await site.until(lambda: site.of(run.Succeeded))
    said = b""
    subject = f"out.run.{token('default/t1~1')}.stdout"
    async with aclosing(site.ledger.follow("OUTPUT", after=0, subjects=[subject])) as pieces:
        said += b"".join(each.data for each in await anext(pieces))
    assert re.fullmatch(rb"hello from \d+\n", said)


async def test_W1_W3_a_killed_workers_processes_are_gone_in_two_seconds_and_its_runs_go_on_elsewhere(site: Site):
    written = site.folder / "pids"
    doomed = site.hire("shell:2", name="w1")
    wicked = f"{sys.executable} {DAEMON} {written}"
    await site.submit("t1", command=f"if [ -e {written} ]; then echo again; else exec {wicked}; fi")
    await site.until(lambda: len(living(written)) == 4)
    doomed.kill()
    killed_at = time.monotonic()
    gone_s = await site.until(lambda: not living(written), within_s=2)
    site.hire("shell:2", name="w2")
    await site.until(lambda: site.of(run.Succeeded), within_s=20)
    [lost] = site.of(worker.Lost)
    assert [each.run_id for each in lost.released] == ["default/t1~1"]
    lost_s = site.seen_at[id(lost)] - killed_at
    assert lost_s <= 8
    print(f"processes gone {gone_s * 1000:.0f} ms after kill -9, runs lost after {lost_s:.1f} s")


async def test_a_worker_killed_under_load_and_started_again_neither_repeats_nor_loses_a_run(site: Site):
    first = site.hire("sim:20,shell:4")
    names = []
    for n in range(60):
        names.append(await site.submit(f"s{n}", prompt="sim: seconds=0.4"))
        if n % 6 == 0:
            names.append(await site.submit(f"c{n}", command=f"echo {n} >> {site.folder / 'ran'}; sleep 0.2"))
    await site.until(lambda: len(site.of(run.Succeeded)) >= 12)
    first.kill()
    first.wait()
    site.hire("sim:20,shell:4")
    await site.until(lambda: len(site.of(run.Succeeded)) >= len(names), within_s=40)
    assert not site.of(worker.Lost), "it was back within the TTL"
    assert sorted(fact.task_id for fact in site.of(run.Succeeded)) == sorted(names)
    [_, again] = site.of(worker.Registered)
    ended = {fact.run_id for fact in site.of(run.Succeeded)} | {each.run_id for each in again.released}
    assert sorted(ended) == sorted(fact.run_id for fact in site.of(worker.Assigned)), "every run ended exactly once"


async def test_sigterm_drains_then_interrupts_and_the_worker_leaves_with_nothing_behind(site: Site):
    written = site.folder / "pids"
    stopped = site.hire("shell:1,sim:1", "--drain", "0.5")
    await site.submit("long", command=f"exec {sys.executable} {DAEMON} {written}")
    await site.submit("short", prompt="sim: seconds=0.2")
    await site.until(lambda: len(living(written)) == 4)
    began = time.monotonic()
    stopped.send_signal(signal.SIGTERM)
    await site.until(lambda: stopped.poll() is not None, within_s=5)
    assert stopped.returncode == 0
    assert living(written) == []
    await site.until(lambda: site.of(worker.Left))
    assert [fact.run_id for fact in site.of(run.Interrupted)] == ["default/long~1"]
    assert [each.run_id for left in site.of(worker.Left) for each in left.released] == []
    print(f"left {time.monotonic() - began:.1f} s after SIGTERM")


async def test_a_second_signal_is_final(site: Site):
    written = site.folder / "pids"
    stopped = site.hire("shell:1", "--drain", "60")
    await site.submit("long", command=f"exec {sys.executable} {DAEMON} {written}")
    await site.until(lambda: len(living(written)) == 4)
    stopped.send_signal(signal.SIGTERM)
    await site.until(lambda: site.of(worker.Draining))
    assert len(living(written)) == 4
    stopped.send_signal(signal.SIGTERM)
    await site.until(lambda: stopped.poll() is not None, within_s=2)
    await site.until(lambda: not living(written), within_s=2)


async def test_runs_go_on_through_a_restart_of_the_server(site: Site):
    site.hire("sim:4")
    names = [await site.submit(f"s{n}", prompt="sim: seconds=1") for n in range(8)]
    await site.until(lambda: site.of(run.Started))
    site.server.kill()
    site.server.start()
    await site.until(lambda: len(site.of(run.Succeeded)) == len(names), within_s=30)
    assert sorted(fact.task_id for fact in site.of(run.Succeeded)) == sorted(names)


async def test_F14_a_worker_frozen_past_its_lease_is_fenced_its_processes_dead_before_it_is_called_lost(site: Site):
    written = site.folder / "pids"
    frozen = site.hire("shell:1")
    await site.submit("t1", command=f"exec {sys.executable} {DAEMON} {written}", policy=Policy(backoff_s=60))
    await site.until(lambda: len(living(written)) == 4)
    frozen.send_signal(signal.SIGSTOP)
    await site.until(lambda: not living(written) or site.of(worker.Lost), within_s=12)
    assert not living(written)
    assert not site.of(worker.Lost)
    await site.until(lambda: site.of(worker.Lost), within_s=12)
    frozen.send_signal(signal.SIGCONT)
    await site.until(lambda: len(site.of(worker.Registered)) == 2)
    assert not site.of(run.Succeeded, run.Failed, run.Interrupted)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--agents", "robot:1"], 2, "no adapter 'robot'"),
        (["--name", "a b"], 2, "worker name 'a b'"),
        (["--nats", "nats://127.0.0.1:9"], 4, "cannot reach NATS"),
        ([], 2, "no instance is running on"),
    ],
)
def test_a_worker_that_cannot_start_says_why_in_its_last_line(tmp_path: Path, arguments, code, says):
    argv = [sys.executable, "-m", "workers", "--data", str(tmp_path), "--connect-within", "0.5", *arguments]
    ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == code
    assert says in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
