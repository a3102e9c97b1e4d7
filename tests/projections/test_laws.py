"""The laws of the read model: it is a function of the log, each message counts once, and nothing is skipped."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from shutil import copyfile

import pytest

from core.domain.machine import tag
from core.ledger import Gap, Stored
from projections import few, fold, parts, queries, sql, sums
from projections.facts import FACTS, Unreadable, kinds
from projections.intervals import OPEN
from projections.rows.tasks import TaskFilter
from projections.store import Reader, only
from tests.projections.folded import Folded
from tests.projections.history import History, wandering

# Facts that change no row and are no line of the timeline, each with the reason.
NOT_SHOWN: dict[str, str] = {}
NOT_TOLD = {
    "task.staged": "a plan may hold 200,000; the seal says a line for each that came into force",
    "plan.released": "belongs to the seal that follows it",
}


async def test_replaying_a_log_gives_what_following_it_gave(folded):
    history = wandering(1)
    followed = await (await folded()).take(history, pieces=Random(7))
    replayed = await (await folded()).take(history)
    assert await followed.digest() == await replayed.digest()


@pytest.mark.parametrize("kept", [few.KEPT, 3, 0])
async def test_few_facts_folded_row_by_row_leave_the_very_tables_that_columns_leave(folded, monkeypatch, kept: int):
    """However many rows are remembered that stood before."""
    monkeypatch.setattr(few, "KEPT", kept)
    history = wandering(31, 300)
    in_rows = await (await folded()).take(history, pieces=Random(2))
    monkeypatch.setattr(fold, "FEW", 0)
    in_columns = await (await folded()).take(history, pieces=Random(2))
    assert await in_rows.digest() == await in_columns.digest()


async def test_a_fold_that_failed_half_way_and_was_tried_again_leaves_what_one_would_have_left(folded, monkeypatch):
    """What was remembered of rows that were not written after all is forgotten."""
    history = wandering(31, 300)
    whole = await (await folded()).take(history, pieces=10)
    seen: Folded = await folded()
    failing, insert = Random(31), parts.Parts.insert
    failed = 0

    def insert_or_fail(*args: object) -> None:
        if failing.random() < 0.05:
            raise OSError("no room")
        insert(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(parts.Parts, "insert", insert_or_fail)
    for stream, messages in (("EVENTS", history.events), ("COMMANDS", history.commands)):
        while seen.model.marks[stream].seq < len(messages):
            at = seen.model.marks[stream].seq
            try:
                await seen.model.take(stream, messages[at : at + 10])
            except OSError:
                failed += 1
    assert failed > 10
    assert await seen.digest() == await whole.digest()


async def test_indices_made_at_the_end_of_a_long_log_find_what_those_find_that_were_there_from_the_start(folded):
    history = wandering(38, 300)
    from_the_start = await (await folded()).take(history, pieces=Random(3))
    at_the_end = Folded()
    await at_the_end.model.open()
    await at_the_end.take(history, until=200)
    assert not await indices(at_the_end)
    await at_the_end.model.settle()
    await at_the_end.take(history, pieces=Random(3))
    assert await indices(at_the_end) == await indices(from_the_start)
    assert await at_the_end.digest() == await from_the_start.digest()
    at_the_end.model.store.close()


async def indices(seen: Folded) -> set[str]:
    return {row["index_name"] for row in await seen.ask(Reader.run, "select index_name from duckdb_indexes()")}


async def test_rows_that_were_taken_out_do_not_stay_in_the_way_of_those_that_are_alive(folded, monkeypatch):
    history = wandering(32, 300)
    as_it_grows = await (await folded()).take(history, pieces=7)
    monkeypatch.setattr(parts, "LOOK_AFTER", 10)
    tidied = await (await folded()).take(history, pieces=7)
    assert await tidied.digest() == await as_it_grows.digest()
    assert await rows_held(tidied, "runs_now") < await rows_held(as_it_grows, "runs_now") / 2


async def test_one_of_very_many_is_looked_up_without_reading_over_the_others(folded, monkeypatch):
    """At any moment, and after a part was made anew."""
    monkeypatch.setattr(parts, "LOOK_AFTER", 10)
    monkeypatch.setattr(parts, "SPARSE", 0)
    history = wandering(33, 300)
    seen = await (await folded()).take(history, pieces=7)
    indexed = [table for table in sql.load().tables.values() if table.index]
    assert {table.name for table in indexed} == {"edges", "runs", "specs", "tasks"}
    for table in indexed:
        for part in (f"{table.name}_rest", f"{table.name}_past") if table.key else (table.name,):
            for column in table.index:
                some = (await seen.ask(Reader.run, f"select median({column}) as id from {part}"))[0]["id"]
                text = f"explain analyze from (from {part}{only(column, [some])}) where {_AT[bool(table.key)]}"
                for seq in (len(history.events), len(history.events) // 2):
                    plan = str(await seen.ask(Reader.run, text, ids=[some], seq=seq))
                    assert "Index Scan" in plan or "Empty Result" in plan, (part, column)
                    assert "Sequential Scan" not in plan, (part, column)


_AT = {True: "from_seq <= $seq and to_seq > $seq", False: "seq <= $seq"}


async def test_what_is_looked_up_after_a_crash_is_what_a_look_at_every_row_finds(folded, tmp_path: Path, monkeypatch):
    """The file as it was, with its write-ahead log, while rows came and went."""
    monkeypatch.setattr(parts, "LOOK_AFTER", 50)
    running = await Folded(tmp_path / "running.duckdb").open()
    await running.take(wandering(37, 300), pieces=Random(37))
    for name in ("running.duckdb", "running.duckdb.wal"):
        copyfile(tmp_path / name, tmp_path / name.replace("running", "crashed"))
    seen = await Folded(tmp_path / "crashed.duckdb").open()
    assert await seen.digest() == await running.digest()
    looked_up = 0
    for table in (table for table in sql.load().tables.values() if table.index):
        for part in (f"{table.name}_rest", f"{table.name}_past") if table.key else (table.name,):
            for column in table.index:
                every = await seen.ask(Reader.run, f"select {column} as id, count(*) as n from {part} group by all")
                for row in every:
                    found = await seen.ask(Reader.run, f"from {part}{only(column, [row['id']])}", ids=[row["id"]])
                    assert len(found) == row["n"], (part, column, row["id"])
                looked_up += len(every)
    assert looked_up > 100
    for each in (running, seen):
        each.model.store.close()


@pytest.mark.parametrize("seed", [34, 35, 36])
async def test_what_is_summed_by_block_comes_to_what_the_rows_come_to_at_every_moment(folded, monkeypatch, seed: int):
    """Rows that left their rest after their block was summed among them: failed tasks that were tried again."""
    monkeypatch.setattr(sums, "BLOCK", 64)
    history = wandering(seed, 300)
    seen = await (await folded()).take(history, pieces=Random(seed))
    summed = [table for table in sql.load().tables.values() if table.sums]
    assert {table.name for table in summed} == {"runs", "tasks"}
    for table in summed:
        blocks = await seen.ask(Reader.run, f"select count(distinct block) as n from {table.name}_sums")
        assert blocks[0]["n"] >= len(history.events) // 64 - 2
        in_short = table.sums.replace("/*rows*/", f"(from {table.name} where from_seq <= $seq and to_seq > $seq)")
        names = list((await seen.ask(Reader.run, f"{in_short} limit 1", seq=len(history.events)))[0])
        counted = [name for name in names if name == "n" or name.endswith(("_tokens", "_calls", "_ms", "_uusd"))]
        latest = [name for name in names if name.endswith("_at")]
        adds = [f"sum({name})::bigint as {name}" for name in counted] + [f"max({name}) as {name}" for name in latest]
        told = ", ".join(name for name in names if name not in counted + latest)
        whole = f"select {told}, {', '.join(adds)} from /*rows*/ group by all order by all"
        for seq in range(1, len(history.events) + 1, 7):
            rows = await seen.ask(Reader.run, whole.replace("/*rows*/", f"({in_short})"), seq=seq)
            again = whole.replace("/*rows*/", f"{table.name}_summed($first, $seq)")
            assert await seen.ask(Reader.run, again, first=sums.first_unsummed(seq), seq=seq) == rows


async def rows_held(seen: Folded, table: str) -> int:
    """Alive or not."""
    rows = await seen.ask(Reader.run, "select estimated_size as n from duckdb_tables() where table_name = $t", t=table)
    return int(rows[0]["n"])


async def test_a_model_that_was_cleared_takes_the_log_one_message_at_a_time(folded):
    history = wandering(38, 40)
    seen = await (await folded()).take(history, pieces=1)
    before = await seen.digest()
    await seen.model.clear()
    await seen.take(history, pieces=1)
    assert await seen.digest() == before


async def test_a_message_delivered_twice_counts_once(folded):
    history = wandering(2)
    once = await (await folded()).take(history)
    twice: Folded = await folded()
    for _ in range(2):
        await twice.take(history, pieces=150)
    overlapping = await folded()
    for start in range(0, len(history.events), 40):
        await overlapping.model.take("EVENTS", history.events[max(0, start - 25) : start + 40])
    await overlapping.model.take("COMMANDS", history.commands)
    assert await once.digest() == await twice.digest() == await overlapping.digest()


async def test_how_the_streams_interleave_makes_no_difference(folded):
    history = wandering(3)
    one: Folded = await folded()
    await one.model.take("COMMANDS", history.commands)
    await one.model.take("EVENTS", history.events)
    other = await (await folded()).take(history)
    assert await one.digest() == await other.digest()


async def test_the_read_model_at_a_sequence_knows_nothing_of_what_came_after(folded):
    history = wandering(4)
    until = len(history.events) // 2
    whole = await (await folded()).take(history)
    half = await (await folded()).take(history, until=until)
    now = history.recorded[until - 1].at
    for ask, args in [
        (queries.counts, ()), (queries.tasks, (TaskFilter(limit=0),)), (queries.agents, ()), (queries.workers, ()),
        (queries.lanes, ()), (queries.hour, ()), (queries.plans, ()), (queries.sessions, ()), (queries.attention, ()),
        (queries.usage, ("agent",)),
    ]:  # fmt: skip
        then = await whole.ask(queries.moment, str(until), now)
        assert await whole.ask(ask, then, *args) == await half.ask(ask, then, *args)


async def test_a_thing_has_one_row_at_any_moment(folded):
    seen = await (await folded()).take(wandering(4), pieces=Random(4))
    for table in sql.load().tables.values():
        if table.key:
            overlapping = f"""
                select {table.key}, from_seq, to_seq,
                    lead(from_seq) over (partition by {table.key} order by from_seq) as next_seq
                from {table.name} qualify to_seq <> coalesce(next_seq, {OPEN})"""
            assert await seen.ask(Reader.run, overlapping) == [], table.name


async def test_a_gap_in_the_log_is_refused(folded):
    history = wandering(5, 30)
    seen: Folded = await folded()
    await seen.model.take("EVENTS", history.events[:10])
    with pytest.raises(Gap, match="EVENTS: 13 came where 11 was due"):
        await seen.model.take("EVENTS", history.events[12:20])
    assert seen.model.marks["EVENTS"].seq == 10


async def test_a_fact_nobody_knows_stops_the_fold_before_it_and_nothing_is_skipped(folded):
    history = wandering(6, 30)
    strange = Stored(21, "evt.task.x.teleported", 0, b'{"at":1,"by":"x","cause":"c","command_seq":1,"part":1,"of":1,'
                     b'"fact":{"type":"task.teleported"},"chain":"00"}')  # fmt: skip
    seen: Folded = await folded()
    with pytest.raises(Unreadable, match=r"EVENTS 21 \(evt.task.x.teleported\).*start a build that knows this fact"):
        await seen.model.take("EVENTS", [*history.events[:20], strange, *history.events[21:]])
    assert seen.model.marks["EVENTS"].seq == 20
    assert await seen.digest() == await (await (await folded()).take(_only(history, 20))).digest()


async def test_a_batch_that_fails_leaves_no_row_behind(folded):
    history = wandering(7, 30)
    seen: Folded = await folded()
    before = await seen.digest()
    ready = seen.model.prepare("EVENTS", history.events)
    ready.ranges[-1]["task.submitted"] = ready.ranges[-1][sql.ANY]  # not its columns: the last statement fails
    with pytest.raises(Exception, match="Binder Error"):
        await seen.model.commit(ready)
    assert await seen.digest() == before
    assert seen.model.marks["EVENTS"].seq == 0
    await seen.take(history)


def test_results_are_always_fetched_to_the_end():
    """One left open keeps the write-ahead log from being taken in: it grew to 658 MB under a fold."""
    files = sorted(sql.FOLDER.glob("*.py"))
    assert files
    assert [path.name for path in files if re.search(r"\.fetch(one|many)\(", path.read_text())] == []


def test_every_statement_is_named_after_a_fact_there_is():
    named = {name for table in sql.load().tables.values() for name in (*table.on, *table.after)}
    assert named - {sql.ANY, sql.OBSERVATION, sql.COMMAND} <= set(FACTS)


def test_every_fact_changes_something_that_is_shown():
    assert set(FACTS) - kinds(sql.load().tables) == set(NOT_SHOWN)


def test_every_fact_is_a_line_of_the_timeline():
    assert set(FACTS) - set(sql.load().tables["timeline"].on) == set(NOT_TOLD)


def test_every_table_is_fed_by_one_stream():
    for table in sql.load().tables.values():
        streams = {name if name in (sql.OBSERVATION, sql.COMMAND) else "events" for name in table.on}
        assert len(streams) == 1, table.name


async def test_every_fact_that_random_orders_make_can_be_folded(folded):
    seen, folded_tags = await folded(), set()
    for seed in range(20, 23):
        history = wandering(seed, 250)
        folded_tags |= {tag(recorded.fact) for recorded in history.recorded}
        await (await folded()).take(history)
    assert len(folded_tags) > 25
    assert seen.model.marks["EVENTS"].seq == 0


def _only(history: History, facts: int) -> History:
    history.events, history.commands = history.events[:facts], []
    return history


EDGES_OF = {
    "the wordings": """
        with stood as (from specs where from_seq <= $seq and to_seq > $seq)
        select unnest(from_json(depends_on, '["varchar"]')) as before, task_id as after from stood
        union select task_id, unnest(from_json(parents, '["varchar"]')) from stood
        order by before, after""",
    "the edges": """
        select distinct before, after from (
            select before, after from edges where seq <= $seq group by before, after, kind having not arg_max(gone, seq)
        ) order by before, after""",
}


@pytest.mark.parametrize("seed", [1, 4, 31])
async def test_the_edges_between_tasks_are_what_their_wordings_say_at_every_moment(folded, seed: int):
    history = wandering(seed)
    read_model = await (await folded()).take(history, pieces=Random(seed))
    for seq in range(1, len(history.events) + 1, 5):
        worded, edges = [await read_model.ask(_edges, text, seq) for text in EDGES_OF.values()]
        assert edges == worded, f"at {seq}"


def _edges(db: Reader, text: str, seq: int) -> list[tuple[str, str]]:
    return [(row["before"], row["after"]) for row in db.run(text, seq=seq)]


MOVING = {"runs": "ended_at = 0", "tasks": "state in ('blocked', 'ready', 'running', 'waiting', 'paused')"}


@pytest.mark.parametrize("table", MOVING)
async def test_all_that_moves_at_any_moment_is_found_without_what_came_to_rest(folded, table: str):
    read_model = await (await folded()).take(wandering(31), pieces=Random(5))
    for seq in range(1, len(wandering(31).events) + 1, 5):
        where = f"where from_seq <= {seq} and to_seq > {seq} and {MOVING[table]} order by all"
        whole, moving = [
            await read_model.ask(Reader.run, f"from {name} {where}") for name in (table, f"{table}_moving")
        ]
        assert moving == whole
