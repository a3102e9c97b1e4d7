"""Timeline: who did what when. Swimlanes by agent, task, lane or session over any stretch of time, and as a table."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console import swim
from console.desk import Desk
from console.everyone import everyone
from console.look import BadQuestion, Look, looking
from console.panels import Panel, show
from console.render import agent_path, run_path, task_path
from console.strip import strip
from console.swim import Range
from console.terminal import visible
from projections import activity, queries, spans
from projections.moments import instant
from projections.rows import Row
from projections.rows.agents import Agent
from projections.spans import BYS, By, Columns, Part, Span, SpanFilter, Track

routes = APIRouter()

TRACKS = 100  # on one page
TABLE = 100  # rows of the table
MOST_SPANS = 120_000  # that a drawing program gets at once; of more it draws what the server drew
OVERVIEW = 150  # buckets of the strip above
OFFERED = 200  # agents to choose from by their first letters
LEAST_US, MOST_US = 1_000, 10 * 366 * 86_400_000_000
HOUR_US, YOUNG_LEAST_US = 3_600_000_000, 60_000_000
WIDTHS = (("15 min", "-15m"), ("1 h", "-1h"), ("6 h", "-6h"), ("Day", "-1d"), ("All", "start"))
STATES = ("running", "done", "failed", "lost", "interrupted", "cancelled")
# What the address may say of the drawing; links to the table and to exports repeat it.
KEPT = ("by", "from", "to", "state", "lane", "agent", "session", "task", "text", "at")


class Data(Row, frozen=True):
    """What the drawing program gets: spans as columns (``projections.spans.Columns``), on the tracks of ``keys``.

    ``since`` and ``until``: what the columns cover, wider than what was asked for. ``over``: too many to send."""

    seq: int
    time: int
    since: int
    until: int
    keys: list[str]
    spans: int
    over: bool
    columns: Columns
    parts: list[Part]


@routes.get("/timeline", include_in_schema=False)
async def timeline(request: Request) -> Response:
    desk, look = await looking(request)
    by, span = by_of(look), await range_of(desk, look)
    back = look.get("from") or ("start" if await _young(desk, look) else "-1h")
    topics = ("runs", "tasks", "agents")
    if look.get("view") == "table":
        panel = Panel("spans", topics, lambda: _table(desk, look, span), every_s=15)
    else:
        panel = Panel("swim", topics, lambda: _swim(desk, look, by, span), every_s=5 if span.follows else 0)
    rows = {
        "by": by, "bys": BYS, "span": span, "widths": WIDTHS, "back": back, "states": STATES, "kept": kept(look, span),
        "names": await desk.read_model.query(spans.names, look.at, OFFERED),
        "since": swim.stamp(span.since), "until": swim.stamp(span.until), "stamp": swim.stamp,
    }  # fmt: skip
    return await show(request, desk, look, "timeline", "Timeline", [panel], **rows)


@routes.get("/timeline/data", include_in_schema=False)
async def data(request: Request) -> Response:
    """The spans of the range and of what lies beside it, as JSON columns."""
    desk, look = await looking(request)
    by, span = by_of(look), await range_of(desk, look)
    wanted = filter_of(look, span)
    keys = [track.key for track in (await _tracks(desk, look, by, wanted)).shown]
    wide, count = await _wide(desk, look, wanted)
    over = count > MOST_SPANS
    found = Data(
        seq=look.at.events_seq, time=look.time, since=wide.since, until=wide.until, keys=keys, spans=count,
        over=over, columns=Columns() if over or not keys else await desk.read_model.query(
            spans.columns, look.at, wide, by, keys),
        parts=[] if over else await desk.read_model.query(spans.parts, look.at, wide, by),
    )  # fmt: skip
    return Response(msgspec.json.encode(found), media_type="application/json", headers={"Cache-Control": "no-store"})


async def _wide(desk: Desk, look: Look, wanted: SpanFilter) -> tuple[SpanFilter, int]:
    """The range with as much beside it as there is room for, so that it can be moved at once; and its spans."""
    wide, count = wanted, 0
    for share in (1.0, 0.25, 0.0):
        beside = int((wanted.until - wanted.since) * share)
        wide = msgspec.structs.replace(wanted, since=wanted.since - beside, until=wanted.until + beside)
        count = (await desk.read_model.query(spans.totals, look.at, wide)).spans
        if count <= MOST_SPANS:
            break
    return wide, count


@routes.get("/timeline/run/{born}", include_in_schema=False)
async def run_of(request: Request, born: str) -> Response:
    """On to the page of the run that a fact gave out: a drawing knows its spans by that number."""
    desk, look = await looking(request)
    run_id = await desk.read_model.query(spans.run_born, look.at, _fact(born))
    if not run_id:
        raise look.absent(f"run given out by fact {born[:40]}")
    return RedirectResponse(look.to(run_path(run_id)), 303)


@routes.get("/timeline/span/{born}", include_in_schema=False)
async def span_of(request: Request, born: str) -> Response:
    """One span in words, as JSON: what a pointer that rests on a bar is told."""
    desk, look = await looking(request)
    found = await desk.read_model.query(spans.span, look.at, _fact(born))
    if found is None:
        raise look.absent(f"run given out by fact {born[:40]}")
    told = {name: visible(value) if isinstance(value, str) else value for name, value in _fields(found)}
    return Response(msgspec.json.encode(told), media_type="application/json")


def _fact(text: str) -> int:
    """A fact's number; 0, which no fact has, for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _fields(span: Span) -> list[tuple[str, Any]]:
    return [(name, getattr(span, name)) for name in Span.__struct_fields__]


def by_of(look: Look) -> By:
    asked = look.get("by") or "agent"
    if asked not in BYS:
        raise BadQuestion(f"?by={asked[:40]!r} is no way to lay out a timeline: agent, task, lane or session.")
    return asked


async def range_of(desk: Desk, look: Look) -> Range:
    """``?from=`` and ``?to=``: times, ``-1h`` before the moment, ``start``. Else the last hour, which goes on; of a log
    younger than that what there is of it, from its first run on."""
    asked, end = look.get("from") or "-1h", look.get("to")
    follows = end in ("", "now")
    until = look.time if follows else _instant("to", end, look.time)
    if asked == "start":
        first, _, _ = await desk.read_model.query(activity.extent)
        since = min(first or until, until - LEAST_US)
    elif not look.get("from") and (young := await _young(desk, look)):
        since = min(young, until - YOUNG_LEAST_US)
    else:
        since = _instant("from", asked, look.time)
    if until - since < LEAST_US:
        raise BadQuestion(f"?from={asked[:40]} is not before ?to={end[:40] or 'now'}: a timeline goes forward.")
    if until - since > MOST_US:
        raise BadQuestion(f"?from={asked[:40]} lies more than ten years before the end: take ?from=start.")
    return Range(since, until + (until - since) // 40, follows=True) if follows else Range(since, until)


async def _young(desk: Desk, look: Look) -> int:
    """Of a log younger than an hour when its first run began, or itself where nothing ran yet; else 0."""
    first, _, _ = await desk.read_model.query(activity.extent)
    if first <= look.time - HOUR_US or first >= look.time:
        return 0
    ran = await desk.read_model.query(spans.totals, look.at, SpanFilter(since=first, until=look.time))
    return max(first, ran.first_at)


def filter_of(look: Look, span: Range) -> SpanFilter:
    """Which spans the address asks for. ``BadQuestion`` names a state that is none."""
    states = look.all("state")
    for state in states:
        if state not in STATES:
            raise BadQuestion(f"?state={state[:40]!r} is no state of a run: {', '.join(STATES)}.")
    return SpanFilter(
        since=span.since, until=span.until, states=states, lanes=look.all("lane"), sessions=look.all("session"),
        agents=look.all("agent"), tasks=look.all("task"), text=look.get("text").strip()[:200],
    )  # fmt: skip


def kept(look: Look, span: Range) -> dict[str, Any]:
    """The parameters that say what is shown, exactly: this stretch of time, as it stood at this fact."""
    asked = {name: list(dict.fromkeys(value for key, value in look.asked if key == name)) for name in KEPT}
    moment = look.get("at") if not look.live else look.at.events_seq
    until = max(span.since + LEAST_US, min(span.until, look.time + 1))
    return asked | {"from": swim.stamp(span.since), "to": swim.stamp(until), "at": moment}


async def _table(desk: Desk, look: Look, span: Range) -> dict[str, Any]:
    wanted = filter_of(look, span)
    before = look.get("before")
    if before and not before.isdecimal():
        raise BadQuestion(f"?before={before[:40]!r} is no place in this table: it is a fact's number.")
    cursor = int(before[:18] or 0)
    found = await desk.read_model.query(spans.spans, look.at, wanted, limit=TABLE, before=cursor)
    return {"found": found, "totals": await desk.read_model.query(spans.totals, look.at, wanted), "wanted": wanted}


async def _swim(desk: Desk, look: Look, by: By, span: Range) -> dict[str, Any]:
    wanted = filter_of(look, span)
    tracks = await _tracks(desk, look, by, wanted)
    shown = tracks.shown
    rows, height = swim.rows(shown, [_label(track) for track in shown])
    totals = await desk.read_model.query(spans.totals, look.at, wanted)
    places = {row.track.key: row for row in rows if row.track}
    bars: list[swim.Bar] = []
    paths: list[swim.Path] = []
    parts: list[swim.Piece] = []
    if totals.spans <= swim.FEW:
        found = await desk.read_model.query(spans.spans_after, look.at, wanted, 0, swim.FEW)
        bars = swim.bars(span, found, places, {each.run_id: key_of(by, each) for each in found})
        parts = swim.parts(span, await desk.read_model.query(spans.parts, look.at, wanted, by), places)
    elif shown:
        keys = [track.key for track in shown]
        pieces = await desk.read_model.query(spans.pieces, look.at, wanted, by, keys, columns=swim.COLUMNS)
        paths = swim.paths(pieces, {row.place: row for row in rows})
    return {
        "by": by, "span": span, "rows": rows, "height": height, "bars": bars, "parts": parts, "paths": paths,
        "totals": totals,
        "ticks": swim.ticks(span), "agents": tracks.agents, "strip": await strip(desk, OVERVIEW), "every": tracks.every,
        "skip": tracks.skip, "most": TRACKS, "columns": swim.COLUMNS, "stamp": swim.stamp, "wanted": wanted,
        "hrefs": {track.key: _href(look, by, track) for track in shown}, "geometry": _GEOMETRY,
        "source": "/timeline/data", "keys": [track.key for track in shown],
    }  # fmt: skip


_GEOMETRY = {"axis": swim.AXIS, "row": swim.ROW, "bar": swim.BAR, "group": swim.GROUP}


class _Tracks(msgspec.Struct, frozen=True):
    """The tracks of a page in their order, how many there are in all; by agent, the agents themselves by id."""

    shown: list[Track]
    every: int
    skip: int
    agents: dict[str, Agent]


async def _tracks(desk: Desk, look: Look, by: By, wanted: SpanFilter) -> _Tracks:
    ask = desk.read_model.query
    if by == "task":
        every = await ask(spans.count_by_task, look.at, wanted)
        skip = _skip(look, every)
        shown = await ask(spans.tracks_by_task, look.at, wanted, skip=skip, most=TRACKS)
        return _Tracks(shown, every, skip, {})
    found = await ask(spans.tracks, look.at, wanted, by)
    agents: dict[str, Agent] = {}
    if by == "agent":
        agents = {each.agent_id: each for each in await everyone(desk, look)}
        found = _of_agents(found, agents, wanted)
    work: Counter[str] = Counter()
    for track in found:
        work[track.group] += track.spans
    # Groups that did ten times as much come first: idle pools do not push those at work off the page.
    found.sort(key=lambda t: (-len(str(work[t.group])), not work[t.group], swim.natural(t.group), swim.natural(t.key)))
    skip = _skip(look, len(found))
    return _Tracks(found[skip : skip + TRACKS], len(found), skip, agents)


def _of_agents(found: list[Track], agents: dict[str, Agent], wanted: SpanFilter) -> list[Track]:
    """Tracks in their pools. An agent that is there has one though it did nothing: who idles is seen, too."""
    named = {track.key: track for track in found}
    if not wanted.narrow:
        there = (each.agent_id for each in agents.values() if each.state != "gone")
        named |= {agent_id: Track(key=agent_id, group="") for agent_id in there if agent_id not in named}
    return [msgspec.structs.replace(each, group=_pool(agents.get(each.key), each)) for each in named.values()]


def _pool(agent: Agent | None, track: Track) -> str:
    if agent is None:
        return track.group
    return agent.pool or agent.model or agent.adapter


def key_of(by: By, each: Span) -> str:
    """The track a span stands on."""
    return {
        "agent": each.agent_id, "task": each.task_id, "lane": f"{each.lane}\x1f{each.agent_id}",
        "session": f"{each.session_id}\x1f{each.agent_id}",
    }[by]  # fmt: skip


def _label(track: Track) -> str:
    """The name alone: its worker or session stands above, or in the title."""
    name = track.key.rpartition("\x1f")[2]
    return name.partition("/")[2] or name


def _href(look: Look, by: By, track: Track) -> str:
    name = track.key.rpartition("\x1f")[2]
    return look.to(task_path(name) if by == "task" else agent_path(name))


def _skip(look: Look, every: int) -> int:
    asked = look.get("skip") or "0"
    if not asked.isdecimal():
        raise BadQuestion(f"?skip={asked[:40]!r} is no number of tracks.")
    return min(int(asked[:9]), max(0, every - 1)) // TRACKS * TRACKS


def _instant(name: str, text: str, now_us: int) -> int:
    try:
        return instant(text.strip(), now_us)
    except queries.BadMoment:
        raise BadQuestion(
            f"?{name}={text[:40]!r} is no time: write 2026-11-20T14:05:00 (UTC), or -15m, -6h, -1d before the moment."
        ) from None
