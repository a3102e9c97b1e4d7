"""Writing and rewriting a task: forms keep what was typed, and the second of two editors loses no word."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec

from console import wording
from core.domain.spec import TaskSpec
from tests.console.tower import Tower

EDIT = "/tasks/default/odd/edit"


def fields_of(page: str) -> dict[str, str]:
    """Every field of the page's writing form, as a browser would send it untouched."""
    form = page.split('class="sheetform', 1)[1].split("</form>", 1)[0]
    found = dict(re.findall(r'<input[^>]* name="([^"]+)" value="([^"]*)"', form))
    found |= dict(re.findall(r'<input name="([^"]+)"[^>]*? value="([^"]*)"', form))
    found |= dict(re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n(.*?)</textarea>', form, re.DOTALL))
    for name, options in re.findall(r'<select[^>]* name="([^"]+)">(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', options)
        found[name] = (chosen[1] if chosen[1] is not None else chosen[2]) if chosen else ""
    return {name: unescape(value) for name, value in found.items()}


async def opened(tower: Tower, path: str = EDIT) -> dict[str, str]:
    await tower.folded()
    answer = await tower.client.get(path)
    assert answer.status_code == 200, answer.text
    return fields_of(answer.text)


async def save(tower: Tower, fields: dict[str, str], **changed: str) -> httpx2.Response:
    named = {name.replace("__", "."): text for name, text in changed.items()}
    return await tower.client.post(EDIT, data=fields | {f"spec.{name}": text for name, text in named.items()})


async def spec_of(tower: Tower, name: str = "odd") -> dict[str, Any]:
    await tower.folded()
    return (await tower.machine.get(f"/api/tasks/default/{name}")).json()["spec"]


async def test_a_form_saved_untouched_changes_nothing_and_orders_nothing(busy: Tower):
    before = busy.ledger.logs["COMMANDS"].last_seq
    answer = await save(busy, await opened(busy))
    assert answer.status_code == 422
    assert "Nothing was changed." in answer.text
    assert busy.ledger.logs["COMMANDS"].last_seq == before


async def test_only_what_was_changed_is_ordered_and_the_page_says_so(busy: Tower):
    answer = await save(
        busy, await opened(busy), title="Needs a common thing", needs="sim, python", prompt="First\r\nthen",
        labels="a b\r\nc",
    )  # fmt: skip
    assert answer.status_code == 303, answer.text
    assert urlsplit(answer.headers["location"]).path == "/tasks/default/odd"
    page = (await busy.client.get(answer.headers["location"])).text
    assert "Needs a common thing" in page
    spec = await spec_of(busy)
    assert spec["needs"] == ["sim", "python"]
    assert spec["prompt"] == "First\nthen"
    assert spec["labels"] == ["a b", "c"]
    command = (await busy.machine.get("/api/commands", params={"type": "task.amend"})).json()["rows"][0]
    assert command["outcome"] == "done"


async def test_a_field_can_be_emptied(busy: Tower):
    assert (await save(busy, await opened(busy), prompt="Something", files="a.py\r\nb c.py")).status_code == 303
    assert (await spec_of(busy))["files"] == ["a.py", "b c.py"]
    assert (await save(busy, await opened(busy), prompt="", files="")).status_code == 303
    spec = await spec_of(busy)
    assert "prompt" not in spec
    assert "files" not in spec


async def test_what_does_not_fit_is_said_at_its_field_and_keeps_the_words(busy: Tower):
    answer = await save(busy, await opened(busy), title="Kept words", policy__max_attempts="0")
    assert answer.status_code == 422
    assert fields_of(answer.text)["spec.title"] == "Kept words"
    at_field = answer.text.split('name="spec.policy.max_attempts"', 1)[1].split("</label>", 1)[0]
    assert "Expected `int` &gt;= 1" in at_field


async def test_the_second_of_two_editors_sees_what_changed_and_saves_his_words_on_top(busy: Tower):
    first, second = await opened(busy), await opened(busy)
    assert (await save(busy, first, title="The first one's title", prompt="one\ntwo\nthree")).status_code == 303
    await busy.folded()

    answer = await save(busy, second, title="The second one's title", labels="urgent")
    assert answer.status_code == 409
    assert "Somebody was quicker" in answer.text
    assert "Nothing of yours was stored" in answer.text
    for words in ("Needs a rare thing", "The first one&#39;s title", "The second one&#39;s title"):
        assert words in answer.text.split('id="changed-title"', 1)[1].split("</section>", 1)[0]
    assert "you both changed it" in answer.text
    assert (await spec_of(busy))["title"] == "The first one's title"

    offered = fields_of(answer.text)
    assert offered["spec.title"] == "The second one's title"
    assert offered["spec.prompt"] == "one\ntwo\nthree"
    assert offered["spec.labels"] == "urgent"
    assert (await save(busy, offered)).status_code == 303
    spec = await spec_of(busy)
    assert (spec["title"], spec["prompt"], spec["labels"]) == ("The second one's title", "one\ntwo\nthree", ["urgent"])


async def test_where_the_two_changed_different_fields_saving_on_top_keeps_both(busy: Tower):
    first, second = await opened(busy), await opened(busy)
    assert (await save(busy, first, title="Another title")).status_code == 303
    await busy.folded()
    answer = await save(busy, second, labels="mine")
    assert answer.status_code == 409
    assert "you both changed it" not in answer.text
    assert (await save(busy, fields_of(answer.text))).status_code == 303
    spec = await spec_of(busy)
    assert (spec["title"], spec["labels"]) == ("Another title", ["mine"])


async def test_a_form_that_names_a_wording_nobody_wrote_is_told_to_open_it_anew(busy: Tower):
    fields = await opened(busy)
    answer = await save(busy, fields | {"base": "7777"}, title="x")
    assert answer.status_code == 422
    assert "open it anew" in answer.text


async def test_a_task_that_is_done_is_not_edited_but_forked(busy: Tower):
    page = (await busy.client.get("/tasks/default/schema")).text
    assert "/tasks/default/schema/edit" not in page
    assert "/tasks/new?from=default%2Fschema" in page
    answer = await busy.client.post("/tasks/default/schema/edit", data={
        "base": str((await opened(busy, "/tasks/default/schema/edit"))["base"]), "spec.title": "Again",
    })  # fmt: skip
    assert answer.status_code == 409
    assert "default/schema" in answer.text


async def test_a_fork_begins_with_every_word_of_the_other_one(busy: Tower):
    fields = await opened(busy, "/tasks/new?from=default/schema")
    assert fields["spec.title"] == "Draw the schema"
    assert fields["spec.files"] == "db/schema.sql"
    assert fields["spec.labels"] == "db"
    assert fields["spec.priority"] == "0"
    answer = await busy.client.post("/tasks/new", data=fields | {"name": "schema-2"})
    assert answer.status_code == 303, answer.text
    spec, old = [msgspec.convert(await spec_of(busy, name), TaskSpec) for name in ("schema-2", "schema")]
    assert spec == old


async def test_a_refused_new_task_comes_back_as_it_was_typed(busy: Tower):
    fields = await opened(busy, "/tasks/new")
    answer = await busy.client.post(
        "/tasks/new", data=fields | {"spec.title": "After what?", "spec.depends_on": "ghost"}
    )
    assert answer.status_code == 409
    assert "default/ghost" in answer.text
    assert fields_of(answer.text)["spec.title"] == "After what?"
    short = await busy.client.post("/tasks/new", data=fields | {"spec.title": ""})
    assert short.status_code == 422


async def test_no_such_task_is_a_404_with_its_name(busy: Tower):
    for path in ("/tasks/default/ghost/edit", "/tasks/new?from=default/ghost"):
        answer = await busy.client.get(path)
        assert answer.status_code == 404
        assert "default/ghost" in answer.text


def test_words_with_hidden_characters_are_not_changed_by_looking_at_them():
    spec = TaskSpec(title="ab\u202ecd", prompt="line\r\nwith \x1b[31m red", files=["a\u200bb.py"])
    shown = wording.texts(spec)
    assert "⟨U+202E⟩" in shown["title"]
    assert wording.changes(shown, wording.typed({f"spec.{name}": text for name, text in shown.items()})) == {}


def test_merging_keeps_both_sides_and_prefers_the_second_where_they_clash():
    base = wording.texts(TaskSpec(title="a", prompt="p", lane="A"))
    theirs, mine = base | {"title": "b", "lane": "B"}, base | {"title": "c", "prompt": "q"}
    assert wording.merged(base, theirs, mine) == base | {"title": "c", "lane": "B", "prompt": "q"}
    found = {
        each.field.name: (each.they_changed, each.i_changed, each.clash)
        for each in wording.differences(base, theirs, mine)
    }
    assert found == {"title": (True, True, True), "prompt": (False, True, False), "lane": (True, False, False)}
