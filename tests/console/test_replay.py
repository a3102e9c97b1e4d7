"""Replay: any page at any moment, the player below it, bookmarks for everybody, two moments compared."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from projections import moments
from tests.console.tower import OURS, Tower

STEPS = re.compile(r'data-go="(\d+)"[^>]*href="([^"]+)"|data-go="(\d+)" rel="(\w+)"[^>]*href="([^"]+)"')


async def page(tower: Tower, path: str) -> str:
    answer = await tower.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def link(text: str, words: str) -> str:
    """The address of the player's link with those words."""
    found = re.search(rf'<a class="btn"[^>]*href="([^"]+)"[^>]*>(?:(?!</a>).)*{words}</span></a>', text, re.DOTALL)
    assert found, words
    return found[1].replace("&amp;", "&")


@pytest.mark.parametrize("path", ["/", "/agents", "/tasks", "/timeline", "/runs/default/load~1", "/replay"])
async def test_every_page_of_the_past_has_the_player_below_it_and_no_page_of_now_has(busy: Tower, path: str):
    last = await busy.folded()
    past = await page(busy, f"{path}?at={last}")
    assert past.count('aria-label="Player"') == 1
    assert "Nothing here can be changed" in past
    assert 'aria-label="Player"' not in await page(busy, path)


async def test_steps_keep_the_page_and_its_filters(busy: Tower):
    last = await busy.folded()
    text = await page(busy, f"/tasks?state=failed&at={last - 3}")
    assert link(text, "One fact back") == f"/tasks?state=failed&at={last - 4}"
    assert link(text, "One fact on") == f"/tasks?state=failed&at={last - 2}"
    end, beginning = await page(busy, f"/?at={last}"), await page(busy, "/?at=1")
    assert "No fact after" in end
    assert "No fact before" in beginning


async def test_the_next_failure_is_one_press_away_from_either_side(busy: Tower):
    beginning = await page(busy, "/?at=1")
    there = link(beginning, "Next failure")
    assert "Sharpen the saw" in await page(busy, there)
    last = await busy.folded()
    assert link(await page(busy, f"/?at={last}"), "Failure before") == there


async def test_a_moment_between_two_facts_is_the_first_of_them(busy: Tower):
    at = (await busy.read_model.query(lambda db: db.run("select at_us from moments where seq = 12")))[0]["at_us"]
    from console.swim import stamp

    text = await page(busy, f"/?at={stamp(at)}")
    seq = int(re.search(r'class="player-in"[^>]*data-seq="(\d+)"', text)[1])  # type: ignore[index]
    assert seq >= 12


async def test_an_address_with_two_moments_shows_the_last_and_says_so(busy: Tower):
    text = await page(busy, "/tasks?at=3&at=9")
    assert "The address names 2 moments; this is the last of them." in text
    assert link(text, "One fact on") == "/tasks?at=10"
    assert "at=3" not in text


async def test_a_bookmark_is_kept_in_the_log_and_shown_to_everybody(busy: Tower):
    form = {"type": "bookmark.set", "bookmark_id": "fact-9", "seq": "9", "title": "<b>Here</b>", "back": "/?at=9"}
    answer = await busy.client.post("/orders", data=form, headers=OURS)
    assert answer.status_code == 303, answer.text
    assert "at=9" in unquote(answer.headers["location"])
    await busy.folded()
    shown = await page(busy, "/replay")
    assert "&lt;b&gt;Here&lt;/b&gt;" in shown
    assert "at=9" in shown
    assert "&lt;b&gt;Here" in await page(busy, "/agents?at=5")  # on the strip, though it was marked later
    await busy.client.post("/orders", data={"type": "bookmark.remove", "bookmark_id": "fact-9"}, headers=OURS)
    await busy.folded()
    assert "No moment is marked" in await page(busy, "/replay")


@pytest.mark.parametrize(
    ("asked", "leads"),
    [
        ("page=/agents&at=12", "/agents?at=12"),
        ("page=/tasks%3Fstate%3Dfailed%26at%3D3&at=7", "/tasks?state=failed&at=7"),
        ("page=//elsewhere.example&at=12", "/?at=12"), ("page=https://elsewhere.example/&at=12", "/?at=12"),
    ],
)  # fmt: skip
async def test_replay_leads_to_any_page_of_ours_at_any_moment_and_to_no_other(busy: Tower, asked: str, leads: str):
    answer = await busy.client.get(f"/replay?{asked}")
    assert (answer.status_code, answer.headers["location"]) == (303, leads)


async def test_a_moment_counted_back_from_now_is_a_time_from_then_on(busy: Tower):
    """Whoever is sent the address, or follows a link of its page a minute later, sees the same moment."""
    await busy.folded()
    when = moments.second_of("-2m", busy.clock.now_us())
    answer = await busy.client.get("/tasks?state=done&at=-2m", headers={"accept": "text/html"})
    assert answer.status_code == 302
    assert unquote(answer.headers["location"]) == f"/tasks?state=done&at={when}"
    drawn = await busy.client.get("/tasks?state=done&at=-2m", headers={"accept": "*/*"})  # a program is not sent about
    assert drawn.status_code == 200
    assert f"at={when}" in unquote(drawn.text)
    assert "at=-2m" not in drawn.text


@pytest.mark.parametrize("ago", ["-999999d", "-700000d", "-999999999s"])
async def test_a_moment_long_before_the_log_is_one_at_which_nothing_is_known(busy: Tower, ago: str):
    answer = await busy.client.get("/", params={"at": moments.second_of(ago, busy.clock.now_us())})
    assert answer.status_code == 200
    assert "The log had not begun" in answer.text


async def test_two_moments_are_compared_by_what_became_of_things(busy: Tower):
    last = await busy.folded()
    text = await page(busy, f"/replay/compare?a=1&b={last}")
    for said in ("Tasks in another state", "Sharpen the saw", "exit 1: dull", "w1/a0", "lane.pause", "run.succeeded"):
        assert said in text, said
    assert "Nothing changed." in await page(busy, f"/replay/compare?a={last}&b={last}")
    turned = await page(busy, f"/replay/compare?a={last}&b=1")
    changes = re.compile(r'<div id="changes".*?</aside>', re.DOTALL)
    assert changes.search(text)[0].partition(">")[2] == changes.search(turned)[0].partition(">")[2]  # type: ignore[index]


@pytest.mark.parametrize("asked", ["a=zz", "b=999999", "a=2030-13-01T00:00:00"])
async def test_a_moment_that_cannot_be_is_named(busy: Tower, asked: str):
    answer = await busy.client.get(f"/replay/compare?{asked}")
    assert answer.status_code == 422
    assert f"?{asked[0]}= cannot be compared." in answer.text


async def test_before_anything_happened_replay_says_what_will_be_there(tower: Tower):
    text = await page(tower, "/replay")
    assert "Nothing went wrong" in text
    assert "timeline play samples/timelines/" in text
