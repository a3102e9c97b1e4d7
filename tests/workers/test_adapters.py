"""Each adapter keeps the same contract; each has its own way to fail."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from core.clock import HandClock
from core.domain import run, task
from core.domain.words import Policy, Usage
from tests.workers.plant import Plant
from workers.adapters import adapter_for
from workers.adapters.adapter import Ended, Job, Means, Seen, Unfit
from workers.adapters.claude_stream import ClaudeStream
from workers.adapters.sim import Sim
from workers.adapters.tape import SAMPLES
from workers.pools import Pool

SHARED = Path(__file__).parents[3] / "shared" / "data" / "agent-streams" / "claude-code"
SHELL = Pool(adapter="shell", count=2)


class Rushed(HandClock):
    """Nobody waits for anything."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds=max(seconds, 0))


def job(pool: Pool, *, prompt: str = "", attempt: int = 1, name: str = "t", **more) -> Job:
    return Job(
        run_id=f"default/{name}~{attempt}",
        task_id=f"default/{name}",
        agent_id="w1/a-1",
        attempt=attempt,
        title="Mend the parser",
        prompt=prompt,
        pool=pool,
        **more,
    )


def means() -> Means:
    return Means(clock=Rushed(), processes=SimpleNamespace())  # in-process adapters start no processes


async def played(given: Job) -> tuple[list[Seen], Ended]:
    adapter = adapter_for(given, means())
    await adapter.start()
    found = [happening async for happening in adapter.events()]
    assert isinstance(found[-1], Ended)
    return [each for each in found if isinstance(each, Seen)], found[-1]


# -- the contract -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", [Pool(adapter="sim"), Pool(adapter="tape")], ids=lambda pool: pool.adapter)
async def test_an_interrupted_agent_says_so_as_its_last_word(pool: Pool):
    adapter = adapter_for(job(pool, prompt="sim: seconds=5"), means())
    await adapter.start()
    happenings = adapter.events()
    await anext(happenings)
    await adapter.interrupt()
    rest = [each async for each in happenings]
    assert rest[-1] == Ended(result="interrupted")


@pytest.mark.parametrize("pool", [Pool(adapter="noop"), Pool(adapter="tape"), SHELL], ids=lambda pool: pool.adapter)
async def test_an_agent_that_listens_to_nobody_refuses_a_word(pool: Pool):
    with pytest.raises(Unfit):
        await adapter_for(job(pool), means()).send("hello")


# -- sim ----------------------------------------------------------------------------------------------------------


async def test_a_simulated_agent_does_the_same_for_the_same_run_and_seed():
    again = [await played(job(Pool(adapter="sim", seed=4), name="t7")) for _ in range(2)]
    assert again[0] == again[1]
    assert again[0] != await played(job(Pool(adapter="sim", seed=5), name="t7"))


async def test_a_simulated_agent_plans_calls_tools_touches_files_and_counts_its_tokens():
    seen, ended = await played(job(Pool(adapter="sim"), prompt="sim: tools=9", files=["a.py", "b.py"]))
    kinds = {each.kind for each in seen}
    assert kinds == {"step", "usage", "tool", "tool_result", "file", "text"}
    calls = [each.ref for each in seen if each.kind == "tool"]
    assert calls == [each.ref for each in seen if each.kind == "tool_result"]
    assert len(calls) == 9
    totals = [each.usage for each in seen if each.usage is not None]
    assert totals == sorted(totals, key=lambda usage: usage.input_tokens)
    assert totals[-1].cost_uusd > 0
    assert {each.name for each in seen if each.kind == "file"} <= {"a.py", "b.py"}
    assert ended.result == "succeeded"


async def test_undirected_agents_sometimes_fail_crash_and_hang_and_mostly_do_well():
    fates = []
    for n in range(600):
        sim = Sim(job(Pool(adapter="sim"), name=f"t{n}"), means())
        await sim.start()
        fates.append(sim._fate)
    assert fates.count("well") > 540
    assert {"fail", "crash", "hang"} <= set(fates)


@pytest.mark.parametrize(
    ("line", "says"), [("sim: speed=2", "speed"), ("sim: class=odd fail=1", "'odd'"), ("sim: seconds=long", "seconds")]
)
async def test_a_direction_that_cannot_be_followed_names_what_is_wrong(line: str, says: str):
    with pytest.raises(Unfit, match=says):
        await played(job(Pool(adapter="sim"), prompt=line))


async def test_a_simulated_agent_hears_the_operator():
    adapter = adapter_for(job(Pool(adapter="sim"), prompt="sim: seconds=5"), means())
    await adapter.start()
    await adapter.send("mind the tests")
    said = [each.says async for each in adapter.events() if isinstance(each, Seen)]
    assert "Understood: mind the tests" in said


# -- tape ---------------------------------------------------------------------------------------------------------


async def test_the_shipped_tape_plays_with_its_tool_calls_and_its_usage():
    seen, ended = await played(job(Pool(adapter="tape"), prompt="tape: file=one-cent-off.jsonl speed=10"))
    assert [each.name for each in seen if each.kind == "tool"] == ["Grep", "Read", "Edit", "Bash", "Edit", "Bash"]
    assert [each.failed for each in seen if each.kind == "tool_result"] == [False, False, False, True, False, False]
    assert [each.name for each in seen if each.kind == "retry"] == ["overloaded"]
    totals = [each.usage for each in seen if each.usage is not None][-1]
    assert (totals.input_tokens, totals.output_tokens, totals.cache_read_tokens) == (55, 1060, 41190)
    assert (totals.cache_write_tokens, totals.tool_calls, totals.cost_uusd) == (7570, 6, 56_810)
    assert ended.result == "succeeded"
    assert "all 18 pass" in ended.summary


async def test_a_tape_takes_as_long_as_its_recording_divided_by_its_speed():
    lent = means()
    adapter = adapter_for(job(Pool(adapter="tape", speed=10), prompt="tape: file=one-cent-off"), lent)
    await adapter.start()
    _ = [each async for each in adapter.events()]
    assert lent.clock.monotonic() == pytest.approx(2.43, abs=0.01)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("tape: file=nowhere.jsonl", "nowhere.jsonl.*there are: one-cent-off.jsonl"),
        ("tape: file=../../pyproject.toml", "there is no tape"),
        ("tape: speed=0", "speed"),
        ("tape: loud=1", "loud"),
    ],
)
async def test_a_tape_that_cannot_be_played_says_why(line: str, says: str):
    with pytest.raises(Unfit, match=says):
        await played(job(Pool(adapter="tape"), prompt=line))


async def test_without_a_name_every_task_has_a_tape_of_its_own_and_keeps_it(tmp_path: Path):
    for name in ("a", "b"):
        text = (SAMPLES / "one-cent-off.jsonl").read_text().replace("one cent", name)
        (tmp_path / f"{name}.jsonl").write_text(text)
    pool = Pool(adapter="tape", folder=str(tmp_path))
    first = [(await played(job(pool, name=f"t{n}")))[0][1] for n in range(8)]
    assert first == [(await played(job(pool, name=f"t{n}", attempt=2)))[0][1] for n in range(8)]


def test_usage_is_counted_once_a_message_however_many_lines_it_has():
    stream = ClaudeStream()
    usage = {"input_tokens": 7, "output_tokens": 1}
    message = {"id": "m1", "content": [{"type": "text", "text": "hi"}], "usage": usage}
    line = msgspec.json.encode({"type": "assistant", "message": message})
    kinds = [[each.kind for each in stream.line(line)] for _ in range(3)]
    assert kinds == [["usage", "text"], ["text"], ["text"]]
    assert stream.usage.input_tokens == 7


def test_an_error_is_told_by_is_error_and_the_status_not_by_the_subtype():
    stream = ClaudeStream()
    stream.line(b'{"type":"result","subtype":"success","is_error":true,"api_error_status":529,"result":"Overloaded"}')
    assert (stream.ended.result, stream.ended.error_class) == ("failed", "overloaded")


def test_the_price_of_a_model_of_another_vendor_is_not_believed():
    stream = ClaudeStream()
    used = {"inputTokens": 10, "outputTokens": 2, "cacheReadInputTokens": 0, "cacheCreationInputTokens": 0}
    event = {"type": "result", "is_error": False, "modelUsage": {"glm-5.1": used}, "total_cost_usd": 0.5}
    stream.line(msgspec.json.encode(event))
    assert stream.usage == Usage(input_tokens=10, output_tokens=2)


def test_a_stream_without_a_result_was_interrupted():
    stream = ClaudeStream()
    stream.line(b'{"type":"system","subtype":"init","model":"claude-x"}')
    assert stream.ended is None
    assert stream.cut_off().result == "interrupted"


ODD = (
    b"", b"{", b"[]", b'"x"', b"\xff", b'{"type":5}', b'{"type":"assistant","message":null}',
    b'{"type":"user","message":{"content":"text"}}', b'{"type":"result","modelUsage":{"m":3}}',
    b'{"type":"result","api_error_status":[]}', b'{"type":"assistant","message":{"content":[{"type":"tool_use"}]}}',
)  # fmt: skip


@pytest.mark.parametrize("line", ODD)
def test_no_line_stops_a_stream(line: bytes):
    ClaudeStream().line(line)


EXPECTED = {  # how each recording ended, from its own exit code and result
    "captured-ok.jsonl": ("succeeded", ""),
    "captured-subagent.jsonl": ("succeeded", ""),
    "captured-permission-denied.jsonl": ("succeeded", ""),
    "captured-rate-limit-429.jsonl": ("failed", "rate_limit"),
    "captured-overloaded-529.jsonl": ("failed", "overloaded"),
    "captured-auth-401.jsonl": ("failed", "auth"),
    "captured-max-budget.jsonl": ("failed", "budget"),
    "captured-max-turns.jsonl": ("failed", "exit"),
    "captured-sigterm.jsonl": ("interrupted", "interrupted"),
    "captured-control-interrupt.jsonl": ("interrupted", "interrupted"),
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded streams (shared/data/agent-streams) are not here")
@pytest.mark.parametrize("name", EXPECTED)
async def test_a_recorded_stream_ends_as_it_ended(name: str):
    pool = Pool(adapter="tape", folder=str(SHARED), speed=100)
    _, ended = await played(job(pool, prompt=f"tape: file={name}"))
    assert (ended.result, ended.error_class) == EXPECTED[name]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded streams (shared/data/agent-streams) are not here")
async def test_a_recorded_stream_plays_with_its_tool_calls_and_usage_visible(plant: Plant):
    plant.hire(Pool(adapter="tape", folder=str(SHARED), speed=1))
    done = await plant.submit("t1", prompt="tape: file=captured-ok.jsonl")
    await plant.until(lambda: plant.state(done) == "done")
    seen = plant.seen("default/t1~1")
    assert [each.n for each in seen] == list(range(1, len(seen) + 1))
    assert [(each.kind, each.name) for each in seen if each.kind in ("tool", "file")] == [
        ("tool", "Write"),
        ("file", "/home/agent/work/hello.txt"),
    ]
    [fact] = plant.facts(run.Succeeded)
    used = fact.usage
    assert (used.input_tokens, used.output_tokens, used.cache_read_tokens) == (240, 74, 1000)
    assert (used.cache_write_tokens, used.tool_calls, used.cost_uusd) == (2000, 1, 9630)
    assert fact.summary == "Done: wrote hello.txt."
    assert fact.files == ["/home/agent/work/hello.txt"]


# -- shell --------------------------------------------------------------------------------------------------------


async def ran(works: Plant, command: str, **policy) -> run.Event:
    """The fact that ended a command's only attempt."""
    works.hire(SHELL)
    await works.submit("t1", command=command, policy=Policy(max_attempts=1, **policy))
    await works.until(lambda: works.facts(run.Succeeded, run.Failed))
    return works.facts(run.Succeeded, run.Failed)[0]


async def test_a_command_that_exits_zero_succeeds_and_its_output_is_kept(works: Plant):
    fact = await ran(works, "echo one; echo two >&2; printf end")
    assert isinstance(fact, run.Succeeded)
    assert fact.exit_code == 0
    await works.until(lambda: works.output() == b"one\nend" and works.output("stderr") == b"two\n")


async def test_a_command_that_exits_otherwise_failed_as_exit(works: Plant):
    fact = await ran(works, "exit 3")
    assert (fact.error_class, fact.exit_code) == ("exit", 3)


async def test_a_command_ended_by_a_signal_crashed(works: Plant):
    fact = await ran(works, "kill -SEGV $$")
    assert (fact.error_class, fact.error) == ("crash", "the command was ended by SIGSEGV")


async def test_a_command_beyond_its_time_limit_timed_out(works: Plant):
    fact = await ran(works, "sleep 600", time_limit_s=0.3)
    assert fact.error_class == "timeout"
    assert "0.3 s" in fact.error


async def test_a_task_without_a_command_is_no_work_for_a_shell():
    with pytest.raises(Unfit, match="task default/t has no command"):
        await adapter_for(job(SHELL), means()).start()


async def test_a_command_whose_folder_is_not_there_is_not_tried_again(works: Plant):
    works.hire(Pool(adapter="shell", folder=str(works.folder / "nowhere")))
    failed = await works.submit("t1", command="true")
    await works.until(lambda: works.state(failed) == "failed")
    [fact] = works.facts(run.Failed)
    assert fact.error_class == "invalid"
    assert "nowhere" in fact.error


async def test_C4_a_cancelled_command_is_gone_and_reported_within_five_seconds(works: Plant):
    works.hire(SHELL)
    gone = await works.submit("t1", command="trap '' TERM INT; echo $$; sleep 600 & while :; do sleep 1; done")
    await works.until(lambda: b"\n" in works.output())
    await works.order(task.Cancel(task_id=gone))
    await works.until(lambda: works.facts(run.Stopped), within_s=5)
    assert not Path(f"/proc/{int(works.output())}").exists()


async def test_a_deaf_command_is_interrupted_all_the_same(works: Plant):
    works.hire(SHELL)
    held = await works.submit("t1", command="trap '' TERM INT; echo $$; while :; do sleep 1; done")
    await works.until(lambda: b"\n" in works.output())
    await works.order(task.Pause(task_id=held))
    await works.until(lambda: works.facts(run.Interrupted), within_s=5)
    assert not Path(f"/proc/{int(works.output())}").exists()


async def test_a_worker_that_stops_leaves_no_process_behind(works: Plant):
    hired = works.hire(SHELL)
    await works.submit("t1", command="echo $$; setsid sleep 600 & sleep 600")
    await works.until(lambda: b"\n" in works.output())
    pid = int(works.output())
    hired.stop(drain_s=0.1)
    await works.until(hired.running.done, within_s=6)
    assert not Path(f"/proc/{pid}").exists()
    assert works.tags(about="default/t1")[-1] == "run.interrupted"


async def test_U3_a_secret_a_command_prints_is_redacted_in_output(works: Plant):
    works.hire(SHELL, secrets=["open-sesame"])
    await works.submit("t1", command="echo the word is open-sesame", policy=Policy(max_attempts=1))
    await works.until(lambda: works.output() == b"the word is [redacted]\n")
