"""The streams and buckets as design.md §3 has them: made when missing, read back, refused when different.

The server's API is asked directly, because nats-py's StreamConfig drops fields it does not know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from core.api import NotFound, call
from core.ledger import Busy, LedgerError, Unknown
from core.link import Link

MIB = 1 << 20
GIB = 1 << 30
_S = 1_000_000_000  # the server's durations are nanoseconds
DAY_S = 86_400
MADE_WITHIN_S, TRY_S, BETWEEN_TRIES_S = 10.0, 3.0, 0.2


class Unfit(LedgerError):
    """The server, or a stream on it, is not what the ledger needs; the text says what and the way out."""


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How much each stream and bucket may keep, in bytes, and OBSERVATIONS and OUTPUT also for how long, in seconds."""

    commands: int = 4 * GIB
    events: int = 8 * GIB
    observations: int = 4 * GIB
    output: int = 2 * GIB
    observations_age_s: int = 30 * DAY_S
    output_age_s: int = 3 * DAY_S
    bucket: int = 64 * MIB
    objects: int = 4 * GIB
    artifacts: int = 4 * GIB
    replicas: int = 1


_LEDGER = {
    "retention": "limits",
    "storage": "file",
    "max_msgs": -1,
    "max_msgs_per_subject": -1,
    "max_msg_size": -1,
    "allow_rollup_hdrs": False,
    "allow_msg_ttl": False,
    "allow_msg_schedules": False,
    "allow_msg_counter": False,
    "no_ack": False,
    "sealed": False,
    "duplicate_window": 120 * _S,
    "mirror": None,
    "sources": None,
    "subject_transform": None,
}
_FOR_EVER = {**_LEDGER, "discard": "new", "max_age": 0, "deny_delete": True, "deny_purge": True, "allow_atomic": True}
_BUCKET = {
    "retention": "limits",
    "storage": "file",
    "discard": "new",
    "max_msgs_per_subject": 1,
    "max_age": 0,
    "allow_rollup_hdrs": True,
    "deny_delete": True,
    "deny_purge": False,
    "allow_direct": True,
    "allow_msg_ttl": True,
    "subject_delete_marker_ttl": 60 * _S,
    "duplicate_window": 120 * _S,
}
_OBJECTS = {
    "retention": "limits",
    "storage": "file",
    "discard": "new",
    "max_msgs_per_subject": -1,
    "max_age": 0,
    "allow_rollup_hdrs": True,
    "deny_delete": False,
    "deny_purge": False,
    "allow_direct": True,
    "duplicate_window": 120 * _S,
}

# What an operator may set as the machine allows: given when we make the stream, afterwards only the doctor looks at it.
CAPACITY = ("max_bytes", "num_replicas")
_ABSENT_MEANS: dict[str, Any] = {"persist_mode": "", "max_msg_size": -1}


def settings(sizes: Sizes) -> dict[str, dict[str, Any]]:
    """Stream configurations by name: the four streams, the tables' and object stores' streams."""
    plain = {
        "COMMANDS": {**_FOR_EVER, "subjects": ["cmd.>"], "max_bytes": sizes.commands},
        "EVENTS": {**_FOR_EVER, "subjects": ["evt.>"], "max_bytes": sizes.events},
        "OBSERVATIONS": {
            **_LEDGER,
            "subjects": ["obs.>"],
            "discard": "old",
            "allow_atomic": True,
            "deny_delete": True,
            "max_age": sizes.observations_age_s * _S,
            "max_bytes": sizes.observations,
        },
        "OUTPUT": {
            **_LEDGER,
            "subjects": ["out.>"],
            "discard": "old",
            "persist_mode": "async",
            "max_age": sizes.output_age_s * _S,
            "max_bytes": sizes.output,
        },
        # Heartbeats may be lost with the server: a worker beats again within two seconds.
        "KV_heartbeats": {**_BUCKET, "subjects": ["$KV.heartbeats.>"], "persist_mode": "async"},
        "KV_leases": {**_BUCKET, "subjects": ["$KV.leases.>"]},
        # Its keys are paths without number: expiry lets the marks of released ones go.
        "KV_locks": {**_BUCKET, "subjects": ["$KV.locks.>"]},
        "OBJ_snapshots": {
            **_OBJECTS,
            "subjects": ["$O.snapshots.C.>", "$O.snapshots.M.>"],
            "max_bytes": sizes.objects,
        },
        "OBJ_artifacts": {
            **_OBJECTS,
            "subjects": ["$O.artifacts.C.>", "$O.artifacts.M.>"],
            "max_bytes": sizes.artifacts,
        },
    }
    for config in plain.values():
        config.setdefault("max_bytes", sizes.bucket)
        config["num_replicas"] = sizes.replicas
        if sizes.replicas > 1:
            config.pop("persist_mode", None)  # the server takes it for single replicas only
    return plain


async def ensure(link: Link, sizes: Sizes | None = None, *, names: Sequence[str] | None = None) -> None:
    """Make what is missing of the streams and buckets; ``Unfit`` when one that is there is set differently."""
    wanted = settings(sizes or Sizes())
    for name in names if names is not None else wanted:
        await ensure_stream(link, name, wanted[name])


async def ensure_stream(link: Link, name: str, config: Mapping[str, Any]) -> None:
    """One stream: there with these settings when this returns, else ``Unfit``."""
    info = await _found_or_made(link, name, config)
    wrong = differences(config, info["config"])
    if wrong:
        raise Unfit(
            f"stream {name} at {link.url} is not set as the ledger needs it: {'; '.join(wrong)}. "
            f"Set it so (`nats stream edit {name}`), or use another NATS account or data folder"
        )


async def _found_or_made(link: Link, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The stream's info. A cluster that has no leader yet refuses, or says nothing: it is given some time."""
    asked = {key: value for key, value in config.items() if value is not None}
    loop = asyncio.get_running_loop()
    end = loop.time() + MADE_WITHIN_S
    while True:
        try:
            try:
                return await call(link, f"STREAM.INFO.{name}", within_s=TRY_S)
            except NotFound:
                return await call(link, f"STREAM.CREATE.{name}", {"name": name, **asked}, within_s=TRY_S)
        except (Busy, Unknown):  # making a stream twice with one configuration is no error
            if loop.time() > end:
                raise
            await asyncio.sleep(BETWEEN_TRIES_S)


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """``field is X, must be Y`` for every setting that is not as wanted."""
    wrong = []
    for field, want in wanted.items():
        default = _ABSENT_MEANS.get(field, False if isinstance(want, bool) else 0 if isinstance(want, int) else None)
        have = found.get(field, default)
        if field == "max_bytes":
            if have <= 0:
                wrong.append("max_bytes is unlimited, must be set")
        elif field == "max_age" and want > 0:
            if have <= 0:
                wrong.append(f"{field} is unlimited, must be set")
        elif field not in CAPACITY and have != want:
            wrong.append(f"{field} is {_json(have)}, must be {_json(want)}")
    if "persist_mode" not in wanted and found.get("persist_mode", "") not in ("", "default"):
        wrong.append(f"persist_mode is {found['persist_mode']!r}, must not be set")
    return wrong


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
