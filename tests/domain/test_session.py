"""Sessions: an undertaking that is opened, worked in, and closed as a whole."""

from __future__ import annotations

from core.domain import machine, plan, session, task, worker
from tests.spec import finish, given, register, spec, submit

OPEN = session.Open(session_id="siding", goal="mend the yard", root="/srv/yard")


def work(name: str, **fields: object) -> task.Submit:
    return task.Submit(task_id=f"siding/{name}", spec=spec(name, **fields))


def test_work_without_a_session_belongs_to_default():
    assert given(submit("fix")).state.tasks["default/fix"].session_id == "default"


def test_a_session_is_opened_with_a_goal_and_a_root():
    assert given().when(OPEN) == [session.Opened(session_id="siding", goal="mend the yard", root="/srv/yard")]


def test_a_session_is_opened_once():
    assert given(OPEN).refusal(OPEN).reason == "session 'siding' exists and is open"


def test_a_session_with_open_tasks_is_not_closed_by_accident():
    said = given(OPEN, work("a"), work("b")).refusal(session.Close(session_id="siding"))
    assert said.reason == "session 'siding' has 2 open tasks: finish or cancel them first"


def test_closing_with_cancel_is_one_fact_and_an_order_for_each_run():
    story = given(OPEN, work("a"), work("b"), register())
    facts = story.when(session.Close(session_id="siding", cancel_open=True))
    assert facts[0] == session.Closed(session_id="siding", cancelled=2)
    assert [type(fact) for fact in facts[1:]] == [worker.CancelOrdered]
    story = story.after(session.Close(session_id="siding", cancel_open=True))
    assert [story.state_of(f"siding/{name}") for name in "ab"] == ["cancelled", "cancelled"]


def test_closing_leaves_other_sessions_alone():
    story = given(OPEN, work("a"), submit("fix"), session.Close(session_id="siding", cancel_open=True))
    assert story.state_of("default/fix") == "ready"


def test_what_runs_when_its_session_is_closed_ends_as_stopped():
    story = given(OPEN, work("a"), register(), session.Close(session_id="siding", cancel_open=True))
    facts = story.when(finish(story, "siding/a"))
    assert machine.tag(facts[0]) == "run.stopped"


def test_a_session_whose_work_is_done_is_closed():
    story = given(OPEN, work("a"), register())
    story = story.after(finish(story, "siding/a"))
    assert story.when(session.Close(session_id="siding", summary="good")) == [
        session.Closed(session_id="siding", summary="good")
    ]


def test_a_closed_session_is_over():
    story = given(OPEN, session.Close(session_id="siding"))
    assert story.refusal(session.Close(session_id="siding")).outcome == "already_so"
    assert story.refusal(OPEN).reason == "session 'siding' exists and is closed"
    assert "is closed" in story.refusal(plan.Begin(plan_id="p", session_id="siding")).reason


def test_a_session_nobody_opened_cannot_be_closed():
    assert given().refusal(session.Close(session_id="siding")).reason == "there is no session 'siding': open it first"


def test_containers_end_with_their_session():
    story = given(OPEN, work("epic"), work("part", parents=["siding/epic"]))
    story = story.after(session.Close(session_id="siding", cancel_open=True))
    assert [story.state_of(f"siding/{name}") for name in ("epic", "part")] == ["cancelled", "cancelled"]


def test_a_worker_lost_before_it_was_told_to_stop_does_not_bring_a_cancelled_task_back(monkeypatch):
    monkeypatch.setattr(machine, "MAX_FACTS", 1)
    story = given(OPEN, register(), work("a")).after(machine.system.Continue())
    story = story.after(session.Close(session_id="siding", cancel_open=True))
    assert "siding/a~1" in story.state.to_stop
    lost = story.when(worker.Lose(worker_id="anvil", epoch=story.epoch()))[0]
    assert lost.released[0].then == "cancelled"


def test_the_default_session_cannot_be_closed():
    said = given().refusal(session.Close(session_id="default"))
    assert "stays open" in said.reason


# -- budget, and what it is about -------------------------------------------------------------------------------------


def test_a_session_may_say_what_it_may_cost():
    opened = session.Open(session_id="lantern", goal="light", budget_uusd=12_000_000)
    assert given().when(opened) == [session.Opened(session_id="lantern", goal="light", budget_uusd=12_000_000)]


def test_what_an_open_session_is_about_can_be_changed_in_part():
    story = given(session.Open(session_id="lantern", goal="light", root="/srv/lantern"))
    facts = story.when(session.Amend(session_id="lantern", goal="more light", budget_uusd=5))
    assert facts == [
        session.Amended(session_id="lantern", goal="more light", root="/srv/lantern", budget_uusd=5),
    ]
    assert story.refusal(session.Amend(session_id="lantern", goal="light")).outcome == "already_so"


def test_the_default_session_may_have_a_goal_too():
    assert given().when(session.Amend(session_id="default", goal="odd jobs"))[0].goal == "odd jobs"


def test_what_a_closed_session_was_about_stays():
    story = given(session.Open(session_id="lantern"), session.Close(session_id="lantern"))
    assert "is closed" in story.refusal(session.Amend(session_id="lantern", goal="x")).reason
    assert "no session 'nowhere'" in story.refusal(session.Amend(session_id="nowhere", goal="x")).reason
