"""Who does what next, and why a task is not being done: one rule, read in both directions."""

from __future__ import annotations

from core.domain import agent, lane, machine, run, system, task, worker
from core.domain.conditions import Condition
from tests.domain.laws import conditions
from tests.spec import finish, given, planned, register, submit

A = "default/a"


def unmet(story, task_id: str = A) -> dict[str, str]:
    return {each.name: each.says for each in conditions(story.state, task_id) if not each.met}


# -- order ------------------------------------------------------------------------------------------------------------


def test_the_most_urgent_task_goes_first_then_the_oldest():
    story = given(submit("later"), submit("old", priority=1), submit("new", priority=1), submit("now", priority=0))
    order = []
    story = story.after(register())
    while story.state.runs:
        (held,) = story.state.runs.values()
        order.append(held.task_id.partition("/")[2])
        story = story.after(finish(story, held.task_id))
    assert order == ["now", "old", "new", "later"]


def test_a_task_nobody_can_do_does_not_hold_up_the_others():
    story = given(submit("hard", priority=0, needs=["gpu"]), submit("easy"), register())
    assert (story.state_of("default/hard"), story.state_of("default/easy")) == ("ready", "running")


def test_a_command_needs_an_agent_with_a_shell():
    story = given(register(), submit("a", command="make"))
    assert unmet(story) == {"agent": "no agent offers shell"}
    assert story.after(register("bellows", adapter="shell")).state_of(A) == "running"


def test_no_agent_is_idle_while_a_task_it_fits_is_ready():
    story = given(register("anvil", *(f"a{n}" for n in range(5))), *(submit(f"t{n}") for n in range(9)))
    assert len(story.state.runs) == 5
    for _ in range(4):
        held = next(iter(story.state.runs.values()))
        story = story.after(finish(story, held.task_id))
        assert len(story.state.runs) == 5


# -- the bound --------------------------------------------------------------------------------------------------------


def test_a_command_makes_at_most_400_facts_and_the_core_goes_on_with_the_rest():
    story = given(*planned("p", *(submit(f"t{n}") for n in range(1_000))))
    story = story.after(register("anvil", *(f"a{n}" for n in range(900))))
    assert (len(story.last), story.state.pending, len(story.state.runs)) == (400, True, 399)
    story = story.after(system.Continue())
    assert (len(story.last), story.state.pending, len(story.state.runs)) == (400, True, 799)
    story = story.after(system.Continue())
    assert (len(story.last), story.state.pending, len(story.state.runs)) == (101, False, 900)
    assert story.refusal(system.Continue()).outcome == "already_so"


def test_any_next_command_goes_on_with_what_was_left_over():
    story = given(*planned("p", *(submit(f"t{n}") for n in range(450))))
    story = story.after(register("anvil", *(f"a{n}" for n in range(450))), lane.Pause(lane="B"))
    assert (len(story.last), story.state.pending, len(story.state.runs)) == (52, False, 450)


def test_a_refused_command_goes_on_with_what_was_left_over_too():
    story = given(*planned("p", *(submit(f"t{n}") for n in range(450))))
    story = story.after(register("anvil", *(f"a{n}" for n in range(450))), lane.Resume(lane="A"))
    assert isinstance(story.last[0], machine.CommandRefused)
    assert (len(story.last), len(story.state.runs)) == (52, 450)


def test_one_completion_may_unblock_thousands():
    story = given(*planned("p", submit("root"), *(submit(f"t{n}", depends_on=["root"]) for n in range(3_500))))
    story = story.after(register())
    facts = story.when(finish(story, "root"))
    assert [len(fact.unblocked) for fact in facts if hasattr(fact, "unblocked")] == [1_000, 1_000, 1_000, 500]
    assert [type(fact) for fact in facts] == [run.Succeeded, *[task.Unblocked] * 3, worker.Assigned]


def test_one_rolled_up_container_may_unblock_thousands():
    tasks = [submit("epic"), submit("part", parents=["epic"])]
    story = given(*planned("p", *tasks, *(submit(f"t{n}", depends_on=["epic"]) for n in range(2_500))), register())
    facts = story.when(finish(story, "part"))
    assert [len(fact.unblocked) for fact in facts if hasattr(fact, "unblocked")] == [0, 1_000, 1_000, 500]


# -- why --------------------------------------------------------------------------------------------------------------


def test_every_condition_is_told_with_what_it_rests_on():
    assert [(each.name, each.met) for each in conditions(given(submit("a")).state, A)] == [
        ("open", True), ("dependencies", True), ("parts", True), ("fleet", True), ("lane", True), ("agent", False),
    ]  # fmt: skip


def test_it_says_which_dependency_is_missing_and_what_became_of_it():
    story = given(submit("x"), submit("y"), submit("a", depends_on=["x", "y"]), task.Cancel(task_id="default/x"))
    assert unmet(story)["dependencies"] == "needs default/x, which was cancelled, default/y, which is open"


def test_it_says_that_the_container_is_blocked():
    story = given(submit("x"), submit("epic", depends_on=["x"]), submit("a", parents=["epic"]))
    assert unmet(story)["dependencies"] == "a part of default/epic, blocked"


def test_it_says_that_it_is_a_container():
    story = given(submit("a"), submit("part", parents=["a"]), submit("more", parents=["a"]))
    assert unmet(story)["parts"] == "a container: done when its 2 open parts are"


def test_it_says_that_the_lane_is_paused_or_full():
    assert unmet(given(submit("a"), lane.Pause(lane="A"), register()))["lane"] == "lane A is paused"
    full = given(lane.Configure(lane="A", concurrency=1), register("anvil", "ada", "bob"), submit("b"), submit("a"))
    assert unmet(full) == {"lane": "lane A is full: 1 of 1"}


def test_it_says_who_is_busy_or_paused_and_what_nobody_offers():
    story = given(register("anvil", "ada", "bob", able=("python",)), agent.Pause(agent_id="anvil/bob"))
    story = story.after(submit("b"), submit("a", needs=["python"]))
    assert unmet(story) == {"agent": "1 of 2 fitting agents busy, 1 paused"}
    assert unmet(story.after(submit("c", needs=["gpu"])), "default/c") == {"agent": "no agent offers gpu"}
    assert unmet(given(submit("a"))) == {"agent": "no agent is connected"}


def test_agents_of_a_draining_worker_are_not_counted():
    story = given(register(), worker.Drain(worker_id="anvil"), submit("a"))
    assert unmet(story) == {"agent": "no agent is connected"}


def test_it_says_how_long_it_waits_for_its_next_attempt():
    story = given(register(), submit("a"))
    story = story.after(finish(story, "a", "failed", error_class="exit"))
    assert unmet(story) == {"open": "waits 2 s before the next attempt"}


def test_it_says_that_it_is_paused_running_or_over():
    story = given(submit("a"), task.Pause(task_id=A))
    assert unmet(story)["open"] == "paused: by order; resume it to go on"
    assert unmet(given(register(), submit("a"))) == {
        "open": "it is running", "agent": "1 of 1 fitting agent busy",
    }  # fmt: skip
    assert unmet(story.after(task.Cancel(task_id=A)))["open"] == "it is cancelled"


def test_a_met_condition_says_so_too():
    story = given(submit("a"), register())
    says = {each.name: each for each in conditions(story.state, A)}
    assert says["lane"] == Condition(name="lane", met=True, says="lane A is open, no limit")
    assert says["dependencies"].says == "all it depends on is done"
