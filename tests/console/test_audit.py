"""Commands: found by who, what, about what, since when and how it ended; one opens; the log proved from the page."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from console.proof import Prover
from core.domain import lane
from core.domain.spec import TaskSpec
from core.envelope import Sent, encode_command
from core.ledger import Stored
from tests.console.tower import Tower


async def seq_of(tower: Tower, **wanted: str) -> int:
    found = (await tower.machine.get("/api/commands", params={"reports": "true", "limit": "0", **wanted})).json()
    return int(found["rows"][0]["command_seq"])


async def test_commands_are_found_by_type_target_actor_outcome_and_time(busy: Tower):
    for query, there, not_there in (
        ("type=lane.pause", "pause lane", "configure lane"),
        ("target=B", "pause lane", "configure lane"),
        ("outcome=already_so", "Already so", "configure lane"),
        ("by=api&outcome=done", "configure lane", "Already so</span></td>"),
        ("since=1h&type=lane.configure", "configure lane", "pause lane"),
        ("text=freeze&outcome=refused", "No command fits", "pause lane"),
    ):
        page = (await busy.client.get(f"/commands?{query}")).text
        rows = page.partition("<tbody>")[2] or page
        assert there in page, query
        assert not_there not in rows, query


async def test_a_command_is_found_by_its_number(busy: Tower):
    seq = await seq_of(busy, type="lane.configure")
    found = (await busy.machine.get("/api/commands", params={"text": str(seq), "reports": "true"})).json()
    assert seq in [row["command_seq"] for row in found["rows"]]  # and any whose id has that number in it


async def test_what_is_not_decided_yet_is_pending_and_nothing_else_is(tower: Tower):
    await tower.order_and_fold({"type": "lane.pause", "lane": "A"})
    message = encode_command(Sent(id="~order/later", by="ada", command=lane.Pause(lane="B")))
    tower.engine.stop()
    tower.ledger.put("COMMANDS", [message])
    assert await tower.read_model.caught_up(5)
    pending = (await tower.machine.get("/api/commands", params={"outcome": "pending", "reports": "true"})).json()
    decided = (await tower.machine.get("/api/commands", params={"outcome": "done", "reports": "true"})).json()
    assert (pending["total"], decided["total"]) in ((1, 2), (0, 3))  # the core may have been quicker
    both = (await tower.machine.get("/api/commands", params={"outcome": "pending,done", "reports": "true"})).json()
    every = (await tower.machine.get("/api/commands", params={"reports": "true"})).json()
    assert both["total"] == every["total"]


async def test_a_command_s_page_shows_its_body_its_facts_and_what_led_to_it(busy: Tower):
    seq = await seq_of(busy, type="run.finish")
    page = (await busy.client.get(f"/commands/{seq}")).text
    assert "&#34;type&#34;: &#34;run.finish&#34;" in page
    assert "run.failed" in page or "run.succeeded" in page
    assert "What led to it" in page
    assert "which gave out" in page
    assert 'class="vh">holds' in page
    assert "</svg>broken" not in page


async def test_of_very_many_facts_the_first_hundred_are_shown_and_the_others_are_a_link_away(tower: Tower):
    await tower.bring_plan(**{f"t{n}": TaskSpec(title="work") for n in range(120)})
    await tower.folded()
    seq = await seq_of(tower, type="plan.add")
    page = (await tower.client.get(f"/commands/{seq}")).text
    assert (page.count('<li id="fact-'), "All 120 facts" in page) == (100, True)
    page = (await tower.client.get(f"/commands/{seq}?facts=all")).text
    assert (page.count('<li id="fact-'), "All 120 facts" in page) == (120, False)


async def test_a_report_is_led_back_to_the_order_that_gave_the_run_out(busy: Tower):
    seq = await seq_of(busy, type="run.progress")
    page = (await busy.client.get(f"/commands/{seq}")).text
    sealed = await seq_of(busy, type="plan.seal")
    assert f'href="/commands/{sealed}"' in page


async def test_a_fact_altered_in_the_log_is_marked_on_its_command_s_page(busy: Tower):
    seq = await seq_of(busy, type="lane.configure")
    events = busy.ledger.logs["EVENTS"].messages
    place = next(i for i, each in enumerate(events) if each.subject == "evt.lane.A.configured")
    events[place] = altered(events[place], b'"concurrency":2', b'"concurrency":9')
    page = (await busy.client.get(f"/commands/{seq}")).text
    assert "</svg>broken" in page


async def test_what_the_filter_shows_is_taken_away_as_a_file(busy: Tower):
    lines = (await busy.client.get("/commands/export.jsonl?target=B")).text.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["outcome"] for row in rows] == ["already_so", "done"]
    assert rows[0]["from"] == "a program, by the API"
    await busy.client.post("/orders", data={"type": "lane.pause", "lane": "A", "reason": "=cmd()"})
    await busy.client.post("/orders", data={"type": "task.retry", "task_id": "=1+1"})
    await busy.folded()
    sheet = await busy.client.get("/commands/export.csv")
    assert sheet.headers["Content-Type"].startswith("text/csv")
    assert ",=" not in sheet.text
    assert "'=1+1" in sheet.text


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("/commands/99999", 404, "There was no command 99,999"),
        ("/commands/first", 422, "is no command's number"),
        ("/commands?outcome=nice", 422, "?outcome=nice is none"),
        ("/commands?since=lately", 422, "?since=lately is no beginning"),
        ("/commands?before=x", 422, "That filter does not fit"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_told_what_to_write(busy: Tower, path: str, code: int, says: str):
    answer = await busy.client.get(path)
    assert answer.status_code == code
    assert says in answer.text.replace("&#39;", "'").replace("\u202f", ",")


# ------------------------------------------------------------------ proofs


async def proved(tower: Tower, kind: str) -> str:
    """The page once the proof is over."""
    answer = await tower.client.post("/commands/proof", data={"kind": kind, "back": "/commands"})
    assert answer.status_code == 303, answer.text
    async with asyncio.timeout(20):
        while prover(tower).running is not None:
            await asyncio.sleep(0.01)
    return str((await tower.client.get("/commands")).text)


def prover(tower: Tower) -> Prover:
    found: Prover = tower.app.state.desk.prover
    return found


async def test_the_whole_log_is_proved_from_the_page(busy: Tower):
    page = await proved(busy, "all")
    last = prover(busy).last
    assert last is not None
    assert (last.outcome, last.problem) == ("equal", "")
    assert last.verified is not None
    assert last.verified.events == busy.ledger.logs["EVENTS"].last_seq
    assert last.tables > 5
    assert "The log is what its orders make of it" in page


async def test_the_chain_alone_is_checked_too(busy: Tower):
    page = await proved(busy, "chain")
    assert "The chain holds" in page


async def test_an_altered_fact_is_found_by_either_proof_and_named(busy: Tower):
    events = busy.ledger.logs["EVENTS"].messages
    place = next(i for i, each in enumerate(events) if each.subject == "evt.lane.A.configured")
    events[place] = altered(events[place], b'"concurrency":2', b'"concurrency":9')
    for kind in ("chain", "all"):
        page = await proved(busy, kind)
        last = prover(busy).last
        assert last is not None
        assert last.outcome == "different"
        assert last.verified is not None
        assert last.verified.difference is not None
        assert last.verified.difference.seq == place + 1
        assert f'href="/?at={place + 1}"' in page


async def test_a_read_model_that_is_not_what_the_log_makes_of_it_is_found(busy: Tower):
    await busy.read_model.model.store.write(lambda db: db.execute("delete from timeline where seq = 3"))
    page = await proved(busy, "all")
    assert "The read model is not what the log makes of it: timeline" in page


async def test_one_proof_runs_at_a_time_and_it_can_be_stopped(busy: Tower):
    desk = busy.app.state.desk
    assert desk.prover.start("all", desk.ledger, desk.read_model, desk.clock, lambda: None)
    assert not desk.prover.start("chain", desk.ledger, desk.read_model, desk.clock, lambda: None)
    page = (await busy.client.get("/commands")).text
    assert 'value="stop"' in page
    await busy.client.post("/commands/proof", data={"kind": "stop"})
    assert desk.prover.running is None
    assert "The proof was stopped" in (await busy.client.get("/commands")).text


async def test_a_proof_of_another_kind_is_refused_in_words(busy: Tower):
    answer = await busy.client.post("/commands/proof", data={"kind": "alibi"})
    assert answer.status_code == 422
    assert "of the kind" in answer.text


async def test_pages_and_folds_go_on_while_a_proof_runs(busy: Tower):
    """A slice of the proof is short: the loop is never away for long."""
    for n in range(300):
        await busy.door.order(lane.Pause(lane="A", reason=str(n)) if n % 2 else lane.Resume(lane="A"))
    await busy.folded()
    desk = busy.app.state.desk
    desk.prover.start("all", desk.ledger, desk.read_model, desk.clock, lambda: None)
    longest = 0.0
    while desk.prover.running is not None and desk.prover.running.doing == "deciding again":
        began = time.thread_time()  # the loop's own work: how busy the machine is makes no difference
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - began)
    assert (await busy.client.get("/tasks")).status_code == 200
    await desk.prover.stop()
    assert longest < 0.25


def altered(stored: Stored, old: bytes, new: bytes) -> Stored:
    assert old in stored.data
    return Stored(stored.seq, stored.subject, stored.at, stored.data.replace(old, new), stored.headers)
