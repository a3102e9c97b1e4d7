"""Exports, each read back by what people read them with; none harms a spreadsheet, none forgets a run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.domain import run, task, worker
from projections import export, spans
from projections.export import COLUMNS, FORMATS, Format
from projections.rows import At
from projections.spans import SpanFilter
from tests.projections.crowd import BEGAN, crowd
from tests.projections.folded import Folded
from tests.projections.history import History

ALL = SpanFilter(since=0, until=2**60)


async def exported(model: Folded, at: At, wanted: SpanFilter, kind: Format) -> bytes:
    return b"".join([piece async for piece in export.export(model.ask, at, wanted, kind)])


def hostile(title: str, error: str) -> History:
    told = History()
    told.order(worker.Register(worker_id="anvil", boot_id="b", agents=[worker.AgentSpec(name="ada", adapter="sim")]))
    epoch = told.state.workers["anvil"].epoch
    told.order(task.Submit(task_id="default/t", spec=task.TaskSpec(title=title)))
    finish = run.Finish(
        run_id="default/t~1", worker_id="anvil", epoch=epoch, result="failed", error=error, error_class="x"
    )
    return told.order(run.Start(run_id="default/t~1", worker_id="anvil", epoch=epoch), finish)


def at_end(history: History) -> At:
    return At(events_seq=len(history.events), observations_seq=0, at=history.now, live=True)


@pytest.mark.parametrize(
    "title", ['=HYPERLINK("http://x","y")', "+1+1", "-2", "@SUM(A1)", "\t=1", 'a "quoted", one', "nämlich ✂ 𝄞"]
)
async def test_no_cell_of_a_csv_is_a_formula_and_every_text_comes_back(folded: Callable[[], Any], title: str):
    history = hostile(title, "=cmd|' /C calc'!A0\nsecond line")
    model = await (await folded()).take(history)
    (row,) = csv.DictReader(io.StringIO((await exported(model, at_end(history), ALL, "csv")).decode(), newline=""))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in row.values())
    assert row["title"].removeprefix("'") == title
    assert row["error"] == "'=cmd|' /C calc'!A0\nsecond line"
    assert list(row) == list(COLUMNS)


async def test_json_lines_hold_an_object_a_run(folded: Callable[[], Any]):
    history = hostile('</script>"\n', "it broke")
    model = await (await folded()).take(history)
    (line,) = (await exported(model, at_end(history), ALL, "jsonl")).splitlines()
    held = json.loads(line)
    assert (held["run_id"], held["title"], held["state"], held["error"]) == (
        "default/t~1",
        '</script>"\n',
        "failed",
        "it broke",
    )
    assert held["ended_at"].endswith("Z")
    assert held["cost_usd"] is None


async def test_parquet_is_read_back_by_duckdb_with_its_types(folded: Callable[[], Any], tmp_path):
    model = await folded()
    at = await crowd(model, 12_000)  # several row groups
    wanted = SpanFilter(since=BEGAN, until=BEGAN + 200_000_000, states=("failed",))
    file = tmp_path / "runs.parquet"
    file.write_bytes(await exported(model, at, wanted, "parquet"))
    rows = await model.ask(spans.spans_after, at, wanted, 0, 100_000)
    with duckdb.connect() as db:
        kinds = dict(row[:2] for row in db.execute(f"describe from '{file}'").fetchall())
        found = db.execute(f"select run_id, epoch_us(ended_at), took_ms, fact from '{file}'").fetchall()
    assert (kinds["assigned_at"], kinds["attempt"], kinds["cost_usd"]) == (
        "TIMESTAMP WITH TIME ZONE",
        "BIGINT",
        "DOUBLE",
    )
    assert found == [(row.run_id, row.ended_at, row.took_us // 1_000, row.born) for row in rows]
    assert len(found) > 200
    assert pq.read_schema(pa.BufferReader(file.read_bytes())).metadata[b"switchtower"]


async def test_a_trace_of_fifty_thousand_events_is_one_that_perfetto_opens(folded: Callable[[], Any]):
    model = await folded()
    at = await crowd(model, 10_000)
    trace = json.loads(await exported(model, at, ALL, "perfetto"))
    events = trace["traceEvents"]
    assert len(events) > 50_000
    for event in events:
        _is_trace_event(event)
    by_phase = {phase: [event for event in events if event["ph"] == phase] for phase in "MXbeiC"}
    assert len(by_phase["X"]) == 10_000
    assert len(by_phase["i"]) == 40_000
    assert {event["name"] for event in by_phase["C"]} == {"Running", "Ready"}
    named = {(event["pid"], event["tid"]) for event in by_phase["M"] if event["name"] == "thread_name"}
    assert {(event["pid"], event["tid"]) for event in by_phase["X"]} <= named
    assert all(event["cname"] == "terrible" for event in by_phase["X"] if event["args"]["state"] == "failed")
    waits = {event["id"]: event["ts"] for event in by_phase["b"]}
    assert all(event["ts"] - waits[event["id"]] == 10_000 for event in by_phase["e"])


async def test_a_narrow_trace_holds_the_facts_of_its_runs_alone(folded: Callable[[], Any]):
    model = await folded()
    at = await crowd(model, 500)
    trace = json.loads(await exported(model, at, SpanFilter(since=0, until=2**60, tasks=("default/t7",)), "perfetto"))
    facts = [event for event in trace["traceEvents"] if event["ph"] == "i"]
    assert [event["name"] for event in facts] == ["worker.assigned", "run.started", "run.failed"]


@pytest.mark.parametrize("kind", FORMATS)
async def test_an_export_of_nothing_is_a_whole_file_of_nothing(folded: Callable[[], Any], kind: Format):
    history = hostile("one", "two")
    model = await (await folded()).take(history)
    data = await exported(model, at_end(history), SpanFilter(since=1, until=2), kind)
    if kind == "csv":
        assert data.decode().split("\r\n") == [",".join(COLUMNS), ""]
    elif kind == "jsonl":
        assert data == b""
    elif kind == "parquet":
        assert pq.read_table(pa.BufferReader(data)).num_rows == 0
    else:
        assert [event["ph"] for event in json.loads(data)["traceEvents"]] == ["M"]


def _is_trace_event(event: dict[str, Any]) -> None:
    """By the trace event format's own words: what each phase must have."""
    must = {
        "M": {"args"},
        "X": {"ts", "dur"},
        "i": {"ts", "s"},
        "C": {"ts", "args"},
        "b": {"ts", "id", "cat"},
        "e": {"ts", "id", "cat"},
    }
    assert {"name", "ph", "pid", "tid"} | must[event["ph"]] <= event.keys(), event
    assert isinstance(event["pid"], int)
    assert isinstance(event.get("ts", 0), int)
    assert event.get("dur", 0) >= 0
    if event["ph"] == "C":
        assert all(isinstance(value, int) and value >= 0 for value in event["args"].values()), event
