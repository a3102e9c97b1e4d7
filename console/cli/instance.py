"""A data folder and who runs on it: claimed by one ``up`` at a time, its addresses in ``run.json``."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from console.cli.exits import Declined, Stop

DATA_FORMAT = 1
RUN_FILE = "run.json"
FORMAT_FILE = "format.json"
LOCK_FILE = "up.lock"
READ_MODEL = "read-model.duckdb"  # as console/__main__.py calls it, which is too heavy to be asked


class Running(msgspec.Struct, kw_only=True):
    """What ``up`` started, for whoever looks for it. ``started_at`` is microseconds since the epoch."""

    nats_url: str
    monitor_url: str = ""
    console_url: str = ""
    pids: dict[str, int] = {}
    started_at: int = 0
    data_format: int = DATA_FORMAT


class Format(msgspec.Struct):
    data_format: int


def running(data: Path) -> Running | None:
    """Who runs on the folder, as ``run.json`` has it; None where nobody does or the file cannot be read."""
    try:
        return msgspec.json.decode((data / RUN_FILE).read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None


def write(data: Path, found: Running) -> None:
    beside = data / f".{RUN_FILE}.new"
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    beside.replace(data / RUN_FILE)


def forget(data: Path) -> None:
    (data / RUN_FILE).unlink(missing_ok=True)


def claim(data: Path) -> int:
    """Make the folder if need be and take it for this process: a descriptor to keep open. ``Stop`` says why not."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise Stop(
            f"the data folder {data} cannot be written: {problem.strerror}. Give another one: --data DIR"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Declined(_taken(data)) from None
    _check_format(data)
    return lock


def _taken(data: Path) -> str:
    first = running(data)
    if first is None:
        return (
            f"Switchtower is starting or stopping on {data} already; wait a moment, or give another folder: --data DIR"
        )
    where = first.console_url or first.nats_url
    return (
        f"Switchtower runs on {data} already: {where} (process {first.pids.get('up', 0)}). Stop that one, or --data DIR"
    )


def _check_format(data: Path) -> None:
    path = data / FORMAT_FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Format).data_format
    except FileNotFoundError:
        path.write_bytes(msgspec.json.encode(Format(DATA_FORMAT)) + b"\n")
        return
    except (OSError, msgspec.DecodeError) as problem:
        raise Stop(
            f'{path} cannot be read: {problem}. If the folder is Switchtower\'s, write {{"data_format":1}}'
        ) from None
    if found > DATA_FORMAT:
        raise Stop(
            f"{data} was written by a newer Switchtower (data format {found}; this one knows {DATA_FORMAT}). "
            "Run that one, or give another folder: --data DIR"
        )
