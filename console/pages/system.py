"""System: how full, how far behind, of which version; the doctor's findings; and the way in, step by step."""

from __future__ import annotations

import asyncio
import platform
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.desk import Desk, desk_of
from console.forms import form
from console.look import Look, looking
from console.panels import Panel, show
from console.security import local_path
from core.doctor import Finding, Reader
from core.domain.system import KNOWN_RULES, NEWEST_RULES
from core.ledger import LedgerError
from core.survey import LedgerSurveyor, Reach, Survey
from projections import queries
from projections.system import ground, sums

routes = APIRouter()

LOOK_WITHIN_S = 3.0
LOOKED_S = 5  # one look at the server serves everybody for so long
ALIKE = ("stream ", "room in ")  # checks of one kind, many of them: those that are well are told in one line
REBUILT = "rebuilt"  # what open pages are told under

KEPT = {
    "COMMANDS": "every order, for ever",
    "EVENTS": "every fact, for ever",
    "OBSERVATIONS": "what workers saw",
    "OUTPUT": "what runs printed",
    "KV_heartbeats": "each worker's last beat; it goes when the worker falls silent",
    "KV_leases": "who leads",
    "KV_locks": "who holds what",
    "OBJ_snapshots": "the core's state, the newest two",
    "OBJ_artifacts": "files that runs left",
}


@routes.get("/system", include_in_schema=False)
async def system(request: Request) -> Response:
    desk, look = await looking(request)
    fine = desk.read_model.positions().doing == "following"
    panels = [
        Panel("doctor", (REBUILT,), lambda: _doctor(desk), every_s=15, beside=True),
        Panel("reaches", (REBUILT,), lambda: _doctor(desk), every_s=15, beside=True),
        Panel("model_state", (REBUILT,), lambda: _model(desk), every_s=15 if fine else 2, beside=True),
        Panel("beats", ("workers",), lambda: _beats(desk, look), every_s=5, beside=True),
        Panel("versions", ("workers",), lambda: _versions(desk, look), every_s=60, beside=True),
    ]
    return await show(request, desk, look, "system", "System", panels)


@routes.post("/system/rebuild", include_in_schema=False)
async def rebuild(request: Request) -> Response:
    """Drop the read model and fold the log anew; the page shows how far it is."""
    fields = await form(request)
    desk = desk_of(request)
    await desk.read_model.rebuild()
    desk.hub.publish(frozenset({REBUILT}))
    return RedirectResponse(local_path(fields.get("back", "/system")), 303)


@routes.get("/system/setup", include_in_schema=False)
async def setup(request: Request) -> Response:
    desk, look = await looking(request)
    return await show(request, desk, look, "setup", "Getting started", [setup_steps(desk, look)])


def setup_steps(desk: Desk, look: Look) -> Panel:
    """The steps to the first run, each turning by itself. Now shows them while no agent is connected."""
    return Panel("setup", ("tasks", "agents", "workers", "runs"), lambda: _setup(desk, look), every_s=5, beside=True)


async def survey(desk: Desk) -> Survey:
    """One look at what lies behind the pages, at most every few seconds."""
    folded = desk.read_model.positions()
    readers = [
        Reader("this console", each.stream, each.seq) for each in (folded.events, folded.observations, folded.commands)
    ]
    surveyor = desk.surveyor or LedgerSurveyor(desk.ledger, desk.clock)

    async def look() -> Survey:
        try:
            return await asyncio.wait_for(surveyor.look(readers), LOOK_WITHIN_S)
        except (TimeoutError, LedgerError) as error:
            says = str(error) or f"it did not answer within {LOOK_WITHIN_S:g} s"
            way = "see whether nats-server runs; what is shown elsewhere is as of the last fact that came"
            return Survey(at=desk.clock.now_us(), findings=[Finding("the server", None, says, way)], reaches=[])

    key = ("survey", desk.clock.now_us() // (LOOKED_S * 1_000_000))
    return await desk.shelf.get(key, look)


def kept(reach: Reach) -> str:
    """What a stream keeps and for how long, in words."""
    what = KEPT.get(reach.name, "")
    if reach.max_age_s:
        days = reach.max_age_s / 86_400
        return f"{what}, for {days:g} days; the oldest go earlier when it is full"
    return f"{what}; the oldest go when it is full" if reach.forgets else what


async def _doctor(desk: Desk) -> dict[str, Any]:
    found = await survey(desk)
    order = {False: 0, None: 1, True: 2}
    findings = sorted(found.findings, key=lambda each: order[each.ok])
    return {
        "survey": found,
        "telling": [each for each in findings if each.ok is not True or not each.name.startswith(ALIKE)],
        "alike": [each for each in findings if each.ok is True and each.name.startswith(ALIKE)],
        "kept": {each.name: kept(each) for each in found.reaches},
    }


async def _model(desk: Desk) -> dict[str, Any]:
    path = desk.read_model.model.store.path
    files = [path, path.with_name(path.name + ".wal")] if path is not None else []
    size = sum(each.stat().st_size for each in files if each.exists())
    return {"positions": desk.read_model.positions(), "size": size}


async def _beats(desk: Desk, look: Look) -> dict[str, Any]:
    workers = await desk.read_model.query(queries.workers, look.at)
    here = [worker for worker in workers if worker.state in ("live", "draining")]
    heard = {each.worker_id: desk.beats.last(each.worker_id, each.epoch) for each in here}
    return {"workers": here, "heard": heard, "listening": desk.beats.listening}


async def _versions(desk: Desk, look: Look) -> dict[str, Any]:
    workers = await desk.read_model.query(queries.workers, look.at)
    return {
        "ground": await desk.read_model.query(ground, look.at),
        "known": KNOWN_RULES,
        "newest": NEWEST_RULES,
        "ours": desk.version,
        "python": platform.python_version(),
        "survey": await survey(desk),
        "workers": sorted({worker.version for worker in workers if worker.state == "live" and worker.version}),
    }


async def _setup(desk: Desk, look: Look) -> dict[str, Any]:
    found = await survey(desk)
    counts = await desk.read_model.query(queries.counts, look.at)
    ended = (await desk.read_model.query(sums, look.at)).runs
    return {
        "survey": found,
        "fsync": next((each for each in found.findings if each.name == "fsync"), None),
        "leader": next((each for each in found.findings if each.name == "leader"), None),
        "positions": desk.read_model.positions(),
        "workers": counts.workers.get("live", 0),
        "agents": sum(n for state, n in counts.agents.items() if state != "gone"),
        "tasks": counts.all_tasks + sum(counts.containers.values()),  # as the navigation counts them
        "under_way": sum(counts.runs.values()),
        "done": ended.get("succeeded", 0),
        "ended": sum(ended.values()),
    }
