"""A task changed after it was submitted: its wording, what it depends on."""

from __future__ import annotations

import pytest

from core.domain import agent, amend, task, worker
from core.domain.amend import Amend, Changes, Depend, PolicyChanges, Undepend
from core.domain.words import Policy
from tests.domain.laws import conditions
from tests.spec import STEADY, finish, given, planned, register, spec, submit

A, B, C = "default/a", "default/b", "default/c"


def reworded(task_id: str = A, base: int = 0, **changes: object) -> Amend:
    return Amend(task_id=task_id, base=base, changes=Changes(**changes))  # type: ignore[arg-type]


# -- wording ----------------------------------------------------------------------------------------------------------


def test_an_amended_task_has_the_whole_new_wording_in_the_log():
    facts = given(submit("a", labels=["x"])).when(reworded(title="write it", labels=["x"]))
    assert facts == [
        amend.Amended(task_id=A, spec=spec("write it", labels=["x"]), changed=["title"], state="ready"),
    ]


def test_a_ready_task_is_given_out_with_its_new_wording():
    story = given(submit("a"), reworded(title="write it", prompt="in verse"), register())
    given_out = story.last[1]
    assert (given_out.title, given_out.prompt) == ("write it", "in verse")


def test_a_new_lane_need_or_priority_counts_at_once():
    story = given(
        register(able=("python",)), agent.Pause(agent_id="anvil/ada"), submit("a", needs=["gpu"]), submit("b")
    )
    story = story.after(reworded(needs=["python"], priority=0, lane="B"))
    story = story.after(agent.Resume(agent_id="anvil/ada"))
    assert (story.state.runs[f"{A}~1"].lane, story.state_of(B)) == ("B", "ready")


def test_a_command_makes_it_a_task_for_a_shell():
    story = given(submit("a"), register(), agent.Pause(agent_id="anvil/ada"), submit("b"))
    story = story.after(reworded(B, command="make"), register("bellows", adapter="shell"))
    assert story.state.runs[f"{B}~1"].agent_id == "bellows/ada"


def test_what_runs_runs_on_and_the_next_attempt_follows_the_new_wording():
    story = given(register(), submit("a", policy=STEADY))
    story = story.after(reworded(title="write it", lane="B"))
    assert (story.last[0].state, story.state.runs[f"{A}~1"].lane) == ("running", "A")
    story = story.after(finish(story, "a", "failed", error_class="exit")).wait(2)
    story = story.after(task.Wake(task_id=A, after_run=1))
    assert (story.last[1].title, story.last[1].lane) == ("write it", "B")


def test_a_new_policy_decides_on_the_next_failure():
    story = given(register(), submit("a", policy=Policy(max_attempts=5)))
    story = story.after(reworded(policy=PolicyChanges(max_attempts=1)))
    assert story.state.tasks[A].spec.policy == Policy(max_attempts=1)
    assert story.after(finish(story, "a", "failed", error_class="exit")).state_of(A) == "failed"


def test_a_task_that_failed_can_be_worded_anew_and_tried_again():
    story = given(register(), submit("a", policy=Policy(max_attempts=1)))
    story = story.after(finish(story, "a", "failed", error_class="exit"), reworded(prompt="mind the tests"))
    assert story.state_of(A) == "failed"
    assert story.when(task.Retry(task_id=A))[1].prompt == "mind the tests"


def test_what_was_done_stays_as_it_was():
    story = given(register(), submit("a"))
    said = story.after(finish(story, "a")).refusal(reworded(title="x"))
    assert said.reason == f"task {A} is done, and what was done stays as it was: submit a new one like it instead"


def test_of_a_container_only_what_people_read_can_be_changed():
    story = given(submit("a"), submit("part", parents=["a"]))
    assert story.when(reworded(title="the whole", labels=["x"], lane="A"))[0].changed == ["title", "labels"]
    said = story.refusal(reworded(title="x", lane="B", policy=PolicyChanges(max_attempts=9)))
    assert said.reason == f"task {A} is a container and not given out itself: change lane, policy of its parts"


def test_a_change_that_changes_nothing_is_none():
    assert given(submit("a")).refusal(reworded(title="a", priority=2)).outcome == "already_so"


def test_an_amended_task_needs_a_lane_that_exists():
    assert given(submit("a")).refusal(reworded(lane="Z")).reason == "there is no lane 'Z'; the lanes are A, B, C, D"


def test_the_second_editor_is_told_what_changed_since_they_opened_it():
    story = given(submit("a"))
    opened = story.state.seq
    story = story.after(reworded(base=opened, title="one", prompt="so"))
    said = story.refusal(reworded(base=opened, title="two"))
    assert said.reason == f"title, prompt were changed since you opened it (fact {opened + 1})"
    assert story.after(reworded(base=opened + 1, title="two")).state.tasks[A].spec.title == "two"
    assert story.after(reworded(title="two")).state.tasks[A].spec.title == "two"  # an editor who saw none


def test_a_new_priority_is_a_change_an_editor_is_told_of():
    story = given(submit("a"))
    opened = story.state.seq
    story = story.after(task.Reprioritise(task_id=A, priority=0))
    assert story.refusal(reworded(base=opened, priority=2)).reason == (
        f"priority was changed since you opened it (fact {opened + 1})"
    )
    assert story.when(reworded(base=opened + 1, title="x"))[0].spec.priority == 0


def test_a_plan_that_reworded_it_meanwhile_is_told_too():
    story = given(submit("a"))
    opened = story.state.seq
    story = story.after(*planned("p", submit("a", prompt="from the plan")))
    assert story.refusal(reworded(base=opened, title="x")).reason == (
        f"a plan worded task {A} anew since you opened it (fact {story.state.seq})"
    )


def test_a_new_dependency_does_not_stop_the_editor_of_the_wording():
    story = given(submit("a"), submit("b"))
    opened = story.state.seq - 1
    story = story.after(Depend(task_id=A, on=B))
    assert story.when(reworded(base=opened, title="x"))[0].spec.depends_on == [B]


# -- dependencies -----------------------------------------------------------------------------------------------------


def test_a_dependency_added_before_the_start_is_waited_for():
    story = given(submit("b"), submit("a"), Depend(task_id=A, on=B), register())
    assert (story.state_of(A), story.state_of(B)) == ("blocked", "running")
    assert story.after(finish(story, "b")).state_of(A) == "running"


def test_a_dependency_taken_away_lets_the_task_start():
    story = given(register(), submit("b"), submit("c"), submit("a", depends_on=["c"]))
    story = story.after(Undepend(task_id=A, on=C), finish(story, "b"))
    assert story.facts[-3] == amend.DependencyRemoved(task_id=A, on=C, state="ready")
    assert story.state.tasks[A].spec.depends_on == []


def test_a_task_still_waits_for_its_other_dependencies():
    story = given(submit("b"), submit("c"), submit("a", depends_on=["b", "c"]), Undepend(task_id=A, on=B))
    assert story.last[0].state == "blocked"


def test_a_dependency_on_what_is_done_is_noted_and_holds_nothing_up():
    story = given(register(), submit("b"))
    story = story.after(finish(story, "b"), agent.Pause(agent_id="anvil/ada"), submit("a"), Depend(task_id=A, on=B))
    assert (story.last[0].state, story.state.tasks[A].spec.depends_on) == ("ready", [B])
    assert story.when(Undepend(task_id=A, on=B))[0].state == "ready"


def test_what_runs_runs_on_and_the_next_attempt_waits_for_the_new_dependency():
    story = given(register(), submit("a"), submit("b"), Depend(task_id=A, on=B))
    assert story.last[0].state == "running"
    assert story.after(finish(story, "a", "interrupted")).state_of(A) == "blocked"


def test_a_task_that_waits_for_its_next_attempt_waits_on_when_the_dependency_is_gone_again():
    story = given(register(), submit("b"), submit("a", policy=STEADY))
    story = story.after(finish(story, "b"))
    story = story.after(finish(story, "a", "failed", error_class="exit"), submit("c"), Depend(task_id=A, on=C))
    assert (story.state_of(A), story.state.timers) == ("blocked", {})
    story = story.after(Undepend(task_id=A, on=C))
    assert (story.state_of(A), list(story.state.timers)) == ("waiting", [A])


@pytest.mark.parametrize(
    ("tasks", "on", "said"),
    [
        ([submit("a")], "a", "default/a → default/a"),
        ([submit("a"), submit("b", depends_on=["a"])], "b", "default/a → default/b → default/a"),
        ([submit("a"), submit("b", depends_on=["a"]), submit("c", depends_on=["b"])], "c",
         "default/a → default/c → default/b → default/a"),
        ([submit("a"), submit("b", parents=["a"])], "b", "default/a → default/b → default/a"),
        ([submit("b"), submit("a", parents=["b"])], "b", "default/a → default/b → default/a"),
        ([submit("a"), submit("p", parents=["a"]), submit("b", depends_on=["p"])], "b",
         "default/a → default/b → default/p → default/a"),
    ],
)  # fmt: skip
def test_a_circle_is_refused_and_named(tasks: list, on: str, said: str):
    refused = given(*tasks).refusal(Depend(task_id=A, on=f"default/{on}"))
    assert refused.reason == f"task {A} would wait for itself: {said}"


def test_parts_of_one_container_may_wait_for_each_other():
    story = given(submit("epic"), submit("a", parents=["epic"]), submit("b", parents=["epic"]))
    assert story.after(Depend(task_id=A, on=B)).state_of(A) == "blocked"


def test_a_container_that_gets_a_dependency_holds_back_its_parts():
    story = given(submit("x"), submit("a"), submit("b", parents=["a"]), submit("c", parents=["b"]))
    story = story.after(Depend(task_id=A, on="default/x"))
    assert story.last == [amend.DependencyAdded(task_id=A, on="default/x", state="blocked", blocked=[B, C])]
    story = story.after(Undepend(task_id=A, on="default/x"))
    assert story.last == [amend.DependencyRemoved(task_id=A, on="default/x", state="ready", unblocked=[B, C])]


def test_a_container_with_too_many_parts_for_one_fact_is_refused_a_dependency():
    parts = [submit(f"p{n}", parents=["a"]) for n in range(1_001)]
    story = given(*planned("p", submit("a"), submit("b"), *parts))
    said = story.refusal(Depend(task_id=A, on=B)).reason
    assert said == (f"task {A} has 1001 parts that would wait with it; 1,000 is the most: import that as a plan")


def test_all_parts_that_a_removed_dependency_frees_are_told_however_many():
    parts = [submit(f"p{n}", parents=["a"]) for n in range(1_500)]
    story = given(*planned("p", submit("b"), submit("a", depends_on=["b"]), *parts))
    facts = story.when(Undepend(task_id=A, on=B))
    assert [len(fact.unblocked) for fact in facts] == [1_000, 500]


def test_a_paused_task_with_a_new_dependency_is_blocked_when_it_is_resumed():
    story = given(submit("a"), submit("b"), task.Pause(task_id=A), Depend(task_id=A, on=B))
    assert (story.last[0].state, story.after(task.Resume(task_id=A)).state_of(A)) == ("paused", "blocked")


def test_a_dependency_that_is_there_or_is_not_changes_nothing():
    story = given(submit("b"), submit("a", depends_on=["b"]))
    assert story.refusal(Depend(task_id=A, on=B)).outcome == "already_so"
    assert story.refusal(Undepend(task_id=A, on=C)).outcome == "already_so"
    assert "there is no task" in story.refusal(Depend(task_id=A, on="default/nobody")).reason


def test_why_not_names_the_new_dependency():
    story = given(submit("b"), submit("a"), Depend(task_id=A, on=B))
    assert "needs default/b, which is open" in [each.says for each in conditions(story.state, A)]


def test_a_task_lost_while_it_got_a_dependency_is_blocked():
    story = given(register(), submit("a"), submit("b"), Depend(task_id=A, on=B))
    assert story.after(worker.Lose(worker_id="anvil", epoch=2)).state_of(A) == "blocked"
