"""Exports of a timeline: exactly the runs that are shown, as CSV, JSON lines, Parquet or a trace for Perfetto.

Made piece by piece on a reader's thread, so that a long one takes no memory and holds nobody up. Every one of them is
as of a moment: the same address gives the same bytes again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, get_args

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from projections.rows import At
from projections.spans import Level, Span, SpanFilter, levels, run, spans_after
from projections.store import Reader

Format = Literal["csv", "jsonl", "parquet", "perfetto"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA: dict[Format, tuple[str, str]] = {  # media type, file ending
    "csv": ("text/csv; charset=utf-8", "csv"),
    "jsonl": ("application/x-ndjson", "jsonl"),
    "parquet": ("application/vnd.apache.parquet", "parquet"),
    "perfetto": ("application/json", "perfetto.json"),
}
MOST = 1_000_000  # spans in one file
CHUNK = 5_000

# ``read_model.query``: runs a query on a reader's thread.
Ask = Callable[..., Awaitable[Any]]
Kind = Literal["text", "time", "number", "money"]

COLUMNS: dict[str, Kind] = {
    "run_id": "text", "task_id": "text", "session_id": "text", "title": "text", "agent_id": "text",
    "worker_id": "text", "lane": "text", "attempt": "number", "state": "text", "ready_at": "time",
    "assigned_at": "time", "started_at": "time", "ended_at": "time", "wait_ms": "number", "took_ms": "number",
    "input_tokens": "number", "output_tokens": "number", "cache_read_tokens": "number",
    "cache_write_tokens": "number", "tool_calls": "number", "cost_usd": "money", "error_class": "text",
    "error": "text", "summary": "text", "fact": "number",
}  # fmt: skip
_ARROW = {"text": pa.string(), "time": pa.timestamp("us", tz="UTC"), "number": pa.int64(), "money": pa.float64()}
SCHEMA = pa.schema([(name, _ARROW[kind]) for name, kind in COLUMNS.items()])
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class Writer(Protocol):
    """One format. ``begin``, then ``spans`` for each piece, then ``end``: bytes that follow each other."""

    def begin(self) -> bytes: ...
    def spans(self, found: list[Span]) -> bytes: ...
    def end(self) -> bytes: ...


async def export(ask: Ask, at: At, wanted: SpanFilter, format: Format) -> AsyncIterator[bytes]:  # noqa: A002 - its name
    """The file, piece by piece. ``ask`` is ``read_model.query``."""
    writer = _WRITERS[format](at, wanted)
    yield writer.begin()
    after = 0
    while True:
        piece, last, more = await ask(_piece, at, wanted, after, writer)
        yield piece
        if not more:
            break
        after = last
    if isinstance(writer, Perfetto):
        after = 0
        while after >= 0:
            piece, after = await ask(_facts, at, wanted, after, writer)
            yield piece
        yield writer.levels(await ask(levels, at, wanted))
    yield writer.end()


def record(span: Span) -> dict[str, Any]:
    """A span as a row of a file: times in microseconds or None, a price in dollars or None."""
    plain = {name: getattr(span, name) for name in COLUMNS if hasattr(span, name)}
    return plain | {
        "ready_at": span.ready_at or None, "started_at": span.started_at or None, "ended_at": span.ended_at or None,
        "wait_ms": span.wait_us // 1_000 if span.ready_at else None, "took_ms": span.took_us // 1_000,
        "cost_usd": None if span.cost_uusd is None else span.cost_uusd / 1_000_000, "fact": span.born,
    }  # fmt: skip


class Csv:
    """A row a run. A text that a spreadsheet would take for a formula begins with an apostrophe."""

    def __init__(self, _at: At, _wanted: SpanFilter) -> None:
        self._out = io.StringIO()
        self._rows = csv.writer(self._out, lineterminator="\r\n")

    def begin(self) -> bytes:
        self._rows.writerow(COLUMNS)
        return self._taken()

    def spans(self, found: list[Span]) -> bytes:
        for span in found:
            held = record(span)
            self._rows.writerow([_cell(held[name], kind) for name, kind in COLUMNS.items()])
        return self._taken()

    def end(self) -> bytes:
        return b""

    def _taken(self) -> bytes:
        written = self._out.getvalue().encode("utf-8", "replace")
        self._out.seek(0)
        self._out.truncate()
        return written


class JsonLines:
    """An object a run; times as RFC 3339."""

    def __init__(self, _at: At, _wanted: SpanFilter) -> None:
        self._encode = msgspec.json.Encoder().encode

    def begin(self) -> bytes:
        return b""

    def spans(self, found: list[Span]) -> bytes:
        return b"".join(self._encode(_timed(record(span))) + b"\n" for span in found)

    def end(self) -> bytes:
        return b""


class Parquet:
    """Typed columns, a row group a piece."""

    def __init__(self, at: At, wanted: SpanFilter) -> None:
        self._sink = _Sink()
        told = {"switchtower": msgspec.json.encode({"fact": at.events_seq, "asked": msgspec.to_builtins(wanted)})}
        self._writer = pq.ParquetWriter(self._sink, SCHEMA.with_metadata(told), compression="zstd")

    def begin(self) -> bytes:
        return self._sink.taken()

    def spans(self, found: list[Span]) -> bytes:
        rows = [record(span) for span in found]
        columns = {name: [row[name] for row in rows] for name in COLUMNS}
        self._writer.write_table(pa.table(columns, schema=self._writer.schema))
        return self._sink.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.taken()


class Perfetto:
    """Chrome's trace events, which Perfetto opens: a process a worker, a thread an agent, a slice a run, its wait as an
    asynchronous slice, an instant a fact, and counters of what ran and what was ready."""

    def __init__(self, at: At, wanted: SpanFilter) -> None:
        self._at, self._wanted = at, wanted
        self._workers: dict[str, int] = {}
        self._agents: dict[str, int] = {}
        self._encode = msgspec.json.Encoder().encode
        self._begun = False

    def begin(self) -> bytes:
        return b'{"displayTimeUnit":"ms","traceEvents":[\n' + self._written([_name("process", 0, 0, "Switchtower")])

    def spans(self, found: list[Span]) -> bytes:
        return self._written([event for span in found for event in self._of_span(span)])

    def facts(self, found: list[dict[str, Any]]) -> bytes:
        return self._written([event for row in found for event in self._of_fact(row)])

    def levels(self, found: list[Level]) -> bytes:
        counter = {"ph": "C", "pid": 0, "tid": 0}
        return self._written(
            [
                {"name": name, "ts": level.at, **counter, "args": {"tasks": value}}
                for level in found
                for name, value in (("Running", level.running), ("Ready", level.ready))
            ]
        )

    def end(self) -> bytes:
        told = {"fact": self._at.events_seq, "from": self._wanted.since, "to": self._wanted.until}
        return b'\n],"otherData":' + self._encode(told) + b"}\n"

    def _of_span(self, span: Span) -> list[dict[str, Any]]:
        new, place = self._place(span.agent_id)
        told = {name: value for name, value in _timed(record(span)).items() if value not in (None, "", 0)}
        slice_ = {
            "name": span.title or span.task_id, "cat": f"run,{span.state}", "ph": "X", "ts": span.assigned_at,
            "dur": span.until - span.assigned_at, **place, "args": told,
        } | ({"cname": "terrible"} if span.look == "bad" else {})  # fmt: skip
        if not span.wait_us:
            return [*new, slice_]
        wait = {"name": f"ready: {span.task_id}", "cat": "wait", "id": span.run_id, **place}
        ends = [wait | {"ph": "b", "ts": span.ready_at}, wait | {"ph": "e", "ts": span.assigned_at}]
        return [*new, *ends, slice_]

    def _of_fact(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        new: list[dict[str, Any]] = []
        place, scope = {"pid": 0, "tid": 0}, "g"
        if "/" in row["agent_id"]:
            (new, place), scope = self._place(row["agent_id"]), "t"
        elif row["worker_id"]:
            (new, pid), scope = self._process(row["worker_id"]), "p"
            place = {"pid": pid, "tid": 0}
        told = {name: row[name] for name in ("says", "actor", "task_id", "run_id") if row[name]}
        fact = {"name": row["tag"], "cat": "failed" if row["failed"] else "fact", "ph": "i", "s": scope}
        return [*new, fact | {"ts": row["at_us"], **place, "args": told | {"fact": row["seq"]}}]

    def _place(self, agent_id: str) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """Where an agent's events stand, and the names to tell when they are its first."""
        worker_id, _, name = agent_id.partition("/")
        new, pid = self._process(worker_id)
        if agent_id not in self._agents:
            self._agents[agent_id] = len(self._agents) + 1
            new = [*new, _name("thread", pid, self._agents[agent_id], name or agent_id)]
        return new, {"pid": pid, "tid": self._agents[agent_id]}

    def _process(self, worker_id: str) -> tuple[list[dict[str, Any]], int]:
        if worker_id in self._workers:
            return [], self._workers[worker_id]
        pid = self._workers[worker_id] = len(self._workers) + 1
        return [_name("process", pid, 0, worker_id)], pid

    def _written(self, events: list[dict[str, Any]]) -> bytes:
        if not events:
            return b""
        text = b",\n".join(map(self._encode, events))
        before, self._begun = (b",\n" if self._begun else b""), True
        return before + text


class _Sink(io.RawIOBase):
    """A file that is handed on as it is written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._at += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


_WRITERS: dict[Format, Callable[[At, SpanFilter], Writer]] = {
    "csv": Csv, "jsonl": JsonLines, "parquet": Parquet, "perfetto": Perfetto,
}  # fmt: skip


def _piece(db: Reader, at: At, wanted: SpanFilter, after: int, writer: Writer) -> tuple[bytes, int, bool]:
    """The next spans as bytes, the cursor after them, and whether there are more."""
    found = spans_after(db, at, wanted, after, CHUNK)
    return writer.spans(found), found[-1].born if found else after, len(found) == CHUNK


def _facts(db: Reader, at: At, wanted: SpanFilter, after: int, writer: Perfetto) -> tuple[bytes, int]:
    """The next facts as bytes and the cursor after them, -1 at the end. Of a narrow choice, those of its runs."""
    clauses = {"facts": "and run_id in (select run_id from (/*chosen*/) r)" if wanted.narrow else ""}
    found = run(db, "export.facts", at, wanted, clauses=clauses, after=after, limit=CHUNK)
    return writer.facts(found), found[-1]["seq"] if len(found) == CHUNK else -1


def _cell(value: Any, kind: Kind) -> Any:
    if value is None:
        return ""
    if kind == "time":
        return _iso(value)
    if kind == "text" and value.startswith(_FORMULA):
        return "'" + value
    return value


def _timed(held: dict[str, Any]) -> dict[str, Any]:
    return held | {name: _iso(held[name]) for name, kind in COLUMNS.items() if kind == "time" and held[name]}


def _iso(us: int) -> str:
    at = datetime.fromtimestamp(us // 1_000_000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{us % 1_000_000:06d}Z"


def _name(what: str, pid: int, tid: int, name: str) -> dict[str, Any]:
    return {"name": f"{what}_name", "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}}
