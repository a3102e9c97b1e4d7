"""Workers: who is there, in which epoch, and what becomes of what they held."""

from __future__ import annotations

import pytest

from core.domain import lane, machine, run, session, task, worker
from core.domain.words import Policy
from core.envelope import GENESIS_CHAIN, MAX_FACT, encode_fact
from tests.spec import finish, given, planned, register, submit

FIX = "default/fix"


def test_a_worker_registers_with_its_agents_in_one_fact():
    facts = given().when(register("anvil", "ada", "bob", able=("python",)))
    assert facts == [
        worker.Registered(
            worker_id="anvil",
            boot_id="boot-1",
            agents=[
                worker.AgentSpec(name="ada", adapter="noop", capabilities=["python"]),
                worker.AgentSpec(name="bob", adapter="noop", capabilities=["python"]),
            ],
        )
    ]


def test_the_sequence_of_its_registration_is_the_workers_epoch():
    story = given(register())
    assert story.epoch() == story.state.seq == 2


def test_registering_again_as_the_same_process_changes_nothing():
    said = given(register()).refusal(register())
    assert (said.outcome, said.reason) == ("already_so", "worker 'anvil' is registered, epoch 2")


def test_a_second_process_of_the_same_name_is_refused_while_the_first_beats():
    assert "another process that still beats" in given(register()).refusal(register(boot="boot-2")).reason


def test_a_second_process_may_replace_the_first_whose_runs_are_lost_with_it():
    story = given(register(), submit("fix"))
    fact = story.when(register(boot="boot-2", replace=True))[0]
    assert [(each.run_id, each.then) for each in fact.released] == [(f"{FIX}~1", "waiting")]


def test_a_lost_worker_may_come_back_under_its_name():
    story = given(register(), submit("fix"))
    story = story.after(worker.Lose(worker_id="anvil", epoch=story.epoch()), register(boot="boot-2"))
    assert (story.state.workers["anvil"].state, story.epoch()) == ("live", story.state.seq)


@pytest.mark.parametrize("name", ["a/b", "a b", "a~b", "*", ">", "x" * 61, "ä" * 31])
def test_a_name_that_cannot_be_an_id_is_refused(name: str):
    assert "cannot be used" in given().refusal(register(name)).reason
    assert "cannot be used" in given().refusal(register("anvil", name)).reason


def test_every_agent_of_a_worker_has_its_own_name():
    assert "names two agents alike" in given().refusal(register("anvil", "ada", "ada")).reason


def test_a_draining_worker_gets_nothing_new_and_finishes_what_runs():
    story = given(register("anvil", "ada", "bob"), submit("fix"), worker.Drain(worker_id="anvil", reason="update"))
    story = story.after(submit("ship"))
    assert story.state_of("default/ship") == "ready"
    story = story.after(finish(story, "fix"))
    assert (story.state_of(FIX), story.state_of("default/ship")) == ("done", "ready")


def test_draining_twice_changes_nothing():
    story = given(register(), worker.Drain(worker_id="anvil"))
    said = story.refusal(worker.Drain(worker_id="anvil"))
    assert (said.outcome, said.reason) == ("already_so", "worker 'anvil' is draining already")


def test_a_worker_that_leaves_gives_its_runs_back_without_a_loss():
    story = given(register(), submit("fix"))
    leave = worker.Leave(worker_id="anvil", epoch=story.epoch())
    assert [each.then for each in story.when(leave)[0].released] == ["ready"]
    story = story.after(leave)
    assert (story.state_of(FIX), story.state.tasks[FIX].losses) == ("ready", 0)


def test_a_lost_worker_loses_all_its_runs_in_one_fact():
    story = given(register("anvil", "ada", "bob"), submit("fix"), submit("ship"))
    facts = story.when(worker.Lose(worker_id="anvil", epoch=story.epoch(), last_beat=7))
    assert len(facts) == 1
    assert sorted(each.task_id for each in facts[0].released) == ["default/fix", "default/ship"]


def test_the_loss_of_an_earlier_epoch_is_fenced():
    story = given(register(), register(boot="boot-2", replace=True))
    said = story.refusal(worker.Lose(worker_id="anvil", epoch=2))
    assert (said.outcome, said.reason) == ("fenced", "worker 'anvil' is in epoch 3, not 2")


def test_losing_or_leaving_happens_once():
    story = given(register(), worker.Lose(worker_id="anvil", epoch=2))
    assert story.refusal(worker.Lose(worker_id="anvil", epoch=2)).outcome == "already_so"
    assert story.refusal(worker.Leave(worker_id="anvil", epoch=2)).outcome == "already_so"


@pytest.mark.parametrize("order", [worker.Drain, worker.Leave, worker.Lose])
def test_an_order_to_a_worker_nobody_knows_is_refused(order: type):
    fields = {} if order is worker.Drain else {"epoch": 1}
    assert given().refusal(order(worker_id="nobody", **fields)).reason == "there is no worker 'nobody'"


def test_a_lost_run_that_was_being_cancelled_stays_cancelled():
    story = given(register(), submit("fix"), task.Cancel(task_id=FIX))
    lost = story.when(worker.Lose(worker_id="anvil", epoch=story.epoch()))[0]
    assert lost.released[0].then == "cancelled"


def test_a_lost_run_that_was_being_interrupted_leaves_its_task_paused():
    story = given(register(), submit("fix"), task.Pause(task_id=FIX))
    lost = story.when(worker.Lose(worker_id="anvil", epoch=story.epoch()))[0]
    assert lost.released[0].then == "paused"


def test_a_task_that_took_three_workers_down_is_quarantined_even_while_it_is_interrupted():
    story = given(register(), submit("fix"))
    for losses in range(3):
        if losses:
            story = story.wait(600).after(register(boot=f"boot-{losses}"), task.Wake(task_id=FIX, after_run=losses))
        if losses == 2:
            story = story.after(task.Pause(task_id=FIX))
        story = story.after(worker.Lose(worker_id="anvil", epoch=story.epoch()))
    assert story.state_of(FIX) == "quarantined"


def test_a_lost_task_waits_longer_after_each_loss():
    story = given(register(), submit("fix", policy=Policy(backoff_s=10.0, jitter=0.0)))
    waits = []
    for boot in ("b", "c"):
        lost = story.when(worker.Lose(worker_id="anvil", epoch=story.epoch()))[0]
        waits.append(round((lost.released[0].retry_at - story.now) / 1e6))
        story = story.after(worker.Lose(worker_id="anvil", epoch=story.epoch())).wait(60)
        story = story.after(register(boot=boot), task.Wake(task_id=FIX, after_run=len(waits)))
    assert waits == [10, 20]


def test_an_agent_a_worker_no_longer_brings_is_gone():
    story = given(register("anvil", "ada", "bob"), register("anvil", "ada", boot="boot-2", replace=True))
    assert story.state.agents["anvil/bob"].state == "gone"
    assert story.after(submit("fix"), submit("ship")).state_of("default/ship") == "ready"


def test_an_assignment_says_all_the_worker_needs():
    policy = Policy(time_limit_s=60.0)
    order = submit("fix", prompt="mend it", command="make", files=["a.py"], policy=policy, lane="B")
    story = given(register(adapter="shell"))
    assert story.when(order)[1] == worker.Assigned(
        worker_id="anvil", epoch=story.epoch(), run_id=f"{FIX}~1", task_id=FIX, session_id="default",
        agent_id="anvil/ada", attempt=1, lane="B", title="fix", prompt="mend it", command="make", files=["a.py"],
        policy=policy,
    )  # fmt: skip


def test_a_task_done_by_a_plan_while_it_is_being_interrupted_ends_with_its_run():
    story = given(register(), submit("fix"), task.Pause(task_id=FIX))
    story = story.after(*planned("p", submit("fix", begin="done")))
    assert story.state_of(FIX) == "paused"
    assert isinstance(story.when(finish(story, "fix", "interrupted"))[0], run.Interrupted)


def test_the_loss_of_a_worker_with_all_its_runs_always_fits_one_fact():
    """Otherwise it could never be said, and the runs would hang on it for ever."""
    host = "w" * 60
    named = worker.Register(
        worker_id=host, boot_id="b", agents=[worker.AgentSpec(name=f"{n:0>60}", adapter="noop") for n in range(1_000)]
    )
    said = given().refusal(named)
    assert "fewer agents, or shorter names" in said.reason
    most = worker.Register(worker_id=host, boot_id="b", agents=named.agents[:860])
    state = given(lane.Configure(lane="L" * 60), session.Open(session_id="s" * 48), most).state
    spec = task.TaskSpec(title="t", lane="L" * 60)
    orders = [task.Submit(task_id=f"{'s' * 48}/{n:0>100}", spec=spec) for n in range(860)]
    for order in (*orders, worker.Lose(worker_id=host, epoch=state.workers[host].epoch)):
        facts = machine.step(state, machine.Received(state.command_seq + 1, state.at, "~o", "core", order))
    assert len(facts[0].fact.released) == 860
    assert 480_000 < len(encode_fact(facts[0], GENESIS_CHAIN)[0].data) <= MAX_FACT
