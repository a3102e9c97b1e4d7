"""A task's life, one sentence a test."""

from __future__ import annotations

import msgspec
import pytest

from core.domain import lane, run, session, task, worker
from core.domain.words import Policy
from tests.domain.laws import conditions
from tests.spec import SECOND, STEADY, finish, given, planned, register, spec, submit

FIX = "default/fix"
SHIP = "default/ship"


def test_a_task_that_needs_nothing_is_ready_at_once():
    submitted = task.Submitted(task_id=FIX, session_id="default", spec=spec("fix"), state="ready")
    assert given().when(submit("fix")) == [submitted]


def test_a_ready_task_is_given_to_a_free_agent_in_the_same_breath():
    facts = given(register("anvil", "ada")).when(submit("fix"))
    assert [type(fact) for fact in facts] == [task.Submitted, worker.Assigned]
    assert (facts[1].run_id, facts[1].agent_id, facts[1].attempt) == (f"{FIX}~1", "anvil/ada", 1)


def test_a_task_waits_for_what_it_depends_on():
    story = given(submit("fix"), submit("ship", depends_on=["fix"]))
    assert story.state_of(SHIP) == "blocked"


def test_a_task_whose_dependency_is_done_is_ready_at_once():
    story = given(register(), submit("fix"))
    story = story.after(finish(story, "fix"))
    assert story.when(submit("ship", depends_on=["fix"]))[0].state == "ready"


def test_a_task_may_not_be_submitted_twice():
    said = given(submit("fix")).refusal(submit("fix"))
    assert (said.outcome, said.reason) == ("already_so", "task default/fix exists already")


def test_a_task_that_is_done_may_not_be_submitted_again():
    story = given(register(), submit("fix"))
    assert story.after(finish(story, "fix")).refusal(submit("fix")).outcome == "already_so"


@pytest.mark.parametrize("edge", ["depends_on", "parents"])
def test_what_a_submitted_task_needs_must_exist(edge: str):
    said = given().refusal(submit("ship", **{edge: ["fix"]}))
    assert said.reason == "task default/ship needs 'default/fix', which does not exist: submit that first"


def test_a_task_cannot_depend_on_itself():
    assert "depends on itself" in given().refusal(submit("fix", depends_on=["fix"])).reason


def test_a_dependency_is_named_once():
    story = given(submit("fix"))
    assert "names a dependency or a parent twice" in story.refusal(submit("ship", depends_on=["fix", "fix"])).reason


def test_a_task_needs_a_lane_that_exists():
    said = given().refusal(submit("fix", lane="Z"))
    assert said.reason == "there is no lane 'Z'; the lanes are A, B, C, D"


@pytest.mark.parametrize("task_id", ["fix", "", "/fix", "default/", "a/b/c", "default/a b", "default/a~1", "default/>"])
def test_an_id_that_is_none_is_refused(task_id: str):
    assert given().refusal(task.Submit(task_id=task_id, spec=spec())).outcome == "refused"


def test_work_needs_a_session_that_is_open():
    nowhere = task.Submit(task_id="nowhere/fix", spec=spec())
    assert given().refusal(nowhere).reason == "there is no session 'nowhere': open it first"
    closed = given(session.Open(session_id="nowhere"), session.Close(session_id="nowhere"))
    assert "is closed" in closed.refusal(nowhere).reason


@pytest.mark.parametrize("begin", ["paused", "done"])
def test_only_a_plan_may_say_that_a_task_had_begun(begin: str):
    assert "only an imported plan's tasks can" in given().refusal(submit("fix", begin=begin)).reason


# -- cancel -----------------------------------------------------------------------------------------------------------


def test_a_waiting_task_is_cancelled_at_once():
    assert given(submit("fix")).when(task.Cancel(task_id=FIX, reason="no need")) == [
        task.Cancelled(task_id=FIX, reason="no need")
    ]


def test_cancelling_a_running_task_orders_its_worker_to_stop_it():
    facts = given(register(), submit("fix")).when(task.Cancel(task_id=FIX))
    assert [type(fact) for fact in facts] == [task.Cancelled, worker.CancelOrdered]
    assert facts[1].run_id == f"{FIX}~1"


def test_no_success_counts_after_a_cancel():
    story = given(register(), submit("fix")).after(task.Cancel(task_id=FIX))
    facts = story.when(finish(story, "fix"))
    assert isinstance(facts[0], run.Stopped)
    assert facts[0].claimed == "succeeded"
    assert story.after(finish(story, "fix")).state_of(FIX) == "cancelled"


def test_a_cancelled_runs_progress_is_superseded():
    story = given(register(), submit("fix")).after(task.Cancel(task_id=FIX))
    late = run.Progress(run_id=f"{FIX}~1", worker_id="anvil", epoch=story.epoch(), percent=50)
    assert story.refusal(late).outcome == "superseded"


def test_the_agent_of_a_cancelled_run_is_busy_until_its_processes_are_gone():
    story = given(register(), submit("fix"), submit("ship")).after(task.Cancel(task_id=FIX))
    assert story.state_of(SHIP) == "ready"
    assert story.after(finish(story, "fix", "cancelled")).state_of(SHIP) == "running"


def test_cancelling_a_cancelled_task_changes_nothing():
    said = given(submit("fix"), task.Cancel(task_id=FIX)).refusal(task.Cancel(task_id=FIX))
    assert (said.outcome, said.reason) == ("already_so", "cannot cancel task default/fix: it is cancelled")


def test_a_done_task_cannot_be_cancelled():
    story = given(register(), submit("fix"))
    said = story.after(finish(story, "fix")).refusal(task.Cancel(task_id=FIX))
    assert (said.outcome, said.reason) == ("already_so", "task default/fix is done")


def test_an_order_about_nothing_is_refused_by_name():
    said = given().refusal(task.Cancel(task_id="default/nobody"))
    assert (said.outcome, said.kind, said.target) == ("refused", "command", "")
    assert said.reason == "there is no task 'default/nobody'"


def test_a_refusal_about_a_known_task_stands_under_it():
    said = given(submit("fix")).refusal(task.Resume(task_id=FIX))
    assert (said.kind, said.target) == ("task", FIX)


@pytest.mark.parametrize("ending", ["cancelled", "failed", "quarantined"])
def test_dependents_stay_blocked_when_what_they_need_ends_without_being_done(ending: str):
    story = given(register(), submit("fix", policy=Policy(max_attempts=1)), submit("ship", depends_on=["fix"]))
    if ending == "cancelled":
        story = story.after(task.Cancel(task_id=FIX))
    elif ending == "failed":
        story = story.after(finish(story, "fix", "failed", error_class="exit"))
    else:
        story = _killed_three_workers(story)
    assert story.state_of(FIX) == ending
    assert story.state_of(SHIP) == "blocked"


def test_dependents_move_on_when_the_failed_task_succeeds_after_a_retry():
    story = given(register(), submit("fix", policy=Policy(max_attempts=1)), submit("ship", depends_on=["fix"]))
    story = story.after(finish(story, "fix", "failed")).after(task.Retry(task_id=FIX))
    facts = story.when(finish(story, "fix"))
    assert facts[0].unblocked == [SHIP]
    assert story.after(finish(story, "fix")).state_of(SHIP) == "running"


# -- pause and resume -------------------------------------------------------------------------------------------------


def test_a_paused_task_is_not_given_out():
    story = given(submit("fix"), task.Pause(task_id=FIX, reason="later"), register())
    assert story.state_of(FIX) == "paused"
    assert story.when(task.Resume(task_id=FIX))[0] == task.Resumed(task_id=FIX, state="ready")


def test_pausing_a_running_task_interrupts_it_and_uses_no_attempt():
    story = given(register(), submit("fix"))
    facts = story.when(task.Pause(task_id=FIX))
    assert [type(fact) for fact in facts] == [task.Paused, worker.InterruptOrdered]
    story = story.after(task.Pause(task_id=FIX))
    story = story.after(finish(story, "fix", "interrupted"))
    assert story.state_of(FIX) == "paused"
    assert story.state.tasks[FIX].used == 0


def test_a_task_can_be_resumed_only_when_its_interrupted_run_is_gone():
    story = given(register(), submit("fix"), task.Pause(task_id=FIX))
    assert "still being interrupted" in story.refusal(task.Resume(task_id=FIX)).reason
    story = story.after(finish(story, "fix", "interrupted"), task.Resume(task_id=FIX))
    assert story.run_of(FIX) == f"{FIX}~2"


def test_a_run_that_succeeds_while_being_interrupted_counts():
    story = given(register(), submit("fix"), task.Pause(task_id=FIX))
    assert story.after(finish(story, "fix", "succeeded")).state_of(FIX) == "done"


def test_a_run_that_fails_while_being_interrupted_leaves_the_task_paused():
    story = given(register(), submit("fix"), task.Pause(task_id=FIX))
    story = story.after(finish(story, "fix", "failed", error_class="exit"))
    assert (story.state_of(FIX), story.state.tasks[FIX].used) == ("paused", 1)


def test_cancelling_a_task_that_is_being_interrupted_stops_its_run():
    facts = given(register(), submit("fix"), task.Pause(task_id=FIX)).when(task.Cancel(task_id=FIX))
    assert [type(fact) for fact in facts] == [task.Cancelled, worker.CancelOrdered]


def test_pausing_twice_changes_nothing():
    said = given(submit("fix"), task.Pause(task_id=FIX)).refusal(task.Pause(task_id=FIX))
    assert (said.outcome, said.reason) == ("already_so", "task default/fix is paused already")


def test_resuming_a_task_that_is_not_paused_changes_nothing():
    assert given(submit("fix")).refusal(task.Resume(task_id=FIX)).outcome == "already_so"


def test_a_paused_blocked_task_is_blocked_again_when_resumed():
    story = given(submit("fix"), submit("ship", depends_on=["fix"]), task.Pause(task_id=SHIP))
    assert story.when(task.Resume(task_id=SHIP)) == [task.Resumed(task_id=SHIP, state="blocked")]


def test_a_paused_task_keeps_its_retry_time():
    story = given(register(), submit("fix", policy=Policy(backoff_s=60.0, jitter=0.0)))
    story = story.after(finish(story, "fix", "failed", error_class="exit"), task.Pause(task_id=FIX))
    assert story.when(task.Resume(task_id=FIX))[0].state == "waiting"
    assert story.wait(61).when(task.Resume(task_id=FIX))[0].state == "ready"


def test_a_task_unblocked_while_paused_is_ready_when_resumed():
    story = given(register(), submit("fix"), submit("ship", depends_on=["fix"]), task.Pause(task_id=SHIP))
    story = story.after(finish(story, "fix"))
    assert story.state_of(SHIP) == "paused"
    assert story.when(task.Resume(task_id=SHIP))[0].state == "ready"


# -- retry ------------------------------------------------------------------------------------------------------------


def test_a_failed_run_is_tried_again_after_its_backoff():
    story = given(register(), submit("fix", policy=STEADY))
    failed = story.when(finish(story, "fix", "failed", error_class="exit"))[0]
    assert (failed.then, failed.retry_at) == ("waiting", story.now + 1_000 + 2 * SECOND)
    story = story.after(finish(story, "fix", "failed", error_class="exit"))
    assert story.wait(2).after(task.Wake(task_id=FIX, after_run=1)).run_of(FIX) == f"{FIX}~2"


def test_a_task_is_not_woken_before_its_time():
    story = given(register(), submit("fix", policy=STEADY))
    story = story.after(finish(story, "fix", "failed", error_class="exit"))
    said = story.wait(1).refusal(task.Wake(task_id=FIX, after_run=1))
    assert (said.outcome, said.reason) == ("refused", "task default/fix waits for 0.999 s more")


def test_a_timer_of_an_earlier_attempt_is_superseded():
    story = given(register(), submit("fix", policy=STEADY))
    story = story.after(finish(story, "fix", "failed", error_class="exit")).wait(2)
    story = story.after(task.Wake(task_id=FIX, after_run=1))
    assert story.refusal(task.Wake(task_id=FIX, after_run=1)).outcome == "superseded"


def test_attempts_are_numbered_and_end_with_the_policy():
    story = given(register(), submit("fix", policy=Policy(max_attempts=3, jitter=0.0)))
    for attempt in (1, 2, 3):
        assert story.run_of(FIX) == f"{FIX}~{attempt}"
        story = story.after(finish(story, "fix", "failed", error_class="exit")).wait(60)
        if attempt < 3:
            story = story.after(task.Wake(task_id=FIX, after_run=attempt))
    assert (story.state_of(FIX), story.state.tasks[FIX].used) == ("failed", 3)


@pytest.mark.parametrize("error_class", ["auth", "invalid", "permission", "budget", "unsupported"])
def test_an_error_that_trying_again_cannot_cure_is_final(error_class: str):
    story = given(register(), submit("fix"))
    assert story.after(finish(story, "fix", "failed", error_class=error_class)).state_of(FIX) == "failed"


def test_an_unknown_error_class_is_called_unknown_and_tried_again():
    story = given(register(), submit("fix"))
    failed = story.when(finish(story, "fix", "failed", error_class="gremlins"))[0]
    assert (failed.error_class, failed.then) == ("unknown", "waiting")


def test_a_retry_by_hand_starts_the_attempts_anew_but_goes_on_numbering():
    story = given(register(), submit("fix", policy=Policy(max_attempts=1)))
    story = story.after(finish(story, "fix", "failed")).after(task.Retry(task_id=FIX))
    assert (story.run_of(FIX), story.state.tasks[FIX].used) == (f"{FIX}~2", 0)


def test_an_open_task_cannot_be_retried():
    said = given(submit("fix")).refusal(task.Retry(task_id=FIX))
    assert (said.outcome, said.reason) == ("already_so", "cannot retry task default/fix: it is ready")


def test_a_cancelled_task_can_be_retried_once_its_processes_are_gone():
    story = given(register(), submit("fix"), task.Cancel(task_id=FIX))
    assert "still being stopped" in story.refusal(task.Retry(task_id=FIX)).reason
    story = story.after(finish(story, "fix", "cancelled"))
    assert story.when(task.Retry(task_id=FIX))[0] == task.Retried(task_id=FIX, state="ready")


def test_a_retried_task_is_blocked_while_its_dependencies_are_not_done():
    story = given(submit("fix"), submit("ship", depends_on=["fix"]), task.Cancel(task_id=SHIP))
    assert story.when(task.Retry(task_id=SHIP)) == [task.Retried(task_id=SHIP, state="blocked")]


def test_nothing_of_a_closed_session_is_retried():
    story = given(session.Open(session_id="siding"), task.Submit(task_id="siding/fix", spec=spec()))
    story = story.after(session.Close(session_id="siding", cancel_open=True))
    assert "is closed" in story.refusal(task.Retry(task_id="siding/fix")).reason


# -- priority ---------------------------------------------------------------------------------------------------------


def test_a_task_made_urgent_overtakes_older_ones():
    story = given(submit("one"), submit("two"), task.Reprioritise(task_id="default/two", priority=0), register())
    assert story.state_of("default/two") == "running"


def test_a_task_made_less_urgent_lets_others_pass():
    story = given(submit("one"), submit("two"), task.Reprioritise(task_id="default/one", priority=4), register())
    assert story.state_of("default/two") == "running"


def test_giving_the_same_priority_changes_nothing():
    said = given(submit("fix")).refusal(task.Reprioritise(task_id=FIX, priority=2))
    assert (said.outcome, said.reason) == ("already_so", "task default/fix has priority P2 already")


# -- containers -------------------------------------------------------------------------------------------------------


def test_a_task_with_open_parts_is_never_given_to_an_agent():
    story = given(submit("epic"), submit("part", parents=["epic"]), register("anvil", "ada", "bob"))
    assert (story.state_of("default/epic"), story.state_of("default/part")) == ("ready", "running")


def test_a_container_is_done_when_all_its_parts_are():
    story = given(submit("epic"), submit("a", parents=["epic"]), submit("b", parents=["epic"]))
    story = story.after(submit("ship", depends_on=["epic"]), register("anvil", "ada", "bob"))
    story = story.after(finish(story, "a"))
    facts = story.when(finish(story, "b"))
    assert facts[1] == task.RolledUp(task_id="default/epic", state="done", unblocked=[SHIP])


def test_a_container_fails_when_no_part_is_open_and_one_failed():
    once = Policy(max_attempts=1)
    story = given(submit("epic"), submit("a", parents=["epic"], policy=once), submit("b", parents=["epic"]))
    story = story.after(register("anvil", "ada", "bob"))
    story = story.after(finish(story, "a", "failed"))
    assert story.state_of("default/epic") == "ready"
    assert story.after(finish(story, "b")).state_of("default/epic") == "failed"


def test_a_container_is_cancelled_when_all_its_parts_are():
    story = given(submit("epic"), submit("a", parents=["epic"]))
    facts = story.when(task.Cancel(task_id="default/a"))
    assert facts[1] == task.RolledUp(task_id="default/epic", state="cancelled")


def test_a_container_with_one_part_done_and_the_rest_cancelled_is_done():
    story = given(submit("epic"), submit("a", parents=["epic"]), submit("b", parents=["epic"]), register())
    story = story.after(task.Cancel(task_id="default/b"))
    assert story.after(finish(story, "a")).state_of("default/epic") == "done"


def test_containers_roll_up_through_all_levels():
    story = given(submit("saga"), submit("epic", parents=["saga"]), submit("a", parents=["epic"]), register())
    story = story.after(finish(story, "a"))
    assert [story.state_of(f"default/{name}") for name in ("epic", "saga")] == ["done", "done"]


def test_retrying_a_failed_part_opens_the_containers_above_again():
    story = given(submit("saga"), submit("epic", parents=["saga"]), submit("a", parents=["epic"]), register())
    story = story.after(finish(story, "a", "failed", error_class="auth"))
    assert [story.state_of(f"default/{name}") for name in ("a", "epic", "saga")] == ["failed"] * 3
    facts = story.when(task.Retry(task_id="default/a"))
    assert facts[0].reopened == ["default/epic", "default/saga"]
    story = story.after(task.Retry(task_id="default/a"))
    story = story.after(finish(story, "a"))
    assert [story.state_of(f"default/{name}") for name in ("a", "epic", "saga")] == ["done"] * 3


def test_a_reopened_container_that_is_itself_blocked_says_so():
    story = given(submit("fix"), submit("epic", depends_on=["fix"]), submit("a", parents=["epic"]))
    story = story.after(task.Cancel(task_id="default/a"))
    assert story.when(task.Retry(task_id="default/a")) == [
        task.Retried(task_id="default/a", state="blocked", reopened=["default/epic"], blocked=["default/epic"])
    ]


def test_a_container_is_retried_and_cancelled_through_its_parts():
    story = given(submit("epic"), submit("a", parents=["epic"]))
    assert story.refusal(task.Cancel(task_id="default/epic")).reason == (
        "task default/epic is a container: cancel its parts default/a"
    )
    story = story.after(task.Cancel(task_id="default/a"))
    assert story.refusal(task.Retry(task_id="default/epic")).reason == (
        "task default/epic is a container: retry its parts default/a"
    )


def test_a_part_waits_until_its_container_is_unblocked():
    story = given(submit("fix"), submit("epic", depends_on=["fix"]), submit("part", parents=["epic"]), register())
    assert story.state_of("default/part") == "blocked"
    facts = story.when(finish(story, "fix"))
    assert facts[0].unblocked == ["default/epic", "default/part"]


def test_a_part_waits_for_every_container_above_it():
    story = given(submit("fix"), submit("saga", depends_on=["fix"]), submit("epic", parents=["saga"]))
    story = story.after(submit("part", parents=["epic"]), register())
    assert story.state_of("default/part") == "blocked"
    assert story.after(finish(story, "fix")).state_of("default/part") == "running"


def test_a_running_task_does_not_become_a_container():
    story = given(register(), submit("epic"))
    assert "which an agent is doing" in story.refusal(submit("part", parents=["epic"])).reason
    story = story.after(task.Pause(task_id="default/epic"))
    assert "which an agent is doing" in story.refusal(submit("part", parents=["epic"])).reason


def test_a_part_is_not_added_to_what_is_over():
    story = given(submit("epic"), task.Cancel(task_id="default/epic"))
    assert "which is over" in story.refusal(submit("part", parents=["epic"])).reason


def test_a_part_is_of_its_containers_session():
    story = given(submit("epic"), session.Open(session_id="siding"))
    part = task.Submit(task_id="siding/part", spec=spec(parents=["epic"]))
    assert "of another session" in story.refusal(part).reason


def test_a_task_may_depend_on_one_of_another_session():
    story = given(session.Open(session_id="siding"), task.Submit(task_id="siding/fix", spec=spec()))
    story = story.after(submit("ship", depends_on=["siding/fix"]), register())
    assert story.after(finish(story, "siding/fix")).state_of(SHIP) == "running"


def test_a_container_that_cannot_be_done_because_of_its_part_is_refused():
    story = given(submit("epic"), submit("review", depends_on=["epic"]))
    assert "would wait for itself" in story.refusal(submit("part", parents=["epic"], depends_on=["epic"])).reason
    assert "would wait for itself" in story.refusal(submit("part", parents=["epic"], depends_on=["review"])).reason


def test_a_part_of_two_containers_of_which_one_needs_the_other_is_refused():
    story = given(submit("one"), submit("two", depends_on=["one"]))
    assert "would wait for itself" in story.refusal(submit("part", parents=["one", "two"])).reason


def test_a_part_may_depend_on_its_sibling():
    story = given(submit("epic"), submit("a", parents=["epic"]), submit("b", parents=["epic"], depends_on=["a"]))
    assert story.state_of("default/b") == "blocked"


def test_a_part_is_not_retried_while_an_agent_does_its_container():
    story = given(submit("part"), task.Cancel(task_id="default/part"), submit("epic"))
    story = story.after(*planned("p", submit("part", parents=["epic"])), register())
    assert story.state_of("default/epic") == "running"
    assert "which an agent is doing" in story.refusal(task.Retry(task_id="default/part")).reason


def test_a_container_paused_by_an_operator_is_still_done_with_its_parts():
    story = given(submit("epic"), submit("a", parents=["epic"]), task.Pause(task_id="default/epic"), register())
    assert story.after(finish(story, "a")).state_of("default/epic") == "done"


# -- lost workers -----------------------------------------------------------------------------------------------------


def test_a_task_that_took_three_workers_down_is_quarantined():
    story = _killed_three_workers(given(register(), submit("fix")))
    assert story.state_of(FIX) == "quarantined"
    assert [fact.released[0].then for fact in story.facts if isinstance(fact, worker.Lost)] == [
        "waiting", "waiting", "quarantined",
    ]  # fmt: skip


def test_a_quarantined_task_is_tried_again_when_a_person_says_so():
    story = _killed_three_workers(given(register(), submit("fix"))).after(register(boot="again"))
    story = story.after(task.Retry(task_id=FIX))
    assert (story.state_of(FIX), story.state.tasks[FIX].losses) == ("running", 0)


def test_under_rules_1_a_lost_task_is_ready_at_once_under_rules_2_it_waits():
    for rules, then in ((1, "ready"), (2, "waiting")):
        story = given(register(), submit("fix"), rules=rules)
        lost = story.when(worker.Lose(worker_id="anvil", epoch=story.epoch()))[0]
        assert lost.released[0].then == then


def test_a_loss_uses_no_attempt():
    story = given(register(), submit("fix"))
    story = story.after(worker.Lose(worker_id="anvil", epoch=story.epoch()))
    assert (story.state.tasks[FIX].used, story.state.tasks[FIX].losses) == (0, 1)


def test_an_operator_reads_why_it_does_not_run():
    story = given(lane.Pause(lane="A"), submit("fix"), submit("ship", depends_on=["fix"]))
    assert {condition.name for condition in _unmet(story, FIX)} == {"lane", "agent"}
    assert [condition.says for condition in _unmet(story, SHIP)] == [
        "needs default/fix, which is open", "lane A is paused", "no agent is connected",
    ]  # fmt: skip


def test_a_specs_wording_survives_the_log():
    worded = spec("fix", prompt="Grüße\n", labels=["a", "b"], source={"id": "bd-1", "n": 3, "x": [None, True, 1.5]})
    story = given(task.Submit(task_id=FIX, spec=worded))
    assert story.state.tasks[FIX].spec == worded
    assert msgspec.json.decode(msgspec.json.encode(worded), type=task.TaskSpec) == worded


def _killed_three_workers(story):
    for losses in range(3):
        if story.state_of(FIX) != "running":
            story = story.wait(600).after(register(boot=f"boot-{losses}"), task.Wake(task_id=FIX, after_run=losses))
        story = story.after(worker.Lose(worker_id="anvil", epoch=story.epoch()))
    return story


def _unmet(story, task_id: str):
    return [condition for condition in conditions(story.state, task_id) if not condition.met]
