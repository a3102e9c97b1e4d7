"""The server's configuration as ``up`` runs it: the shipped ``nats.conf``, and over it our ports, store and users."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec

from core.settings import USERS_FILE, Credentials, Role

SHIPPED = Path(__file__).parents[2] / "nats.conf"
CONF = "nats.conf"
USERS_CONF = "nats-users.conf"

# What reading a stream takes: information about it, a consumer of one's own, the next messages.
_READ = ("STREAM.INFO.{0}", "CONSUMER.CREATE.{0}.>", "CONSUMER.INFO.{0}.*", "CONSUMER.MSG.NEXT.{0}.*",
         "CONSUMER.DELETE.{0}.*", "STREAM.MSG.GET.{0}", "DIRECT.GET.{0}", "DIRECT.GET.{0}.>")  # fmt: skip
_STREAMS = ("COMMANDS", "EVENTS", "OBSERVATIONS", "OUTPUT", "KV_heartbeats", "KV_leases", "KV_locks")
_STORES = ("OBJ_artifacts", "OBJ_snapshots")
_OWN_INBOX = {"subscribe": {"allow": ["_INBOX.>"]}}


def _reading(streams: Sequence[str]) -> list[str]:
    return ["$JS.API.INFO", *("$JS.API." + call.format(stream) for stream in streams for call in _READ)]


# Even an operator does not take the record away; limits and other settings are theirs to change.
_GUARDED = [
    f"$JS.API.STREAM.{verb}.{stream}" for verb in ("DELETE", "PURGE", "MSG.DELETE") for stream in ("COMMANDS", "EVENTS")
]

# Facts are the core's alone: nobody else may publish on evt.>, an operator neither. Workers report on their runs and
# on themselves, and read what they are told; they can neither order work nor change a stream.
PERMISSIONS: dict[Role, dict[str, Any]] = {
    "core": {"publish": {"allow": [">"]}, "subscribe": {"allow": [">"]}},
    "console": {
        "publish": {"allow": ["cmd.>", "$JS.API.STREAM.INFO.*", *_reading([*_STREAMS, *_STORES])]},
        **_OWN_INBOX,
    },
    "worker": {
        "publish": {
            "allow": [
                "cmd.run.*.start",
                "cmd.run.*.progress",
                "cmd.run.*.finish",
                "cmd.worker.*.register",
                "cmd.worker.*.grow",
                "cmd.worker.*.drain",
                "cmd.worker.*.leave",
                "obs.>",
                "out.>",
                "$KV.heartbeats.>",
                "$O.artifacts.>",
                *_reading(["EVENTS", "KV_heartbeats", "KV_locks", "OBJ_artifacts"]),
                "$JS.API.STREAM.INFO.COMMANDS",
                "$JS.API.STREAM.INFO.OBSERVATIONS",
                "$JS.API.STREAM.INFO.OUTPUT",
            ]
        },
        **_OWN_INBOX,
    },
    "operator": {
        "publish": {
            "allow": [">"],
            "deny": ["evt.>", "$KV.leases.>", *_GUARDED],
        },
        "subscribe": {"allow": [">"]},
    },
}  # fmt: skip


def write(data: Path, *, port: int, monitor_port: int) -> Path:
    """Write the server's configuration into the data folder and return its path. Users are made once and kept."""
    users = _users(data)
    _private(data / USERS_CONF, _users_conf(users))
    path = data / CONF
    _private(
        path,
        "# Written by `switchtower up` at every start.\n"
        f'include "{os.path.relpath(SHIPPED, data)}"\n'
        f'listen: "127.0.0.1:{port}"\n'
        f'http: "127.0.0.1:{monitor_port}"\n'
        f"store_dir: {_quoted(str(data / 'nats'))}\n"
        f'include "{USERS_CONF}"\n',
    )
    return path


def _users(data: Path) -> Mapping[str, Credentials]:
    """Every role's user. Passwords are made at the first start; those of roles that came later are added."""
    path = data / USERS_FILE
    try:
        users = msgspec.json.decode(path.read_bytes(), type=dict[str, Credentials])
    except FileNotFoundError:
        users = {}
    roles = get_args(Role)
    if not set(roles) <= users.keys():
        users = {role: Credentials(user=role, password=secrets.token_urlsafe(24)) for role in roles} | users
        _private(path, msgspec.json.format(msgspec.json.encode(users)).decode() + "\n")
    return users


def _users_conf(users: Mapping[str, Credentials]) -> str:
    """The same users for the server. Its configuration language is a superset of JSON."""
    entries = [
        {"user": users[role].user, "password": users[role].password, "permissions": PERMISSIONS[role]}
        for role in PERMISSIONS
    ]
    return f"authorization: {msgspec.json.encode({'users': entries}).decode()}\n"


def _private(path: Path, text: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
