"""``/metrics``: figures for a monitoring system, in Prometheus's text format. Behind a login or the API token.

Gauges are as of the newest fact that is folded. Counters ending in ``_total`` count since the log began, those of
``switchtower_order_…`` what this console's doors ordered since it started.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from console.desk import Desk, desk_of
from console.look import latest
from console.pages.system import survey
from core.waits import UP_TO_S, Waits
from projections import queries
from projections.costs import burn
from projections.rows import At
from projections.system import Sums, ground, sums

routes = APIRouter()

KIND = "text/plain; version=0.0.4; charset=utf-8"
Labels = Mapping[str, str]


@routes.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    desk = desk_of(request)
    at = latest(desk, desk.clock.now_us())
    lines = [*await _fleet(desk, at), *await _log(desk, at), *_orders(desk.door.waits)]
    return Response("\n".join(lines) + "\n", media_type=KIND)


async def _fleet(desk: Desk, at: At) -> list[str]:
    counts = await desk.read_model.query(queries.counts, at)
    spent = await desk.read_model.query(burn, at)
    today = spent.today
    return [
        *_by("tasks", "Tasks by state, containers apart", "state", counts.tasks),
        *_by("containers", "Tasks that have parts, by state", "state", counts.containers),
        *_by("runs", "Runs under way, by state", "state", counts.runs),
        *_by("agents", "Agents by state", "state", counts.agents),
        *_by("workers", "Workers by state", "state", counts.workers),
        *_one("cost_today_dollars", "What runs of today cost, reported or estimated", (today.uusd or 0) / 1e6),
        *_one("cost_today_unpriced_tokens", "Tokens of today that nobody knows a price of", today.unpriced_tokens),
    ]


async def _log(desk: Desk, at: At) -> list[str]:
    folded = desk.read_model.positions()
    looked = await survey(desk)
    positions = (folded.events, folded.observations, folded.commands)
    stands = await desk.read_model.query(ground, at)
    ended: Sums = await desk.read_model.query(sums, at)
    core = next((each for each in looked.findings if each.name == "lag of the core"), None)
    return [
        *_sample("info", "gauge", "Versions", [({"version": desk.version, "rules": str(stands.rules)}, 1)]),
        *_by("folded_sequence", "Last folded sequence", "stream", {each.stream: each.seq for each in positions}),
        *_by("fold_lag_messages", "Not folded yet", "stream", {each.stream: each.lag for each in positions}),
        *_one("read_model_follows", "1 while the read model follows the log", int(folded.doing == "following")),
        *_one("core_keeps_up", "1 while the core decides what is ordered", int(core is not None and core.ok is True)),
        *_by("stream_bytes", "Bytes stored", "stream", {each.name: each.bytes for each in looked.reaches}),
        *_by("stream_limit_bytes", "Bytes it may store; 0: no limit", "stream",
             {each.name: each.max_bytes for each in looked.reaches}),
        *_by("checks_unwell", "The doctor's findings", "check", {each.name: 1 for each in looked.unwell}),
        *_one("open_pages", "Pages that follow live", desk.hub.listeners),
        *_sample("commands_total", "counter", "Commands in the log", [({}, at.commands_seq)]),
        *_by("commands_not_carried_out_total", "Commands by outcome", "outcome", ended.refused, "counter"),
        *_by("runs_ended_total", "Runs by how they ended", "state", ended.runs, "counter"),
    ]  # fmt: skip


def _orders(waits: Waits) -> list[str]:
    """A histogram, as Prometheus wants it: each bucket holds those before it."""
    name, held = "switchtower_order_seconds", 0
    lines = [f"# HELP {name} From an order's arrival at this console to its outcome", f"# TYPE {name} histogram"]
    for up_to, count in zip((*map(str, UP_TO_S), "+Inf"), waits.buckets, strict=True):
        held += count
        lines.append(f'{name}_bucket{{le="{up_to}"}} {held}')
    lines += [f"{name}_sum {waits.sum_s:.6f}", f"{name}_count {waits.count}"]
    return [*lines, *_by("orders_total", "Orders through this console", "outcome", waits.outcomes, "counter")]


def _one(name: str, says: str, value: float) -> list[str]:
    return _sample(name, "gauge", says, [({}, value)])


def _by(name: str, says: str, label: str, values: Mapping[str, float], kind: str = "gauge") -> list[str]:
    return _sample(name, kind, says, [({label: key}, value) for key, value in sorted(values.items())])


def _sample(name: str, kind: str, says: str, samples: Iterable[tuple[Labels, float]]) -> list[str]:
    name = f"switchtower_{name}"
    return [
        f"# HELP {name} {says}",
        f"# TYPE {name} {kind}",
        *(f"{name}{_labels(labels)} {value:g}" if value < 1e6 else f"{name}{_labels(labels)} {value:.0f}"
          for labels, value in samples),
    ]  # fmt: skip


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    told = (f'{key}="{_quoted(value)}"' for key, value in labels.items())
    return "{" + ",".join(told) + "}"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
