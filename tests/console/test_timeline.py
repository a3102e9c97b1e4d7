"""The timeline: who did what when, over any stretch of time, as a drawing, as a table and as a file."""

from __future__ import annotations

import csv
import io
import json
import re
from itertools import accumulate

import pytest

from console import swim
from console.swim import Range
from projections.spans import Track
from tests.console.test_pages import Page
from tests.console.tower import Tower

MINUTE = 60_000_000


async def page(tower: Tower, path: str) -> str:
    answer = await tower.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize("by", ["agent", "task", "lane", "session"])
async def test_every_run_stands_on_a_track_whatever_the_tracks_are(busy: Tower, by: str):
    text = await page(busy, f"/timeline?by={by}&from=start")
    page_ = Page(text)
    assert text.count('<rect class="bar-run"') == 3  # schema done, broken failed; and one in the key
    assert text.count('<rect class="bar-live"') == 1 + 1  # load; and the one in the key
    assert sum("swim-group" in (attrs.get("class") or "") for attrs in page_.all("li")) >= 1


async def test_an_agent_that_did_nothing_has_a_track_of_its_own(busy: Tower):
    names = re.findall(r'<span class="cut">(a\d)</span>', await page(busy, "/timeline"))
    assert names == ["a0", "a0", "a1", "a2"]


async def test_the_table_says_the_same_in_words(busy: Tower):
    text = await page(busy, "/timeline?view=table&from=start")
    for said in ("schema~1", "exit 1: dull", "drawn", "Failed", "Running"):
        assert said in text
    assert text.count("<tr data-state") == 3


async def test_a_filter_leaves_what_fits_and_can_be_taken_away(busy: Tower):
    text = await page(busy, "/timeline?state=failed&from=start")
    assert (text.count('class="bar-bad"'), text.count('class="bar-live"')) == (2, 1)  # one of each is in the key
    assert "Show all" in text
    assert "No run" in await page(busy, "/timeline?text=nothing-of-that-name")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("from=yesterday", "is no time"), ("from=-1m&to=-5m", "goes forward"),
        ("by=colour", "agent, task, lane or session"),
        ("state=sad", "is no state of a run"), ("skip=x", "is no number of tracks"),
        ("from=0001-01-01T00:00:00", "ten years"),
        ("view=table&before=x", "a fact's number"), ("from=9999-01-01T00:00:00", "goes forward"),
        ("to=-99999999999999999999d", "is no time"),
    ],
)  # fmt: skip
async def test_a_question_that_cannot_be_answered_says_what_to_ask_instead(busy: Tower, asked: str, told: str):
    answer = await busy.client.get(f"/timeline?{asked}")
    assert (answer.status_code, told in answer.text.replace("&#39;", "'")) == (422, True), answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/timeline/run/x", "/timeline/run/99999999999999999999999", "/timeline/span/-1", "/timeline/span/0",
        "/timeline/run/\u0661",
    ],
)  # fmt: skip
async def test_a_run_that_no_fact_gave_out_is_not_there(busy: Tower, path: str):
    answer = await busy.client.get(path)
    assert (answer.status_code, "run given out by fact" in answer.text) == (404, True)


@pytest.mark.parametrize(
    "asked", ["from=9999-12-01T00:00:00&to=9999-12-31T23:59:59", "from=0001-01-01&to=0001-01-09T00:00:00"]
)
async def test_the_ends_of_the_calendar_are_only_empty(busy: Tower, asked: str):
    for path in (
        f"/timeline?by=task&{asked}",
        f"/timeline?{asked}",
        f"/timeline?view=table&{asked}",
        f"/timeline/data?{asked}",
    ):
        assert (await busy.client.get(path)).status_code == 200, path


async def test_as_it_stood_then_it_shows_nothing_of_what_came_later(busy: Tower):
    born = (await busy.read_model.query(lambda db: db.run("select min(from_seq) as seq from runs")))[0]["seq"]
    assert "Nothing ran in this time" not in await page(busy, f"/timeline?at={born}")
    before = await page(busy, f"/timeline?at={born - 1}")
    assert 'class="bar-live"' not in before.partition("swim-key")[0]


async def test_the_drawing_program_gets_the_spans_as_columns_for_the_tracks_that_are_drawn(busy: Tower):
    text = await page(busy, "/timeline?from=start")
    keys = json.loads(re.search(r"data-keys='([^']*)'", text)[1])  # type: ignore[index]
    data = (await busy.client.get("/timeline/data?from=start", headers={"Accept": "application/json"})).json()
    assert data["keys"] == keys
    assert not data["over"]
    columns = data["columns"]
    assert {len(values) for values in columns.values()} == {3}
    born = next(accumulate(columns["born"]))
    span = (await busy.client.get(f"/timeline/span/{born}")).json()
    assert span["agent_id"] == keys[columns["track"][0]]
    assert (await busy.client.get(f"/timeline/run/{born}")).headers["location"].startswith("/runs/default/")
    assert (await busy.client.get("/timeline/run/999999")).status_code == 404


async def test_what_is_shown_is_what_is_exported_and_no_more(busy: Tower):
    text = await page(busy, "/timeline?lane=A&from=start&state=running")
    address = re.search(r'href="(/timeline/export\?format=csv[^"]*)"', text)[1].replace("&amp;", "&")  # type: ignore[index]
    answer = await busy.client.get(address)
    assert answer.headers["content-disposition"].endswith('.csv"')
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert {(row["lane"], row["state"]) for row in rows} == {("A", "running")} or {row["state"] for row in rows} <= {
        "running", "assigned",
    }  # fmt: skip
    assert len(rows) == int(answer.headers["switchtower-runs"]) == text.count("bar-live") - 1
    refused = await busy.client.get("/timeline/export?format=xlsx")
    assert (refused.status_code, "csv, jsonl, parquet, perfetto" in refused.text) == (422, True)


async def test_hostile_names_stay_words_in_a_drawing(busy: Tower):
    task_id = await busy.submit("evil", title='</title></svg><script>alert(1)</script>"onload="x')
    await busy.register("w2", agents=2)
    await busy.folded()
    text = await page(busy, "/timeline?by=task&from=start")
    assert task_id
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text


# ── where things stand


def test_a_range_is_shown_by_shares_of_its_width():
    span = Range(0, 100 * MINUTE)
    assert (span.x(-5), span.x(25 * MINUTE), span.x(200 * MINUTE)) == (0, 25, 100)
    assert span.moved(0.5) == Range(50 * MINUTE, 150 * MINUTE)
    assert span.zoomed(0.5) == Range(25 * MINUTE, 75 * MINUTE)
    assert span.zoomed(1e-12).width == 1_000


@pytest.mark.parametrize("width", [1_000, 40_000, 1_000_000, MINUTE, 90 * MINUTE, 5_000 * MINUTE, 3_000_000 * MINUTE])
def test_ticks_are_round_times_few_enough_to_read(width: int):
    span = Range(1_800_000_123_456_789, 1_800_000_123_456_789 + width)
    found = swim.ticks(span)
    assert 1 <= len(found) <= 13
    assert [tick.x for tick in found] == sorted({tick.x for tick in found})


def test_tracks_stand_below_their_groups_name_without_overlap():
    tracks = [Track(key=f"{group}/{n}", group=group) for group in "ab" for n in range(3)]
    rows, height = swim.rows(tracks, [track.key for track in tracks])
    assert [(row.label, row.place) for row in rows][:3] == [("a", -1), ("a/0", 0), ("a/1", 1)]
    assert [row.y for row in rows] == sorted({row.y for row in rows})
    assert height == rows[-1].y + swim.ROW


def test_names_are_ordered_as_a_person_counts():
    assert sorted(["a10", "a2", "b1", "a", "10", "9"], key=swim.natural) == ["9", "10", "a", "a2", "a10", "b1"]


def test_a_time_in_an_address_comes_back_to_the_microsecond():
    from projections.moments import instant

    for us in (1_800_000_123_456_789, 1_800_000_123_000_000, 1_800_000_123_456_000):
        assert instant(swim.stamp(us), 0) == us


async def test_a_young_log_is_shown_from_its_first_run_on_not_as_an_empty_hour(busy: Tower):
    text = await page(busy, "/timeline")
    ran = await busy.read_model.query(lambda db: db.run("select min(assigned_at) as at from runs"))
    since, until = (int(re.search(rf'class="swim"[^>]* data-{name}="(\d+)"', text)[1]) for name in ("since", "until"))  # type: ignore[index]
    assert since <= ran[0]["at"]
    assert until - since < 2 * MINUTE
    assert re.search(r'from=start"[^>]* aria-current="true"', text)  # that is all there is
    assert re.search(r'from=-1h" aria-current="true"', await page(busy, "/timeline?from=-1h"))
