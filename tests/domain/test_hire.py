"""A worker takes on more agents."""

from __future__ import annotations

from core.domain import agent, errand, hire, worker
from tests.spec import given, register, submit

HIRE = hire.Hire(worker_id="anvil", adapter="sim", model="swift-1", pool="night", count=2, capabilities=["docs"])


def grow(*names: str, epoch: int = 2) -> hire.Grow:
    agents = [worker.AgentSpec(name=name, adapter="noop") for name in names]
    return hire.Grow(worker_id="anvil", epoch=epoch, agents=agents)


def test_hiring_is_an_order_to_the_worker():
    assert given(register()).when(HIRE) == [
        errand.HireOrdered(
            worker_id="anvil", epoch=2, adapter="sim", model="swift-1", pool="night", count=2, capabilities=["docs"]
        )
    ]


def test_an_agent_that_came_later_works_like_any_other():
    story = given(register(), submit("one"), submit("two")).after(grow("eve"))
    assert [type(fact) for fact in story.last] == [hire.Grown, errand.Assigned]
    assert story.state.runs["default/two~1"].agent_id == "anvil/eve"


def test_what_an_agent_that_came_later_does_is_lost_with_its_worker():
    story = given(register(), submit("one"), submit("two"), grow("eve"))
    (lost,) = story.when(worker.Lose(worker_id="anvil", epoch=2))
    assert [each.agent_id for each in lost.released] == ["anvil/ada", "anvil/eve"]


def test_a_report_that_comes_twice_counts_once():
    said = given(register(), grow("eve")).refusal(grow("eve"))
    assert (said.outcome, said.reason) == ("already_so", "worker 'anvil' has eve already")


def test_a_worker_cannot_bring_a_second_agent_of_a_name():
    assert "names two agents alike: ada" in given(register()).refusal(grow("ada", "eve")).reason
    assert "names two agents alike" in given(register()).refusal(grow("eve", "eve")).reason


def test_a_report_of_another_epoch_is_fenced():
    assert given(register()).refusal(grow("eve", epoch=1)).outcome == "fenced"


def test_a_worker_that_drains_or_is_lost_takes_on_nobody():
    story = given(register(), worker.Drain(worker_id="anvil"))
    assert story.refusal(HIRE).reason == "worker 'anvil' is draining: it takes on nobody"
    assert "is lost" in story.after(worker.Lose(worker_id="anvil", epoch=2)).refusal(HIRE).reason
    assert given().refusal(HIRE).reason == "there is no worker 'anvil'"


def test_a_worker_takes_on_no_more_agents_than_it_could_lose_in_one_fact():
    many = register("anvil", *(f"a{n}" for n in range(999)))
    assert "1,000 is the most" in given(many).refusal(HIRE).reason
    host, long = "w" * 60, [f"{n:04d}-{'x' * 55}" for n in range(1_000)]
    report = hire.Grow(worker_id=host, epoch=2, agents=[worker.AgentSpec(name=n, adapter="noop") for n in long[800:]])
    assert "their loss could take" in given(register(host, *long[:800])).refusal(report).reason


def test_a_pause_outlives_an_agent_that_comes_again():
    story = given(register("anvil", "ada", "eve"), agent.Pause(agent_id="anvil/eve"))
    story = story.after(register("anvil", "ada", boot="boot-2", replace=True))
    story = story.after(grow("eve", epoch=story.epoch()))
    assert story.state.agents["anvil/eve"].state == "paused"
