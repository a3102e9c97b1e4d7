"""What a person does to runs that go on: hold, tell, halt, hire; and what they leave behind."""

from __future__ import annotations

import asyncio
import hashlib
import sys

import msgspec
import pytest

from core.domain import errand, hire, run, steer, system
from core.domain.words import Policy
from core.domain.worker import AgentSpec
from tests.workers.plant import Plant
from workers import keeper
from workers.journal import Entry, Hired, Journal
from workers.pools import Pool
from workers.worker import Worker

SIM = Pool(adapter="sim", count=2)
ONCE = Policy(max_attempts=1, jitter=0)


def messages(plant: Plant, run_id: str) -> list[tuple[str, str]]:
    return [(each.name, each.says) for each in plant.seen(run_id) if each.kind == "message"]


def notes(plant: Plant, run_id: str) -> list[str]:
    return [each.name for each in plant.seen(run_id) if each.kind == "note"]


# -- holding ------------------------------------------------------------------------------------------------------


async def test_a_held_simulated_run_gets_no_further_until_it_may_go_on(plant: Plant):
    plant.hire(SIM)
    task_id = await plant.submit("t1", prompt="sim: seconds=2")
    await plant.until(lambda: len(plant.seen("default/t1~1")) > 3)
    await plant.order(steer.Hold(run_id="default/t1~1", reason="let me look"))
    await plant.until(lambda: "held" in notes(plant, "default/t1~1"))
    reached = len(plant.seen("default/t1~1"))
    await plant.pass_(60)
    assert len(plant.seen("default/t1~1")) <= reached + 1
    await plant.order(steer.Continue(run_id="default/t1~1"))
    await plant.until(lambda: plant.state(task_id) == "done")
    assert notes(plant, "default/t1~1") == ["held", "continued"]


async def test_the_time_a_run_is_held_does_not_count(plant: Plant):
    plant.hire(SIM)
    task_id = await plant.submit("t1", prompt="sim: seconds=3", policy=Policy(max_attempts=1, jitter=0, time_limit_s=5))
    await plant.until(lambda: len(plant.seen("default/t1~1")) > 3)
    await plant.order(steer.Hold(run_id="default/t1~1"))
    await plant.pass_(100)
    await plant.order(steer.Continue(run_id="default/t1~1"))
    await plant.until(lambda: plant.state(task_id) == "done")
    assert plant.facts(run.Succeeded)


async def test_held_processes_stand_still_and_go_on(works: Plant):
    works.hire(Pool(adapter="shell", folder=str(works.folder)))
    marks = works.folder / "marks"
    task_id = await works.submit(
        "t1", command="echo up > marks; while [ ! -e end ]; do echo x >> marks; sleep 0.01; done"
    )
    await works.until(marks.exists)
    [tree] = processes_of(works)
    await works.order(steer.Hold(run_id="default/t1~1"))
    await works.until(lambda: {keeper.state_of(pid)[0] for pid in keeper.descendants(tree.keeper_pid)} == {"T"})
    size = marks.stat().st_size
    (works.folder / "end").touch()
    await asyncio.sleep(0.1)  # it would have ended by now
    assert marks.stat().st_size == size
    await works.order(steer.Continue(run_id="default/t1~1"))
    await works.until(lambda: works.state(task_id) == "done")


async def test_a_held_run_that_is_interrupted_ends(works: Plant):
    works.hire(Pool(adapter="shell", folder=str(works.folder)))
    await works.submit("t1", command="echo up > marks; sleep 600")
    await works.until((works.folder / "marks").exists)
    await works.order(steer.Hold(run_id="default/t1~1"))
    await works.until(lambda: "held" in notes(works, "default/t1~1"))
    await works.order(system.Halt(reason="enough"))
    await works.until(lambda: works.facts(run.Interrupted))


def processes_of(plant: Plant) -> list[Entry]:
    """The runs with processes, as the worker noted them; read without taking the journal over."""
    folder = plant.folder / "w1" / "journal"
    return [msgspec.json.decode(path.read_bytes(), type=Entry) for path in folder.glob("run.*.json")]


# -- telling ------------------------------------------------------------------------------------------------------


async def test_an_agent_that_listens_is_told_and_answers(plant: Plant):
    plant.hire(SIM)
    await plant.submit("t1", prompt="sim: seconds=5")
    await plant.until(lambda: plant.seen("default/t1~1"))
    await plant.order(steer.Message(run_id="default/t1~1", text="mind the tests"))
    await plant.until(lambda: any(each.says == "Understood: mind the tests" for each in plant.seen("default/t1~1")))
    assert messages(plant, "default/t1~1") == [("delivered", "mind the tests")]


async def test_a_command_listens_to_nobody_and_the_refusal_says_so(works: Plant):
    works.hire(Pool(adapter="shell", folder=str(works.folder)))
    await works.submit("t1", command="echo up > marks; sleep 600")
    await works.until((works.folder / "marks").exists)
    await works.order(steer.Message(run_id="default/t1~1", text="hello"))
    await works.until(lambda: messages(works, "default/t1~1"))
    [(name, says)] = messages(works, "default/t1~1")
    assert name == "refused"
    assert "listens to nobody" in says


async def test_secrets_in_a_message_are_not_kept(plant: Plant):
    plant.hire(SIM, secrets=["open-sesame"])
    await plant.submit("t1", prompt="sim: seconds=5")
    await plant.until(lambda: plant.seen("default/t1~1"))
    await plant.order(steer.Message(run_id="default/t1~1", text="use open-sesame"))
    await plant.until(lambda: messages(plant, "default/t1~1"))
    assert messages(plant, "default/t1~1") == [("delivered", "use [redacted]")]


# -- halting ------------------------------------------------------------------------------------------------------


async def test_a_halt_interrupts_every_run_and_none_starts_until_the_release(plant: Plant):
    plant.hire(SIM)
    tasks = [await plant.submit(f"t{n}", prompt="sim: seconds=5") for n in (1, 2)]
    await plant.until(lambda: len(plant.facts(run.Started)) == 2)
    await plant.order(system.Halt(reason="wait"))
    await plant.until(lambda: len(plant.facts(run.Interrupted)) == 2)
    assert [plant.state(each) for each in tasks] == ["ready", "ready"]
    await plant.pass_(5)
    assert len(plant.facts(run.Started)) == 2
    await plant.order(system.Release())
    await plant.until(lambda: [plant.state(each) for each in tasks] == ["done", "done"], within_s=30)


# -- hiring -------------------------------------------------------------------------------------------------------


async def test_agents_hired_at_run_time_are_reported_and_given_work(plant: Plant):
    plant.hire(Pool(adapter="sim", name="slow", count=1, model="m-1", seed=7))
    await plant.until(plant.registered)
    order = hire.Hire(worker_id="w1", adapter="sim", pool="slow", count=2)
    assert (await plant.order(order)).outcome == "done"
    await plant.until(lambda: plant.facts(hire.Grown))
    [grown] = plant.facts(hire.Grown)
    assert [(each.name, each.model, each.pool) for each in grown.agents] == [
        ("slow-2", "m-1", "slow"), ("slow-3", "m-1", "slow"),
    ]  # fmt: skip
    for n in range(3):
        await plant.submit(f"t{n}", prompt="sim: seconds=2")
    await plant.until(lambda: len(plant.facts(run.Started)) == 3)


async def test_a_new_kind_of_agent_can_be_hired(plant: Plant):
    plant.hire(Pool(adapter="noop"))
    await plant.until(plant.registered)
    await plant.order(hire.Hire(worker_id="w1", adapter="sim", model="m-2", count=1, capabilities=["python"]))
    await plant.until(lambda: plant.facts(hire.Grown))
    done = await plant.submit("t1", prompt="sim: seconds=1", needs=["python"])
    await plant.until(lambda: plant.state(done) == "done")


@pytest.mark.parametrize("order", [{"adapter": "abacus"}, {"adapter": "sim", "pool": "no good name"}])
async def test_who_cannot_be_hired_harms_nobody(plant: Plant, order: dict[str, str]):
    first = plant.hire(Pool(adapter="noop"))
    await plant.until(plant.registered)
    await plant.order(hire.Hire(worker_id="w1", **order))
    await plant.settle()
    first.running.cancel()
    await asyncio.wait({first.running})
    plant.hire(Pool(adapter="noop"))
    await plant.until(lambda: len(plant.registered()) == 2)
    assert [each.name for each in plant.registered()[1].agents] == ["noop-1"]
    assert plant.facts(hire.Grown) == []


async def test_a_worker_the_core_refuses_with_its_hired_agents_goes_on_without_them(plant: Plant):
    journal = Journal(plant.folder / "w1" / "journal")
    agent = AgentSpec(name="no good name", adapter="sim")
    journal.hire(Hired(Pool(adapter="sim", name="odd"), [agent]))
    journal.close()
    plant.hire(Pool(adapter="noop"))
    await plant.until(plant.registered)
    assert [each.name for each in plant.registered()[0].agents] == ["noop-1"]


async def test_who_was_hired_is_still_there_after_a_crash_and_not_after_leaving(plant: Plant):
    first = plant.hire(Pool(adapter="sim", count=1))
    await plant.until(plant.registered)
    await plant.order(hire.Hire(worker_id="w1", adapter="sim", count=2))
    await plant.until(lambda: plant.facts(hire.Grown))
    first.running.cancel()  # as a crash: nothing is said
    await asyncio.wait({first.running})
    second = plant.hire(Pool(adapter="sim", count=1))
    await plant.until(lambda: len(plant.registered()) == 2)
    assert [each.name for each in plant.registered()[1].agents] == ["sim-1", "sim-2", "sim-3"]
    second.stop(drain_s=0)
    await plant.until(second.running.done)
    plant.hire(Pool(adapter="sim", count=1))
    await plant.until(lambda: len(plant.registered()) == 3)
    assert [each.name for each in plant.registered()[2].agents] == ["sim-1"]


# -- limits -------------------------------------------------------------------------------------------------------


async def test_a_run_killed_for_its_memory_fails_with_that_class_and_a_plain_reason(works: Plant):
    works.hire(Pool(adapter="shell", name="small", folder=str(works.folder), memory_mb=120))
    greedy = f"{sys.executable} -c 'held = []\nwhile True: held.append(bytearray(1 << 20))'"
    await works.submit("t1", command=greedy, policy=ONCE)
    await works.until(lambda: works.facts(run.Failed))
    [failed] = works.facts(run.Failed)
    assert failed.error_class == "limit"
    assert "more than the 120 MB pool 'small' allows it" in failed.error


async def test_what_a_runs_processes_use_is_observed(works: Plant):
    works.hire(Pool(adapter="shell", folder=str(works.folder)))
    await works.submit("t1", command="sleep 600")
    await works.until(lambda: [each for each in works.seen("default/t1~1") if each.kind == "resources"])
    [used] = [each for each in works.seen("default/t1~1") if each.kind == "resources"]
    assert used.data["processes"] >= 1
    assert used.data["peak"] == used.data["memory"] > 0


# -- what is left -------------------------------------------------------------------------------------------------


async def test_files_left_in_the_runs_folder_are_kept_by_their_sums_and_named_by_its_last_fact(works: Plant):
    works.hire(Pool(adapter="shell", folder=str(works.folder)), secrets=["open-sesame"])
    (works.folder / "secret").write_text("outside")
    await works.submit(
        "t1",
        command='cd "$SWITCHTOWER_ARTIFACTS" && mkdir a && echo "# Done" > report.md'
        ' && echo "say open-sesame" > a/log.txt'
        f' && ln -s "{works.folder}/secret" stolen && mkfifo pipe && printf "\\000\\001" > raw.bin',
    )
    await works.until(lambda: works.facts(run.Succeeded))
    [fact] = works.facts(run.Succeeded)
    kept = {each.name: each for each in fact.artifacts}
    assert set(kept) == {"report.md", "a/log.txt", "raw.bin"}
    assert kept["report.md"].media_type == "text/markdown"
    stored = {name: works.artifacts.kept[each.sha256] for name, each in kept.items()}
    assert stored == {"report.md": b"# Done\n", "a/log.txt": b"say [redacted]\n", "raw.bin": b"\0\1"}
    for name, data in stored.items():
        assert kept[name].sha256 == hashlib.sha256(data).hexdigest()
    await works.until(lambda: "artifacts" in notes(works, "default/t1~1"))
    said = next(each.says for each in works.seen("default/t1~1") if each.name == "artifacts")
    assert "stolen" in said
    assert "pipe: not a plain file" in said
    assert not (works.folder / "w1" / "artifacts" / "default=2Ft1=7E1").exists()


async def test_what_does_not_fit_is_left_out_and_said(works: Plant):
    works.hire(Pool(adapter="shell", folder=str(works.folder)))
    command = (
        'cd "$SWITCHTOWER_ARTIFACTS" && head -c 9000000 /dev/zero > big && for n in $(seq 60); do echo $n > f$n; done'
    )
    await works.submit("t1", command=command)
    await works.until(lambda: works.facts(run.Succeeded))
    assert len(works.facts(run.Succeeded)[0].artifacts) == 50
    await works.until(lambda: "artifacts" in notes(works, "default/t1~1"))
    said = next(each.says for each in works.seen("default/t1~1") if each.name == "artifacts")
    assert "big: 9,000,000 bytes" in said
    assert "a run keeps 50 artifacts" in said


async def test_a_failed_run_keeps_what_it_left_too(works: Plant):
    works.hire(Pool(adapter="shell", folder=str(works.folder)))
    await works.submit("t1", command='echo why > "$SWITCHTOWER_ARTIFACTS/why.txt"; exit 3', policy=ONCE)
    await works.until(lambda: works.facts(run.Failed))
    assert [each.name for each in works.facts(run.Failed)[0].artifacts] == ["why.txt"]


async def test_a_simulated_agent_leaves_a_report_figures_a_picture_and_its_changes(plant: Plant):
    plant.hire(SIM)
    done = await plant.submit("t1", prompt="sim: seconds=2 tools=9 artifacts=1", files=["core/door.py"])
    await plant.until(lambda: plant.state(done) == "done")
    [fact] = plant.facts(run.Succeeded)
    assert [each.name for each in fact.artifacts] == ["report.md", "usage.json", "calls.png", "changes.diff"]
    picture = next(each for each in fact.artifacts if each.name == "calls.png")
    assert plant.artifacts.kept[picture.sha256].startswith(b"\x89PNG\r\n\x1a\n")


async def test_a_diff_is_observed_with_its_figures_and_without_secrets(plant: Plant):
    plant.hire(SIM, secrets=["core/door.py"])
    done = await plant.submit("t1", prompt="sim: seconds=2 tools=9", files=["core/door.py"])
    await plant.until(lambda: plant.state(done) == "done")
    files = [each for each in plant.seen("default/t1~1") if each.kind == "file"]
    assert files
    for each in files:
        assert each.diff.count("\n+") - each.diff.count("\n+++") == each.added
        assert "door.py" not in each.diff


@pytest.mark.parametrize("word", ["hold", "tell"])
async def test_an_order_about_a_run_that_is_over_does_nothing_or_says_so(plant: Plant, word: str):
    hired: Worker = plant.hire(SIM)
    await plant.until(lambda: hired.shift)
    names = {"worker_id": "w1", "epoch": hired.shift.epoch, "run_id": "default/x~1", "task_id": "default/x"}
    if word == "hold":
        hired.shift._obey(errand.HoldOrdered(**names, agent_id="w1/sim-1"), 0)
        await plant.settle()
        assert plant.seen("default/x~1") == []
    else:
        hired.shift._obey(errand.MessageOrdered(**names, agent_id="w1/sim-1", text="hi"), 0)
        await plant.until(lambda: messages(plant, "default/x~1"))
        assert messages(plant, "default/x~1") == [("refused", "the run was over before it could be told")]
