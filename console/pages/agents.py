"""Agents: who does runs, in what state and why; one agent with what it did; two side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.cells import Cells, Shared
from console.desk import Desk
from console.everyone import everyone
from console.lifeline import lifeline
from console.look import BadQuestion, Look, looking, now_of
from console.output import Scroll
from console.panels import Panel, show
from console.render import part
from projections import queries
from projections.rows.agents import Agent, AgentPage, Worker

routes = APIRouter()

GROUPS = ("pool", "worker", "state")
STATES = ("busy", "idle", "paused", "gone")
COMPARED = 2  # agents side by side
SPANS = {"10m": 600_000_000, "1h": 3_600_000_000, "6h": 21_600_000_000, "24h": 86_400_000_000}
LAST_LINES = 12


@routes.get("/agents", include_in_schema=False)
async def agents(request: Request) -> Response:
    desk, look = await looking(request)
    if look.get("by") not in ("", *GROUPS):
        raise BadQuestion(f"Agents cannot be grouped by {look.get('by')[:40]!r}; there are {', '.join(GROUPS)}.")
    topics = ("agents", "workers", "fleet_state")
    moves = look.get("by") == "state" or look.get("state")  # then a row may stand elsewhere after a change of its run
    about = (*topics, "runs") if moves else topics
    panels = [
        Panel("roster", about, lambda: _roster(desk, look), every_s=5, cells="agent", pace_s=1 if moves else 0),
        Panel("crew", (), lambda: _crew(desk, look), shared="crew"),
    ]
    return await show(request, desk, look, "agents", "Agents", panels)


@routes.get("/agents/compare", include_in_schema=False)
async def compare(request: Request) -> Response:
    desk, look = await looking(request)
    picked = [value for key, value in look.asked if key in ("a", "b", "pick") and value]
    if len(picked) > COMPARED:
        raise BadQuestion(f"{len(picked)} agents are ticked; two are compared. Go back and leave two of them ticked.")
    pages = [await _page(desk, look, agent_id) for agent_id in picked]
    panel = Panel("compared", ("agents", "runs"), lambda: _compared(desk, look, pages), every_s=15)
    return await show(request, desk, look, "compare_agents", "Compare agents", [panel])


@routes.get("/agents/{worker}/{name}", include_in_schema=False)
async def agent(request: Request, worker: str, name: str) -> Response:
    desk, look = await looking(request)
    agent_id = f"{worker}/{name}"
    page = await _page(desk, look, agent_id)
    about = (f"agent:{agent_id}", "runs")
    prints = (*about, f"output:{page.agent.run.run_id}") if page.agent.run else about
    panels = [
        Panel("agent_bar", about, lambda: _agent(desk, look, page)),
        Panel("agent", (*about, "workers"), lambda: _agent(desk, look, page), every_s=5),
        Panel("agent_output", prints, lambda: _output(desk, look, page), every_s=5, beside=True),
    ]
    return await show(request, desk, look, "agent", name, panels, agent_id=agent_id)


async def _rows(desk: Desk, ids: Collection[str]) -> dict[str, str]:
    """The roster's rows of some agents, as they are now, for every page that shows them."""
    look = now_of(desk, "/agents")
    found = await desk.read_model.agents_now(ids)
    heard = {each.worker_id: desk.beats.last(each.worker_id, each.epoch) for each in found}
    listening = desk.beats.listening
    return {each.agent_id: part("agent_row", look=look, agent=each, heard=heard, listening=listening) for each in found}


async def _head(desk: Desk) -> str:
    """How many there are, as the head of every page of agents says it now."""
    look = now_of(desk, "/agents", part="crew")
    return part("crew", look=look, **await _crew(desk, look))


cells = (
    Cells("agent", "agents", _rows),
    Shared("crew", "crew", ("agents", "workers", "fleet_state", "runs"), 1.0, _head),
)


async def _roster(desk: Desk, look: Look) -> dict[str, Any]:
    there = await _there(desk, look)
    workers = await desk.read_model.query(queries.workers, look.at)
    wanted = look.all("state")
    shown = [agent for agent in there if not wanted or agent.state in wanted]
    counts = {state: sum(1 for agent in there if agent.state == state) for state in STATES}
    by = look.get("by") or "pool"
    here = len(there) - counts["gone"]
    rows = {"groups": _grouped(shown, by), "counts": counts, "total": here, "workers": workers, "by": by}
    return {**rows, **_heard(desk, workers)}


async def _there(desk: Desk, look: Look) -> list[Agent]:
    if "gone" in look.all("state"):
        return await desk.read_model.query(queries.agents, look.at, gone=True)
    return await everyone(desk, look, totals=True)


async def _crew(desk: Desk, look: Look) -> dict[str, Any]:
    """How many there are, in how many pools, for the head of the page."""
    there = await everyone(desk, look)
    return {
        "agents": len(there),
        "pools": len({agent.pool or agent.model or agent.adapter for agent in there}),
        "workers": len({agent.worker_id for agent in there}),
        "busy": sum(agent.state == "busy" for agent in there),
    }


def _heard(desk: Desk, workers: Sequence[Worker]) -> dict[str, Any]:
    heard = {worker.worker_id: desk.beats.last(worker.worker_id, worker.epoch) for worker in workers}
    return {"heard": heard, "listening": desk.beats.listening}


def _grouped(agents: list[Agent], by: str) -> dict[str, list[Agent]]:
    groups: dict[str, list[Agent]] = {}
    for agent in agents:
        pool = " · ".join(dict.fromkeys(filter(None, (agent.adapter, agent.pool, agent.model))))
        name = {"pool": pool, "worker": agent.worker_id, "state": agent.state}[by]
        groups.setdefault(name, []).append(agent)
    return groups


async def _page(desk: Desk, look: Look, agent_id: str) -> AgentPage:
    """Asked once for all that a page draws of it."""
    if look.get("span") not in ("", *SPANS):
        raise BadQuestion(f"?span={look.get('span')[:20]} is not one of {', '.join(SPANS)}.")
    window_us = SPANS[look.get("span") or "1h"]
    found = await desk.read_model.query(queries.agent, look.at, agent_id, window_us=window_us)
    if found is None:
        raise look.absent(f"agent {agent_id[:120]!r}")
    return found


async def _agent(desk: Desk, look: Look, page: AgentPage) -> dict[str, Any]:
    workers = await desk.read_model.query(queries.workers, look.at)
    worker = next((each for each in workers if each.worker_id == page.agent.worker_id), None)
    known = page.stretches[0].at if page.stretches else page.since  # it is younger than what is asked for
    line = lifeline(page.stretches, max(page.since, known), look.time)
    rows = {"agent": page.agent, "runs": page.runs, "timeline": page.timeline, "worker": worker, "line": line}
    return {**rows, "spans": tuple(SPANS), **_heard(desk, workers)}


async def _output(desk: Desk, look: Look, page: AgentPage) -> dict[str, Any]:
    """The last lines of what its present run prints."""
    run = page.agent.run
    if run is None:
        return {"run": None, "lines": []}
    scroll = desk.scrolls.of(run.run_id) if look.live else Scroll(run.run_id)
    await scroll.read_on(desk.ledger, until=0 if look.live else look.at.at)
    return {"run": run, "lines": scroll.output().lines[-LAST_LINES:]}


async def _compared(desk: Desk, look: Look, pages: Sequence[AgentPage]) -> dict[str, Any]:
    there = await everyone(desk, look)
    picked = [page.agent.agent_id for page in pages]
    return {"everyone": there, "pages": pages, "picked": [*picked, "", ""][:2]}
