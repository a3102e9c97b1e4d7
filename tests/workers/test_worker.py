"""A worker over a log in memory: it registers, does what it is told, reports it once, and holds its lease."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from core.domain import run, task, worker
from core.domain.words import Policy
from tests.workers.plant import Plant, run_ids
from workers.journal import Journal
from workers.pools import Pool
from workers.process import Processes
from workers.registration import NotWanted

NOOP = Pool(adapter="noop", count=2)
SIM = Pool(adapter="sim", count=2)


async def test_a_worker_registers_its_agents_and_takes_the_facts_sequence_as_its_epoch(plant: Plant):
    hired = plant.hire(Pool(adapter="sim", name="fast", model="m-1", count=2, capabilities=["python"]))
    await plant.until(lambda: hired.shift)
    [fact] = plant.registered()
    assert [(each.name, each.adapter, each.model, each.pool) for each in fact.agents] == [
        ("fast-1", "sim", "m-1", "fast"),
        ("fast-2", "sim", "m-1", "fast"),
    ]
    assert plant.ledger.logs["EVENTS"].messages[hired.shift.epoch - 1].subject == "evt.worker.w1.registered"
    assert plant.heart.last("w1", hired.shift.epoch)


async def test_a_short_run_is_reported_by_its_finish_alone(plant: Plant):
    plant.hire(NOOP)
    done = await plant.submit("t1")
    await plant.until(lambda: plant.state(done) == "done")
    assert plant.reports("default/t1~1") == ["finish"]


async def test_a_longer_run_is_reported_started_then_progress_at_most_once_a_second_then_finished(plant: Plant):
    plant.hire(SIM)
    done = await plant.submit("t1", prompt="sim: seconds=4 tools=8")
    await plant.until(lambda: plant.state(done) == "done")
    reports = plant.reports("default/t1~1")
    assert reports[0] == "start"
    assert reports[-1] == "finish"
    assert set(reports[1:-1]) == {"progress"}
    assert 1 <= len(reports[1:-1]) <= 5


async def test_sixty_runs_do_not_all_tell_at_one_stroke_how_far_they_are(plant: Plant):
    plant.hire(Pool(adapter="sim", count=60))
    for n in range(60):
        await plant.submit(f"t{n}", prompt="sim: seconds=6 tools=30")
    commands = plant.ledger.logs["COMMANDS"].messages
    began = plant.clock.now_us()
    await plant.pass_(2.0)
    told = [each.at for each in commands if each.subject.endswith(".progress") and each.at > began + 1_000_000]
    ticks = Counter((at - began) // 50_000 for at in told)
    assert len(told) >= 50  # each about once a second
    assert max(ticks.values()) <= 20  # a tick's share, and what a late one had left


async def test_what_a_run_used_and_touched_is_a_fact(plant: Plant):
    plant.hire(SIM)
    done = await plant.submit("t1", prompt="sim: seconds=2 tools=9 checks=1", files=["core/door.py"])
    await plant.until(lambda: plant.state(done) == "done")
    [fact] = plant.facts(run.Succeeded)
    assert fact.usage.input_tokens > 0
    assert fact.usage.output_tokens > 0
    assert fact.usage.tool_calls == 9
    assert fact.usage.cost_uusd
    assert fact.files == ["core/door.py"]
    assert fact.checks
    numbers = [each.n for each in plant.seen("default/t1~1")]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_directed_failure_is_retried_and_then_goes_well(plant: Plant):
    plant.hire(SIM)
    done = await plant.submit("t1", prompt="Mend the parser.\nsim: seconds=1 fail=1 class=exit")
    await plant.until(lambda: plant.state(done) == "done", within_s=30)
    [failed] = plant.facts(run.Failed)
    assert (failed.run_id, failed.error_class, failed.then) == ("default/t1~1", "exit", "waiting")
    assert run_ids(plant.facts(worker.Assigned)) == ["default/t1~1", "default/t1~2"]


async def test_a_direction_nobody_can_follow_fails_the_task_for_good_and_says_why(plant: Plant):
    plant.hire(SIM)
    failed = await plant.submit("t1", prompt="sim: minutes=1")
    await plant.until(lambda: plant.state(failed) == "failed")
    [fact] = plant.facts(run.Failed)
    assert fact.error_class == "invalid"
    assert "minutes" in fact.error


async def test_an_agent_that_breaks_fails_its_run_and_leaves_the_worker_alive(plant: Plant):
    plant.hire(SIM)
    broken = await plant.submit("t1", prompt="sim: seconds=1 crash=1", policy=Policy(max_attempts=1))
    well = await plant.submit("t2", prompt="sim: seconds=1")
    await plant.until(lambda: plant.state(broken) == "failed" and plant.state(well) == "done")
    assert plant.facts(run.Failed)[0].error_class == "crash"


async def test_a_hanging_agent_is_stopped_at_its_time_limit(plant: Plant):
    plant.hire(SIM)
    limit = Policy(max_attempts=1, time_limit_s=20)
    hung = await plant.submit("t1", prompt="sim: seconds=1 hang=1", policy=limit)
    await plant.until(lambda: plant.state(hung) == "failed", within_s=30)
    [fact] = plant.facts(run.Failed)
    assert fact.error_class == "timeout"
    assert 20_000 <= fact.duration_ms <= 23_000


async def test_C4_a_cancelled_run_ends_within_five_seconds_and_is_reported_so(plant: Plant):
    plant.hire(SIM)
    gone = await plant.submit("t1", prompt="sim: seconds=60")
    await plant.until(lambda: plant.facts(run.Started))
    await plant.order(task.Cancel(task_id=gone))
    await plant.until(lambda: plant.facts(run.Stopped), within_s=5)
    assert plant.facts(run.Stopped)[0].claimed == "cancelled"
    assert plant.state(gone) == "cancelled"


async def test_a_paused_task_is_interrupted_and_taken_up_again_without_using_an_attempt(plant: Plant):
    plant.hire(SIM)
    held = await plant.submit("t1", prompt="sim: seconds=3", policy=Policy(max_attempts=1))
    await plant.until(lambda: plant.facts(run.Started))
    await plant.order(task.Pause(task_id=held))
    await plant.until(lambda: plant.facts(run.Interrupted))
    await plant.order(task.Resume(task_id=held))
    await plant.until(lambda: plant.state(held) == "done")


async def test_a_report_that_is_too_large_is_cut_down_to_how_the_run_ended(plant: Plant):
    hired = plant.hire(Pool(adapter="tape"))
    await plant.until(lambda: hired.shift)
    control = "\x01" * 100_000  # six bytes each, once encoded
    report = run.Finish(run_id="default/x~1", worker_id="w1", epoch=1, result="failed", summary=control, files=["a"])
    hired.shift._reports.finish(report)
    await plant.settle()
    assert plant.reports("default/x~1") == ["finish"]
    assert b'"result":"failed"' in plant.ledger.logs["COMMANDS"].messages[-1].data


async def test_an_order_for_a_run_it_does_not_have_is_answered_all_the_same(plant: Plant):
    hired = plant.hire(NOOP)
    await plant.until(lambda: hired.shift)
    hired.shift._obey(
        worker.CancelOrdered(
            worker_id="w1", epoch=hired.shift.epoch, run_id="default/x~1", task_id="default/x", agent_id="w1/noop-1"
        ),
        0,
    )
    await plant.settle()
    assert plant.reports("default/x~1") == ["finish"]


async def test_a_draining_worker_finishes_what_runs_and_leaves(plant: Plant):
    hired = plant.hire(SIM)
    done = await plant.submit("t1", prompt="sim: seconds=3")
    await plant.until(lambda: plant.facts(run.Started))
    await plant.order(worker.Drain(worker_id="w1"))
    await plant.until(hired.running.done)
    assert plant.state(done) == "done"
    [left] = plant.facts(worker.Left)
    assert left.released == []


async def test_a_worker_told_to_stop_interrupts_what_is_not_done_in_time_and_leaves(plant: Plant):
    hired = plant.hire(SIM)
    ready = await plant.submit("t1", prompt="sim: seconds=60")
    await plant.until(lambda: plant.facts(run.Started))
    hired.stop(drain_s=2)
    await plant.until(hired.running.done, within_s=5)
    assert plant.tags(about=ready)[-1] == "run.interrupted"
    assert plant.facts(worker.Left)
    assert plant.state(ready) == "ready"


async def test_a_worker_whose_beats_are_not_acknowledged_kills_its_runs_before_the_core_calls_it_lost(plant: Plant):
    hired = plant.hire(SIM)
    await plant.submit("t1", prompt="sim: seconds=60 tools=200")
    await plant.until(lambda: plant.facts(run.Started))
    await plant.pass_(9)
    plant.heart.reached = False
    await plant.until(lambda: hired.shift is None, within_s=6)
    assert not plant.facts(worker.Lost)
    seen = len(plant.seen("default/t1~1"))
    await plant.until(lambda: plant.facts(worker.Lost), within_s=8)
    assert len(plant.seen("default/t1~1")) == seen, "it works on though its lease has ended"


async def test_W3_a_worker_that_lost_its_lease_registers_anew_and_its_run_goes_on_elsewhere_once(plant: Plant):
    hired = plant.hire(SIM)
    done = await plant.submit("t1", prompt="sim: seconds=6")
    await plant.until(lambda: plant.facts(run.Started))
    first = hired.shift.epoch
    plant.heart.reached = False
    await plant.until(lambda: hired.shift is None, within_s=6)
    plant.heart.reached = True
    await plant.until(lambda: hired.shift, within_s=10)
    assert hired.shift.epoch > first
    await plant.until(lambda: plant.state(done) == "done", within_s=60)
    assert run_ids(plant.facts(worker.Assigned)) == ["default/t1~1", "default/t1~2"]
    assert len(plant.facts(run.Succeeded)) == 1


async def test_a_worker_the_log_calls_lost_is_fenced_and_begins_a_new_epoch(plant: Plant):
    hired = plant.hire(SIM)
    done = await plant.submit("t1", prompt="sim: seconds=5")
    await plant.until(lambda: plant.facts(run.Started))
    await plant.order(worker.Lose(worker_id="w1", epoch=hired.shift.epoch))
    await plant.until(lambda: len(plant.registered()) == 2)
    await plant.until(lambda: plant.state(done) == "done", within_s=60)
    assert len(plant.facts(run.Succeeded)) == 1


async def test_a_second_worker_of_the_same_name_waits_and_gives_up_with_the_cores_reason(plant: Plant, tmp_path: Path):
    plant.hire(NOOP)
    await plant.until(plant.registered)
    plant.folder = tmp_path / "elsewhere"
    second = plant.hire(NOOP)
    await plant.until(second.running.done, within_s=30)
    with pytest.raises(NotWanted, match="still beats"):
        second.running.result()
    assert len(plant.registered()) == 1


async def test_a_worker_told_to_replace_takes_the_name_and_the_first_one_is_fenced(plant: Plant, tmp_path: Path):
    first = plant.hire(NOOP)
    await plant.until(lambda: first.shift)
    plant.folder = tmp_path / "elsewhere"
    second = plant.hire(NOOP, replace=True)
    await plant.until(lambda: second.shift)
    await plant.until(lambda: first.shift is None)
    await plant.until(first.running.done, within_s=30)
    with pytest.raises(NotWanted):
        first.running.result()
    assert len(plant.registered()) == 2


async def test_started_again_under_its_name_within_the_ttl_it_neither_repeats_nor_loses_a_run(plant: Plant):
    first = plant.hire(SIM)
    done = [await plant.submit(f"t{n}", prompt="sim: seconds=4") for n in range(6)]
    await plant.until(lambda: len(plant.facts(run.Started)) == 2)
    first.running.cancel()  # as a kill would: no drain, no leave
    await plant.until(first.running.done)
    plant.hire(SIM)
    await plant.until(lambda: all(plant.state(each) == "done" for each in done), within_s=90)
    assert not plant.facts(worker.Lost)
    assert sorted(fact.task_id for fact in plant.facts(run.Succeeded)) == sorted(done)
    [_, again] = plant.registered()
    assert {each.run_id for each in again.released} == {"default/t0~1", "default/t1~1"}


async def test_leftovers_are_gone_before_the_worker_is_registered(works: Plant):
    journal = Journal(works.folder / "w1" / "journal")
    left = Processes(journal, works.clock)
    left.boot_id = "an-earlier-life"
    tree = await left.start("default/old~1", ["/bin/sleep", "600"], folder=works.folder, time_limit_s=600)
    journal.close()
    works.hire(NOOP)
    await works.until(works.registered)
    assert tree.over.done()
