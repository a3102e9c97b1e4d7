"""A run steered while it goes on: told something, held where it is, let go on; agents stopped and restarted."""

from __future__ import annotations

import pytest

from core.domain import agent, errand, lane, run, steer, system, task, worker
from tests.domain.laws import conditions
from tests.spec import finish, given, register, submit

FIX, RUN, ADA = "default/fix", "default/fix~1", "anvil/ada"
HELD = {"run_id": RUN, "task_id": FIX, "agent_id": ADA}


def started(story) -> run.Start:
    held = story.state.runs[RUN]
    return run.Start(run_id=RUN, worker_id=held.worker_id, epoch=held.epoch)


# -- message ----------------------------------------------------------------------------------------------------------


def test_a_message_goes_to_the_worker_of_the_run():
    story = given(register(), submit("fix"))
    facts = story.when(steer.Message(run_id=RUN, text="mind the tests"))
    assert facts == [errand.MessageOrdered(worker_id="anvil", epoch=2, **HELD, text="mind the tests")]


def test_nobody_hears_a_message_to_a_run_that_is_over_never_was_or_is_being_stopped():
    story = given(register(), submit("fix"))
    over = story.after(finish(story, "fix"))
    assert over.refusal(steer.Message(run_id=RUN, text="hi")).reason == f"run {RUN} is over"
    assert "there is no run" in story.refusal(steer.Message(run_id=f"{FIX}~9", text="hi")).reason
    stopping = story.after(task.Cancel(task_id=FIX))
    assert stopping.refusal(steer.Message(run_id=RUN, text="hi")).reason == f"run {RUN} is being stopped"


# -- hold and continue ------------------------------------------------------------------------------------------------


def test_a_held_run_keeps_its_agent_and_its_worker_freezes_it():
    story = given(register(), submit("fix"))
    facts = story.when(steer.Hold(run_id=RUN, reason="let me look"))
    assert facts == [steer.Held(**HELD, reason="let me look"), errand.HoldOrdered(worker_id="anvil", epoch=2, **HELD)]
    story = story.after(steer.Hold(run_id=RUN), submit("next"))
    assert (story.state.agents[ADA].state, story.state_of("default/next")) == ("busy", "ready")


def test_a_held_run_goes_on_where_it_stood():
    story = given(register(), submit("fix")).after(steer.Hold(run_id=RUN))
    assert story.when(steer.Continue(run_id=RUN)) == [
        steer.Continued(**HELD, state="assigned"), errand.ContinueOrdered(worker_id="anvil", epoch=2, **HELD),
    ]  # fmt: skip
    begun = story.after(started(story))
    assert (begun.last[0].held, begun.state.runs[RUN].state) == (True, "held")
    assert begun.after(steer.Continue(run_id=RUN)).state.runs[RUN].state == "running"


def test_holding_a_held_run_or_continuing_one_that_runs_changes_nothing():
    story = given(register(), submit("fix"))
    assert story.refusal(steer.Continue(run_id=RUN)).outcome == "already_so"
    assert story.after(steer.Hold(run_id=RUN)).refusal(steer.Hold(run_id=RUN)).outcome == "already_so"


def test_a_held_run_may_report_and_end():
    story = given(register(), submit("fix"))
    story = story.after(started(story), steer.Hold(run_id=RUN))
    progress = run.Progress(run_id=RUN, worker_id="anvil", epoch=2, percent=40)
    assert isinstance(story.when(progress)[0], run.Progressed)
    assert story.after(finish(story, "fix")).state_of(FIX) == "done"


def test_a_held_run_can_be_cancelled_paused_and_lost():
    story = given(register(), submit("fix")).after(steer.Hold(run_id=RUN))
    assert isinstance(story.when(task.Cancel(task_id=FIX))[1], errand.CancelOrdered)
    assert isinstance(story.when(task.Pause(task_id=FIX))[1], errand.InterruptOrdered)
    lost = story.after(worker.Lose(worker_id="anvil", epoch=2))
    assert (lost.state.runs, lost.state_of(FIX)) == ({}, "waiting")


def test_why_not_says_that_the_only_agent_has_a_held_run():
    story = given(register(), submit("fix"), steer.Hold(run_id=RUN), submit("next"))
    says = [each.says for each in conditions(story.state, "default/next") if not each.met]
    assert says == ["1 of 1 fitting agent busy, 1 with a held run"]


# -- stop and restart an agent ----------------------------------------------------------------------------------------


def test_stopping_an_agent_pauses_it_and_interrupts_what_it_does():
    story = given(register(), submit("fix"))
    assert story.when(agent.Stop(agent_id=ADA, reason="it loops")) == [
        agent.Paused(agent_id=ADA, reason="it loops"),
        errand.InterruptOrdered(worker_id="anvil", epoch=2, **HELD),
    ]


def test_what_a_stopped_agent_did_is_ready_for_others_and_no_attempt_is_used():
    story = given(register("anvil", "ada", "bob"), submit("fix")).after(agent.Stop(agent_id=ADA))
    story = story.after(finish(story, "fix", "interrupted"))
    assert story.last[0].then == "ready"
    assert (story.state.runs[f"{FIX}~2"].agent_id, story.state.tasks[FIX].used) == ("anvil/bob", 0)
    assert story.state.agents[ADA].state == "paused"


def test_stopping_an_idle_agent_pauses_it():
    assert given(register()).when(agent.Stop(agent_id=ADA)) == [agent.Paused(agent_id=ADA)]


def test_stopping_a_paused_agent_takes_away_what_it_still_does_and_else_changes_nothing():
    story = given(register(), submit("fix"), agent.Pause(agent_id=ADA))
    assert [type(fact) for fact in story.when(agent.Stop(agent_id=ADA))] == [errand.InterruptOrdered]
    assert story.after(agent.Stop(agent_id=ADA)).refusal(agent.Stop(agent_id=ADA)).outcome == "already_so"


def test_a_restarted_agent_is_given_work_again_at_once():
    story = given(register(), submit("fix")).after(agent.Restart(agent_id=ADA))
    assert [type(fact) for fact in story.last] == [errand.InterruptOrdered]
    story = story.after(finish(story, "fix", "interrupted"))
    assert story.state.runs[f"{FIX}~2"].agent_id == ADA


def test_an_agent_that_does_nothing_cannot_be_restarted():
    assert given(register()).refusal(agent.Restart(agent_id=ADA)).reason == "agent anvil/ada does nothing"
    stopping = given(register(), submit("fix"), agent.Restart(agent_id=ADA))
    assert stopping.refusal(agent.Restart(agent_id=ADA)).reason == "agent anvil/ada is being stopped already"


def test_a_task_paused_while_its_agent_is_being_stopped_stays_paused():
    story = given(register("anvil", "ada", "bob"), submit("fix"), agent.Stop(agent_id=ADA), task.Pause(task_id=FIX))
    assert story.last == [task.Paused(task_id=FIX)]  # it is being interrupted already
    assert story.after(finish(story, "fix", "interrupted")).state_of(FIX) == "paused"


def test_an_agent_whose_task_was_cancelled_is_not_told_twice():
    story = given(register(), submit("fix"), task.Cancel(task_id=FIX))
    assert story.when(agent.Stop(agent_id=ADA)) == [agent.Paused(agent_id=ADA)]


# -- the whole fleet --------------------------------------------------------------------------------------------------


def halted(*orders, gently: bool = False):
    return given(*orders, system.Halt(reason="the build is red", gently=gently))


def test_a_halt_tells_every_worker_to_interrupt_what_it_does():
    story = halted(register("anvil"), register("bellows"), submit("fix"))
    assert story.last == [
        system.Halted(reason="the build is red"),
        errand.HaltOrdered(worker_id="anvil", epoch=2), errand.HaltOrdered(worker_id="bellows", epoch=3),
    ]  # fmt: skip
    assert story.state.runs[RUN].state == "interrupting"


def test_what_a_halt_interrupts_is_ready_again_and_no_attempt_is_used():
    story = halted(register(), submit("fix"))
    story = story.after(finish(story, "fix", "interrupted"))
    assert (story.state_of(FIX), story.state.tasks[FIX].used, story.state.runs) == ("ready", 0, {})


def test_a_gentle_halt_lets_finish_what_runs():
    story = halted(register(), submit("fix"), submit("next"), gently=True)
    assert story.last == [system.Halted(reason="the build is red", gently=True)]
    story = story.after(finish(story, "fix"))
    assert (story.state_of(FIX), story.state_of("default/next")) == ("done", "ready")


def test_nothing_is_given_out_while_the_fleet_is_halted_not_to_a_worker_that_comes_either():
    story = halted().after(submit("fix"), register())
    assert (story.state_of(FIX), story.state.agents[ADA].state) == ("ready", "idle")


def test_a_released_fleet_goes_on_at_once():
    story = halted(register(), gently=True).after(submit("fix"))
    assert [type(fact) for fact in story.when(system.Release())] == [system.Released, errand.Assigned]


def test_halting_a_halted_fleet_changes_nothing_unless_it_was_gentle():
    assert halted().refusal(system.Halt()).reason == "the fleet is halted already, by operator"
    gentle = halted(register(), submit("fix"), gently=True)
    assert gentle.refusal(system.Halt(gently=True)).outcome == "already_so"
    assert [type(fact) for fact in gentle.when(system.Halt())] == [system.Halted, errand.HaltOrdered]
    assert given().refusal(system.Release()).outcome == "already_so"


def test_a_halt_reaches_more_workers_than_one_command_may_make_facts():
    story = given(*(register(f"w{n}", boot=f"b{n}") for n in range(405)))
    story = story.after(system.Halt())
    assert (len(story.last), story.state.pending) == (400, True)
    story = story.after(system.Continue())
    assert (len(story.last), story.state.to_halt, story.state.pending) == (6, {}, False)


def test_a_halt_reaches_a_draining_worker_too():
    story = halted(register(), submit("fix"), worker.Drain(worker_id="anvil"))
    assert story.state.runs[RUN].state == "interrupting"


def test_why_not_says_who_halted_the_fleet_and_why():
    story = halted(register()).after(submit("fix"))
    assert [each.says for each in conditions(story.state, FIX) if not each.met] == [
        "the fleet is halted by operator: the build is red"
    ]


def test_a_halt_and_a_paused_lane_are_two_things():
    story = halted(register(), submit("fix"), lane.Pause(lane="A"), gently=True).after(submit("b"), system.Release())
    assert [each.name for each in conditions(story.state, "default/b") if not each.met] == ["lane", "agent"]


@pytest.mark.parametrize("verdict", ["succeeded", "failed"])
def test_what_ended_before_it_heard_of_the_halt_ended_so(verdict: str):
    story = halted(register(), submit("fix"))
    story = story.after(finish(story, "fix", verdict, error_class="exit" if verdict == "failed" else ""))
    assert story.state_of(FIX) == {"succeeded": "done", "failed": "waiting"}[verdict]
