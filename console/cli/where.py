"""Options every command takes: which instance is meant, and in what form the answer is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from console.cli import instance
from console.cli.exits import NoAnswer
from core.settings import Settings, load

_COMMON = Group("Which instance, what form", sort_key=90)


@Parameter(name="*", group=_COMMON)
@dataclass(frozen=True, kw_only=True)
class Where:
    """Where Switchtower is, and how to answer."""

    data: Path | None = None
    """The data folder of the instance (SWITCHTOWER_DATA; .switchtower)."""
    nats: str | None = None
    """The NATS server of the instance, instead of the one in the data folder's run.json (SWITCHTOWER_NATS)."""
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False
    """Answer with one JSON document on stdout."""

    def settings(self) -> Settings:
        """The process's settings with our two options laid over them."""
        return load({"data": self.data, "nats": self.nats})


HERE = Where()


def nats_url(settings: Settings) -> str:
    """The server to talk to: as told, or the one ``up`` started on the data folder. ``NoAnswer`` without."""
    if settings.nats is not None:
        return settings.nats
    found = instance.running(settings.data)
    if found is None:
        raise NoAnswer(
            f"nothing runs on {settings.data}: start it with `switchtower up`, "
            "or say where it is (--data DIR or --nats URL)"
        )
    return found.nats_url


def console_url(settings: Settings) -> str:
    """The console that ``up`` started on the data folder, else one that was started there by itself on the set port.

    ``NoAnswer`` when no console was ever at work on the folder.
    """
    found = instance.running(settings.data)
    if found is not None and found.console_url:
        return found.console_url
    if found is None and (settings.data / "console").is_dir():
        return f"http://127.0.0.1:{settings.port}"
    raise NoAnswer(
        f"no console is known for {settings.data}: start it with `switchtower up`, "
        "or say where its data folder is (--data DIR)"
    )
