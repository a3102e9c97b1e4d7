"""``switchtower doctor``: everything that could make the ledger lie or stop, looked at once."""

from __future__ import annotations

import asyncio

from console.cli import api, exits, instance, out
from console.cli.exits import Stop
from console.cli.line import Line, connected, core_position
from console.cli.where import HERE, Where
from core.doctor import Finding, Reader, examine

WORDS = {True: "ok", False: "bad", None: "unknown"}


def doctor(*, nats_monitor: str | None = None, where: Where = HERE) -> int:
    """Check server version, syncing, streams and their limits, disk, clock, lease and lag. Exit code 1 if one is bad.

    Parameters
    ----------
    nats_monitor
        The server's monitoring address, where syncing can be seen; `up` writes down its own.
    """
    found = asyncio.run(_examine(where, nats_monitor))
    well = all(each.ok is not False for each in found)
    if where.as_json:
        out.document({"findings": found, "ok": well})
    else:
        out.table(
            found,
            (("", lambda each: WORDS[each.ok]), ("WHAT", lambda each: each.name), ("FOUND", lambda each: each.says)),
            empty="nothing was looked at",
        )
        for each in found:
            if each.ok is not True:
                out.say(f"{each.name}: {each.way_out}")
    return exits.OK if well else exits.FAILURE


async def _examine(where: Where, nats_monitor: str | None) -> list[Finding]:
    settings = where.settings()
    running = instance.running(settings.data)
    monitor = nats_monitor or settings.nats_monitor or (running.monitor_url if running is not None else "") or None
    async with connected(where) as line:
        readers = [*await _core(line), *await asyncio.to_thread(_console, where)]
        return await examine(line.link, monitor=monitor, readers=readers)


async def _core(line: Line) -> list[Reader]:
    return [Reader("core", "COMMANDS", await core_position(line.ledger))]


def _console(where: Where) -> list[Reader]:
    """How far the console's read model has come; nothing where none answers, which `status` is there to say."""
    try:
        positions = api.get(where, "/status")["positions"]
    except Stop:
        return []
    return [
        Reader("the console", name.upper(), positions[name]["seq"]) for name in ("events", "observations", "commands")
    ]
