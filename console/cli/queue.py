"""``switchtower queue``: the lanes tasks wait in."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter, validators

from console.cli import api, out
from console.cli.exits import NotFound, Usage
from console.cli.orders import give
from console.cli.shown import age
from console.cli.where import HERE, Where
from core.clock import SystemClock
from core.domain import lane


def status(*lanes: str, where: Where = HERE) -> int:
    """Show every lane: ready, blocked, running, paused.

    Parameters
    ----------
    lanes
        Only these.
    """
    rows = [row for row in api.get(where, "/lanes") if not lanes or row["lane"] in lanes]
    missing = [lane for lane in lanes if lane not in {row["lane"] for row in rows}]
    if missing:
        raise NotFound(f"there is no lane {missing[0]!r}")
    if where.as_json:
        out.document({"rows": rows, "total": len(rows)})
        return 0
    now = SystemClock().now_us()
    out.table(
        rows,
        (
            ("LANE", lambda row: row["lane"]),
            ("IS", lambda row: f"paused: {row['paused_because']}".rstrip(": ") if row.get("paused") else "open"),
            ("RUNNING", lambda row: _of(row.get("running", 0), row.get("concurrency"))),
            ("READY", lambda row: row.get("ready", 0)),
            ("BLOCKED", lambda row: row.get("blocked", 0)),
            ("WAITING", lambda row: row.get("waiting", 0)),
            ("OLDEST", lambda row: age(row.get("oldest_ready"), now)),
        ),
        empty="There is no lane.",
    )
    return 0


def pause(*lanes: str, reason: str = "", where: Where = HERE) -> int:
    """Stop giving out a lane's tasks; what runs, runs on.

    Parameters
    ----------
    reason
        Why, for the record.
    """
    return give(where, [(each, lane.Pause(lane=each, reason=reason)) for each in _named(lanes)], says="is paused")


def resume(*lanes: str, where: Where = HERE) -> int:
    """Give out a lane's tasks again."""
    return give(where, [(each, lane.Resume(lane=each)) for each in _named(lanes)], says="is open")


def configure(
    name: str,
    /,
    *,
    concurrency: Annotated[int | None, Parameter(validator=validators.Number(gte=0, lte=100_000))] = None,
    where: Where = HERE,
) -> int:
    """Make a lane, or set how many of its tasks run at once.

    Parameters
    ----------
    name
        The lane.
    concurrency
        Runs at once; left out: as many as there are agents.
    """
    return give(where, [(name, lane.Configure(lane=name, concurrency=concurrency))], says="is set")


def _of(running: int, concurrency: int | None) -> str:
    return str(running) if concurrency is None else f"{running}/{concurrency}"


def _named(lanes: tuple[str, ...]) -> tuple[str, ...]:
    if not lanes:
        raise Usage("name at least one lane")
    return lanes
