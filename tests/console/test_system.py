"""System: what is measured, with its limit and the way out; rebuilding; rules to adopt; the way in, step by step."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from console.pages.system import KEPT, LOOK_WITHIN_S, kept
from core.doctor import Reader
from core.domain.spec import TaskSpec
from core.domain.system import NEWEST_RULES, Begin
from core.envelope import Sent, encode_command
from core.streams import Sizes, settings
from core.survey import Reach, Survey
from tests.console.tower import Tower


async def test_every_stream_tells_how_full_it_is_and_what_it_keeps(busy: Tower):
    page = (await busy.client.get("/system")).text
    for name, keeps in (("COMMANDS", "every order, for ever"), ("EVENTS", "every fact, for ever"),
                        ("OBSERVATIONS", "what workers saw; the oldest go when it is full")):  # fmt: skip
        assert name in page
        assert keeps in page


def test_every_stream_and_bucket_there_is_has_words_for_what_it_keeps():
    assert set(settings(Sizes())) <= set(KEPT)
    seen = Reach(
        name="OBSERVATIONS", kind="stream", messages=0, first_seq=1, last_seq=0, bytes=0, forgets=True,
        max_age_s=30 * 86_400,
    )  # fmt: skip
    assert kept(seen) == "what workers saw, for 30 days; the oldest go earlier when it is full"


async def test_a_log_near_its_limit_is_not_well_and_the_way_out_stands_beside_it(busy: Tower):
    log = busy.ledger.logs["EVENTS"]
    log.max_bytes = int(log.bytes / 0.9)
    page = (await busy.client.get("/system")).text
    assert "room in EVENTS" in page
    assert "1 not well" in page
    assert "raise its limit" in page


async def test_the_read_model_is_rebuilt_from_the_page_and_is_the_same_again(busy: Tower):
    before = await busy.read_model.digest()
    answer = await busy.client.post("/system/rebuild", data={"back": "/system"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/system")
    async with asyncio.timeout(10):
        while busy.read_model.positions().doing != "following":
            await asyncio.sleep(0.01)
    assert await busy.read_model.digest() == before
    assert "Follows" in (await busy.client.get("/system")).text


async def test_newer_rules_are_offered_once_the_log_goes_by_older_ones(busy: Tower):
    page = (await busy.client.get("/system")).text
    assert "the newest, since" in page
    assert "Adopt rules" not in page


async def test_a_log_that_goes_by_older_rules_is_offered_the_newest_and_adopts_them(tmp_path: Path):
    tower = Tower(tmp_path)
    logs = tower.ledger.logs
    begin = Begin(commands_created=logs["COMMANDS"].created, events_created=logs["EVENTS"].created, rules=2)
    tower.ledger.put("COMMANDS", [encode_command(Sent(id="~begin", by="core", command=begin))])
    async with tower.running():
        page = (await tower.client.get("/system")).text
        assert f"Adopt rules {NEWEST_RULES}" in page
        order = {"type": "core.adopt_rules", "rules": str(NEWEST_RULES), "back": "/system"}
        assert (await tower.client.post("/orders", data=order)).status_code == 303
        await tower.folded()
        assert "the newest, since" in (await tower.client.get("/system")).text


async def test_the_past_of_what_is_only_measured_is_not_made_up(busy: Tower):
    page = (await busy.client.get("/system?at=5")).text
    assert "measured now, not recorded" in page
    main = page.partition("<main")[2].partition("</main>")[0]
    assert "<form" not in main or "disabled" in main


async def test_the_steps_turn_one_by_one(tower: Tower):
    async def steps() -> str:
        await tower.folded()
        return (await tower.client.get("/system/setup")).text

    assert "3 of 6" in await steps()  # server, core, read model
    await tower.register(agents=2)
    assert "2 agents on 1 worker" in await steps()
    await tower.bring_plan(one=TaskSpec(title="One"))
    page = await steps()
    assert "5 of 6" in page
    assert "1 run under way" in page
    await tower.start("default/one~1")
    await tower.finish("default/one~1")
    assert "Everything is in place." in await steps()


async def test_a_server_that_does_not_answer_is_told_within_seconds_and_nothing_is_made_up(busy: Tower):
    class Silent:
        async def look(self, readers: list[Reader]) -> Survey:  # noqa: ARG002 - it never comes so far
            await asyncio.sleep(3_600)
            raise AssertionError

    app = busy.app
    app.state.desk = msgspec.structs.replace(app.state.desk, surveyor=Silent())
    began = busy.clock.monotonic()
    page = (await busy.client.get("/system")).text
    assert busy.clock.monotonic() - began < 3 * LOOK_WITHIN_S
    assert "did not answer within 3 s" in page
    assert "how full its streams are cannot be told just now" in page


async def test_two_who_rebuild_at_once_do_not_fold_twice_into_one_model(busy: Tower):
    before = await busy.read_model.digest()
    form = {"back": "/system"}
    await asyncio.gather(*(busy.client.post("/system/rebuild", data=form) for _ in range(3)))
    async with asyncio.timeout(10):
        while busy.read_model.positions().doing != "following":
            await asyncio.sleep(0.01)
    assert await busy.read_model.caught_up(5)
    assert busy.read_model.positions().problem == ""
    assert await busy.read_model.digest() == before
