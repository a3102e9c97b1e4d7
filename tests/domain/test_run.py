"""Runs: reports of the agent that does it count, everybody else's are fenced."""

from __future__ import annotations

import msgspec
import pytest

from core.domain import retry, run, task, worker
from core.domain.words import Artifact, Policy
from tests.spec import USED, finish, given, planned, register, submit

FIX = "default/fix"
SHIP = "default/ship"


def running():
    return given(register(), submit("fix"))


def start(epoch: int, run_id: str = f"{FIX}~1", worker_id: str = "anvil") -> run.Start:
    return run.Start(run_id=run_id, worker_id=worker_id, epoch=epoch)


def test_a_run_is_numbered_by_its_task_and_attempt():
    assert running().run_of(FIX) == "default/fix~1"


def test_an_agent_begins():
    story = running()
    assert story.when(start(story.epoch())) == [
        run.Started(run_id=f"{FIX}~1", task_id=FIX, agent_id="anvil/ada", worker_id="anvil")
    ]


def test_a_run_begins_once():
    story = running()
    assert story.after(start(story.epoch())).refusal(start(story.epoch())).outcome == "already_so"


def test_progress_tells_step_percent_and_what_was_used_so_far():
    story = running()
    order = run.Progress(
        run_id=f"{FIX}~1", worker_id="anvil", epoch=story.epoch(), step="tests", percent=40, usage=USED, files=["a.py"]
    )
    assert story.when(order) == [
        run.Progressed(
            run_id=f"{FIX}~1", task_id=FIX, agent_id="anvil/ada", step="tests", percent=40, usage=USED, files=["a.py"]
        )
    ]


def test_a_success_makes_the_task_done_and_names_what_it_unblocks():
    story = given(register(), submit("fix"), submit("ship", depends_on=["fix"]))
    facts = story.when(finish(story, "fix", checks=["pytest"], usage=USED, summary="mended", duration_ms=1_200))
    assert facts[0] == run.Succeeded(
        run_id=f"{FIX}~1", task_id=FIX, agent_id="anvil/ada", worker_id="anvil", lane="A", summary="mended",
        checks=["pytest"], usage=USED, duration_ms=1_200, unblocked=[SHIP],
    )  # fmt: skip
    assert isinstance(facts[1], worker.Assigned)


def test_a_short_run_may_end_without_having_said_that_it_began():
    story = running()
    assert story.after(finish(story, "fix")).state_of(FIX) == "done"


def test_a_report_of_an_end_counts_once():
    story = running()
    report = finish(story, "fix")
    said = story.after(report).refusal(report)
    assert (said.outcome, said.reason) == ("already_so", "run default/fix~1 is over already")


def test_a_report_on_a_run_that_never_was_is_fenced():
    story = running()
    assert story.refusal(start(story.epoch(), run_id=f"{FIX}~7")).outcome == "fenced"
    assert story.refusal(start(story.epoch(), run_id="default/nobody~1")).outcome == "fenced"


def test_a_report_of_another_worker_or_epoch_is_fenced():
    story = given(register(), register("bellows"), submit("fix"))
    assert story.refusal(start(story.epoch(), worker_id="bellows")).outcome == "fenced"
    assert story.refusal(start(story.epoch() + 1)).reason == (
        f"run default/fix~1 belongs to worker 'anvil', epoch {story.epoch()}, not to 'anvil', epoch {story.epoch() + 1}"
    )


def test_a_worker_that_was_lost_and_wakes_up_is_fenced():
    story = running()
    late = finish(story, "fix")
    story = story.after(worker.Lose(worker_id="anvil", epoch=story.epoch()))
    assert story.refusal(late).outcome == "fenced"
    assert story.state_of(FIX) == "waiting"


def test_a_late_success_does_not_count_for_the_attempt_after():
    story = running()
    late = finish(story, "fix")
    story = story.after(register(boot="boot-2", replace=True)).wait(60).after(task.Wake(task_id=FIX, after_run=1))
    assert story.run_of(FIX) == f"{FIX}~2"
    assert story.refusal(late).outcome == "fenced"
    assert story.state_of(FIX) == "running"


def test_an_interrupted_run_uses_no_attempt_and_goes_on_elsewhere():
    story = given(register("anvil", "ada", "bob"), submit("fix"))
    facts = story.when(finish(story, "fix", "interrupted"))
    assert facts[0].then == "ready"
    assert (facts[1].run_id, facts[1].agent_id) == (f"{FIX}~2", "anvil/bob")


def test_a_failure_tells_what_happened_and_what_comes_next():
    story = given(register(), submit("fix", policy=Policy(max_attempts=1)))
    facts = story.when(finish(story, "fix", "failed", error_class="exit", error="1 test failed", exit_code=1))
    assert facts == [
        run.Failed(
            run_id=f"{FIX}~1", task_id=FIX, agent_id="anvil/ada", worker_id="anvil", lane="A", error_class="exit",
            error="1 test failed", exit_code=1, then="failed",
        )
    ]  # fmt: skip


@pytest.mark.parametrize("result", ["failed", "interrupted"])
def test_a_task_that_a_plan_gave_a_new_need_is_blocked_when_its_run_ends(result: str):
    story = given(register(), submit("fix"), submit("ship"))
    story = story.after(*planned("p", submit("fix", depends_on=["ship"])))
    assert story.state_of(FIX) == "running"
    assert story.when(finish(story, "fix", result, error_class="exit"))[0].then == "blocked"


def test_a_lost_task_that_a_plan_gave_a_new_need_is_blocked():
    story = given(register(), submit("fix"), submit("ship"))
    story = story.after(*planned("p", submit("fix", depends_on=["ship"])))
    assert story.when(worker.Lose(worker_id="anvil", epoch=story.epoch()))[0].released[0].then == "blocked"


# -- how long until the next try --------------------------------------------------------------------------------------


def test_the_wait_doubles_up_to_its_cap():
    policy = Policy(backoff_s=2.0, backoff_cap_s=10.0, jitter=0.0)
    waits = [retry.backoff_us(policy, used, "default/fix~1") / 1e6 for used in (1, 2, 3, 4, 100)]
    assert waits == [2.0, 4.0, 8.0, 10.0, 10.0]


def test_the_jitter_depends_on_the_run_alone_and_stays_within_its_share():
    policy = Policy(backoff_s=10.0, jitter=0.2)
    waits = {retry.backoff_us(policy, 1, f"default/fix~{n}") for n in range(200)}
    assert len(waits) > 190
    assert 8e6 <= min(waits) < 8.5e6
    assert 11.5e6 < max(waits) <= 12e6
    assert (
        retry.backoff_us(policy, 1, "default/fix~1") == 9_523_929
    )  # a changed draw would change every retry of a recorded log


def test_a_task_without_backoff_is_tried_again_at_once():
    assert retry.backoff_us(Policy(backoff_s=0.0), 3, "default/fix~1") == 0


# -- what it leaves behind --------------------------------------------------------------------------------------------

REPORT = Artifact(name="report.md", sha256="a1" * 32, size=812, media_type="text/markdown")


@pytest.mark.parametrize("result", ["succeeded", "failed", "interrupted", "cancelled"])
def test_a_run_names_what_it_left_behind_however_it_ended(result: str):
    story = given(register(), submit("fix"))
    if result == "cancelled":
        story = story.after(task.Cancel(task_id="default/fix"))
    (ended, *_) = story.when(finish(story, "fix", result, artifacts=[REPORT]))
    assert ended.artifacts == [REPORT]


@pytest.mark.parametrize("wrong", [{"sha256": "../../etc/passwd"}, {"name": ""}, {"size": -1}])
def test_an_artifact_that_is_none_is_refused_at_the_door(wrong: dict):
    good = {"name": "x", "sha256": "a1" * 32, "size": 1}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert([good | wrong], list[Artifact])
