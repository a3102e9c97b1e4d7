"""Templates in the read model: the list, a wording for each version, and what each use made, as it stands."""

from __future__ import annotations

import pytest

from core.domain import run, task, template, worker
from core.domain.template_spec import Draft, Param, TemplateSpec
from projections import queries
from projections.rows import At
from projections.rows.record import TimelineFilter
from tests.projections.folded import Folded
from tests.projections.history import History

FIRST = TemplateSpec(title="Build", params=[Param(name="goal", default="g")], tasks=[Draft(name="a", title="{{goal}}")])
SECOND = TemplateSpec(
    title="Build well", tasks=[Draft(name="a", title="a"), Draft(name="b", title="b", depends_on=["a"])]
)


def story() -> History:
    """Defined, used, changed, used again, its first task cancelled, retired."""
    told = History()
    use = {"template_id": "build", "session_id": "default"}
    told.order(template.Define(template_id="build", spec=FIRST), by="maria")
    told.order(template.Use(**use, prefix="one", params={"goal": "a shed"}), by="ben")
    told.order(template.Define(template_id="build", spec=SECOND, base=1), by="ben")
    told.order(template.Use(**use, prefix="two"), task.Cancel(task_id="default/one-a"))
    told.order(template.Retire(template_id="build", reason="done building"))
    return told


@pytest.fixture
async def told(folded) -> tuple[Folded, History]:
    history = story()
    return await (await folded()).take(history), history


async def test_the_list_says_what_each_is_and_how_often_it_was_used(told):
    seen, history = told
    [row] = await seen.ask(queries.templates, _at(history))
    assert (row.template_id, row.state, row.version, row.title) == ("build", "retired", 2, "Build well")
    assert (row.params, row.tasks, row.uses, row.because) == (0, 2, 2, "done building")


async def test_versions_are_kept_with_who_worded_them(told):
    seen, history = told
    found = await seen.ask(queries.template, _at(history), "build")
    assert [(each.version, each.by, each.spec) for each in found.versions] == [(2, "ben", SECOND), (1, "maria", FIRST)]
    assert found.worded(0).version == 2
    assert found.worded(3) is None


async def test_a_use_shows_its_tasks_as_they_stand(told):
    seen, history = told
    newest, oldest = (await seen.ask(queries.template, _at(history), "build")).uses
    assert (oldest.use_id, oldest.version, oldest.by, oldest.params) == ("build~1", 1, "ben", {"goal": "a shed"})
    assert [(each.task_id, each.title, each.state) for each in oldest.tasks] == [
        ("default/one-a", "a shed", "cancelled")
    ]
    assert newest.by_state == {"ready": 1, "blocked": 1}


async def test_the_past_knows_no_later_version_and_no_later_use(told):
    seen, history = told
    defined = next(n for n, each in enumerate(history.recorded, 1) if isinstance(each.fact, template.Defined))
    found = await seen.ask(queries.template, _at(history, defined), "build")
    assert (found.row.state, found.row.version, found.row.uses, found.uses) == ("open", 1, 0, [])
    assert await seen.ask(queries.template, _at(history, defined - 1), "build") is None
    assert await seen.ask(queries.templates, _at(history, defined - 1)) == []


async def test_the_timeline_tells_of_definitions_uses_and_the_end(told):
    seen, history = told
    entries = (await seen.ask(queries.timeline, _at(history), TimelineFilter(text="template"))).entries
    assert [entry.says for entry in reversed(entries)] == [
        "template build defined, version 1: Build",
        "template build, version 1, made 1 task called one-…",
        "template build defined, version 2: Build well",
        "template build, version 2, made 2 tasks called two-…",
        "template build retired: done building",
    ]


async def test_a_use_names_the_files_its_runs_left(folded):
    told = story().order(
        worker.Register(worker_id="anvil", boot_id="b", agents=[worker.AgentSpec(name="ada", adapter="sim")])
    )
    [task_id] = [held.task_id for held in told.state.runs.values()]
    files = [run.Artifact(name="kit.zip", sha256="a" * 64, size=9, media_type="application/zip")]
    epoch = told.state.workers["anvil"].epoch
    done = run.Finish(run_id=f"{task_id}~1", worker_id="anvil", epoch=epoch, result="succeeded", artifacts=files)
    told.order(done)
    seen = await (await folded()).take(told)
    newest = (await seen.ask(queries.template, _at(told), "build")).uses[0]
    assert [(each.name, each.run_id, each.size) for each in newest.kept] == [("kit.zip", f"{task_id}~1", 9)]


def _at(history: History, seq: int = 0) -> At:
    return At(events_seq=seq or len(history.events), observations_seq=0, at=history.now)
