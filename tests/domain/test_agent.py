"""Agents: one run at a time, the least recently busy first, paused by an operator's will."""

from __future__ import annotations

from core.domain import agent, task, worker
from tests.spec import finish, given, register, submit


def test_an_agent_does_one_run_at_a_time():
    story = given(register(), submit("one"), submit("two"))
    assert (story.state_of("default/one"), story.state_of("default/two")) == ("running", "ready")
    assert story.after(finish(story, "one")).state_of("default/two") == "running"


def test_the_least_recently_busy_agent_goes_first():
    story = given(register("anvil", "ada", "bob"), submit("one"))
    story = story.after(finish(story, "one"), submit("two"))
    assert story.state.runs["default/two~1"].agent_id == "anvil/bob"
    story = story.after(finish(story, "two"), submit("three"))
    assert story.state.runs["default/three~1"].agent_id == "anvil/ada"


def test_a_paused_agent_finishes_what_it_does_and_gets_nothing_new():
    story = given(register(), submit("one"), agent.Pause(agent_id="anvil/ada", reason="looks odd"), submit("two"))
    assert story.state.agents["anvil/ada"].state == "busy"
    story = story.after(finish(story, "one"))
    assert (story.state.agents["anvil/ada"].state, story.state_of("default/two")) == ("paused", "ready")


def test_a_resumed_agent_takes_up_work_at_once():
    story = given(register(), agent.Pause(agent_id="anvil/ada"), submit("fix"))
    facts = story.when(agent.Resume(agent_id="anvil/ada"))
    assert [type(fact) for fact in facts] == [agent.Resumed, worker.Assigned]


def test_a_pause_outlives_the_process():
    story = given(register(), agent.Pause(agent_id="anvil/ada"), worker.Lose(worker_id="anvil", epoch=2))
    story = story.after(register(boot="boot-2"), submit("fix"))
    assert (story.state.agents["anvil/ada"].state, story.state_of("default/fix")) == ("paused", "ready")


def test_pausing_a_paused_agent_or_resuming_a_free_one_changes_nothing():
    story = given(register())
    assert story.refusal(agent.Resume(agent_id="anvil/ada")).outcome == "already_so"
    assert story.after(agent.Pause(agent_id="anvil/ada")).refusal(agent.Pause(agent_id="anvil/ada")).outcome == (
        "already_so"
    )


def test_an_agent_that_is_gone_takes_no_orders():
    story = given(register(), worker.Lose(worker_id="anvil", epoch=2))
    assert story.refusal(agent.Pause(agent_id="anvil/ada")).reason == "there is no agent 'anvil/ada' at work"


def test_an_agent_can_be_asked_for_by_capability_adapter_model_or_pool():
    bob = worker.AgentSpec(name="bob", adapter="sim", model="swift-1", pool="night", capabilities=["python"])
    for need in ("python", "sim", "swift-1", "night"):
        story = given(worker.Register(worker_id="anvil", boot_id="b", agents=[bob]), submit("fix", needs=[need]))
        assert story.state_of("default/fix") == "running", need


def test_an_agent_registered_with_other_abilities_is_judged_by_the_new_ones():
    story = given(register(able=("python",)), register(able=("docs",), boot="boot-2", replace=True))
    story = story.after(submit("fix", needs=["python"]), submit("write", needs=["docs"]))
    assert (story.state_of("default/fix"), story.state_of("default/write")) == ("ready", "running")


def test_a_paused_and_resumed_agent_is_not_given_two_runs():
    story = given(register(), agent.Pause(agent_id="anvil/ada"), agent.Resume(agent_id="anvil/ada"))
    story = story.after(submit("one"), submit("two"))
    assert (story.state_of("default/one"), story.state_of("default/two")) == ("running", "ready")


def test_an_agent_freed_by_a_cancel_is_free_when_the_report_comes():
    story = given(register(), submit("one"), submit("two"), task.Cancel(task_id="default/one"))
    assert story.state.agents["anvil/ada"].state == "busy"
    story = story.after(finish(story, "one", "cancelled"))
    assert story.state.agents["anvil/ada"].run_id == "default/two~1"
