"""``switchtower worker``: the processes that host agents."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter, validators

from console.cli import api, out
from console.cli.effects import worker_drained
from console.cli.exits import Usage
from console.cli.orders import AT_ONCE, Waiting, give
from console.cli.shown import age
from console.cli.where import HERE, Where
from core.clock import SystemClock
from core.domain import hire as staff
from core.domain import worker

State = Literal["live", "draining", "lost", "left"]


def listing(
    *,
    state: tuple[State, ...] = (),
    limit: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 100,
    where: Where = HERE,
) -> int:
    """List workers.

    Parameters
    ----------
    state
        Only workers in this state; may be given several times.
    limit
        So many at most; 0: all.
    """
    found = api.rows(where, "/workers", states=state, limit=limit)
    if where.as_json:
        out.document(found)
        return 0
    now = SystemClock().now_us()
    out.table(
        found["rows"],
        (
            ("WORKER", lambda row: row["worker_id"]),
            ("STATE", lambda row: row["state"]),
            ("FOR", lambda row: age(row.get("since"), now)),
            ("AGENTS", lambda row: row.get("agents", 0)),
            ("BUSY", lambda row: row.get("busy", 0)),
            ("HOST", lambda row: row.get("host")),
            ("PID", lambda row: row.get("pid")),
        ),
        empty="No worker has registered. `switchtower worker` runs one.",
    )
    return 0


def hire(
    worker_id: str,
    adapter: str,
    /,
    *,
    count: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=100))] = 1,
    model: str = "",
    pool: str = "",
    capabilities: tuple[str, ...] = (),
    where: Where = HERE,
) -> int:
    """Have a worker take on more agents.

    Parameters
    ----------
    worker_id
        The worker.
    adapter
        What drives them: shell, sim, tape or noop.
    count
        How many.
    model
        The model they say they are.
    pool
        The pool they belong to.
    capabilities
        An ability they offer.
    """
    order = staff.Hire(
        worker_id=worker_id, adapter=adapter, count=count, model=model, pool=pool, capabilities=list(capabilities)
    )
    return give(where, [(worker_id, order)], says=f"is told to take on {count} more")


def drain(*worker_ids: str, reason: str = "", waiting: Waiting = AT_ONCE, where: Where = HERE) -> int:
    """Give a worker's agents nothing new; they finish what they do. With --wait: until it has left.

    Parameters
    ----------
    reason
        Why, for the record.
    """
    if not worker_ids:
        raise Usage("name at least one worker")
    orders = [(each, worker.Drain(worker_id=each, reason=reason)) for each in worker_ids]
    return give(where, orders, says="drains", waiting=waiting, effect=worker_drained)
