"""What a run printed, on its page: read on, searched, its holes marked, and hostile only to read."""

from __future__ import annotations

import asyncio
import re

import pytest

from console.output import Scroll, Scrolls
from core.ledger import Busy
from core.memory import MemoryLedger
from tests.console.test_run_page import RUN, page
from tests.console.tower import Tower

PRINTED = "\x1b[32mloaded 40\x1b[0m\nof 100\n"


async def more(tower: Tower, after: str, base: str) -> str:
    return await page(tower, f"{RUN}?part=run_more&after={after}&base={base}")


def numbers(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'<li id="L(\d+)"', html)]


def cursor(html: str) -> tuple[str, str]:
    found = re.search(r'data-steady="(\d+)" data-base="([\d.]+)"', html)
    assert found is not None
    return found[1], found[2]


async def test_an_open_page_fetches_only_the_lines_that_are_new(busy: Tower):
    html = await page(busy, RUN)
    assert numbers(html) == [1, 2]
    busy.say("default/load~1", "fifty\nsix", offset=len(PRINTED))
    news = await more(busy, *cursor(html))
    assert numbers(news) == [3, 4]
    assert "data-whole" not in news
    busy.say("default/load~1", "ty\n", offset=len(PRINTED + "fifty\nsix"))
    again = await more(busy, *cursor(news))
    assert numbers(again) == [4]  # the line that was open comes again, whole
    assert "sixty" in again


async def test_a_page_whose_numbering_is_another_one_gets_all_lines(busy: Tower):
    news = await more(busy, "2", "1.1")
    assert 'data-whole="1"' in news
    assert numbers(news) == [1, 2]


async def test_what_was_read_is_not_read_again(busy: Tower):
    scroll = Scroll("default/load~1")
    await scroll.read_on(busy.ledger)
    seen: list[int] = []
    read = MemoryLedger.read

    def watched(self, stream, *, after=0, until=None, subjects=()):
        seen.append(after)
        return read(self, stream, after=after, until=until, subjects=subjects)

    busy.ledger.read = watched.__get__(busy.ledger)  # type: ignore[method-assign]
    busy.say("default/load~1", "more\n", offset=len(PRINTED))
    await scroll.read_on(busy.ledger)
    assert seen == [1]
    assert scroll.output().lines[-1].text == "more"


async def test_many_who_ask_at_once_are_served_by_two_readings(busy: Tower, monkeypatch):
    asked: list[str] = []
    head = busy.ledger.head

    async def watched(stream):
        asked.append(stream)
        await asyncio.sleep(0)
        return await head(stream)

    monkeypatch.setattr(busy.ledger, "head", watched)
    scroll = Scroll("default/load~1")
    await asyncio.gather(*(scroll.read_on(busy.ledger) for _ in range(20)))
    assert len(asked) == 2
    assert len(scroll.output().lines) == 2


async def test_output_the_server_took_back_is_read_anew_and_the_hole_is_marked(busy: Tower):
    run_id = "default/broken~1"
    log = busy.ledger.logs["OUTPUT"]
    busy.say(run_id, "one\n")
    busy.say(run_id, "two\n", offset=4)
    scroll = Scroll(run_id)
    await scroll.read_on(busy.ledger)
    log.messages.pop()  # a crash: the last chunk is gone, and the stream goes on from there
    await scroll.read_on(busy.ledger)
    assert [line.text for line in scroll.output().lines] == ["one"]
    busy.say(run_id, "three\n", offset=8)
    await scroll.read_on(busy.ledger)
    assert [(line.text, line.lost) for line in scroll.output().lines] == [("one", 0), ("", 4), ("three", 0)]
    assert not scroll.output().lines[1].aged
    assert "4\u00a0B lost here" in await page(busy, f"/runs/{run_id}")


async def test_a_log_that_cannot_be_asked_leaves_the_page_and_what_was_read(busy: Tower, monkeypatch):
    await page(busy, RUN)

    async def down(*_: object) -> None:
        raise Busy("the server has no leader")

    monkeypatch.setattr(busy.ledger, "head", down)
    html = await page(busy, RUN)
    assert "could not be read on just now: the server has no leader. What was read before is below" in html
    assert numbers(html) == [1, 2]
    monkeypatch.undo()
    assert "could not be read" not in await page(busy, RUN)


async def test_output_that_aged_away_says_so(busy: Tower):
    run_id = "default/broken~1"
    busy.say(run_id, "late\n", offset=5_000)
    html = await page(busy, f"/runs/{run_id}")
    assert "5\u00a0kB before this are gone: the server keeps output for three days" in html


async def test_a_chunk_that_comes_twice_is_shown_once(busy: Tower):
    run_id = "default/broken~1"
    for _ in range(2):
        busy.say(run_id, "once\n")
    busy.say(run_id, "ce\nmore\n", offset=2)  # and one that overlaps
    scroll = Scroll(run_id)
    await scroll.read_on(busy.ledger)
    assert [line.text for line in scroll.output().lines] == ["once", "more"]


async def test_of_endless_output_only_the_newest_lines_are_kept(busy: Tower):
    run_id, offset = "default/broken~1", 0
    for start in range(0, 10_000, 500):
        chunk = "".join(f"line {n}\n" for n in range(start, start + 500))
        busy.say(run_id, chunk, offset=offset)
        offset += len(chunk)
    scroll = Scroll(run_id)
    await scroll.read_on(busy.ledger)
    shown = scroll.output()
    assert shown.cut
    assert len(shown.lines) == 2_000
    assert (shown.lines[0].number, shown.lines[-1].text) == (8_001, "line 9999")
    overview = await page(busy, f"/runs/{run_id}")
    assert numbers(overview) == list(range(9_701, 10_001))
    assert "Only the end is shown" in overview
    assert len(numbers(await page(busy, f"/runs/{run_id}?tab=output"))) == 2_000


def test_only_so_many_runs_are_kept_at_hand():
    scrolls = Scrolls(most=2)
    first = scrolls.of("a")
    assert scrolls.of("a") is first
    scrolls.of("b")
    scrolls.of("c")
    assert scrolls.of("a") is not first


async def test_search_marks_every_place_and_can_show_only_them(busy: Tower):
    html = await page(busy, f"{RUN}?find=OF")
    assert "1 place in 1 line read “OF”" in html
    assert "<mark>of</mark> 100" in html
    assert numbers(html) == [1, 2]
    assert numbers(await page(busy, f"{RUN}?find=of&only=1")) == [2]


async def test_search_finds_what_stands_across_two_colours(busy: Tower):
    busy.say("default/broken~1", "a \x1b[31mred\x1b[0mdish thing\n")
    html = await page(busy, "/runs/default/broken~1?find=reddish")
    assert "1 place in 1 line" in html
    assert "<mark>red</mark><mark>dish</mark>" in html


async def test_nothing_found_says_so_and_a_search_too_long_is_refused(busy: Tower):
    assert "Nothing it printed reads “xyzzy”" in await page(busy, f"{RUN}?find=xyzzy")
    answer = await busy.client.get(RUN, params={"find": "x" * 201})
    assert answer.status_code == 422


async def test_the_past_shows_what_was_printed_by_then(busy: Tower):
    then = await busy.folded()
    before = await page(busy, f"{RUN}?at={then}")
    assert "It has printed nothing by then" in before or "loaded 40" in before
    assert "data-more" in before
    assert "data-tail" in before or "data-nothing" in before
    assert "Following" not in before


HOSTILE = [
    "\x1b]0;owned\x07", "\x1b]8;;javascript:alert(1)\x1b\\click\x1b]8;;\x1b\\", "<script>alert(1)</script>",
    "\x1b[2J\x1b[H\x1b[8mhidden", "user\u202enimda", "\x1b]52;c;aGk=\x07", "\x1bP+q544e\x1b\\", "a\x08b\rc",
    "\x1b[38;5;1m\x1b[999999999999m", "\x9b31m", "</ol></section><h1>Forged</h1>", "\x1b[31" * 500,
    b"\xed\xb3\xbf",
]  # fmt: skip


@pytest.mark.parametrize("attack", HOSTILE)
async def test_hostile_output_is_text_and_nothing_else(busy: Tower, attack: str | bytes):
    busy.say("default/broken~1", attack)
    html = await page(busy, "/runs/default/broken~1?tab=output")
    log = html[html.index('<ol class="log"') :]
    log = log[: log.index("</ol>")]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", log)
    assert set(re.findall(r"</?(\w+)", log)) <= {"ol", "li", "span", "mark"}
    assert "javascript:" not in re.sub(r">[^<]*<", "><", log)


async def test_the_download_is_an_attachment_under_a_sandbox_and_names_what_is_missing(busy: Tower):
    busy.say("default/broken~1", "late\n", offset=5)
    answer = await busy.client.get("/runs/default/broken~1/output")
    assert answer.content == b"\n[5 bytes of stdout are missing here]\nlate\n"
    assert answer.headers["content-disposition"] == 'attachment; filename="broken~1.txt"'
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"
