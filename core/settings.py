"""What a process is told from outside, read once at its start into one frozen struct.

A flag wins over the environment, that over ``switchtower.toml`` in the working directory, that over the default.
Nothing else in the project reads the environment.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

FILE = "switchtower.toml"
USERS_FILE = "nats-users.json"

Role = Literal["core", "console", "worker", "operator"]

# The description is what an operator reads when the value is wrong: "... needs <description>".
_Folder = Annotated[Path, Meta(description="a folder")]
_Port = Annotated[int, Meta(ge=0, le=65_535, description="a port from 1 to 65535, or 0 for any free one")]
_Count = Annotated[int, Meta(ge=0, le=10_000, description="a whole number from 0 to 10000")]
_Switch = Annotated[bool, Meta(description="true or false")]
_NatsUrl = Annotated[
    str,
    Meta(
        pattern=r"^((nats|tls|wss?)://[^\s,]+)(,(nats|tls|wss?)://[^\s,]+)*$",
        description="one or more addresses like nats://host:4222, separated by commas",
    ),
]
_WebUrl = Annotated[str, Meta(pattern=r"^https?://\S+$", description="an address like http://host:8222")]
_Level = Annotated[Literal["debug", "info", "warning", "error"], Meta(description="debug, info, warning or error")]


class BadSetting(Exception):
    """A setting that cannot be used; the text names it, where it came from, and what is needed."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a process presents itself to NATS."""

    user: str
    password: str

    def __repr__(self) -> str:  # a password never gets into a log or a traceback
        return f"Credentials(user={self.user!r})"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a process is told from outside. ``data`` is absolute; ``nats`` None means our own server."""

    data: _Folder = Path(".switchtower")
    port: _Port = 8420
    agents: _Count = 8
    nats: _NatsUrl | None = None
    nats_monitor: _WebUrl | None = None
    ephemeral: _Switch = False
    allow_unchecked_sync: _Switch = False
    log_level: _Level = "info"
    env_credentials: Credentials | None = None

    def credentials(self, role: Role) -> Credentials | None:
        """The NATS user of ``role``: from the environment, else from ``nats-users.json`` in the data folder.

        The file holds ``{"core": {"user": …, "password": …}, …}``. None when there is neither (a server without users).
        ``BadSetting`` when others can read the file, or it is not what ``up`` writes.
        """
        return self.env_credentials or _from_users_file(self.data / USERS_FILE, role)


def load(
    flags: Mapping[str, object] | None = None, *, environ: Mapping[str, str] | None = None, folder: Path | None = None
) -> Settings:
    """The settings of this process, or ``BadSetting`` for the first value that cannot be used.

    ``flags`` are what the command line gave, by field name; None there means "not given". ``environ`` and ``folder``
    (where ``switchtower.toml`` and a relative data folder are looked for) are the process's own unless passed in.
    """
    environ = os.environ if environ is None else environ
    folder = Path.cwd() if folder is None else folder
    in_file = _read_file(folder / FILE)
    values: dict[str, Any] = {}
    for name, hint in _fields().items():
        flag = (flags or {}).get(name)
        variable = f"SWITCHTOWER_{name.upper()}"
        if flag is not None:
            values[name] = _value(flag, hint, name=f"--{name.replace('_', '-')}", source="command line")
        elif environ.get(variable):
            values[name] = _value(environ[variable], hint, name=variable, source="environment")
        elif name in in_file:
            values[name] = _value(in_file[name], hint, name=name, source=str(folder / FILE))
    values["data"] = folder / values.get("data", Settings.__struct_defaults__[0]).expanduser()
    return Settings(**values, env_credentials=_from_environment(environ))


def for_our_own() -> dict[str, str]:
    """The environment of our own programs: this one, and glibc keeps more small pieces of memory at hand.

    DuckDB plans a query in tens of thousands of them: this takes a fifth off each (agents.page: 4.3 ms to 3.4).
    """
    return {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=1000", **os.environ}


def inherited(names: Iterable[str]) -> dict[str, str]:
    """Our own environment cut down to ``names``: what a child process may see of it."""
    return {name: os.environ[name] for name in names if name in os.environ}


def _fields() -> dict[str, Any]:
    hints = get_type_hints(Settings, include_extras=True)
    return {name: hints[name] for name in Settings.__struct_fields__ if name != "env_credentials"}


def _value(raw: object, hint: Any, *, name: str, source: str) -> Any:
    try:
        # Only text needs reading into numbers and switches; a file's own types must be right.
        return msgspec.convert(raw, hint, strict=not isinstance(raw, str), dec_hook=_path)
    except (msgspec.ValidationError, NotImplementedError):
        raise BadSetting(f"{name} is {raw!r} ({source}); it needs {_needed(hint)}") from None


def _path(kind: type, raw: object) -> Path:
    if isinstance(raw, str | Path) and str(raw):
        return Path(raw)
    raise NotImplementedError(kind)


def _needed(hint: Any) -> str:
    for part in (hint, *get_args(hint)):
        for meta in getattr(part, "__metadata__", ()):
            if meta.description:
                return str(meta.description)
    raise AssertionError(f"{hint} says nothing of what it needs")


def _read_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise BadSetting(f"{path} cannot be read: {problem}; mend it or take it away") from problem
    unknown = sorted(set(found) - set(_fields()))
    if unknown:
        raise BadSetting(f"{path} has {unknown[0]!r}, which is no setting; there are: {', '.join(_fields())}")
    return found


def _from_environment(environ: Mapping[str, str]) -> Credentials | None:
    user, password = environ.get("SWITCHTOWER_NATS_USER"), environ.get("SWITCHTOWER_NATS_PASSWORD")
    if not user and not password:
        return None
    if not user or not password:
        raise BadSetting(
            "SWITCHTOWER_NATS_USER and SWITCHTOWER_NATS_PASSWORD go together (environment); one is missing"
        )
    return Credentials(user=user, password=password)


def _from_users_file(path: Path, role: Role) -> Credentials | None:
    try:
        text, mode = path.read_bytes(), path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise BadSetting(
            f"{path} cannot be read: {problem.strerror}; run as the user who started Switchtower"
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise BadSetting(f"{path} holds passwords and others can read it; run: chmod 600 {path}")
    try:
        users = msgspec.json.decode(text, type=dict[str, Credentials])
    except msgspec.DecodeError as problem:
        raise BadSetting(f"{path} is not a list of NATS users ({problem}); delete it and start again") from None
    if role not in users:
        raise BadSetting(f"{path} has no user for {role!r}; delete it and start again, `up` writes all of them")
    return users[role]
