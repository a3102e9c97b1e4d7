"""The frame of every page: stations, find or do, keys, halt; and agents ordered about in numbers."""

from __future__ import annotations

import re

import pytest

from console.alarms import Alarms
from console.finder import pieces
from console.lifeline import lifeline
from console.look import Look
from console.render import part
from console.stations import STATIONS, open_on, station_of
from projections import queries
from projections.pace import OutOfStep
from projections.rows import At
from projections.rows.agents import Stretch
from projections.rows.runs import RunFilter
from tests.console.tower import OURS, Tower


def test_a_station_is_shown_when_its_page_answers_and_not_before():
    assert [station.name for station in open_on({"/", "/agents", "/elsewhere"})] == ["now", "agents"]
    keys = [station.key for station in STATIONS]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("path", "name"),
    [("/", "now"), ("/agents/w1/a0", "agents"), ("/runs/default/load~1", "tasks"), ("/tasksomething", ""),
     ("/palette", ""), ("/commands", "commands")],
)  # fmt: skip
def test_a_page_stands_on_the_station_its_path_begins_with(path: str, name: str):
    assert station_of(path) == name


async def test_every_page_marks_its_station_and_says_what_waits_in_the_title(busy: Tower):
    page = (await busy.client.get("/agents/w1/a0")).text
    assert re.search(r'href="/agents" data-key="a" aria-current="page"', page)
    assert "<title>(2) a0 · Switchtower</title>" in page
    assert re.search(r'rel="icon"[^>]+icon-broken\.svg', page)


async def test_words_find_tasks_agents_runs_orders_and_moments(busy: Tower):
    async def found(q: str) -> str:
        return (await busy.client.get("/palette", params={"q": q, "part": "found"})).text

    assert 'href="/tasks/default/load"' in await found("load ROWS")
    assert 'href="/agents/w1/a0"' in await found("a0 w1")
    assert 'href="/runs/default/load~1"' in await found("load~1")
    assert 'value="lane.resume"' in await found("open lane B")
    assert 'href="/?at=7"' in await found("7")
    assert 'href="/commands?text=7"' in await found("command 7")
    assert "/?at=999999" not in await found("999999")
    assert "Nothing is called that" in await found("zebra crossing")
    assert "agent.pause" not in await found("a0")  # whoever types a name wants to see it
    assert "agent.pause" in await found("pause a0")


async def test_the_past_is_found_in_and_not_ordered_about(busy: Tower):
    last = await busy.folded()
    page = (await busy.client.get("/palette", params={"q": "a", "at": last, "part": "found"})).text
    assert "<form" not in page
    assert f"/agents?at={last}" in page
    refused = await busy.client.get("/halt", params={"at": last})
    assert refused.status_code == 422
    assert "Go back to now" in refused.text


@pytest.mark.parametrize("q", ["<script>alert(1)</script>", "\u202e", "%", "' or 1=1 --", "x" * 5_000, "\x00", "ſ ß İ"])
async def test_whatever_is_typed_is_only_looked_for(busy: Tower, q: str):
    answer = await busy.client.get("/palette", params={"q": q})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text


def test_what_was_asked_for_is_marked_and_nothing_is_lost():
    label = pieces((("Pause lane Pau", False),), ["pau"])
    assert label == (("Pau", True), ("se lane ", False), ("Pau", True))
    assert "".join(piece for piece, _ in pieces((("İstanbul", False),), ["stan"])) == "İstanbul"


async def test_keys_are_told_for_the_stations_there_are(busy: Tower):
    page = (await busy.client.get("/keys")).text
    for station in busy.app.state.stations:
        assert f"<dd>{station.label}</dd>" in page


async def test_a_halted_fleet_is_said_on_every_page_with_who_and_why(busy: Tower):
    assert "The fleet is halted" not in (await busy.client.get("/")).text
    before = await busy.folded()
    order = {"type": "core.halt", "reason": "smoke <b>in</b> the yard", "back": "/"}
    assert (await busy.client.post("/orders", data=order, headers=OURS)).status_code == 303
    await busy.folded()
    for path in ("/", "/agents", "/tasks/default/load", "/commands", "/halt"):
        page = (await busy.client.get(path)).text
        assert "The fleet is halted" in page, path
        assert "by operator: smoke &lt;b&gt;in&lt;/b&gt; the yard" in page, path
    assert "the fleet is halted" in (await busy.client.get("/agents/w1/a0")).text
    assert "Release the halt" in (await busy.client.get("/palette?q=release&part=found")).text.replace(
        "<mark>", ""
    ).replace("</mark>", "")
    assert "The fleet is halted" not in (await busy.client.get("/", params={"at": before})).text


async def test_many_agents_are_listed_before_and_ordered_each_by_itself(busy: Tower):
    page = (await busy.client.get("/agents/all", params={"do": "pause", "pick": ["w1/a0", "w1/a2"]})).text
    assert "Pause 2 of 2 agents?" in page
    assert "w1/a1" not in page
    picks = {"do": "pause", "picks": "w1/a0\r\nw1/a2\r\n", "reason": "lunch"}
    answer = await busy.client.post("/agents/all", data=picks, headers=OURS)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/agents")
    assert "Agent paused" in (await busy.client.get(answer.headers["location"])).text
    await busy.folded()
    roster = (await busy.client.get("/agents?part=roster")).text
    assert roster.count("lunch") >= 2
    log = (await busy.client.get("/commands?type=agent.pause")).text
    assert "w1/a0" in log
    assert "w1/a2" in log
    again = (await busy.client.get("/agents/all", params={"do": "pause"})).text
    assert "Pause 2 of 4 agents?" in again


async def test_an_order_for_agents_that_cannot_be_says_why(busy: Tower):
    assert (await busy.client.get("/agents/all?do=fire")).status_code == 422
    nobody = await busy.client.post("/agents/all", data={"do": "pause"}, headers=OURS)
    assert nobody.status_code == 422
    assert "tick some" in nobody.text
    ghost = await busy.client.post("/agents/all", data={"do": "stop", "picks": "w1/ghost"}, headers=OURS)
    assert ghost.status_code == 409
    assert "w1/ghost" in ghost.text
    assert "0 of 1 orders" in ghost.text


async def test_more_agents_are_asked_of_a_worker_and_nothing_is_shown_before_it_answers(busy: Tower):
    form = {"type": "worker.hire", "worker_id": "w1", "adapter": "sim", "count": "2", "pool": "sim", "back": "/agents"}
    assert (await busy.client.post("/orders", data=form, headers=OURS)).status_code == 303
    await busy.folded()
    assert 'All <span class="count">4</span>' in (await busy.client.get("/agents")).text
    assert "w1, 3 agents" in (await busy.client.get("/agents/add")).text


async def test_two_agents_side_by_side_and_a_ghost_is_absent(busy: Tower):
    page = (await busy.client.get("/agents/compare", params={"pick": ["w1/a0", "w1/a1"]})).text
    assert "Load the rows" in page
    assert "Draw the schema" in page
    assert "Choose two agents" in (await busy.client.get("/agents/compare")).text
    assert (await busy.client.get("/agents/compare?a=w1/a0&b=w9/x")).status_code == 404
    assert (await busy.client.get("/agents/w1/a0?span=5y")).status_code == 422


async def test_an_agent_says_what_it_did_how_it_prints_and_how_its_worker_beats(busy: Tower):
    page = (await busy.client.get("/agents/w1/a1")).text
    assert "loaded 40" in page
    assert "States of a1 over time" in page
    assert "counting rows" in page
    last = await busy.folded()
    then = (await busy.client.get("/agents/w1/a1", params={"at": last})).text
    assert "loaded 40" in then


def test_a_lifeline_is_to_scale_and_its_shares_are_of_what_is_known():
    told = [Stretch(state="idle", at=0, until=250), Stretch(state="running", at=250, until=1_000, run_id="r")]
    line = lifeline(told, 0, 1_000)
    assert [(piece.x, piece.width) for piece in line.pieces] == [(0.0, 250.0), (250.0, 750.0)]
    assert [(state, share) for state, _, _, share in line.shares] == [("running", 75.0), ("idle", 25.0)]
    assert lifeline([], 0, 1_000).pieces == []


async def test_what_is_out_of_step_says_by_how_much_and_compared_with_what(busy: Tower):
    last = await busy.folded()
    found = await busy.read_model.query(
        queries.runs, At(events_seq=last, observations_seq=0), RunFilter(states=("running",))
    )
    run = found.rows[0]
    now = run.started_at + 300_000_000
    look = Look(at=At(events_seq=last, observations_seq=0, at=now), now=now, path="/")
    common = {"run": run, "since": run.started_at}
    odd = [
        OutOfStep(kind="slow", times=2.5, usual=120e6, of="tasks in lane A", seen=40, **common),
        OutOfStep(kind="dear", times=4.1, usual=9_000.0, rate=36_900.0, of="opus", seen=12, uusd=6_840_000,
                  uusd_a_minute=620_000, **common),
        OutOfStep(kind="dear", times=4.1, usual=9_000.0, rate=36_900.0, of="own", seen=12, **common),
    ]  # fmt: skip
    drawn = part("needs", look=look, alarms=Alarms([], []), odd=odd, most=12).replace("\u00a0", " ")
    told = " ".join(re.sub(r"<[^>]+>", " ", drawn).split())
    assert "is at Load the rows for 5 m 00 s" in told
    assert "19 of 20 tasks in lane A are done within 2 m 00 s; that is 2.5 ×" in told
    assert "spends $0.62 a minute on Load the rows" in told
    assert "4.1 × the 9 k a minute of others on opus · $6.84 so far" in told
    assert "uses 37 k tokens a minute on Load the rows" in told
    assert "All calm" not in told
