"""Now: what needs a person, what is out of step, who is at work. Before the first plan: how to bring one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.alarms import alarms
from console.desk import Desk
from console.everyone import everyone
from console.look import Look, looking
from console.pages.system import setup_steps
from console.panels import Panel, show
from console.sides import Sides
from projections import activity, queries
from projections.pace import Custom
from projections.rows import At
from projections.rows.fleet import Counts
from projections.rows.record import TimelineFilter
from projections.rows.runs import RunFilter

routes = APIRouter()

LAST_FACTS = 8
AT_WORK = 12
NEEDS = 12
USUAL_DATA = ".switchtower"
MINUTE_US = 60_000_000
CUSTOM_OF = 1_000  # facts for which what is usual stays so
SHOWN_POOL = 60  # agents of a pool drawn one by one; a larger pool shows its counts

# What happens all the time and says nothing new beside the runs above it.
QUIET = frozenset({"run.progressed", "task.staged", "worker.cancel_ordered", "worker.interrupt_ordered"})


@routes.get("/", include_in_schema=False)
async def now(request: Request) -> Response:
    desk, look = await looking(request)
    sides = None if look.part else await desk.beside.look(desk, look)
    counts = sides.counts if sides else await _counts(desk, look)
    empty = not counts.all_tasks and look.live
    if look.part == "first_checks" and not empty:
        return Response(status_code=204, headers={"HX-Refresh": "true"})  # a plan has come: this is another page now
    if empty and look.part in ("", "nav", "first_checks", "first_routes"):
        address = str(request.base_url).rstrip("/")
        panels = [
            Panel("first_checks", ("tasks", "agents", "workers"), lambda: _checks(desk, look), every_s=15),
            Panel("first_routes", ("agents", "workers"), lambda: _routes(desk, look, address)),
        ]
        return await show(request, desk, look, "welcome", "Now", panels)
    connected = any(n for state, n in counts.agents.items() if state != "gone")
    if look.part == "setup" and connected:
        return Response(status_code=204, headers={"HX-Refresh": "true"})  # an agent has come: the steps are done
    at = sides.at if sides else None
    steps = [setup_steps(desk, look)] if look.live and not connected else []
    panels = [
        *steps,
        Panel("fleet", ("agents", "runs", "lanes"), lambda: _fleet(desk, look)),
        Panel(
            "needs",
            ("tasks", "workers", "plans", "agents", "runs"),
            lambda: _needs(desk, look, sides),
            every_s=15,
            at=at,
        ),
        Panel("at_work", ("runs",), lambda: _at_work(desk, look), every_s=15),
        Panel("ticker", ("tasks", "runs", "lanes", "agents", "workers"), lambda: _ticker(desk, look)),
        Panel("lane_lines", ("tasks", "lanes", "runs"), lambda: _lanes(desk, look, counts), at=at),
        Panel("hour", ("runs",), lambda: _hour(desk, look), every_s=15, pace_s=1),
        Panel("plan", ("tasks",), lambda: _plan(counts), pace_s=1, at=at),
        Panel("pulse", ("workers",), lambda: _pulse(desk, look), every_s=5, beside=True),
    ]
    return await show(request, desk, look, "now", "Now", panels)


async def _fleet(desk: Desk, look: Look) -> dict[str, Any]:
    agents = await everyone(desk, look)
    pools: dict[str, list[Any]] = {}
    for agent in agents:
        pools.setdefault(agent.pool or agent.model or agent.adapter, []).append(agent)
    lanes = await desk.read_model.query(queries.lanes, look.at)
    return {"pools": pools, "agents": agents, "most": SHOWN_POOL, "lanes": lanes}


async def _counts(desk: Desk, look: Look) -> Counts:
    key = ("counts", look.at.events_seq)
    return await desk.shelf.get(key, lambda: desk.read_model.query(queries.counts, look.at))


async def _needs(desk: Desk, look: Look, sides: Sides | None) -> dict[str, Any]:
    odd = await desk.read_model.query(queries.out_of_step, look.at, await _custom(desk, look.at))
    return {"alarms": sides.alarms if sides else await alarms(desk, look), "odd": odd, "most": NEEDS}


async def _custom(desk: Desk, at: At) -> Custom:
    """What is usual, as of the last round number of facts: the same for a while, and for every asker of one moment."""
    seq = at.events_seq // CUSTOM_OF * CUSTOM_OF
    then = msgspec.structs.replace(at, events_seq=seq)
    return await desk.shelf.get(("custom", seq), lambda: desk.read_model.query(queries.custom, then))


async def _at_work(desk: Desk, look: Look) -> dict[str, Any]:
    wanted = RunFilter(states=("assigned", "running", "held"), limit=AT_WORK)
    return {"runs": await desk.read_model.query(queries.runs, look.at, wanted)}


async def _ticker(desk: Desk, look: Look) -> dict[str, Any]:
    wanted = TimelineFilter(observations=False, limit=6 * LAST_FACTS)
    found = await desk.read_model.query(queries.timeline, look.at, wanted)
    telling = [entry for entry in found.entries if entry.type not in QUIET]
    return {"entries": telling[:LAST_FACTS]}


async def _lanes(desk: Desk, look: Look, counts: Counts) -> dict[str, Any]:
    lanes = await desk.read_model.query(queries.lanes, look.at)
    agents = sum(n for state, n in counts.agents.items() if state != "gone")
    return {"lanes": lanes, "most": max(agents, *(lane.running for lane in lanes), 1)}


async def _hour(desk: Desk, look: Look) -> dict[str, Any]:
    hour = await desk.read_model.query(queries.hour, look.at)
    first, _, _ = await desk.read_model.query(activity.extent)
    pairs = list(zip(hour.minutes[::2], hour.minutes[1::2], strict=False))  # 30 points are a line; 60 are grass
    return {
        "hour": hour,
        "over_min": min(60.0, max(1.0, (look.time - first) / MINUTE_US)),  # a young log has no hour to spread it over
        "done": [a.done + b.done for a, b in pairs],
        "errors": [a.failed + b.failed + a.lost + b.lost for a, b in pairs],
        "tokens": [a.tokens + b.tokens for a, b in pairs],
        "spent": [a.cost_uusd + b.cost_uusd for a, b in pairs],
    }


async def _plan(counts: Counts) -> dict[str, Any]:
    return {"counts": counts}


async def _pulse(desk: Desk, look: Look) -> dict[str, Any]:
    workers = await desk.read_model.query(queries.workers, look.at)
    heard = {worker.worker_id: desk.beats.last(worker.worker_id, worker.epoch) for worker in workers}
    positions = desk.read_model.positions()
    return {"workers": workers, "positions": positions, "heard": heard, "listening": desk.beats.listening}


async def _checks(desk: Desk, look: Look) -> dict[str, Any]:
    agents = await everyone(desk, look)
    workers = await desk.read_model.query(queries.workers, look.at)
    return {"agents": agents, "workers": workers, "positions": desk.read_model.positions()}


async def _routes(desk: Desk, look: Look, address: str) -> dict[str, Any]:
    agents = await everyone(desk, look)
    return {"agents": agents, "workers": await desk.read_model.query(queries.workers, look.at), **_place(desk, address)}


def _place(desk: Desk, address: str) -> dict[str, Any]:
    """Where this instance is, as its commands have to say it: nothing where they find it by themselves."""
    data = desk.gate.data
    usual = data.resolve() == Path(USUAL_DATA).resolve()
    return {"address": address, "data": USUAL_DATA if usual else str(data), "there": "" if usual else f" --data {data}"}
