"""One run: where it stands, what it prints, which tools it called, what it touched, used and left behind."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console import compare, draw
from console.desk import Desk
from console.diff import MOST, SHOWN
from console.diff import drawn as drawn_diff
from console.look import BadQuestion, Look, looking
from console.output import Scroll, search
from console.pages.kept import listed, viewed
from console.panels import Panel, show
from console.terminal import marked
from projections import queries
from projections.rows.runs import Run, RunFilter, RunPage

routes = APIRouter()

CALLS, LATEST_CALLS = 200, 12
SEEN = 200
PEEK, PEEK_LINES = 60, 300  # rows of a diff, and lines of output, on the overview
TABS = ("", "output", "calls", "files", "artifacts", "cost", "compare")
MOST_WANTED = 200  # characters searched for


@routes.get("/runs/{session}/{name}", include_in_schema=False)
async def run(request: Request, session: str, name: str) -> Response:
    desk, look = await looking(request)
    run_id = f"{session}/{name}"
    found = await desk.read_model.query(queries.run, look.at, run_id)
    if found is None:
        raise look.absent(f"run {run_id!r}")
    tab = look.get("tab")
    if tab not in TABS:
        raise BadQuestion(f"A run has no tab {tab[:40]!r}; there are: {', '.join(TABS[1:])}.")
    panels = [*_always(desk, look, found), *_tab(desk, look, found, tab)]
    return await show(request, desk, look, "run", f"Run {found.run.attempt} of {name.rpartition('~')[0]}", panels,
                      run=found.run, tab=tab)  # fmt: skip


def _always(desk: Desk, look: Look, page: RunPage) -> list[Panel]:
    mine = f"run:{page.run.run_id}"

    async def bar() -> dict[str, Any]:
        return {"page": page, "run": page.run}

    async def line() -> dict[str, Any]:
        stops = draw.stops(await _stretches(desk, look, page))
        used = await desk.read_model.query(queries.resources, look.at, page.run.run_id, page.span)
        return {"run": page.run, "stops": stops, "used": used}

    async def tabs() -> dict[str, Any]:
        others = await _others(desk, look, page.run)
        return {"page": page, "run": page.run, "tab": look.get("tab"), "others": others}

    return [
        Panel("run_bar", (mine,), bar),
        Panel("run_line", (mine,), line, every_s=0 if page.run.is_over else 5),
        Panel("run_tabs", (mine,), tabs),
    ]


def _tab(desk: Desk, look: Look, page: RunPage, tab: str) -> list[Panel]:
    """The panels of one tab; nothing of the other ones is asked for."""
    run, mine = page.run, f"run:{page.run.run_id}"
    output = [
        Panel("run_output", (), lambda: _output(desk, look, run), beside=True),
        Panel("run_more", (f"output:{run.run_id}",), lambda: _more(desk, look, run), beside=True),
    ]
    files = Panel("run_files", (mine,), lambda: _files(desk, look, page, peek=tab == ""))
    match tab:
        case "output":
            return output
        case "calls":
            return [Panel("run_calls", (mine,), lambda: _calls(desk, look, page))]
        case "files":
            return [files]
        case "artifacts":
            return [Panel("run_artifacts", (mine,), lambda: _artifacts(desk, look, run), beside=True)]
        case "cost":
            return [Panel("run_cost", (mine,), lambda: _cost(desk, look, page))]
        case "compare":
            return [Panel("run_compare", (mine,), lambda: _compare(desk, look, run))]
        case _:
            return [
                *output,
                files,
                Panel("run_seen", (mine,), lambda: _seen(desk, look, page)),
                Panel("run_facts", (mine,), lambda: _facts(desk, look, page)),
            ]


async def _stretches(desk: Desk, look: Look, page: RunPage) -> list[tuple[str, str, int, int]]:
    """What the task waited for just before, then every state of the run. An end is a stop, not a stretch."""
    before = await desk.read_model.query(queries.waits, look.at, page.run)
    stages = [*before, *(stage for stage in page.stages if not stage.seq or stage.until or not page.run.is_over)]
    return [(stage.state, stage.state, stage.at, stage.until or look.time) for stage in stages]


async def _others(desk: Desk, look: Look, run: Run) -> list[Run]:
    """The other attempts at the same task, newest first."""
    found = await desk.read_model.query(queries.runs, look.at, RunFilter(task_id=run.task_id, limit=20))
    return [each for each in found.rows if each.run_id != run.run_id]


# ── output


async def _output(desk: Desk, look: Look, run: Run) -> dict[str, Any]:
    wanted = _wanted(look)
    scroll = await _scroll(desk, look, run)
    shown = scroll.output()
    only = bool(wanted) and look.get("only") == "1"
    found = await search(desk.ledger, run.run_id, wanted, until=_until(look)) if wanted else None
    newest = shown.lines if look.get("tab") == "output" else shown.lines[-PEEK_LINES:]
    lines = found.lines if found and only else [marked(line, wanted) for line in newest]
    cut = not only and (shown.cut or len(newest) < len(shown.lines))
    return {"output": shown, "lines": lines, "cut": cut, "run": run, "wanted": wanted, "found": found, "only": only}


async def _more(desk: Desk, look: Look, run: Run) -> dict[str, Any]:
    """The lines from ``?after=`` on; all that are shown where the asker's numbering, ``?base=``, is another one."""
    asked = look.get("after")
    if not asked:
        return {"output": None, "lines": [], "whole": False, "run": run}
    scroll = await _scroll(desk, look, run)
    whole = look.get("base") != scroll.base or not asked.isdecimal()
    shown = scroll.output(0 if whole else int(asked))
    lines = [marked(line, _wanted(look)) for line in shown.lines]
    return {"output": shown, "lines": lines, "whole": whole, "run": run}


async def _scroll(desk: Desk, look: Look, run: Run) -> Scroll:
    """Now: what was read before and what is new since. The past is read by itself."""
    scroll = desk.scrolls.of(run.run_id) if look.live else Scroll(run.run_id)
    await scroll.read_on(desk.ledger, until=_until(look))
    return scroll


def _until(look: Look) -> int:
    return 0 if look.live else look.time


def _wanted(look: Look) -> str:
    wanted = look.get("find")
    if len(wanted) > MOST_WANTED:
        raise BadQuestion(f"?find= is text of up to {MOST_WANTED} characters; this one has {len(wanted)}.")
    return wanted


# ── what was observed, and the facts


async def _facts(desk: Desk, look: Look, page: RunPage) -> dict[str, Any]:
    ask = desk.read_model.query
    calls, spent, causes = await asyncio.gather(
        ask(queries.tool_calls, look.at, page.run.run_id, page.span, limit=LATEST_CALLS, latest=True),
        ask(queries.spending, look.at, page.run, page.span),
        ask(queries.causes, look.at, page.run),
    )
    return {"page": page, "run": page.run, "calls": calls, "spent": spent, "causes": causes}


async def _seen(desk: Desk, look: Look, page: RunPage) -> dict[str, Any]:
    run = page.run
    kinds = ("text", "step", "retry", "error", "note", "message")
    seen = await desk.read_model.query(
        queries.observations, look.at, run.run_id, page.span, kinds=kinds, limit=SEEN, latest=True
    )
    steps = [each for each in seen if each.kind == "step"]
    ends = [*(each.at for each in steps[1:]), run.ended_at or look.time]
    took = {step.seq: max(0, end - step.at) for step, end in zip(steps, ends, strict=bool(steps))}
    return {"seen": seen, "run": run, "took": took}


async def _calls(desk: Desk, look: Look, page: RunPage) -> dict[str, Any]:
    failed, after = look.get("failed") == "1", _number(look, "from")
    calls = await desk.read_model.query(
        queries.tool_calls, look.at, page.run.run_id, page.span, after=after, limit=CALLS + 1, failed=failed
    )
    more = len(calls) > CALLS
    return {"page": page, "run": page.run, "calls": calls[:CALLS], "more": more, "failed": failed, "after": after}


async def _files(desk: Desk, look: Look, page: RunPage, *, peek: bool) -> dict[str, Any]:
    """The files, and the edits of the one that is looked at: nothing of the others is fetched."""
    run, ask = page.run, desk.read_model.query
    touched = await ask(queries.file_changes, look.at, run.run_id, page.span)
    known = {each.name for each in touched}
    named = look.get("file") or next((each.name for each in reversed(touched) if each.diffs), "")
    edits = await ask(queries.diffs, look.at, run.run_id, named, page.span) if named in known else []
    most = PEEK if peek else MOST if look.get("all") == "1" else SHOWN
    shown = [(edit, drawn_diff(edit.diff, most)) for edit in (edits[:1] if peek else edits)]
    unseen = [name for name in run.files if name not in known]
    return {"run": run, "touched": touched, "unseen": unseen, "named": named, "edits": len(edits), "shown": shown,
            "peek": peek}  # fmt: skip


async def _artifacts(desk: Desk, look: Look, run: Run) -> dict[str, Any]:
    kept = listed(run)
    named = look.get("artifact")
    chosen = next((each for each in kept if each.sha256 == named), kept[0] if kept and not named else None)
    view = await viewed(desk, chosen) if chosen else None
    return {"run": run, "kept": kept, "chosen": chosen, "view": view}


async def _cost(desk: Desk, look: Look, page: RunPage) -> dict[str, Any]:
    return {"run": page.run, "spent": await desk.read_model.query(queries.spending, look.at, page.run, page.span)}


async def _compare(desk: Desk, look: Look, run: Run) -> dict[str, Any]:
    others = await _others(desk, look, run)
    named = look.get("with") or (others[0].run_id if others else "")
    if not named:
        return {"run": run, "others": others, "other": None, "named": "", "both": None}
    found = await desk.read_model.query(queries.run, look.at, named)
    if found is None or named == run.run_id:
        return {"run": run, "others": others, "other": None, "named": named, "both": None}
    mine = await desk.read_model.query(queries.run, look.at, run.run_id)
    sides = [await _side(desk, look, page) for page in (found, mine) if page is not None]
    return {"run": run, "others": others, "other": found.run, "named": named, "both": compare.beside(*sides)}


async def _side(desk: Desk, look: Look, page: RunPage) -> compare.Side:
    ask = desk.read_model.query
    touched = await ask(queries.file_changes, look.at, page.run.run_id, page.span)
    deeds = await ask(queries.deeds, look.at, page.run.run_id, page.span)
    spent = await ask(queries.spending, look.at, page.run, page.span)
    return compare.Side(page=page, deeds=deeds, files=touched, cost=spent.cost, time=look.time)


def _number(look: Look, name: str) -> int:
    text = look.get(name)
    if text and not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise BadQuestion(f"?{name}={text[:40]} is no whole number.")
    return int(text or 0)
