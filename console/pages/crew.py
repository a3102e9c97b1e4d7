"""One order for many agents: first exactly which, then an order for each, then back to where they stand.

And more agents: a worker is asked to start them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.desk import Desk, desk_of
from console.errors import refuse
from console.everyone import everyone
from console.forms import form, together
from console.look import BadQuestion, Look, looking
from console.panels import show
from core.domain import agent
from core.envelope import Answer
from core.ids import new_id
from projections import queries
from projections.rows.agents import Agent

routes = APIRouter()

AT_ONCE = 64
MOST = 5_000
NOBODY = "No agent was chosen: tick some in the list of agents."


class Act(msgspec.Struct, frozen=True):
    """What may be ordered for many agents. ``goes``: whether it concerns one as it is now."""

    name: str
    label: str
    says: str
    goes: Callable[[Agent], bool]
    order: Callable[[str, str], Any]
    otherwise: str
    kind: str = "primary"


def _stopping(each: Agent) -> bool:
    return each.run is not None and bool(each.run.stopping)


ACTS = {
    act.name: act
    for act in (
        Act("pause", "Pause", "each finishes what it does and takes nothing new",
            lambda each: each.state != "paused" and not each.pausing,
            lambda agent_id, why: agent.Pause(agent_id=agent_id, reason=why), "paused already"),
        Act("resume", "Resume", "each may be given work again",
            lambda each: each.state == "paused" or each.pausing,
            lambda agent_id, _: agent.Resume(agent_id=agent_id), "not paused"),
        Act("stop", "Stop", "each is interrupted now, no attempt is used, and takes nothing new; others get its task",
            lambda each: each.state == "idle" or (each.state == "busy" and not (each.pausing and _stopping(each))),
            lambda agent_id, why: agent.Stop(agent_id=agent_id, reason=why), "stopped already", "stop-now"),
        Act("restart", "Restart", "each is interrupted now and stays free for more; no attempt is used",
            lambda each: each.state == "busy" and not _stopping(each),
            lambda agent_id, _: agent.Restart(agent_id=agent_id), "idle, or being stopped", "stop-now"),
    )
}  # fmt: skip


@routes.get("/agents/all", include_in_schema=False)
async def all_agents(request: Request) -> Response:
    """What would happen: to those picked, or to every agent there is."""
    desk, look = await looking(request)
    if not look.live:
        raise BadQuestion("The past cannot be ordered about: go back to now to act on agents.")
    act = _act(look.get("do"))
    picked = [value for key, value in look.asked if key == "pick"]
    if look.get("of") == "picked" and not picked:
        raise BadQuestion(NOBODY)
    goes, left = await _sorted(desk, look, act, picked)
    return await show(
        request, desk, look, "crew", f"{act.label} agents", [], act=act, goes=goes, left=left, picked=picked
    )


@routes.post("/agents/all", include_in_schema=False)
async def order_all(request: Request) -> Response:
    """An order for each that was listed. Back to the list of agents; one that was refused is said so."""
    desk = desk_of(request)
    fields = await form(request)
    act = _act(fields.get("do", ""))
    ids = fields.get("picks", "").splitlines()[:MOST]
    if not ids:
        raise BadQuestion(NOBODY)
    why = fields.get("reason", "")[:500]
    answers, told = await _order(desk, act, ids, why)
    refused = [answer for answer in answers if answer.outcome not in ("done", "already_so")]
    if refused:
        says = f"{len(answers) - len(refused)} of {len(answers)} orders were carried out. {refused[0].reason}"
        return refuse(request, 409, says, outcome=refused[0].outcome, command_seq=refused[0].command_seq)
    seen = max((answer.seq for answer in answers), default=0)
    return together("/agents", seen=seen, told=told, given=len(answers))


@routes.get("/agents/add", include_in_schema=False)
async def add(request: Request) -> Response:
    desk, look = await looking(request)
    workers = await desk.read_model.query(queries.workers, look.at)
    agents = await everyone(desk, look)
    live = [worker for worker in workers if worker.state == "live"]
    adapters = sorted({each.adapter for each in agents})
    models = sorted({each.model for each in agents if each.model})
    return await show(
        request, desk, look, "add_agents", "Add agents", [], workers=live, adapters=adapters, models=models
    )


async def _order(desk: Desk, act: Act, ids: Sequence[str], why: str) -> tuple[list[Answer], str]:
    """What came of each, and the id of the last one: the page tells of that, the log of all."""
    room = asyncio.Semaphore(AT_ONCE)
    orders = [new_id(desk.clock) for _ in ids]

    async def one(agent_id: str, command_id: str) -> Any:
        async with room:
            return await desk.door.order(act.order(agent_id, why), command_id=command_id, by="operator")

    answers = await asyncio.gather(*(one(*each) for each in zip(ids, orders, strict=True)))
    return [answer for answer in answers if isinstance(answer, Answer)], orders[-1]


async def _sorted(desk: Desk, look: Look, act: Act, picked: Sequence[str]) -> tuple[list[Agent], list[Agent]]:
    """Whom the order is for, and who is left as they are."""
    there = await everyone(desk, look)
    chosen = [each for each in there if not picked or each.agent_id in picked]
    return [each for each in chosen if act.goes(each)], [each for each in chosen if not act.goes(each)]


def _act(name: str) -> Act:
    if name not in ACTS:
        raise BadQuestion(f"{name[:40]!r} cannot be done to many agents; {', '.join(ACTS)} can.")
    return ACTS[name]
