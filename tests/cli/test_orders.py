"""Orders from the command line: carried out, waited for, refused with a reason and the right exit code."""

from __future__ import annotations

import pytest

from core.domain.system import NEWEST_RULES
from tests.cli.command_line import Instance, until


def test_a_submitted_task_is_done_by_an_agent(instance: Instance, session: str):
    said = instance(
        "task", "submit", "Say hello", "--name", "hello", "--session", session, "--prompt", "sim: seconds=0.1", "--wait"
    )
    assert said.code == 0, said
    assert said.out == f"{session}/hello is submitted\n"
    assert said.err == f"{session}/hello: done\n"


def test_a_command_is_run_by_a_shell_and_its_output_kept(instance: Instance, session: str):
    command = "printf 'out\\n'; printf 'err\\n' >&2"
    assert (
        instance(
            "task", "submit", "Print", "--name", "print", "--session", session, "--command", command, "--wait"
        ).code
        == 0
    )
    until(lambda: instance.json("run", "output", f"{session}/print~1")["stdout"] == "out\n")
    said = instance("run", "output", f"{session}/print~1", "--json")
    assert said.document == {
        "run_id": f"{session}/print~1", "over": True, "stdout": "out\n", "stderr": "err\n", "missing_bytes": 0,
    }  # fmt: skip


def test_output_follows_until_the_run_is_over(instance: Instance, session: str):
    instance(
        "task", "submit", "Count", "--name", "count", "--session", session, "--command", "echo 1; sleep 0.4; echo 2"
    )
    until(lambda: instance("run", "show", f"{session}/count~1").code == 0)
    assert instance("run", "output", f"{session}/count~1", "--follow").out == "1\n2\n"


def test_waiting_for_a_task_that_fails_ends_with_1_and_says_how(instance: Instance, session: str):
    said = instance(
        "task",
        "submit",
        "Fail",
        "--name",
        "f",
        "--session",
        session,
        "--command",
        "exit 3",
        "--max-attempts",
        "1",
        "--wait",
    )
    assert said.code == 1
    assert f"task {session}/f failed (exit)" in said.err


def test_waiting_for_a_task_that_is_tried_again_sees_the_new_end_and_not_the_old_one(instance: Instance, session: str):
    task, switch = f"{session}/again", instance.data.with_name(f"{session}.switch")
    command = ("--command", f"test -e {switch}", "--max-attempts", "1", "--session", session)
    assert instance("task", "submit", "Again", "--name", "again", *command, "--wait").code == 1
    switch.touch()
    assert instance("task", "retry", task, "--wait").code == 0
    assert instance("task", "submit", "Again", "--name", "again", *command, "--wait").code == 0  # it is so already


def test_waiting_no_longer_than_told_ends_with_124(instance: Instance, session: str):
    said = instance("task", "submit", "Never", "--session", session, "--needs", "nobody", "--wait", "--timeout", "0.3")
    assert said.code == 124
    assert "not within 0.3 s" in said.err


def test_a_task_without_a_name_gets_one_from_its_title(instance: Instance, session: str):
    said = instance.json("task", "submit", "Mend the Roof!", "--session", session, "--needs", "nobody")
    assert said["target"].startswith(f"{session}/mend-the-roof-")
    assert said["outcome"] == "done"


def test_a_bare_name_is_short_for_one_of_the_default_session(instance: Instance):
    instance("task", "submit", "Short", "--name", "t-147", "--needs", "nobody")
    assert instance.json("task", "show", "t-147")["row"]["task_id"] == "default/t-147"


def test_pause_and_resume_prioritise_cancel_and_retry(instance: Instance, session: str):
    task = f"{session}/first"
    state = lambda: instance.json("task", "show", task)["row"]  # noqa: E731
    assert instance("task", "pause", task, "--reason", "lunch").out == f"{task} is paused\n"
    until(lambda: state()["state"] == "paused")
    assert instance("task", "resume", task).out == f"{task} goes on\n"
    assert instance("task", "prioritise", task, "0").out == f"{task} has priority P0\n"
    until(lambda: state()["priority"] == 0)
    assert instance("task", "prioritise", task, "--priority", "4").code == 0
    assert instance("task", "cancel", task).out == f"{task} is cancelled\n"
    until(lambda: state()["state"] == "cancelled")
    assert instance("task", "retry", task).out == f"{task} is tried again\n"
    until(lambda: state()["state"] == "ready")


def test_cancelling_with_wait_returns_when_the_processes_are_gone(instance: Instance, session: str):
    task = f"{session}/long"
    instance("task", "submit", "Sleep", "--name", "long", "--session", session, "--command", "sleep 60")
    until(lambda: instance.json("task", "show", task)["row"]["state"] == "running")
    said = instance("task", "cancel", task, "--wait", "--timeout", "10")
    assert (said.code, said.err) == (0, f"{task}: run {task}~1 is over\n")


def test_what_is_so_already_is_no_failure(instance: Instance, session: str):
    assert instance("task", "cancel", f"{session}/first").code == 0
    said = instance("task", "cancel", f"{session}/first", "--json")
    assert (said.code, said.document["outcome"]) == (0, "already_so")


def test_a_refusal_ends_with_4_and_says_why(instance: Instance, session: str):
    said = instance("task", "submit", "Late", "--name", "late", "--session", session, "--depends-on", "missing")
    assert said.code == 4
    assert "which does not exist" in said.err


def test_what_is_not_there_ends_with_3(instance: Instance):
    for tokens in (
        ("task", "cancel", "no-such"),
        ("task", "show", "no-such"),
        ("run", "show", "no-such~1"),
        ("run", "output", "no-such~1"),
        ("agent", "show", "w1/nobody"),
        ("agent", "pause", "w1/nobody"),
        ("queue", "pause", "nowhere"),
        ("queue", "status", "nowhere"),
        ("worker", "drain", "w9"),
    ):
        assert instance(*tokens).code == 3, tokens


def test_of_several_orders_each_is_told_and_the_worst_is_the_exit_code(instance: Instance, session: str):
    said = instance("task", "pause", f"{session}/first", f"{session}/none", "--json")
    assert said.code == 3
    assert [each["outcome"] for each in said.document] == ["done", "refused"]


def test_lanes_are_paused_resumed_and_set(instance: Instance):
    assert instance("queue", "set", "narrow", "--concurrency", "1").out == "narrow is set\n"
    assert instance("queue", "pause", "narrow", "--reason", "broken").out == "narrow is paused\n"
    lane = lambda: instance.json("queue", "status", "narrow")["rows"][0]  # noqa: E731
    until(lambda: lane()["paused"])
    assert (lane()["concurrency"], lane()["paused_because"]) == (1, "broken")
    assert instance("queue", "resume", "narrow").out == "narrow is open\n"


def test_agents_are_paused_and_resumed(instance: Instance):
    agent = instance.json("agent", "list")["rows"][0]["agent_id"]
    assert instance("agent", "pause", agent).out == f"{agent} is paused\n"
    until(lambda: instance.json("agent", "show", agent)["agent"]["state"] == "paused")
    assert instance("agent", "resume", agent).out == f"{agent} gets work again\n"


@pytest.mark.parametrize(
    "tokens",
    [
        ("--no-such-option",),
        ("task", "submit"),
        ("task", "submit", "T", "--priority", "9"),
        ("task", "submit", "T", "--name", "a b"),
        ("task", "submit", "x" * 501),
        ("task", "cancel"),
        ("task", "list", "--state", "lazy"),
        ("task", "list", "--limit", "-1"),
        ("task", "prioritise", "t-1"),
        ("run", "show", "t-1"),
        ("run", "output", "t-1~1", "--follow", "--json"),
        ("events", "tail", "--subject", "cmd.>"),
        ("plan", "import", "plan.txt"),
        ("plan", "import", "plan.json", "--format", "yaml"),
        ("nonsense",),
        ("task", "submti", "T"),
    ],
)
def test_wrong_usage_ends_with_2(instance: Instance, tokens: tuple[str, ...]):
    said = instance(*tokens)
    assert said.code == 2, said


def test_a_task_is_changed_made_to_wait_and_let_go(instance: Instance, session: str):
    for name in ("roof", "gutter"):
        instance("task", "submit", name, "--name", name, "--session", session, "--needs", "nobody")
    roof, gutter = f"{session}/roof", f"{session}/gutter"
    said = instance("task", "amend", roof, "--title", "Mend the roof", "--labels", "north", "--max-attempts", "5")
    assert said.out == f"{roof} is changed\n"
    spec = instance.json("task", "show", roof)["spec"]
    assert (spec["title"], spec["labels"], spec["policy"]["max_attempts"]) == ("Mend the roof", ["north"], 5)
    assert instance("task", "depend", roof, gutter).code == 0
    assert instance.json("task", "show", roof)["row"]["state"] == "blocked"
    circle = instance("task", "depend", gutter, roof)
    assert circle.code == 4
    assert f"{gutter} → {roof} → {gutter}" in circle.err
    assert instance("task", "undepend", roof, gutter).code == 0
    assert instance("task", "place", roof).out == f"{roof} stands last\n"
    assert instance("task", "amend", roof, "--labels", "").code == 0
    assert "labels" not in instance.json("task", "show", roof)["spec"]


def test_a_change_of_what_changed_meanwhile_is_refused(instance: Instance, session: str):
    task = f"{session}/roof"
    seq = instance.json("task", "submit", "Roof", "--name", "roof", "--session", session, "--needs", "nobody")["seq"]
    assert instance("task", "amend", task, "--title", "One", "--base", seq).code == 0
    said = instance("task", "amend", task, "--title", "Two", "--base", seq)
    assert said.code == 4
    assert "title was changed since you opened it" in said.err
    assert instance("task", "amend", task).code == 2


def test_a_session_has_a_goal_and_a_budget(instance: Instance, session: str):
    name = f"{session}-undertaking"
    assert instance("session", "open", name, "--goal", "Light", "--budget", "2.5").out == f"{name} is open\n"
    assert instance("session", "amend", name, "--goal", "More light").code == 0
    (row,) = [row for row in instance.json("session", "list")["rows"] if row["session_id"] == name]
    assert (row["goal"], row["budget_uusd"]) == ("More light", 2_500_000)
    assert instance("session", "close", name).code == 0


def test_the_fleet_is_halted_and_goes_on(instance: Instance, session: str):
    assert instance("fleet", "halt", "--reason", "the build is red", "--gently").code == 0
    try:
        assert "the build is red" in instance("fleet", "status").out
        assert "the build is red" in instance("status").out
        task = f"{session}/later"
        instance("task", "submit", "Later", "--name", "later", "--session", session, "--prompt", "sim: seconds=0.1")
        assert "the build is red" in instance("task", "show", task).out
    finally:
        assert instance("fleet", "release").code == 0
    until(lambda: instance.json("task", "show", task)["row"]["state"] == "done")
    assert instance("fleet", "release").code == 0  # it is so already
    assert instance("fleet", "status").out == "The fleet is not halted.\n"


def test_a_run_that_is_not_there_cannot_be_steered(instance: Instance, session: str):
    assert instance("run", "hold", f"{session}/nothing~1").code == 3
    assert instance("run", "message", f"{session}/nothing~1", "hello").code == 3
    assert instance("run", "continue", "nothing").code == 2
    assert instance("agent", "stop", "nowhere/nobody").code == 3
    assert instance("agent", "restart", "nowhere/nobody").code == 3
    assert instance("worker", "hire", "nowhere", "sim").code == 3
    assert instance("rules", "adopt", str(NEWEST_RULES)).code == 0  # they are in force already
