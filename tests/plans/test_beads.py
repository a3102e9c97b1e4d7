"""beads files as they are found: what becomes of each trap, and a core that agrees with the report on all of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.plans import beads
from console.plans.report import PlanFile
from core.domain.spec import TaskSpec
from tests.plans import seal

NOW = datetime(2026, 11, 20, tzinfo=UTC)
TRAPS = Path(__file__).parent / "data" / "traps.jsonl"


@pytest.fixture(scope="module")
def traps() -> PlanFile:
    return beads.read(TRAPS.read_bytes().splitlines(), session="s", now=NOW)


def read(*issues: dict[str, object]) -> PlanFile:
    lines = [msgspec.json.encode({"title": "A task", "status": "open", "priority": 2} | issue) for issue in issues]
    return beads.read(lines, session="s", now=NOW)


def spec(plan: PlanFile, name: str) -> TaskSpec:
    return next(task.spec for task in plan.tasks if task.spec.source["id"] == name)


def problems(plan: PlanFile, kind: str) -> list[str]:
    return [problem.says for problem in plan.report.problems if problem.kind == kind]


def needs(target: str, kind: str = "blocks", **more: object) -> dict[str, object]:
    return {"depends_on_id": target, "type": kind, **more}


def test_the_traps_are_counted(traps: PlanFile):
    report = traps.report
    assert (report.lines, report.tasks, report.done, report.tombstones, report.skipped) == (38, 30, 2, 1, 1)
    assert report.malformed == 4


def test_the_core_agrees_with_the_report_on_every_trap(traps: PlanFile):
    state = seal.sealed(traps.tasks, session="s", state=opened("s"))
    assert seal.startable(state) == traps.startable
    assert seal.waiting(state) == traps.blocked
    assert len(seal.containers(state)) == traps.report.containers
    assert len(state.over) == traps.report.done


def test_ready_is_by_bds_own_rule_and_startable_by_ours(traps: PlanFile):
    names = {task_id.partition("/")[2] for task_id in traps.startable}
    # tr-27 is a container and tr-30 has a depends_on array: bd calls both ready, we start neither.
    assert names == {"tr-1", "tr-2", "tr-9", "tr-10", "tr-11", "tr-13", "tr-18", "tr-21", "tr-26", "tr-29"} | {
        next(name for name in names if name.startswith("tr_24_x"))
    }
    assert traps.report.ready == len(names) + 2


def test_malformed_lines_are_named_by_number_and_the_rest_goes_in(traps: PlanFile):
    told = [(problem.line, problem.says) for problem in traps.report.problems if problem.kind == "malformed"]
    assert [line for line, _ in told] == [6, 37, 38, 39]
    assert "Expected `str`, got `int` - at `$.title`" in told[1][1]
    assert "it is a list, not an issue" in told[2][1]


def test_dangling_and_deleted_targets_are_dropped_and_reported(traps: PlanFile):
    assert spec(traps, "tr-2").depends_on == ["s/tr-3"]
    assert problems(traps, "dangling") == [
        "tr-2 needs tr-gone, which is not in the file: left out, as in bd",
        "tr-13 needs tr-12, which was deleted (a tombstone): left out, as in bd",
    ]


def test_a_circle_is_reported_and_its_tasks_stay_blocked_with_the_reason(traps: PlanFile):
    assert {"s/tr-14", "s/tr-15"} <= traps.blocked
    assert spec(traps, "tr-14").because == "waits for itself in a circle: tr-14, tr-15"
    assert "2 issues wait for each other in a circle (2 of them not closed): tr-14, tr-15" in problems(traps, "cycle")


def test_what_needs_itself_is_reported_and_stays_blocked(traps: PlanFile):
    assert "s/tr-16" in traps.blocked
    assert spec(traps, "tr-16").because == "waits for itself"
    assert "tr-16 needs itself: it stays blocked" in problems(traps, "cycle")


@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("tr-7", "someone else had begun, by ada: in_progress in beads"),
        ("tr-8", "someone else had begun: 'pending_review' in beads, which is no status of its own"),
        ("tr-17", "pinned in beads: a note that stays, not work"),
        ("tr-19", "deferred in beads until 2099-01-01T00:00:00Z"),
        ("tr-20", "a part of tr-19, which is deferred in beads until 2099-01-01T00:00:00Z"),
        ("tr-22", "a beads gate, which bd never gives out as work"),
        ("tr-23", "ephemeral in beads, which bd never gives out as work"),
        ("tr-31", "marked as blocked in beads"),
    ],
)
def test_what_bd_would_not_give_out_begins_paused_and_says_why(traps: PlanFile, name: str, because: str):
    assert (spec(traps, name).begin, spec(traps, name).because) == ("paused", because)


def test_of_two_versions_of_an_issue_the_one_changed_last_holds(traps: PlanFile):
    assert spec(traps, "tr-11").title == "Said twice, first newer"
    assert problems(traps, "duplicate") == [
        "lines 12 and 13 are the same issue tr-10: taken once",
        "lines 14 and 15 both say what tr-11 is: line 14 holds, changed last",
    ]


def test_of_two_versions_without_a_date_the_later_line_holds():
    plan = read({"id": "a", "title": "Before"}, {"id": "a", "title": "After"})
    assert [task.spec.title for task in plan.tasks] == ["After"]


@pytest.mark.parametrize(
    ("given_", "taken"), [(140, 4), (-3, 0), ("P1", 1), ("3", 3), (1.0, 1), (None, 2), ("high", 2), (True, 2)]
)
def test_a_priority_outside_0_to_4_is_brought_in_and_reported(given_: object, taken: int):
    plan = read({"id": "a", "priority": given_})
    assert spec(plan, "a").priority == taken
    assert len(problems(plan, "priority")) == 1


def test_a_lane_label_chooses_the_lane_when_there_is_one(traps: PlanFile):
    assert spec(traps, "tr-1").lane == "B"
    assert spec(traps, "tr 24/x").lane == "A"
    assert problems(traps, "lane") == ["tr 24/x is labelled 'lane:Z', but there is no such lane: lane A"]


def test_an_id_that_cannot_be_a_name_is_replaced_and_kept_in_the_source(traps: PlanFile):
    task = next(task for task in traps.tasks if task.spec.source["id"] == "tr 24/x")
    assert task.task_id.startswith("s/tr_24_x-")
    assert len(problems(traps, "renamed")) == 1


def test_names_that_would_fall_together_stay_apart():
    plan = read({"id": "a b"}, {"id": "a/b"}, {"id": "a_b"}, {"id": "ü" * 90})
    assert len({task.task_id for task in plan.tasks}) == 4
    seal.sealed(plan.tasks, session="s", state=opened("s"))


def test_a_pinned_note_blocks_nothing_and_holds_no_container_open():
    plan = read(
        {"id": "epic", "issue_type": "epic"},
        {"id": "note", "status": "pinned", "dependencies": [needs("epic", "parent-child")]},
        {"id": "work", "dependencies": [needs("note")]},
    )
    assert plan.report.containers == 0
    assert plan.startable == {"s/epic", "s/work"}


def test_a_wait_for_parts_ends_with_the_parts():
    plan = read(
        {"id": "epic"},
        {"id": "part", "dependencies": [needs("epic", "parent-child")]},
        {"id": "after", "dependencies": [needs("epic", "waits-for")]},
    )
    assert spec(plan, "after").depends_on == ["s/part"]
    assert plan.startable == {"s/part"}


def test_a_wait_for_any_part_is_stricter_here_and_says_so():
    gate = {"metadata": '{"gate":"any-children"}'}
    parts = [{"id": f"p{n}", "dependencies": [needs("epic", "parent-child")]} for n in range(2)]
    plan = read({"id": "epic"}, *parts, {"id": "after", "dependencies": [needs("epic", "waits-for", **gate)]})
    assert spec(plan, "after").depends_on == ["s/p0", "s/p1"]
    assert problems(plan, "edge") == ["after waits for any one part of epic: here it waits for all 2 of them"]


def test_the_prompt_is_the_description_and_the_other_texts_under_their_names():
    plan = read(
        {"id": "a", "description": "Do it.", "design": "Like so.", "notes": "", "acceptance_criteria": "Green."}
    )
    assert spec(plan, "a").prompt == "Do it.\n\n## Design\n\nLike so.\n\n## Acceptance criteria\n\nGreen."


def test_a_text_too_long_for_a_task_is_cut_and_whole_in_the_source():
    plan = read({"id": "a", "title": "x" * 600, "description": "y" * 101_000})
    assert len(spec(plan, "a").title) == 500
    assert len(spec(plan, "a").prompt) <= 100_000
    assert len(spec(plan, "a").source["description"]) == 101_000
    assert len(problems(plan, "shortened")) == 3


def test_edges_that_order_nothing_are_kept_in_the_source_alone(traps: PlanFile):
    assert spec(traps, "tr-29").depends_on == []
    assert [edge["type"] for edge in spec(traps, "tr-29").source["dependencies"]] == ["parent-child", "relates-to"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"id":"d","title":"t","metadata":' + b"[" * 31 + b"]" * 31 + b"}", "nested more than 30 deep"),
        (b'{"id":"d","title":"t","metadata":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "recursion"),
        (b'{"id":"h","title":"t","estimated_minutes":' + b"9" * 40 + b"}", "more than 64 bits"),
        (b"\xff\xfe", "malformed"),
        (b'{"id":"s","title":"\\ud800"}', "truncated"),
        (b'{"id":"l","title":"' + b"x" * 130_000 + b'"}', "122,880 is the most"),
    ],
)
def test_what_no_log_could_hold_is_malformed_and_does_no_harm(line: bytes, told: str):
    plan = beads.read([line, b'{"id":"ok","title":"t"}'], session="s", now=NOW)
    assert [task.task_id for task in plan.tasks] == ["s/ok"]
    assert told in problems(plan, "malformed")[0]


def test_a_changed_file_applies_its_differences_and_nothing_else():
    state = opened("s")
    seal.sealed(read({"id": "a"}, {"id": "b", "dependencies": [needs("a")]}).tasks, session="s", state=state)
    again = read({"id": "a", "title": "Renamed"}, {"id": "b"}, {"id": "c", "dependencies": [needs("b")]})
    seal.sealed(again.tasks, session="s", state=state)
    assert state.tasks["s/a"].spec.title == "Renamed"
    assert seal.startable(state) == {"s/a", "s/b"}
    assert seal.waiting(state) == {"s/c"}


NAMES = st.sampled_from("abcdefgh")
EDGES = st.builds(
    needs, NAMES, st.sampled_from(["blocks", "conditional-blocks", "waits-for", "parent-child", "related"])
)
ISSUES = st.fixed_dictionaries(
    {
        "id": NAMES,
        "status": st.sampled_from(["open", "open", "closed", "in_progress", "pinned", "tombstone", "odd", "deferred"]),
        "dependencies": st.lists(EDGES, max_size=4),
        "issue_type": st.sampled_from(["task", "epic", "gate"]),
    }
)


@settings(max_examples=300)
@given(st.lists(ISSUES, max_size=12))
def test_whatever_is_in_a_file_the_core_and_the_report_agree(issues: list[dict[str, object]]):
    plan = read(*issues)
    state = opened("s")
    if plan.tasks:
        seal.sealed(plan.tasks, session="s", state=state)
    assert seal.startable(state) == seal.queued(state) == plan.startable
    assert seal.waiting(state) == plan.blocked
    assert len(seal.containers(state)) == plan.report.containers
    assert plan.report.startable <= plan.report.ready


def opened(session: str) -> seal.State:
    from core.domain.session import Open

    state = seal.begun()
    seal.order(state, Open(session_id=session))
    return state
