"""Queues: each lane with what runs in it, the line in front of it, and why what does not run does not."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.desk import Desk, desk_of
from console.errors import refuse
from console.forms import form, together
from console.look import BadQuestion, Look, looking
from console.panels import Panel, show
from core.domain import lane as lanes_domain
from core.envelope import Answer
from core.ids import new_id
from projections import queries
from projections.rows.fleet import Lane, Queued
from projections.rows.runs import Run, RunFilter
from projections.runboard import Pulse

routes = APIRouter()

SHOWN_RUNS = 400  # over all lanes; a lane says how many more there are
FREE_SLOTS = 6  # free sections of a track that are drawn
WIDE_TRACK = 24  # a track with more sections than this is drawn small
LINE = 30
MOST_LANES = 1_000  # of one order for all of them
WHY = 20
NOTHING = Pulse(done=(0,) * 30, broken=0, at_once=0.0)


@routes.get("/queues", include_in_schema=False)
async def queues(request: Request) -> Response:
    desk, look = await looking(request)
    panels = [
        Panel("lanes", ("tasks", "lanes", "runs"), lambda: _lanes(desk, look), every_s=10),
        Panel("line", ("tasks", "lanes"), lambda: _line(desk, look), every_s=15),
        Panel("why", ("tasks", "lanes", "runs", "agents"), lambda: _why(desk, look)),
    ]
    return await show(request, desk, look, "queues", "Queues", panels)


@routes.post("/queues/all", include_in_schema=False)
async def order_all(request: Request) -> Response:
    """Every lane the page named is paused, or opened: an order for each, and back to the lanes; one refused is said."""
    desk, fields = desk_of(request), await form(request)
    names, do = fields.get("lanes", "").splitlines()[:MOST_LANES], fields.get("do", "")
    if do not in ("pause", "resume") or not names:
        raise BadQuestion(f"{do[:40]!r} cannot be done to {len(names)} lanes: pause or resume those that Queues lists.")
    seen, told, given = 0, "", 0
    for name in names:
        told = new_id(desk.clock)
        pause = lanes_domain.Pause(lane=name, reason=fields.get("reason", "")[:500])
        order = pause if do == "pause" else lanes_domain.Resume(lane=name)
        answer = await desk.door.order(order, command_id=told, by="operator")
        if not isinstance(answer, Answer):
            continue
        if answer.outcome not in ("done", "already_so"):
            return refuse(request, 409, answer.reason, outcome=answer.outcome, command_seq=answer.command_seq)
        seen, given = max(seen, answer.seq), given + 1
    return together("/queues", seen=seen, told=told, given=given)


async def _lanes(desk: Desk, look: Look) -> dict[str, Any]:
    lanes = await desk.read_model.query(queries.lanes, look.at)
    under_way = RunFilter(states=("assigned", "running", "held"), limit=SHOWN_RUNS)
    found = await desk.read_model.query(queries.runs, look.at, under_way)
    by_lane: dict[str, list[Run]] = {lane.lane: [] for lane in lanes}
    for run in sorted(found.rows, key=lambda run: (run.assigned_at, run.run_id)):
        by_lane.setdefault(run.lane, []).append(run)
    return {
        "lanes": lanes, "runs": by_lane, "pulses": await desk.read_model.query(queries.pulses, look.at),
        "nothing": NOTHING, "free_shown": FREE_SLOTS, "wide": WIDE_TRACK,
        "slots": sum(lane.concurrency or 0 for lane in lanes) if all(map(_limited, lanes)) else None,
    }  # fmt: skip


def _limited(lane: Lane) -> bool:
    return lane.concurrency is not None


async def _line(desk: Desk, look: Look) -> dict[str, Any]:
    """The ready tasks of one lane in the order they are given out: the lane asked for, else the longest line."""
    lanes = await desk.read_model.query(queries.lanes, look.at)
    names = {lane.lane for lane in lanes}
    longest = max(lanes, key=lambda lane: lane.ready, default=None)
    asked = look.get("line")
    if asked and asked not in names:
        if look.live:
            there = ", ".join(sorted(names)) or "none"
            raise BadQuestion(f"?line={asked[:40]} is no lane of this moment: there are {there}.")
        asked = ""  # going through time, a lane may not be there yet
    lane = asked or (longest.lane if longest else "")
    found = await desk.read_model.query(queries.queue, look.at, lane, limit=LINE + 2) if lane else []
    return {"lanes": lanes, "lane": lane, "queue": found[:LINE], "moves": _moves(found), "more": len(found) > LINE}


def _moves(queue: list[Queued]) -> dict[str, dict[str, str]]:
    """For each task of the line the task it would stand before when it goes first, up, down or last. Empty: behind all.
    A move that changes nothing is left out; a line is of one priority."""
    moves: dict[str, dict[str, str]] = {}
    for group in _groups(queue):
        last = len(group) - 1
        for n, task_id in enumerate(group):
            up = {"first": group[0], "up": group[n - 1]} if n else {}
            down = {"down": group[n + 2] if n + 2 <= last else "", "last": ""} if n < last else {}
            moves[task_id] = up | down
    return moves


def _groups(queue: list[Queued]) -> list[list[str]]:
    by_priority: dict[int, list[str]] = {}
    for each in queue:
        by_priority.setdefault(each.row.priority, []).append(each.row.task_id)
    return list(by_priority.values())


async def _why(desk: Desk, look: Look) -> dict[str, Any]:
    """The tasks nearest to running that do not run, or the one asked for, each with the scheduler's own conditions."""
    task_id = look.get("task")
    if task_id:
        why = await desk.read_model.query(queries.why_not, look.at, task_id)
    else:
        why = await desk.read_model.query(queries.not_running, look.at, lanes=look.all("lane"), limit=WHY)
    return {"why": why, "task_id": task_id}
