"""``switchtower doctor``: everything that could make the ledger lie or stop, looked at once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal

import msgspec

from console.cli import exits, instance, out
from console.cli.line import Line, connected
from console.cli.where import HERE, Where
from core import server
from core.api import NotFound, call
from core.clock import SystemClock
from core.ledger import LedgerError, Stream
from core.settings import Settings
from core.streams import Sizes, differences, settings
from core.tables import Table

Verdict = Literal["ok", "warning", "bad", "unknown"]
FULL = 0.8  # of a stream's limit: from there on doors answer 503
CLOCK_S = 2.0  # more than this apart, ages and time-outs are wrong to the eye
FREE_BYTES = 2 << 30
LAG = 1_000


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at. "unknown" is never "ok"."""

    name: str
    verdict: Verdict
    says: str


def doctor(*, nats_monitor: str | None = None, where: Where = HERE) -> int:
    """Check server version, syncing, streams and their limits, disk, clock, lease and lag. Exit code 1 if one is bad.

    Parameters
    ----------
    nats_monitor
        The server's monitoring address, where syncing can be seen; `up` writes down its own.
    """
    found = asyncio.run(_examine(where, nats_monitor))
    if where.as_json:
        out.document({"findings": found, "ok": all(each.verdict != "bad" for each in found)})
    else:
        out.table(
            found,
            (("", lambda each: each.verdict), ("WHAT", lambda each: each.name), ("FOUND", lambda each: each.says)),
            empty="nothing was looked at",
        )
    return exits.FAILURE if any(each.verdict == "bad" for each in found) else exits.OK


async def _examine(where: Where, nats_monitor: str | None) -> list[Finding]:
    chosen = where.settings()
    running = instance.running(chosen.data)
    monitor = nats_monitor or chosen.nats_monitor or (running.monitor_url if running is not None else "") or None
    async with connected(where) as line:
        found = [_version(line), await _sync(line, monitor), await _clock(monitor)]
        found += [each async for each in _streams(line)]
        found += [await _lease(line), await _lag(line), _disk(chosen)]
    return found


def _version(line: Line) -> Finding:
    has = str(line.link.server.get("version"))
    oldest = ".".join(map(str, server.OLDEST))
    if server.version(line.link) < server.OLDEST:
        return Finding("server", "bad", f"nats-server {has}; {oldest} or newer is needed")
    return Finding("server", "ok", f"nats-server {has} at {line.link.url}")


async def _sync(line: Line, monitor: str | None) -> Finding:
    fsync = await server.examine_sync(line.link, monitor)
    verdicts: dict[str, Verdict] = {"always": "ok", "not always": "bad", "unknown": "unknown"}
    return Finding("sync", verdicts[fsync.synced], fsync.says)


async def _clock(monitor: str | None) -> Finding:
    """The server's clock against ours: it stamps the log, we show ages by ours."""
    if not monitor:
        return Finding("clock", "unknown", "the server's clock can be read at its monitoring address alone")
    clock = SystemClock()
    try:
        before = clock.now_us()
        said = datetime.fromisoformat((await server.read_varz(monitor.split(",")[0]))["now"]).timestamp()
        ours = (before + clock.now_us()) / 2e6
    except (OSError, ValueError, KeyError) as problem:
        return Finding("clock", "unknown", f"{monitor} does not say what time it is: {problem}")
    apart = said - ours
    verdict: Verdict = "ok" if abs(apart) <= CLOCK_S else "bad"
    return Finding("clock", verdict, f"the server's is {abs(apart):.3f} s {'ahead of' if apart > 0 else 'behind'} ours")


async def _streams(line: Line) -> AsyncIterator[Finding]:
    for name, wanted in settings(Sizes()).items():
        try:
            info = await call(line.link, f"STREAM.INFO.{name}")
        except NotFound:
            yield Finding(name, "bad", "it is not there; a core makes it when it starts")
            continue
        wrong = differences(wanted, info["config"])
        if wrong:
            yield Finding(name, "bad", "; ".join(wrong))
            continue
        used, most = info["state"]["bytes"], info["config"]["max_bytes"]
        verdict: Verdict = "ok" if used < FULL * most else "bad"
        yield Finding(name, verdict, f"{info['state']['messages']:,} messages, {used / most:.1%} of {_size(most)} used")


async def _lease(line: Line) -> Finding:
    try:
        entry = await Table(line.link, "leases").get("core")
    except LedgerError as problem:
        return Finding("core", "bad", f"the lease cannot be read: {problem}")
    if entry is None:
        return Finding("core", "bad", "no core leads: start one (`switchtower core`, or `switchtower up`)")
    return Finding("core", "ok", f"one leads, its lease renewed at sequence {entry.seq}")


async def _lag(line: Line) -> Finding:
    behind = await core_lag(line)
    verdict: Verdict = "ok" if behind <= LAG else "warning"
    return Finding("lag", verdict, f"{behind:,} commands are not decided yet")


async def core_lag(line: Line) -> int:
    """Commands that stand in COMMANDS and are not decided yet."""
    from core.envelope import decode_fact

    commands = (await line.ledger.head("COMMANDS")).last_seq
    events = (await line.ledger.head("EVENTS")).last_seq
    decided = 0
    async for found in line.ledger.read("EVENTS", after=max(0, events - 1), until=events):
        decided = decode_fact(found[-1].data).command_seq
    return max(0, commands - decided)


async def heads(line: Line) -> dict[str, int]:
    """The last sequence of each stream."""
    names: tuple[Stream, ...] = ("COMMANDS", "EVENTS", "OBSERVATIONS", "OUTPUT")
    return {name: (await line.ledger.head(name)).last_seq for name in names}


def _disk(chosen: Settings) -> Finding:
    folder = next(each for each in (chosen.data, *chosen.data.parents) if each.exists())
    free = shutil.disk_usage(folder).free
    verdict: Verdict = "ok" if free >= FREE_BYTES else "bad"
    return Finding("disk", verdict, f"{_size(free)} free where {chosen.data} is")


def _size(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1024:.0f} KiB"
