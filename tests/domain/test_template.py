"""Templates: plans with places for parameters, kept in versions, used to make tasks."""

from __future__ import annotations

import pytest

from core.domain import expansion, session, system, task, template
from core.domain.machine import tag
from core.domain.template_spec import Draft, Param, TemplateSpec, faults
from tests.spec import finish, given, register

GOAL = Param(name="goal", label="Goal", required=True, most=20)
COUNT = Param(name="count", kind="number", whole=True, least=1, most=5, default=3)
CAREFUL = Param(name="careful", kind="yes_no")
SIZE = Param(name="size", kind="choice", choices=["small", "large"], default="small")
FILES = Param(name="files", kind="list", most=3)
SPEC = TemplateSpec(
    title="Build something",
    params=[GOAL, COUNT, CAREFUL, SIZE, FILES],
    lane="B",
    tasks=[
        Draft(
            name="plan", title="Plan {{goal}}", prompt="{{count}} steps for {{goal}}, {{size}}.", labels=["{{prefix}}"]
        ),
        Draft(name="look", title="Look at the plan", depends_on=["plan"], when="careful"),
        Draft(name="build", title="Build it", command="make {{goal}}", depends_on=["look"], files=["{{files}}"]),
    ],
)
DEFINE = template.Define(template_id="build", spec=SPEC)


def use(prefix: str = "one", **params: object) -> template.Use:
    return template.Use(template_id="build", session_id="default", prefix=prefix, params={"goal": "a shed"} | params)


def with_tasks(*drafts: Draft, params: tuple[Param, ...] = (GOAL, CAREFUL, FILES)) -> TemplateSpec:
    return TemplateSpec(title="t", params=list(params), tasks=list(drafts))


def made(spec: TemplateSpec, **params: object) -> dict[str, task.TaskSpec]:
    found = expansion.expand(spec, params, session_id="default", prefix="p")
    return {each.task_id.removeprefix("default/p-"): each.spec for each in found}


# -- versions


def test_a_template_is_defined_as_version_1():
    assert given().when(DEFINE) == [template.Defined(template_id="build", version=1, spec=SPEC)]


def test_defining_it_again_is_the_next_version():
    better = TemplateSpec(title="Build it better", params=SPEC.params, tasks=SPEC.tasks)
    facts = given(DEFINE).when(template.Define(template_id="build", spec=better, base=1))
    assert facts == [template.Defined(template_id="build", version=2, spec=better)]


def test_of_two_people_who_change_it_the_second_is_told_so():
    better, best = (TemplateSpec(title=title, tasks=[Draft(name="a", title="a")]) for title in ("better", "best"))
    story = given(DEFINE, template.Define(template_id="build", spec=better, base=1))
    said = story.refusal(template.Define(template_id="build", spec=best, base=1))
    assert said.reason == ("template 'build' was changed since you opened it: you saw version 1, it is at version 2")
    assert "exists already, at version 2" in story.refusal(template.Define(template_id="build", spec=best)).reason
    assert "to be changed" in given().refusal(template.Define(template_id="build", spec=best, base=1)).reason


def test_the_same_wording_again_changes_nothing():
    assert given(DEFINE).refusal(DEFINE).outcome == "already_so"


def test_the_newest_ten_versions_can_be_used():
    wordings = [TemplateSpec(title=f"v{n + 1}", tasks=[Draft(name="a", title="a")]) for n in range(12)]
    story = given(*(template.Define(template_id="build", base=n, spec=spec) for n, spec in enumerate(wordings)))
    order = {"template_id": "build", "session_id": "default", "prefix": "p"}
    assert story.when(template.Use(**order, version=3))[0].version == 3
    assert story.when(template.Use(**order))[0].version == 12
    assert story.refusal(template.Use(**order, version=2)).reason == (
        "template 'build' has no version 2 to be used; there are 3 to 12"
    )


def test_a_retired_template_is_not_used_until_it_is_defined_again():
    story = given(DEFINE, template.Retire(template_id="build", reason="nobody builds"))
    assert story.last == [template.Retired(template_id="build", reason="nobody builds")]
    assert story.refusal(template.Retire(template_id="build")).outcome == "already_so"
    assert story.refusal(use()).reason == "template 'build' is retired: define it again to use it"
    back = story.after(template.Define(template_id="build", spec=SPEC, base=1))
    assert back.when(use())[0].version == 2


def test_an_unknown_template_is_refused_by_name():
    assert given().refusal(use()).reason == "there is no template 'build': define it first"
    assert "'new' is a word" in given().refusal(template.Define(template_id="new", spec=SPEC)).reason
    assert "'..' is a word" in given().refusal(template.Define(template_id="..", spec=SPEC)).reason
    assert "cannot be used" in given().refusal(template.Define(template_id="a b", spec=SPEC)).reason


def test_rules_that_did_not_know_templates_refuse_them():
    assert "needs rules 3" in given(rules=2).refusal(DEFINE).reason
    assert tag(given(rules=2).after(system.AdoptRules(rules=3)).when(DEFINE)[0]) == "template.defined"


def test_there_is_an_end_to_the_number_of_templates(monkeypatch):
    monkeypatch.setattr(template, "MAX_TEMPLATES", 1)
    said = given(DEFINE).refusal(template.Define(template_id="other", spec=SPEC))
    assert "there are 1 templates" in said.reason


# -- a use


def test_a_use_makes_its_tasks_in_order_and_names_them():
    facts = given(DEFINE).when(use(careful=True, files=["a.py", "b.py"]))
    assert facts[0] == template.Used(
        template_id="build", version=1, use_id="build~1", session_id="default", prefix="one",
        params={"goal": "a shed", "careful": True, "files": ["a.py", "b.py"]},
        tasks=["default/one-plan", "default/one-look", "default/one-build"],
    )  # fmt: skip
    plan, look, build = facts[1:4]
    assert (plan.spec.title, plan.spec.prompt, plan.state) == ("Plan a shed", "3 steps for a shed, small.", "ready")
    assert (look.spec.depends_on, look.state) == (["default/one-plan"], "blocked")
    assert (build.spec.files, build.spec.lane, plan.spec.labels) == (["a.py", "b.py"], "B", ["one"])


def test_a_made_task_says_where_it_comes_from():
    plan = given(DEFINE).when(use())[1]
    assert plan.spec.source == {"template": "build", "version": 1, "use": "build~1"}


def test_made_tasks_are_worked_off_like_any_others():
    story = given(DEFINE, use(), register("anvil", "ada", "bob"), register("bellows", "sh", adapter="shell"))
    story = story.after(finish(story, "one-plan"))
    story = story.after(finish(story, "one-build"))
    assert story.state_of("default/one-build") == "done"


def test_a_task_that_is_left_out_passes_on_what_it_waited_for():
    assert [fact.spec.depends_on for fact in given(DEFINE).when(use())[1:3]] == [[], ["default/one-plan"]]


def test_a_use_takes_a_version_and_a_lane():
    order = template.Use(
        template_id="build", version=1, session_id="default", prefix="x", lane="C", params={"goal": "g"}
    )
    facts = given(DEFINE).when(order)
    assert [fact.spec.lane for fact in facts[1:]] == ["C", "C"]
    assert facts[0].lane == "C"


def test_uses_are_numbered_and_need_prefixes_of_their_own():
    story = given(DEFINE, use())
    assert story.when(use("two"))[0].use_id == "build~2"
    assert story.refusal(use()).reason == "task default/one-plan exists already: use another prefix"


def test_a_use_goes_to_an_open_session_and_known_lanes():
    elsewhere = template.Use(template_id="build", session_id="nowhere", prefix="x", params={"goal": "g"})
    assert "no session 'nowhere'" in given(DEFINE).refusal(elsewhere).reason
    there = given(DEFINE, session.Open(session_id="nowhere")).when(elsewhere)
    assert there[1].task_id == "nowhere/x-plan"
    assert "there is no lane 'Z'" in given(DEFINE).refusal(
        template.Use(template_id="build", session_id="default", prefix="x", lane="Z", params={"goal": "g"})
    ).reason  # fmt: skip


@pytest.mark.parametrize("prefix", ["a b", "x" * 99, "a/b", "*"])
def test_a_prefix_must_make_names_that_can_be_names(prefix: str):
    assert "cannot be used" in given(DEFINE).refusal(use(prefix)).reason


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"goal": "  "}, "param goal: it is needed"),
        ({"goal": "g" * 21}, "param goal: 21 characters is more than 20 characters"),
        ({"goal": "a\nb"}, "param goal: it takes one line"),
        ({"goal": "a\x00b"}, "param goal: it holds the control character 0, which no text needs"),
        ({"goal": 7}, "param goal: '7' is not a text"),
        ({"count": 7}, "param count: 7 is more than 5"),
        ({"count": 0}, "param count: 0 is less than 1"),
        ({"count": 1.5}, "param count: 1.5 is not a whole number"),
        ({"count": True}, "param count: 'yes' is not a number"),
        ({"careful": "yes"}, "param careful: 'yes' is not yes or no"),
        ({"size": "huge"}, "param size: 'huge' is none of small, large"),
        ({"files": ["a", "b", "c", "d"]}, "param files: 4 items is more than 3 items"),
        ({"files": ["a", " "]}, "param files: it has an empty item"),
        ({"files": "a"}, "param files: 'a' is not a list of lines"),
        ({"colour": "red"}, "param colour: the template has no such parameter"),
        ({"count": 9, "size": "x"}, "param count: 9 is more than 5; param size: 'x' is none of small, large"),
    ],
)
def test_parameters_that_do_not_fit_are_named_with_what_is_wrong(params: dict[str, object], says: str):
    assert given(DEFINE).refusal(use(**params)).reason == says


def test_what_is_not_given_is_its_default_or_empty():
    spec = with_tasks(
        Draft(name="a", title="a", prompt="[{{careful}}|{{files}}|{{note}}|{{size}}]"),
        params=(CAREFUL, FILES, Param(name="note"), SIZE),
    )
    assert made(spec)["a"].prompt == "[no|||small]"


def test_parameters_that_leave_no_task_are_refused():
    spec = with_tasks(Draft(name="a", title="a", when="careful"))
    story = given(template.Define(template_id="build", spec=spec))
    assert "leave no task" in story.refusal(use()).reason


def test_a_use_cannot_grow_beyond_measure():
    param = Param(name="goal", required=True, long=True)
    spec = with_tasks(*(Draft(name=f"t{n}", title="t", prompt="{{goal}}" * 50) for n in range(20)), params=(param,))
    story = given(template.Define(template_id="build", spec=spec))
    assert story.refusal(use(goal="x" * 10_000)).reason.endswith("262,144 is the most")


def test_a_title_stays_one_line_of_a_bearable_length():
    param = Param(name="goal", long=True, required=True)
    spec = with_tasks(Draft(name="a", title="Do {{goal}}"), params=(param,))
    assert made(spec, goal="one\n two")["a"].title == "Do one two"
    story = given(template.Define(template_id="build", spec=spec))
    assert "its title has 603 characters" in story.refusal(use(goal="x" * 600)).reason


# -- what cannot be defined


@pytest.mark.parametrize(
    ("draft", "place", "says"),
    [
        ({"prompt": "{{gaol}}"}, "tasks.0.prompt", "task a, prompt: {{gaol}} is no parameter of this template"),
        ({"prompt": "{{goal"}, "tasks.0.prompt", "opens {{ and never closes it"),
        ({"title": "{{ 1 + 1 }}"}, "tasks.0.title", "{{ 1 + 1 }} is no place for a parameter"),
        ({"command": "echo '{{goal}}'"}, "tasks.0.command", "stands within single quotes"),
        ({"command": 'echo "{{files}}"'}, "tasks.0.command", "is a list and stands within quotes"),
        ({"command": "true", "prompt": "do"}, "tasks.0.command", "not both"),
        ({"depends_on": ["b"]}, "tasks.0.depends_on", "there is no task 'b'"),
        ({"depends_on": ["a"]}, "tasks.0.depends_on", "wait for each other: a"),
        ({"when": "goal"}, "tasks.0.when", "goal is no yes/no parameter"),
        ({"name": "a b"}, "tasks.0.name", "a name is 1 to 60"),
        ({"title": " "}, "tasks.0.title", "it needs a title"),
    ],
)
def test_a_fault_in_a_task_is_named_with_its_place(draft: dict[str, object], place: str, says: str):
    spec = with_tasks(Draft(**({"name": "a", "title": "t"} | draft)))  # type: ignore[arg-type]
    [fault] = faults(spec)
    assert fault.place == place
    assert says in str(fault)
    assert given().refusal(template.Define(template_id="build", spec=spec)).reason == str(fault)


@pytest.mark.parametrize(
    ("param", "place", "says"),
    [
        ({"name": "Goal"}, "params.1.name", "small letters"),
        ({"name": "a__b"}, "params.1.name", "small letters"),
        ({"name": "goal"}, "params.1.name", "two parameters called goal"),
        ({"name": "prefix"}, "params.1.name", "known to every use"),
        ({"name": "x", "kind": "choice"}, "params.1.choices", "a choice needs its choices"),
        ({"name": "x", "choices": ["a"]}, "params.1.choices", "only a choice has choices"),
        ({"name": "x", "kind": "choice", "choices": ["a", "a"]}, "params.1.choices", "the same thing twice"),
        ({"name": "x", "least": 3, "most": 2}, "params.1.most", "less than the least"),
        ({"name": "x", "kind": "number", "most": 2, "default": 3}, "params.1.default", "3 is more than 2"),
    ],
)
def test_a_fault_in_a_parameter_is_named_with_its_place(param: dict[str, object], place: str, says: str):
    spec = TemplateSpec(title="t", params=[GOAL, Param(**param)], tasks=[Draft(name="a", title="a")])  # type: ignore[arg-type]
    [fault] = faults(spec)
    assert fault.place == place
    assert says in fault.says


def test_many_faults_are_told_without_end_to_the_sentence():
    spec = with_tasks(*(Draft(name=f"t{n}", title="{{x}}") for n in range(9)))
    reason = given().refusal(template.Define(template_id="build", spec=spec)).reason
    assert reason.count("{{x}}") == template.TOLD
    assert reason.endswith("and 5 more faults")


def test_a_template_has_a_size():
    spec = with_tasks(Draft(name="a", title="a", prompt="x" * 70_000))
    assert "65,536 is the most" in given().refusal(template.Define(template_id="build", spec=spec)).reason
