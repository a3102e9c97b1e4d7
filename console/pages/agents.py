"""Agents: who does runs, in what state and why; and one agent with its latest runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.cells import Cells
from console.desk import Desk
from console.look import BadQuestion, Look, looking, now_of
from console.panels import Panel, show
from console.render import part
from projections import queries
from projections.rows import Agent

routes = APIRouter()

GROUPS = ("pool", "worker", "state")
STATES = ("busy", "idle", "paused", "gone")


@routes.get("/agents", include_in_schema=False)
async def agents(request: Request) -> Response:
    desk, look = await looking(request)
    if look.get("by") not in ("", *GROUPS):
        raise BadQuestion(f"Agents cannot be grouped by {look.get('by')[:40]!r}; there are {', '.join(GROUPS)}.")
    panel = Panel(
        "roster", ("agents", "runs", "workers"), lambda: _roster(desk, look), every_s=15, cells="agent",
        pace_s=2,
    )  # fmt: skip
    return await show(request, desk, look, "agents", "Agents", [panel])


@routes.get("/agents/{worker}/{name}", include_in_schema=False)
async def agent(request: Request, worker: str, name: str) -> Response:
    desk, look = await looking(request)
    agent_id = f"{worker}/{name}"
    if await desk.read_model.query(queries.agent, look.at, agent_id) is None:
        raise look.absent(f"agent {agent_id!r}")
    about = (f"agent:{agent_id}", "runs")
    panels = [
        Panel("agent_bar", about, lambda: _agent(desk, look, agent_id)),
        Panel("agent", about, lambda: _agent(desk, look, agent_id), every_s=15),
    ]
    return await show(request, desk, look, "agent", name, panels, agent_id=agent_id)


async def _rows(desk: Desk, ids: Collection[str]) -> dict[str, str]:
    """The roster's rows of some agents, as they are now, for every page that shows them."""
    look = now_of(desk, "/agents")
    found = await desk.read_model.query(queries.agents, look.at, ids=ids)
    return {agent.agent_id: part("agent_row", look=look, agent=agent) for agent in found}


cells = (Cells("agent", "agents", _rows),)


async def _roster(desk: Desk, look: Look) -> dict[str, Any]:
    everyone = await desk.read_model.query(queries.agents, look.at, gone="gone" in look.all("state"))
    workers = await desk.read_model.query(queries.workers, look.at)
    wanted = look.all("state")
    shown = [agent for agent in everyone if not wanted or agent.state in wanted]
    counts = {state: sum(1 for agent in everyone if agent.state == state) for state in STATES}
    by = look.get("by") or "pool"
    here = len(everyone) - counts["gone"]
    return {"groups": _grouped(shown, by), "counts": counts, "total": here, "workers": workers, "by": by}


def _grouped(agents: list[Agent], by: str) -> dict[str, list[Agent]]:
    groups: dict[str, list[Agent]] = {}
    for agent in agents:
        pool = " · ".join(dict.fromkeys(filter(None, (agent.adapter, agent.pool, agent.model))))
        name = {"pool": pool, "worker": agent.worker_id, "state": agent.state}[by]
        groups.setdefault(name, []).append(agent)
    return groups


async def _agent(desk: Desk, look: Look, agent_id: str) -> dict[str, Any]:
    page = await desk.read_model.query(queries.agent, look.at, agent_id)
    assert page is not None  # the page was found a moment ago, and nothing is ever deleted
    workers = await desk.read_model.query(queries.workers, look.at)
    its = next((worker.state for worker in workers if worker.worker_id == page.agent.worker_id), "left")
    return {"agent": page.agent, "runs": page.runs, "timeline": page.timeline, "worker_state": its}
