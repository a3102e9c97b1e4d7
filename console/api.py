"""The same doors for programs: JSON under ``/api``, problem details when something is wrong.

Every list takes the pages' own filters, ``?at=`` and ``?seen=`` too. Bearer token: the data folder's ``api-token``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal
from urllib.parse import unquote

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console import openapi
from console.desk import Desk, desk_of
from console.errors import refuse
from console.forms import Order
from console.given import schema
from console.look import Absent, BadQuestion, Look, filters, looking
from console.output import output_of
from console.panels import NEAR
from console.since import since_us
from core.domain.template_spec import TemplateSpec
from core.door import Pending
from core.envelope import Answer
from core.ids import new_id
from projections import notes, queries, verify
from projections.rows import At
from projections.rows.agents import Agent, AgentPage, Worker
from projections.rows.attention import Attention
from projections.rows.fleet import Hour, Lane, Plan, Session, UsageRow
from projections.rows.positions import Positions
from projections.rows.record import CommandFilter, Commands, Timeline, TimelineFilter
from projections.rows.runs import Observed, RunFilter, RunPage, Runs, ToolCall
from projections.rows.tasks import Task, TaskFilter, Tasks
from projections.templates import Template, TemplateRow

VERSION = "0.1"
MOST_WAIT_S = 30.0

routes = APIRouter()
_encode = msgspec.json.Encoder().encode

Summed = Literal["agent", "model", "task", "lane", "session"]
Load = Callable[[Desk, Look], Awaitable[Any]]


class Ordered(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command to carry out. ``id`` (UUIDv7): sent again, it counts once. ``wait_s``, 0 to 30: for its outcome."""

    command: Order
    id: str = ""
    wait_s: float = 2.0
    deadline_s: float = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of it. ``pending``: kept, not decided in the time; ask again by its id. ``seq``: see it at ?seen=."""

    outcome: str
    command_id: str
    command_seq: int
    seq: int = 0
    reason: str = ""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The whole at a glance."""

    version: str
    at: At
    tasks: dict[str, int]
    containers: dict[str, int]
    agents: dict[str, int]
    workers: dict[str, int]
    runs: dict[str, int]
    fleet: notes.FleetState
    positions: Positions
    open_pages: int


class WhichVersion(msgspec.Struct, frozen=True):
    """Of a template; 0: the newest."""

    version: int = 0


class Health(msgspec.Struct, frozen=True):
    """Nothing but whether: what is the matter stands in ``/api/status``, which needs a login."""

    status: Literal["ok", "ready", "not ready"]


def json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(_encode(value), status, headers, "application/json")


@routes.get("/healthz", **openapi.gives(Health))
async def healthz() -> Response:
    return json(Health("ok"))


@routes.get("/readyz", **openapi.gives(Health))
async def readyz(request: Request) -> Response:
    """Ready: a core has begun the log, and the read model has caught up with it."""
    positions = desk_of(request).read_model.positions()
    near = positions.doing == "catching up" and positions.events.lag < NEAR
    ready = positions.events.seq > 0 and (positions.doing == "following" or near)
    return json(Health("ready" if ready else "not ready"), 200 if ready else 503)


@routes.get("/openapi.json", include_in_schema=False)
async def description(request: Request) -> Response:
    return json(openapi.document(request.app, VERSION))


@routes.get("/api/status", **openapi.gives(Status))
async def status(request: Request) -> Response:
    desk, look = await looking(request)
    counts = await desk.read_model.query(queries.counts, look.at)
    return json(
        Status(
            version=VERSION, at=look.at, tasks=counts.tasks, containers=counts.containers, agents=counts.agents,
            workers=counts.workers, runs=counts.runs, fleet=await desk.read_model.query(queries.fleet_state, look.at),
            positions=desk.read_model.positions(), open_pages=desk.hub.listeners,
        )
    )  # fmt: skip


@routes.post("/api/commands", **openapi.takes(Ordered, Outcome))
async def order(request: Request) -> Response:
    """200 done, 202 not decided yet, 409 refused and why, 422 no such command or a field that does not fit."""
    asked = await body(request, Ordered)
    if not 0 <= asked.wait_s <= MOST_WAIT_S or not 0 <= asked.deadline_s <= 86_400:
        raise BadQuestion(f"wait_s is {asked.wait_s:g} and deadline_s {asked.deadline_s:g}; 0 to 30 and 0 to 86400 go.")
    desk = desk_of(request)
    command_id = asked.id or new_id(desk.clock)
    answer = await desk.door.order(
        asked.command, command_id=command_id, wait_s=asked.wait_s, deadline_s=asked.deadline_s, by="api"
    )
    match answer:
        case Pending():
            return json(Outcome(outcome="pending", command_id=command_id, command_seq=answer.command_seq), 202)
        case Answer(outcome="done"):
            told = Outcome(outcome="done", command_id=command_id, command_seq=answer.command_seq, seq=answer.seq)
            return json(told)
        case _:
            return refuse(request, 409, answer.reason, outcome=answer.outcome, command_seq=answer.command_seq)


@routes.post("/api/read-model/rebuild", **openapi.gives(Positions, status=202))
async def rebuild(request: Request) -> Response:
    """Drop the read model and fold the log anew; ``/api/status`` shows how far it is."""
    read_model = desk_of(request).read_model
    await read_model.rebuild()
    return json(read_model.positions(), 202)


async def body(request: Request, kind: type[Any]) -> Any:
    """The JSON body as ``kind``, or a decode error. Only JSON: a form of another site cannot send that unasked."""
    content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content not in ("application/json", "application/problem+json"):
        raise BadQuestion(f"JSON is expected here, not {content[:60] or 'a body without a type'}.")
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except RecursionError:
        raise BadQuestion("The body is nested too deep to be a command.") from None


def _lists(path: str, kind: Any, load: Load, wanted: type[Any] | None = None) -> None:
    """One GET: ``load`` answers it from the read model at the asked moment."""

    async def answer(request: Request) -> Response:
        desk, look = await looking(request)
        found = await load(desk, look)
        if found is None:
            raise Absent(f"Nothing of that name stood there at fact {look.at.events_seq:,}: {request.url.path}")
        return json(found, headers={"Switchtower-At": look.at.event_id})

    routes.add_api_route(f"/api{path}", answer, methods=["GET"], name=path, **openapi.gives(kind, wanted))


def _by_filter(query: Any, kind: type[Any]) -> Load:
    def load(desk: Desk, look: Look) -> Awaitable[Any]:
        fixed = {"since": since_us(look.get("since"), look.time)} if "since" in kind.__struct_fields__ else {}
        return desk.read_model.query(query, look.at, filters(kind, look, **fixed))

    return load


def _by_path(query: Any) -> Load:
    """One thing, by the id that its path spells."""

    async def load(desk: Desk, look: Look) -> Any:
        return await desk.read_model.query(query, look.at, _id_of(look.path))

    return load


def _id_of(path: str) -> str:
    """``/api/tasks/<session>/<name>[/…]`` names the task ``session/name``."""
    parts = unquote(path).split("/")
    return f"{parts[3]}/{parts[4]}"


async def _output(desk: Desk, look: Look) -> Any:
    run = await desk.read_model.query(queries.run, look.at, _id_of(look.path))
    return None if run is None else await output_of(desk.ledger, run.run.run_id, until=0 if look.live else look.time)


def _simple(query: Any) -> Load:
    return lambda desk, look: desk.read_model.query(query, look.at)


async def _agents(desk: Desk, look: Look) -> Any:
    return await desk.read_model.query(queries.agents, look.at, gone=look.get("gone") in ("1", "true", "yes"))


async def _calls(desk: Desk, look: Look) -> Any:
    return await desk.read_model.query(queries.tool_calls, look.at, _id_of(look.path), limit=1_000)


async def _seen(desk: Desk, look: Look) -> Any:
    return await desk.read_model.query(queries.observations, look.at, _id_of(look.path), limit=1_000)


async def _template(desk: Desk, look: Look) -> Any:
    return await desk.read_model.query(queries.template, look.at, unquote(look.path).split("/")[3])


async def _spec(desk: Desk, look: Look) -> Any:
    """The wording alone, as ``switchtower template define`` reads it."""
    found = await _template(desk, look)
    worded = found.worded(filters(WhichVersion, look).version) if found is not None else None
    return worded.spec if worded is not None else None


async def _schema(desk: Desk, look: Look) -> Any:
    """What a use is asked for, as JSON Schema."""
    found = await _template(desk, look)
    return None if found is None else schema(found.spec)


async def _usage(desk: Desk, look: Look) -> Any:
    by: Summed = msgspec.convert(look.get("by") or "agent", Summed)
    return await desk.read_model.query(queries.usage, look.at, by)


_lists("/tasks", Tasks, _by_filter(queries.tasks, TaskFilter), TaskFilter)
_lists("/tasks/{session}/{name}", Task, _by_path(queries.task))
_lists("/runs", Runs, _by_filter(queries.runs, RunFilter), RunFilter)
_lists("/runs/{session}/{name}", RunPage, _by_path(queries.run))
_lists("/runs/{session}/{name}/tool-calls", list[ToolCall], _calls)
_lists("/runs/{session}/{name}/observations", list[Observed], _seen)
_lists("/runs/{session}/{name}/output", dict[str, Any], _output)
_lists("/agents", list[Agent], _agents)
_lists("/agents/{worker}/{name}", AgentPage, _by_path(queries.agent))
_lists("/workers", list[Worker], _simple(queries.workers))
_lists("/lanes", list[Lane], _simple(queries.lanes))
_lists("/sessions", list[Session], _simple(queries.sessions))
_lists("/plans", list[Plan], _simple(queries.plans))
_lists("/fleet", notes.FleetState, _simple(queries.fleet_state))
_lists("/views", list[notes.View], _simple(queries.views))
_lists("/bookmarks", list[notes.Bookmark], _simple(queries.bookmarks))
_lists("/board-limits", dict[str, int], _simple(queries.board_limits))
_lists("/attention", list[Attention], _simple(queries.attention))
_lists("/hour", Hour, _simple(queries.hour))
_lists("/usage", list[UsageRow], _usage)
_lists("/templates", list[TemplateRow], _simple(queries.templates))
_lists("/templates/{template}", Template, _template)
_lists("/templates/{template}/spec", TemplateSpec, _spec, WhichVersion)
_lists("/templates/{template}/schema", dict[str, Any], _schema)
_lists("/commands", Commands, _by_filter(queries.commands, CommandFilter), CommandFilter)
_lists("/read-model", verify.Standing, _simple(verify.standing))
_lists("/timeline", Timeline, _by_filter(queries.timeline, TimelineFilter), TimelineFilter)
