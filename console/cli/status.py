"""``switchtower status``: how the instance is doing, from the log and, where it answers, from the console."""

from __future__ import annotations

import asyncio
from typing import Any

from console.cli import api, exits, instance, out
from console.cli.exits import NoAnswer
from console.cli.line import Line, connected, core_position, heads
from console.cli.where import HERE, Where
from core.domain.conditions import said_by
from core.ledger import LedgerError
from core.tables import Table


def status(*, where: Where = HERE) -> int:
    """Say how the instance is doing: tasks by state, agents, lag of every reader, sequences, versions.

    Exit code 5 when nobody answers; 1 when no core leads or the console is down.
    """
    found = asyncio.run(_from_the_log(where))
    try:
        seen: dict[str, Any] | None = api.get(where, "/status")
    except NoAnswer as problem:
        seen = None
        found["problems"].append(str(problem))
    _merge(found, seen)
    if where.as_json:
        out.document(found)
    else:
        _tell(found)
    return exits.FAILURE if found["problems"] else exits.OK


async def _from_the_log(where: Where) -> dict[str, Any]:
    settings = where.settings()
    running = instance.running(settings.data)
    async with connected(where) as line:
        problems: list[str] = []
        leads = await _leads(line)
        if not leads:
            problems.append("no core leads: start one (`switchtower core`, or `switchtower up`)")
        sequences = await heads(line.ledger)
        return {
            "data": str(settings.data),
            "nats": line.link.url,
            "console": running.console_url if running is not None else "",
            "pids": running.pids if running is not None else {},
            "core_leads": leads,
            "sequences": sequences,
            "lag": {"core": max(0, sequences["COMMANDS"] - await core_position(line.ledger))},
            "versions": {"nats-server": str(line.link.server.get("version", ""))},
            "problems": problems,
        }


async def _leads(line: Line) -> bool:
    try:
        return await Table(line.link, "leases").get("core") is not None
    except LedgerError:
        return False


def _merge(found: dict[str, Any], seen: dict[str, Any] | None) -> None:
    """What only the read model knows; None where the console does not answer."""
    for name in ("tasks", "containers", "agents", "workers", "runs", "fleet"):
        found[name] = None if seen is None else seen[name]
    if seen is None:
        return
    found["versions"]["switchtower"] = seen["version"]
    for stream in ("events", "observations", "commands"):
        position = seen["positions"][stream]
        head = found["sequences"][stream.upper()]
        found["lag"][f"console {stream}"] = max(0, head - position["seq"])
    found["read_model"] = seen["positions"]["doing"]
    if seen["positions"]["problem"]:
        found["problems"].append(seen["positions"]["problem"])


def _tell(found: dict[str, Any]) -> None:
    out.pairs(
        (
            ("console", found["console"]),
            ("data", found["data"]),
            ("log", f"{found['nats']}, nats-server {found['versions']['nats-server']}"),
            ("fleet", _fleet(found["fleet"])),
            ("tasks", _counts(found["tasks"])),
            ("containers", _counts(found["containers"])),
            ("agents", _counts(found["agents"])),
            ("workers", _counts(found["workers"])),
            ("behind", _counts(found["lag"]) or "nobody"),
            ("sequences", _counts(found["sequences"])),
        )
    )
    for problem in found["problems"]:
        out.say(f"switchtower: {problem}")


def _fleet(found: dict[str, Any] | None) -> str:
    """``halted by ada: the build is red``; nothing while work is given out."""
    if found is None or not found["halted"]:
        return ""
    return f"halted {said_by(found['by'], found['because'])}"


def _counts(figures: dict[str, int] | None) -> str:
    """``3 ready, 1 failed``: what is not zero."""
    return ", ".join(f"{number:,} {name}" for name, number in (figures or {}).items() if number)
