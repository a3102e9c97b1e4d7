"""Plans: many tasks at once, all or nothing; and brought in again, with only what changed."""

from __future__ import annotations

import msgspec
import pytest

from core.domain import machine, plan, session, task, worker
from tests.spec import finish, given, planned, register, spec, submit

A, B, C = (submit(name) for name in "abc")


def states(story) -> dict[str, str]:
    return {name.partition("/")[2]: story.state_of(name) for name in (*story.state.tasks, *story.state.over)}


def test_a_plan_is_begun_staged_released_and_sealed():
    story = given(*planned("p", A, submit("b", depends_on=["a"])))
    assert [machine.tag(fact) for fact in story.facts[1:]] == [
        "plan.begun", "task.staged", "task.staged", "plan.released", "plan.sealed",
    ]  # fmt: skip
    released, sealed = story.last
    assert released == plan.Released(plan_id="p", ready=["default/a"], blocked=["default/b"])
    assert sealed == plan.Sealed(plan_id="p", session_id="default", new=2, ready=1)


def test_staged_tasks_are_invisible_until_the_seal():
    story = given(register(), *planned("p", A, seal=False))
    assert story.state.tasks == {}
    assert story.refusal(task.Cancel(task_id="default/a")).reason == "there is no task 'default/a'"
    assert isinstance(story.when(plan.Seal(plan_id="p"))[-1], worker.Assigned)


def test_a_plan_may_name_a_task_before_the_one_it_depends_on():
    story = given(*planned("p", submit("b", depends_on=["a"]), A))
    assert states(story) == {"b": "blocked", "a": "ready"}


def test_a_plan_may_build_on_tasks_known_before():
    story = given(A, *planned("p", submit("b", depends_on=["a"])), register())
    assert story.after(finish(story, "a")).state_of("default/b") == "running"


def test_a_plan_that_needs_what_is_nowhere_is_refused_and_dropped_whole():
    story = given(*planned("p", A, submit("b", depends_on=["x"]), seal=False))
    facts = story.when(plan.Seal(plan_id="p"))
    reason = "task default/b needs default/x, which is neither in the plan nor known"
    assert facts == [
        plan.Dropped(plan_id="p", reason=reason),
        machine.CommandRefused(
            outcome="refused", command="plan.seal", reason=f"plan 'p' is refused and dropped: {reason}",
            kind="plan", target="p",
        ),
    ]  # fmt: skip
    story = story.after(plan.Seal(plan_id="p"))
    assert (story.state.tasks, story.state.plans) == ({}, {})


def test_a_plan_that_goes_in_circles_is_refused_and_dropped():
    circle = planned("p", submit("a", depends_on=["b"]), submit("b", depends_on=["a"]), seal=False)
    facts = given(*circle).when(plan.Seal(plan_id="p"))
    assert facts[0].reason == "tasks wait for each other in a circle: default/a, default/b"


def test_an_imported_plans_circle_is_reported_and_stays_blocked():
    orders = planned("p", submit("a", depends_on=["b"]), submit("b", depends_on=["a"]), C, cycles="block")
    story = given(*orders)
    assert story.last[-1].cycles == [["default/a", "default/b"]]
    assert states(story) == {"a": "blocked", "b": "blocked", "c": "ready"}


def test_an_imported_task_that_needs_itself_is_reported_and_stays_blocked_its_parts_with_it():
    story = given(*planned("p", submit("a", depends_on=["a"]), submit("b", parents=["a"]), cycles="block"))
    assert story.last[-1].cycles[0][0] == "default/a"
    assert states(story) == {"a": "blocked", "b": "blocked"}


@pytest.mark.parametrize(
    ("known", "new"),
    [
        ((A, submit("b", depends_on=["a"])), (submit("a", depends_on=["b"]),)),
        ((A, submit("epic")), (submit("a", parents=["epic"]), submit("epic", depends_on=["a"]))),
        ((submit("epic"), submit("b", depends_on=["epic"])), (submit("c", parents=["epic"], depends_on=["b"]),)),
        ((submit("x"), submit("y", depends_on=["x"])), (submit("c", parents=["x", "y"]),)),
    ],
)
def test_a_circle_through_tasks_known_before_is_found(known: tuple, new: tuple):
    story = given(*known, *planned("p", *new, seal=False))
    assert "in a circle" in story.when(plan.Seal(plan_id="p"))[0].reason


def test_a_circle_across_sessions_is_found():
    other = task.Submit(task_id="siding/b", spec=spec(depends_on=["a"]))
    story = given(A, session.Open(session_id="siding"), other)
    story = story.after(*planned("p", submit("a", depends_on=["siding/b"]), seal=False))
    assert "in a circle" in story.when(plan.Seal(plan_id="p"))[0].reason


def test_a_part_that_needs_its_own_container_is_a_circle():
    orders = planned("p", submit("epic"), submit("part", parents=["epic"], depends_on=["epic"]), seal=False)
    assert "default/epic, default/part" in given(*orders).when(plan.Seal(plan_id="p"))[0].reason


def test_a_done_task_breaks_the_circle():
    story = given(*planned("p", submit("a", depends_on=["b"]), submit("b", depends_on=["a"], begin="done")))
    assert states(story) == {"a": "ready", "b": "done"}


def test_a_very_deep_plan_is_no_deeper_than_memory():
    chain = [submit("t0"), *(submit(f"t{n}", depends_on=[f"t{n - 1}"]) for n in range(1, 1_500))]
    nested = [submit("n0"), *(submit(f"n{n}", parents=[f"n{n - 1}"]) for n in range(1, 1_500))]
    story = given(*planned("p", *chain), *planned("q", *nested))
    assert story.state.tasks["default/t1499"].state == "blocked"
    assert story.last[-1].ready == 1_500


# -- what a plan may hold ---------------------------------------------------------------------------------------------


def test_a_plan_is_for_one_session():
    stray = plan.Add(plan_id="p", tasks=[plan.Planned(task_id="other/a", spec=spec())])
    assert "not of session 'default'" in given(*planned("p", A, seal=False)).refusal(stray).reason


def test_a_task_is_in_a_plan_once():
    story = given(*planned("p", A, seal=False))
    again = plan.Add(plan_id="p", tasks=[plan.Planned(task_id="default/a", spec=spec("another"))])
    assert "in the plan twice" in story.refusal(again).reason


def test_adding_the_same_tasks_again_changes_nothing():
    story = given(*planned("p", A, seal=False))
    again = plan.Add(plan_id="p", tasks=[plan.Planned(task_id="default/a", spec=A.spec)])
    assert story.refusal(again).outcome == "already_so"


def test_a_plan_under_way_can_be_dropped():
    story = given(*planned("p", A, seal=False))
    assert story.when(plan.Drop(plan_id="p", reason="wrong file")) == [plan.Dropped(plan_id="p", reason="wrong file")]
    assert "no plan 'p' under way" in story.after(plan.Drop(plan_id="p")).refusal(plan.Seal(plan_id="p")).reason


def test_a_plan_is_sealed_once_and_its_name_used_up():
    story = given(*planned("p", A))
    assert story.refusal(plan.Seal(plan_id="p")).outcome == "already_so"
    assert story.refusal(plan.Begin(plan_id="p", session_id="default")).outcome == "already_so"


def test_a_plan_of_a_session_closed_meanwhile_is_dropped():
    story = given(session.Open(session_id="siding"), plan.Begin(plan_id="p", session_id="siding"))
    story = story.after(plan.Add(plan_id="p", tasks=[plan.Planned(task_id="siding/a", spec=spec())]))
    story = story.after(session.Close(session_id="siding"))
    assert story.when(plan.Seal(plan_id="p"))[0].reason == "session 'siding' was closed meanwhile"


# -- where someone had begun ------------------------------------------------------------------------------------------


def test_what_someone_had_begun_is_paused_and_what_was_closed_is_done():
    orders = planned("p", submit("a", begin="paused", because="someone else had begun"), submit("b", begin="done"))
    story = given(*orders, register())
    assert states(story) == {"a": "paused", "b": "done"}
    assert story.state.tasks["default/a"].spec.because == "someone else had begun"


def test_tasks_that_need_only_what_was_closed_are_ready():
    story = given(*planned("p", submit("a", depends_on=["b"]), submit("b", begin="done")))
    assert story.last[0] == plan.Released(plan_id="p", ready=["default/a"], done=["default/b"])


def test_an_imported_container_with_open_parts_is_one():
    story = given(*planned("p", submit("part", parents=["epic"]), submit("epic")), register("anvil", "ada", "bob"))
    assert states(story) == {"part": "running", "epic": "ready"}
    assert states(story.after(finish(story, "part"))) == {"part": "done", "epic": "done"}


def test_an_imported_container_whose_parts_were_all_closed_is_an_ordinary_task():
    story = given(*planned("p", submit("part", parents=["epic"], begin="done"), submit("epic")), register())
    assert states(story) == {"part": "done", "epic": "running"}


def test_such_a_task_can_be_retried_when_it_fails():
    story = given(*planned("p", submit("part", parents=["epic"], begin="done"), submit("epic")), register())
    story = story.after(finish(story, "epic", "failed", error_class="auth"), task.Retry(task_id="default/epic"))
    assert story.state_of("default/epic") == "running"


def test_parts_of_a_closed_container_are_not_held_back_by_it():
    story = given(*planned("p", submit("part", parents=["epic"]), submit("epic", begin="done", depends_on=["x"]), C,
                           submit("x")))  # fmt: skip
    assert states(story)["part"] == "ready"


def test_a_part_of_two_nested_containers_waits_for_the_outer_ones_needs():
    orders = planned(
        "p", submit("part", parents=["outer", "inner"]), submit("inner", parents=["outer"]),
        submit("outer", depends_on=["x"]), submit("x"),
    )  # fmt: skip
    story = given(*orders, register("anvil", "ada", "bob"))
    assert states(story) == {"part": "blocked", "inner": "blocked", "outer": "blocked", "x": "running"}
    assert states(story.after(finish(story, "x")))["part"] == "running"


# -- brought in again -------------------------------------------------------------------------------------------------


def test_bringing_the_same_plan_in_again_changes_nothing():
    story = given(*planned("p", A, B), plan.Begin(plan_id="q", session_id="default"))
    again = plan.Add(plan_id="q", tasks=[plan.Planned(task_id=order.task_id, spec=order.spec) for order in (A, B)])
    assert story.refusal(again).reason == "2 tasks known already, worded the same"
    assert story.when(plan.Seal(plan_id="q")) == [plan.Sealed(plan_id="q", session_id="default", new=0)]


def test_only_the_differences_of_a_second_plan_are_applied():
    story = given(*planned("p", A, B), *planned("q", A, submit("b", priority=0), C))
    assert story.last[-1] == plan.Sealed(plan_id="q", session_id="default", new=1, revised=1, ready=2)
    assert story.state.tasks["default/b"].priority == 0


def test_a_task_that_is_done_stays_done_whatever_the_file_says():
    story = given(register(), A)
    story = story.after(finish(story, "a"), *planned("q", submit("a", prompt="do it again")))
    assert states(story) == {"a": "done"}
    again = plan.Add(
        plan_id="r", tasks=[plan.Planned(task_id="default/a", spec=submit("a", prompt="do it again").spec)]
    )
    assert story.after(plan.Begin(plan_id="r", session_id="default")).refusal(again).outcome == "already_so"


def test_a_task_closed_elsewhere_is_done_and_unblocks_what_needs_it():
    story = given(A, submit("b", depends_on=["a"]), *planned("q", submit("a", begin="done")))
    assert states(story) == {"b": "ready", "a": "done"}


def test_a_task_closed_elsewhere_unblocks_tasks_of_other_sessions_too():
    story = given(A, session.Open(session_id="siding"), task.Submit(task_id="siding/b", spec=spec(depends_on=["a"])))
    assert story.after(*planned("q", submit("a", begin="done"))).state_of("siding/b") == "ready"


def test_a_task_that_runs_goes_on_whatever_the_file_says():
    story = given(register(), A, *planned("q", submit("a", begin="done")))
    assert states(story) == {"a": "running"}


def test_a_task_being_interrupted_is_not_begun_a_second_time():
    paused = submit("a", begin="paused")
    story = given(*planned("p", paused), task.Resume(task_id="default/a"), register("anvil", "ada", "bob"))
    story = story.after(task.Pause(task_id="default/a"), *planned("q", A))
    assert states(story) == {"a": "paused"}
    assert len(story.state.runs) == 1


def test_a_new_need_blocks_a_ready_task_and_taking_it_away_frees_it():
    story = given(A, B, *planned("q", submit("b", depends_on=["a"])))
    assert states(story) == {"a": "ready", "b": "blocked"}
    assert states(story.after(*planned("r", B))) == {"a": "ready", "b": "ready"}


def test_a_new_need_of_a_task_that_waits_for_its_next_attempt_blocks_it():
    story = given(register(), A, B)
    story = story.after(finish(story, "a", "failed", error_class="exit"), *planned("q", submit("a", depends_on=["b"])))
    assert states(story) == {"a": "blocked", "b": "running"}
    assert story.wait(60).refusal(task.Wake(task_id="default/a", after_run=1)).outcome == "superseded"


def test_a_container_whose_last_open_part_was_closed_elsewhere_is_done():
    story = given(submit("epic"), submit("part", parents=["epic"]), *planned("q", submit("part", parents=["epic"],
                  begin="done")), register())  # fmt: skip
    assert states(story) == {"epic": "done", "part": "done"}


@pytest.mark.parametrize(("rules", "freed"), [(2, ["default/epic", "default/inner"]), (3, ["default/epic"])])
def test_what_ends_in_a_circle_is_not_told_to_be_ready(rules: int, freed: list[str]):
    story = given(submit("inner"), submit("leaf", parents=["inner"]), register(), rules=rules)
    circle = planned("q", submit("inner", parents=["epic"]), cycles="block")
    story = story.after(submit("epic", depends_on=["inner"]), *circle)
    facts = story.when(finish(story, "leaf", "succeeded"))
    assert next(fact for fact in facts if isinstance(fact, task.RolledUp)).unblocked == freed


@pytest.mark.parametrize(("rules", "state"), [(3, "done"), (4, "ready")])
def test_a_plan_calls_nothing_done_that_it_does_not_name(rules: int, state: str):
    """An earlier plan called it done while it ran; it was stopped, and tried again since."""
    story = given(submit("told"), register(), rules=rules).after(worker.Drain(worker_id="anvil"))
    story = story.after(submit("first"), submit("then", depends_on=["told"]), task.Cancel(task_id="default/told"))
    story = story.after(*planned("p", submit("told", depends_on=["first"], begin="done")), finish(story, "told"))
    story = story.after(task.Retry(task_id="default/told"))
    assert (story.state_of("default/told"), story.state_of("default/then")) == ("blocked", "blocked")
    story = story.after(*planned("q", submit("first", begin="done")))
    assert (story.state_of("default/told"), story.state_of("default/then")) == (state, "blocked")


def test_a_part_moved_to_another_container_leaves_the_first_an_ordinary_task():
    story = given(submit("one"), submit("two"), submit("part", parents=["one"]))
    story = story.after(*planned("q", submit("part", parents=["two"])), register("anvil", "ada", "bob"))
    assert states(story) == {"one": "running", "two": "ready", "part": "running"}


def test_a_container_that_was_to_be_rolled_up_gets_a_new_part_and_goes_on(monkeypatch):
    monkeypatch.setattr(machine, "MAX_FACTS", 1)
    story = given(submit("epic"), submit("a", parents=["epic"]), task.Cancel(task_id="default/a"))
    assert story.state.to_roll_up == {"default/epic": None}
    story = story.after(submit("b", parents=["epic"]))
    assert states(story) == {"epic": "ready", "a": "cancelled", "b": "ready"}


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        (given(register(), submit("epic")), "which an agent is doing: pause that first"),
        (given(submit("epic"), task.Cancel(task_id="default/epic")), "which is cancelled: retry that first"),
    ],
)
def test_an_open_part_is_not_added_to_what_runs_or_ended(story, reason: str):
    story = story.after(*planned("p", submit("part", parents=["epic"]), seal=False))
    assert reason in story.when(plan.Seal(plan_id="p"))[0].reason


def test_revised_tasks_keep_their_age():
    story = given(A, B, *planned("q", submit("a", prompt="more")), register())
    assert states(story) == {"a": "running", "b": "ready"}


def test_a_large_plan_is_released_in_several_facts():
    story = given(*planned("p", *(submit(f"t{n}") for n in range(2_500))))
    released = [fact for fact in story.last if isinstance(fact, plan.Released)]
    assert [len(fact.ready) for fact in released] == [1_000, 1_000, 500]
    assert story.last[-1].ready == 2_500


def test_a_plans_name_always_makes_a_subject():
    said = given().refusal(plan.Begin(plan_id="\N{SNOWMAN}" * 200, session_id="default"))
    assert "1 to 200 bytes" in said.reason


@pytest.mark.parametrize(("rules", "outcome"), [(2, "done"), (3, "already_so")])
def test_a_done_task_imported_again_with_its_default_said_is_known_since_rules_3(rules: int, outcome: str):
    story = given(*planned("p", submit("a")), register(), rules=rules)
    story = story.after(finish(story, "a"))
    said = msgspec.json.decode(b'{"title":"a","lane":"A"}', type=task.TaskSpec)
    story = story.after(planned("q", submit("a"))[0])
    add = plan.Add(plan_id="q", tasks=[plan.Planned(task_id="default/a", spec=said)])
    (fact, *_) = story.when(add)
    assert (fact.outcome if isinstance(fact, machine.CommandRefused) else "done") == outcome
