"""Is this server fit to carry the ledger? Its version, and whether an acknowledged write is on disk.

An ordinary connection cannot see whether the server syncs every write, so its monitoring address (``/varz``) is asked,
and believed only if it is the very server we are connected to.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import Any, Literal

import msgspec

from core.api import NotFound, call
from core.link import Link
from core.streams import Sizes, Unfit, ensure

OLDEST = (2, 14)
MONITOR_WITHIN_S = 2.0

Synced = Literal["always", "not always", "unknown"]


class Fsync(msgspec.Struct, frozen=True):
    """What is known of the servers' syncing, and in words why."""

    synced: Synced
    says: str


async def prepare(
    link: Link, *, monitor: str | None, allow_unchecked_sync: bool = False, sizes: Sizes | None = None
) -> None:
    """Streams and buckets are there and as they must be, on a fit server, when this returns; else ``Unfit``.

    ``monitor`` is the server's monitoring address (``http://127.0.0.1:8222``); of a cluster all, comma-separated.
    Without an answer from there the server is refused, unless ``allow_unchecked_sync``.
    """
    check_version(link)
    fsync = await examine_sync(link, monitor)
    if fsync.synced == "not always":
        raise Unfit(f"{fsync.says}. Set `sync_interval: always` in its jetstream block (see nats.conf) and restart it")
    if fsync.synced == "unknown" and not allow_unchecked_sync:
        raise Unfit(
            f"{fsync.says}. Give the server a loopback monitoring port (`http: 127.0.0.1:8222`) and its address with "
            "--nats-monitor, or take the risk with --allow-unchecked-sync"
        )
    await ensure(link, sizes)


def check_version(link: Link) -> None:
    """``Unfit`` for a server older than the ledger needs."""
    if version(link) < OLDEST:
        raise Unfit(
            f"the NATS server at {link.url} is {link.server.get('version')}; atomic appends need "
            f"{'.'.join(map(str, OLDEST))} or newer: install a newer nats-server (bin/up brings one)"
        )


def version(link: Link) -> tuple[int, ...]:
    """Major and minor of the server we are connected to."""
    numbers = str(link.server.get("version", "0")).split("-")[0].split(".")
    return tuple(int(each) if each.isdigit() else 0 for each in numbers[:2])


async def examine_sync(link: Link, monitor: str | None) -> Fsync:
    """Whether every server that holds our streams syncs every write. Never "always" without having seen it."""
    if not monitor:
        return Fsync("unknown", f"whether {link.url} syncs every write cannot be seen without its monitoring address")
    seen: dict[str, bool] = {}
    ids: set[str] = set()
    for address in monitor.split(","):
        try:
            varz = await read_varz(address)
        except (OSError, ValueError) as error:
            return Fsync("unknown", f"the monitoring address {address} does not answer: {error}")
        seen[varz.get("server_name", "")] = bool(varz.get("jetstream", {}).get("config", {}).get("sync_always"))
        ids.add(varz.get("server_id", ""))
    lazy = sorted(name for name, always in seen.items() if not always)
    if lazy:
        return Fsync("not always", f"server {', '.join(lazy)} acknowledges writes before they are on disk")
    # Of replicas only the names are known; of our own server more than a name, which others may bear too.
    unseen = sorted(await _holders(link) - set(seen))
    if unseen or link.server.get("server_id") not in ids:
        other = ", ".join(unseen) or f"at {link.url}"
        return Fsync("unknown", f"{monitor} is not the monitoring address of the server {other}")
    return Fsync("always", f"{', '.join(sorted(seen))}: every write is synced before it is acknowledged")


async def read_varz(address: str) -> dict[str, Any]:
    """The server's own report, or ``OSError`` or ``ValueError``."""
    url = f"{address.strip().rstrip('/')}/varz"
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{address!r} is not an http address")

    def fetch() -> bytes:
        with urllib.request.urlopen(url, timeout=MONITOR_WITHIN_S) as answer:  # noqa: S310  # http(s), checked above
            return bytes(answer.read())

    found = json.loads(await asyncio.to_thread(fetch))
    if not isinstance(found, dict):
        raise ValueError(f"{url} is not a NATS server's report")  # noqa: TRY004
    return found


async def _holders(link: Link) -> set[str]:
    """Names of the server we talk to and of all that hold a replica of COMMANDS or EVENTS."""
    names = {str(link.server.get("server_name", ""))}
    for stream in ("COMMANDS", "EVENTS"):
        try:
            cluster = (await call(link, f"STREAM.INFO.{stream}")).get("cluster") or {}
        except NotFound:
            continue
        names |= {cluster.get("leader", ""), *(each["name"] for each in cluster.get("replicas") or ())}
    return names - {""}
