"""What is well with the ledger and what is not, each with the way out. Nothing is changed by looking.

A thing that could not be seen is "unknown" (``ok`` is None), never "ok".
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from core.api import NotFound, call, microseconds
from core.clock import Clock, SystemClock
from core.ledger import LedgerError
from core.link import Link
from core.server import OLDEST, examine_sync, read_varz, version
from core.streams import Sizes, differences, settings
from core.tables import Lease, Table

SHARE = 0.8  # of the disk for the server's limit, of a stream's limit for its content
LEAST_FREE = 0.1  # of the disk
CLOCK_APART_S = 2.0
LAG = 10_000  # messages a reader may be behind before it is worth a word
MIB = 1 << 20
_MONITOR = "run the doctor on the server's machine, with --nats-monitor"

T = TypeVar("T")


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at. ``ok``: True, False, or None when it could not be seen."""

    name: str
    ok: bool | None
    says: str
    way_out: str = ""


class Reader(msgspec.Struct, frozen=True):
    """How far a reader of a stream has come: the last sequence it has dealt with."""

    name: str
    stream: str
    position: int


class _Disk(msgspec.Struct, frozen=True):
    total: int
    free: int


async def examine(
    link: Link,
    *,
    monitor: str | None = None,
    readers: list[Reader] | None = None,
    clock: Clock | None = None,
    sizes: Sizes | None = None,
) -> list[Finding]:
    """Everything worth knowing about the server behind ``link``. Raises nothing a server can cause; bounded."""
    wanted = settings(sizes or Sizes())
    varz = await _varz(monitor)
    infos = {name: await _info(link, name) for name in wanted}
    return [
        _version(link),
        await _sync(link, monitor),
        _limit(link, varz),
        _disk(link, varz),
        await _clock(link, clock or SystemClock()),
        *(_settings(name, wanted[name], info) for name, info in infos.items()),
        *(_room(name, info) for name, info in infos.items() if isinstance(info, dict)),
        await _leader(link),
        *(lag(reader, _last(infos.get(reader.stream))) for reader in readers or ()),
    ]


def _version(link: Link) -> Finding:
    says = f"nats-server {link.server.get('version')} at {link.url}"
    if version(link) >= OLDEST:
        return Finding("server version", True, says)
    oldest = ".".join(map(str, OLDEST))
    return Finding("server version", False, says, f"install nats-server {oldest} or newer (bin/up brings one)")


async def _sync(link: Link, monitor: str | None) -> Finding:
    fsync = await _or_error(examine_sync(link, monitor))
    if isinstance(fsync, LedgerError):
        return Finding("fsync", None, str(fsync), "ask again when the server is there")
    ways = {
        "always": "",
        "not always": "set `sync_interval: always` in the server's jetstream block and restart it: a power cut now "
        "loses what was acknowledged in the last minutes",
        "unknown": "give --nats-monitor the server's own monitoring address (`http: 127.0.0.1:8222` in its file)",
    }
    ok = {"always": True, "not always": False, "unknown": None}[fsync.synced]
    return Finding("fsync", ok, fsync.says, ways[fsync.synced])


def _limit(link: Link, varz: Mapping[str, Any] | None) -> Finding:
    disk = _disk_of(link, varz)
    if varz is None or disk is None:
        return Finding("storage limit", None, "the server's store cannot be seen from here", _MONITOR)
    limit = int(varz["jetstream"]["config"].get("max_storage", 0))
    used = int(varz["jetstream"].get("stats", {}).get("storage", 0))
    most = int(SHARE * (disk.free + used))
    says = f"the server may store {_mib(limit)}; the disk has {_mib(disk.free)} free beside {_mib(used)} stored"
    if limit <= most:
        return Finding("storage limit", True, says)
    way = f"set `max_file_store` to at most {_mib(most)}: a disk that fills up stops the server until it is restarted"
    return Finding("storage limit", False, says, way)


def _disk(link: Link, varz: Mapping[str, Any] | None) -> Finding:
    disk = _disk_of(link, varz)
    if disk is None:
        return Finding("disk", None, "the server's disk cannot be seen from here", _MONITOR)
    says = f"{_mib(disk.free)} of {_mib(disk.total)} free"
    if disk.free >= LEAST_FREE * disk.total:
        return Finding("disk", True, says)
    return Finding("disk", False, says, "make room on the disk; a full one stops the ledger")


async def _clock(link: Link, clock: Clock) -> Finding:
    before = clock.now_us()
    info = await _info(link, "EVENTS")
    if not isinstance(info, dict) or "ts" not in info:
        return Finding(
            "clock", None, "the server's time could not be asked", "make the streams first (`switchtower up`)"
        )
    apart = (microseconds(info["ts"]) - (before + clock.now_us()) // 2) / 1e6
    says = f"the server's clock is {abs(apart):.3f} s {'ahead of' if apart > 0 else 'behind'} ours"
    if abs(apart) <= CLOCK_APART_S:
        return Finding("clock", True, says)
    return Finding("clock", False, says, "let NTP or chrony set both: due times and time-outs are stream time")


def _settings(name: str, wanted: Mapping[str, Any], info: Mapping[str, Any] | LedgerError) -> Finding:
    if isinstance(info, NotFound):
        return Finding(f"stream {name}", False, "is not there", "start a core: it makes what is missing")
    if isinstance(info, LedgerError):
        return Finding(f"stream {name}", None, str(info), "ask again when the server is there")
    wrong = differences(wanted, info["config"])
    if wrong:
        return Finding(f"stream {name}", False, "; ".join(wrong), f"set it so: `nats stream edit {name}`")
    return Finding(f"stream {name}", True, "is set as it must be")


def _room(name: str, info: Mapping[str, Any]) -> Finding:
    config = info["config"]
    return room(name, int(info["state"]["bytes"]), int(config["max_bytes"]), forgets=config["discard"] == "old")


def room(name: str, used: int, most: int, *, forgets: bool) -> Finding:
    """How full a stream is, in bytes; ``most`` 0 or less: it has no limit. ``forgets``: its oldest goes then."""
    if most <= 0:
        return Finding(f"room in {name}", False, "has no limit", f"set one: `nats stream edit {name} --max-bytes …`")
    says = f"{_mib(used)} of {_mib(most)}, {used / most:.0%} of its limit"
    if forgets or used <= SHARE * most:
        return Finding(f"room in {name}", True, says + (", the oldest goes when it is full" if forgets else ""))
    way = f"raise its limit (`nats stream edit {name} --max-bytes …`): doors answer 503 at {SHARE:.0%}"
    return Finding(f"room in {name}", False, says, way)


async def _leader(link: Link) -> Finding:
    holder = await _or_error(Lease(Table(link, "leases"), "core", owner="doctor").holder())
    if isinstance(holder, LedgerError):
        return Finding("leader", None, str(holder), "ask again when the server is there")
    if holder is None:
        return Finding("leader", False, "no core leads: commands wait", "start one: `switchtower core`")
    return Finding("leader", True, f"core {holder} leads")


def lag(reader: Reader, last: int | None) -> Finding:
    """How far a reader is behind the stream's last sequence; None: that could not be asked."""
    name = f"lag of {reader.name}"
    if last is None:
        return Finding(name, None, f"{reader.stream} could not be asked", "ask again when the server is there")
    behind = last - reader.position
    says = f"at {reader.position:,} of {last:,} in {reader.stream}, {max(behind, 0):,} behind"
    if behind < 0:
        way = "the log was rolled back or exchanged: restore it, or rebuild what was made from it"
        return Finding(name, False, f"at {reader.position:,}, but {reader.stream} ends at {last:,}", way)
    if behind > LAG:
        return Finding(name, False, says, f"see whether {reader.name} runs and keeps up")
    return Finding(name, True, says)


def _last(info: Mapping[str, Any] | LedgerError | None) -> int | None:
    return int(info["state"]["last_seq"]) if isinstance(info, dict) else None


async def _varz(monitor: str | None) -> dict[str, Any] | None:
    try:
        return await read_varz(monitor.split(",")[0]) if monitor else None
    except (OSError, ValueError):
        return None  # the finding about fsync says why


async def _info(link: Link, stream: str) -> dict[str, Any] | LedgerError:
    return await _or_error(call(link, f"STREAM.INFO.{stream}"))


async def _or_error(asked: Awaitable[T]) -> T | LedgerError:
    try:
        return await asked
    except LedgerError as error:
        return error


def _disk_of(link: Link, varz: Mapping[str, Any] | None) -> _Disk | None:
    """The disk under the server's store, if the server is on this machine and is ours."""
    if varz is None or varz.get("server_id") != link.server.get("server_id"):
        return None
    host = urlsplit(link.url.split(",")[0]).hostname
    if host not in ("127.0.0.1", "localhost", "::1"):
        return None
    try:
        usage = shutil.disk_usage(varz["jetstream"]["config"]["store_dir"])
    except (OSError, KeyError):
        return None
    return _Disk(usage.total, usage.free)


def _mib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size / MIB:.0f} MiB"
