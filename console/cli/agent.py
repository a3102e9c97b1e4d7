"""``switchtower agent``: who does the work."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter, validators

from console.cli import api, out
from console.cli.exits import Usage
from console.cli.orders import give
from console.cli.shown import age, money
from console.cli.where import HERE, Where
from core.clock import SystemClock
from core.domain import agent

State = Literal["idle", "busy", "paused", "gone"]


def listing(
    *,
    state: tuple[State, ...] = (),
    limit: Annotated[int, Parameter(validator=validators.Number(gte=0))] = 100,
    where: Where = HERE,
) -> int:
    """List agents and what they do.

    Parameters
    ----------
    state
        Only agents in this state; may be given several times. Without it all but those that are gone.
    limit
        So many at most; 0: all.
    """
    found = api.rows(where, "/agents", states=state, limit=limit, gone="1" if "gone" in state else "")
    if where.as_json:
        out.document(found)
        return 0
    now = SystemClock().now_us()
    out.table(
        found["rows"],
        (
            ("AGENT", lambda row: row["agent_id"]),
            ("STATE", lambda row: row["state"]),
            ("FOR", lambda row: age(row.get("since"), now)),
            ("ADAPTER", lambda row: row["adapter"]),
            ("MODEL", lambda row: row.get("model")),
            ("DOES", lambda row: (row.get("run") or {}).get("title")),
            ("DONE", lambda row: row.get("done", 0)),
            ("FAILED", lambda row: row.get("failed", 0)),
        ),
        empty="No agent is connected. `switchtower worker` brings some.",
    )
    return 0


def show(agent_id: str, /, *, where: Where = HERE) -> int:
    """Show one agent and its runs.

    Parameters
    ----------
    agent_id
        The agent's id: worker/name.
    """
    found: dict[str, Any] = api.get(where, f"/agents/{api.path_of(agent_id)}")
    if where.as_json:
        out.document(found)
        return 0
    one, now = found["agent"], SystemClock().now_us()
    out.pairs(
        (
            ("agent", one["agent_id"]),
            ("state", f"{one['state']} for {age(one.get('since'), now)}"),
            ("because", one.get("paused_because")),
            ("adapter", one["adapter"]),
            ("model", one.get("model")),
            ("capabilities", one.get("capabilities")),
            ("runs", f"{one.get('runs', 0)}, {one.get('done', 0)} done, {one.get('failed', 0)} failed"),
            ("cost", money(one.get("cost_uusd"))),
        )
    )
    for run in found.get("runs", []):
        out.text(f"run {run['run_id']}  {run['state']}  {run['title']}")
    return 0


def pause(*agent_ids: str, reason: str = "", where: Where = HERE) -> int:
    """Give agents nothing new; what they do, they finish.

    Parameters
    ----------
    reason
        Why, for the record.
    """
    orders = [(each, agent.Pause(agent_id=each, reason=reason)) for each in _named(agent_ids)]
    return give(where, orders, says="is paused")


def resume(*agent_ids: str, where: Where = HERE) -> int:
    """Give agents work again."""
    return give(where, [(each, agent.Resume(agent_id=each)) for each in _named(agent_ids)], says="gets work again")


def stop(*agent_ids: str, reason: str = "", where: Where = HERE) -> int:
    """Take from agents what they do and give them nothing new; their tasks are ready again, for others.

    Parameters
    ----------
    reason
        Why, for the record.
    """
    orders = [(each, agent.Stop(agent_id=each, reason=reason)) for each in _named(agent_ids)]
    return give(where, orders, says="is stopped")


def restart(*agent_ids: str, where: Where = HERE) -> int:
    """Interrupt what agents do; they are given work again at once. No attempt is used."""
    return give(where, [(each, agent.Restart(agent_id=each)) for each in _named(agent_ids)], says="is restarted")


def _named(agent_ids: tuple[str, ...]) -> tuple[str, ...]:
    if not agent_ids:
        raise Usage("name at least one agent, as worker/name")
    return agent_ids
