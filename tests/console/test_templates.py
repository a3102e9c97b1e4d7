"""Templates in the console: written row by row without a script, checked at the field, used, changed, looked at."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
import pytest

from console.shipped import shipped
from core.domain import template
from core.domain.template_spec import Draft, Param, TemplateSpec, faults
from tests.console.tower import Tower

SPEC = TemplateSpec(
    title="Build something",
    params=[
        Param(name="goal", label="Goal", required=True, most=40),
        Param(name="count", kind="number", whole=True, most=5, default=3),
        Param(name="careful", kind="yes_no"),
    ],
    tasks=[
        Draft(name="plan", title="Plan {{goal}}", prompt="{{count}} steps"),
        Draft(name="look", title="Look", depends_on=["plan"], when="careful"),
        Draft(name="build", title="Build {{goal}}", command="make {{goal}}", depends_on=["look"]),
    ],
)
HOSTILE = "<script>alert(1)</script>\"'{{7*7}}"


async def define(tower: Tower, spec: TemplateSpec = SPEC, base: int = 0) -> None:
    answer = await tower.order(template.Define(template_id="build", spec=spec, base=base))
    assert answer.outcome == "done", answer.reason
    await tower.folded()


def fields_of(page: str) -> dict[str, str]:
    """What the page's own form would send, as it stands."""
    [form] = re.findall(r'<form class="sheetform[^>]*>.*?</form>', page, re.DOTALL)
    found: dict[str, str] = {}
    for tag in re.findall(r"<input [^>]*>", form):
        name, value = (re.search(rf'{which}="([^"]*)"', tag) for which in ("name", "value"))
        if name and not ('type="checkbox"' in tag and " checked" not in tag):
            found[name[1]] = html.unescape(value[1]) if value else ""
    for name, text in re.findall(r'<textarea[^>]* name="([^"]*)"[^>]*>\n?(.*?)</textarea>', form, re.DOTALL):
        found[name] = html.unescape(text)
    for name, options in re.findall(r'<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', options)
        first = re.search(r'<option(?: value="([^"]*)")?>([^<]*)', options)
        picked = chosen or first
        found[name] = html.unescape(picked[1] if picked and picked[1] is not None else picked[2] if picked else "")
    return found


async def test_with_no_template_the_shipped_ones_are_a_button_away(tower: Tower):
    page = (await tower.client.get("/templates")).text
    assert "No template yet." in page
    assert "Bring the shipped templates" in page
    answer = await tower.client.post("/templates")
    assert answer.status_code == 303
    page = (await tower.client.get(answer.headers["location"])).text
    for name in ("generate_spec_kit", "validate_spec_kit", "fix_bug"):
        assert f"/templates/{name}" in page
    assert (await tower.client.post("/templates")).status_code == 303  # again: they are there already
    for name in ("generate_spec_kit", "validate_spec_kit", "fix_bug"):
        assert (await tower.client.get(f"/templates/{name}")).status_code == 200
        assert (await tower.client.get(f"/templates/{name}/use")).status_code == 200
        assert (await tower.client.get(f"/templates/{name}/edit")).status_code == 200


@pytest.mark.parametrize("define", shipped(), ids=lambda define: define.template_id)
def test_a_shipped_template_has_no_fault(define: template.Define):
    assert faults(define.spec) == []


async def test_a_template_is_written_row_by_row_and_saved(tower: Tower):
    fields = fields_of((await tower.client.get("/templates/new")).text)
    assert fields["tasks.0.title"] == "{{goal}}"
    fields |= {"title": "Paint a wall", "do": "params.add"}
    fields = fields_of((await tower.client.post("/templates/new", data=fields)).text)
    fields |= {"params.1.name": "coats", "params.1.kind": "number", "params.1.most": "3", "do": "tasks.add"}
    fields = fields_of((await tower.client.post("/templates/new", data=fields)).text)
    assert fields["params.1.name"] == "coats"
    fields |= {"tasks.1.name": "dry", "tasks.1.title": "Wait {{coats}} days", "tasks.1.depends_on": "do", "do": "check"}
    looked = await tower.client.post("/templates/new", data=fields)
    assert looked.status_code == 200
    assert "It fits." in looked.text
    assert "example-dry" in looked.text
    answer = await tower.client.post("/templates/new", data=fields_of(looked.text) | {"do": "save"})
    assert answer.status_code == 303
    assert urlsplit(answer.headers["location"]).path == "/templates/paint_a_wall"
    page = (await tower.client.get(answer.headers["location"])).text
    assert "Template saved" in page
    assert "coats" in page


async def test_rows_are_moved_and_removed(tower: Tower):
    await define(tower)
    fields = fields_of((await tower.client.get("/templates/build/edit")).text)
    fields = fields_of((await tower.client.post("/templates/build/edit", data=fields | {"do": "params.up.1"})).text)
    assert [fields[f"params.{n}.name"] for n in range(3)] == ["count", "goal", "careful"]
    fields = fields_of((await tower.client.post("/templates/build/edit", data=fields | {"do": "params.remove.0"})).text)
    assert [fields[f"params.{n}.name"] for n in range(2)] == ["goal", "careful"]
    answer = await tower.client.post("/templates/build/edit", data=fields | {"do": "save"})
    assert answer.status_code == 422
    assert "{{count}} is no parameter of this template" in html.unescape(answer.text)
    assert 'name="tasks.0.prompt" rows="3" aria-invalid="true"' in answer.text


async def test_the_form_loses_nothing_of_a_template(tower: Tower):
    for define_order in shipped():
        await tower.order(define_order)
    await tower.folded()
    for define_order in shipped():
        place = f"/templates/{define_order.template_id}/edit"
        fields = fields_of((await tower.client.get(place)).text)
        shown = fields_of((await tower.client.post(place, data=fields | {"do": "json"})).text)["json"]
        assert msgspec.json.decode(shown, type=TemplateSpec) == define_order.spec


async def test_json_is_another_way_to_write_it(tower: Tower):
    await define(tower)
    place = "/templates/build/edit"
    fields = fields_of((await tower.client.get(place)).text)
    view = fields_of((await tower.client.post(place, data=fields | {"do": "json"})).text)
    bad = await tower.client.post(place, data=view | {"json": '{"title": 7}', "do": "check"})
    assert bad.status_code == 422
    assert "This is not a template" in bad.text
    better = view["json"].replace("Build something", "Build it well")
    answer = await tower.client.post(place, data=view | {"json": better, "do": "save"})
    assert answer.status_code == 303
    assert "Build it well" in (await tower.client.get(answer.headers["location"])).text


async def test_of_two_authors_the_second_sees_what_changed_and_can_save_on_top(tower: Tower):
    await define(tower)
    place = "/templates/build/edit"
    mine = fields_of((await tower.client.get(place)).text) | {"title": "My words", "do": "save"}
    await define(tower, msgspec.structs.replace(SPEC, title="Their words"), base=1)
    answer = await tower.client.post(place, data=mine)
    assert answer.status_code == 409
    assert "Somebody was quicker." in answer.text
    assert "/templates/build?against=1#diff" in answer.text
    again = fields_of(answer.text)
    assert again["title"] == "My words"
    saved = await tower.client.post(place, data=again | {"do": "save"})
    assert saved.status_code == 303
    page = (await tower.client.get(saved.headers["location"])).text
    assert "My words" in page
    assert "Version 3" in page


async def test_a_use_is_looked_at_first_and_then_made(tower: Tower):
    await define(tower)
    fields = fields_of((await tower.client.get("/templates/build/use")).text)
    assert (fields["param.count"], fields["prefix"], fields["session"]) == ("3", "build-1", "default")
    fields |= {"param.goal": "a shed", "param.careful": "yes"}
    looked = await tower.client.post("/templates/build/use", data=fields | {"do": "look"})
    assert looked.status_code == 200
    assert "build-1-look" in looked.text
    before = tower.ledger.logs["COMMANDS"].last_seq
    answer = await tower.client.post("/templates/build/use", data=fields | {"do": "use"})
    assert answer.status_code == 303
    assert tower.ledger.logs["COMMANDS"].last_seq == before + 1
    where = urlsplit(answer.headers["location"])
    assert (where.path, parse_qs(where.query)["text"]) == ("/tasks", ["build-1-"])
    page = (await tower.client.get(answer.headers["location"])).text
    assert "Plan a shed" in page
    assert "Build a shed" in page
    assert "Tasks made" in page
    made = (await tower.client.get("/tasks/default/build-1-plan")).text
    assert 'href="/templates/build#uses"' in made


async def test_what_does_not_fit_is_said_beside_its_field_and_nothing_is_ordered(tower: Tower):
    await define(tower)
    before = tower.ledger.logs["COMMANDS"].last_seq
    fields = {"prefix": "p", "param.goal": "x" * 50, "param.count": "many", "param.careful": "perhaps", "do": "use"}
    answer = await tower.client.post("/templates/build/use", data=fields)
    assert answer.status_code == 422
    page = html.unescape(answer.text)
    for name, says in (
        ("goal", "50 characters is more than 40 characters"),
        ("count", "'many' is not a number"),
        ("careful", "'perhaps' is not yes or no"),
    ):
        assert f'id="wrong-{name}" role="alert">{says}<' in page
    assert "x" * 50 in page
    assert tower.ledger.logs["COMMANDS"].last_seq == before


async def test_what_the_core_refuses_is_said_in_the_form(tower: Tower):
    await define(tower)
    fields = {"prefix": "p", "param.goal": "a shed", "do": "use"}
    assert (await tower.client.post("/templates/build/use", data=fields)).status_code == 303
    answer = await tower.client.post("/templates/build/use", data=fields)
    assert answer.status_code == 409
    assert "default/p-plan exists already" in answer.text
    assert 'value="a shed"' in answer.text


async def test_its_page_shows_uses_with_their_tasks_states_and_versions_with_what_changed(tower: Tower):
    await define(tower)
    await tower.client.post("/templates/build/use", data={"prefix": "p", "param.goal": "a shed", "do": "use"})
    await define(tower, msgspec.structs.replace(SPEC, title="Build it well"), base=1)
    page = (await tower.client.get("/templates/build")).text
    assert "1 ready" in page
    assert "1 blocked" in page
    assert "param.goal=a+shed" in page
    compared = (await tower.client.get("/templates/build?version=2&against=1")).text
    assert '<tr class="del">' in compared
    assert "Build it well" in compared
    old = (await tower.client.get("/templates/build?version=1")).text
    assert "This is version 1" in old
    assert (await tower.client.get("/templates/build?version=9")).status_code == 422
    assert (await tower.client.get("/templates/nothing")).status_code == 404


async def test_what_a_use_is_asked_for_is_there_as_json_schema(tower: Tower):
    await define(tower)
    said = (await tower.client.get("/api/templates/build/schema")).json()
    assert said["required"] == ["goal"]
    assert said["properties"]["goal"] == {"title": "Goal", "type": "string", "maxLength": 40}
    assert said["properties"]["count"] == {"title": "count", "type": "integer", "maximum": 5, "default": 3}
    assert said["properties"]["careful"] == {"title": "careful", "type": "boolean"}
    assert (await tower.client.get("/api/templates/nothing/schema")).status_code == 404


async def test_a_version_is_there_as_a_file_to_define_elsewhere(tower: Tower):
    await define(tower)
    await define(tower, msgspec.structs.replace(SPEC, title="Later words"), base=1)
    assert (
        'href="/api/templates/build/spec?version=2" download="build.json"'
        in (await tower.client.get("/templates/build")).text
    )
    answer = await tower.client.get("/api/templates/build/spec?version=1")
    assert msgspec.json.decode(answer.content, type=TemplateSpec) == SPEC
    assert (await tower.client.get("/api/templates/build/spec?version=9")).status_code == 404
    assert (await tower.client.get("/api/templates/build/spec?version=x")).status_code == 422


async def test_a_name_with_odd_signs_has_its_pages(tower: Tower):
    for name in ("50%", "a%25b", "a?b#c&d"):
        await tower.order(template.Define(template_id=name, spec=SPEC))
    await tower.folded()
    for name in ("50%", "a%25b", "a?b#c&d"):
        for place in ("/templates/{}", "/templates/{}/use", "/templates/{}/edit", "/api/templates/{}"):
            assert (await tower.client.get(place.format(quote(name, safe="")))).status_code == 200


async def test_it_is_found_by_a_few_words_and_used_from_there(tower: Tower):
    await define(tower)
    assert 'href="/templates/build/use"' in (await tower.client.get("/palette?q=use+build")).text
    assert "/templates/build" not in (await tower.client.get("/palette?q=demolish")).text


async def test_the_past_is_looked_at_and_not_acted_on(tower: Tower):
    await define(tower)
    seq = tower.ledger.logs["EVENTS"].last_seq
    await define(tower, msgspec.structs.replace(SPEC, title="Later words"), base=1)
    for place in ("/templates", "/templates/build", "/templates/build/use", "/templates/build/edit"):
        page = (await tower.client.get(place, params={"at": str(seq)})).text
        assert "Later words" not in page
        if place in ("/templates", "/templates/build"):  # on the others the way back to now leads here
            assert re.search('href="/templates/(new|build/use|build/edit)', page) is None
    form = (await tower.client.get("/templates/build/use", params={"at": str(seq)})).text
    assert re.search(r'value="use" disabled|value="use"[^>]*disabled', form)


async def test_a_retired_template_says_so_and_takes_no_use(tower: Tower):
    await define(tower)
    order = {"type": "template.retire", "template_id": "build", "reason": "enough", "back": "/templates/build"}
    answer = await tower.client.post("/orders", data=order)
    page = (await tower.client.get(answer.headers["location"])).text
    assert "Template retired" in page
    assert ": enough." in page
    assert 'href="/templates/build/use' not in page


async def test_hostile_words_stay_words_everywhere(tower: Tower):
    spec = TemplateSpec(
        title=HOSTILE.replace("{{", "["), description=HOSTILE,
        params=[Param(name="goal", label=HOSTILE, default=HOSTILE, help=HOSTILE)],
        tasks=[Draft(name="a", title="{{goal}}", prompt="{{goal}}", labels=["{{goal}}"])],
    )  # fmt: skip
    await define(tower, spec)
    await tower.client.post("/templates/build/use", data={"prefix": "p", "param.goal": HOSTILE, "do": "use"})
    await tower.folded()
    places = ["/templates", "/templates/build", "/templates/build/use", "/templates/build/edit", "/tasks?text=p-"]
    for place in places:
        assert "<script>alert" not in (await tower.client.get(place)).text, place
    looked = await tower.client.post("/templates/build/use", data={"prefix": "q", "param.goal": HOSTILE, "do": "look"})
    assert "<script>alert" not in looked.text
    assert HOSTILE in html.unescape(looked.text)


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "params.remove.99"}, {"do": "tasks.up.0"}, {"do": "nonsense"}, {"base": "x"}, {"json": "\ud800x"},
        {"json": "[" * 5_000}, {"params.0.kind": "colour"}, {"tasks.0.priority": "9"}, {"tasks.0.max_attempts": "-1"},
        {"params.0.least": "a lot"}, {"params.0.name": "x" * 600}, {"template_id": "a b/c", "do": "save"},
        {"template_id": "new", "do": "save"}, {"lane": "x" * 300},
    ],
)  # fmt: skip
async def test_whatever_is_sent_comes_back_as_a_form(tower: Tower, fields: dict[str, str]):
    sent = {"title": "t", "params.0.name": "a", "tasks.0.name": "b", "tasks.0.title": "c", "do": "check"} | fields
    data = {key: value.encode("utf-8", "replace").decode() for key, value in sent.items()}
    answer = await tower.client.post("/templates/new", data=data)
    assert answer.status_code in (200, 409, 422)
    assert '<form class="sheetform builder"' in answer.text
