"""Which processes a worker has, on disk, so that its next life can end what its last one left behind."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from core.domain.words import token
from core.domain.worker import AgentSpec
from workers import keeper
from workers.pools import Pool

log = logging.getLogger(__name__)


class Occupied(Exception):
    """Another process works under this name in this data folder; the text says which."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A run's processes: the keeper's pid and start time name it for good; ``pgid`` and its start time the agent's, 0
    until it has started. ``boot_id`` stands in the environment of every process of the run."""

    run_id: str
    boot_id: str
    keeper_pid: int
    keeper_start: int
    pgid: int = 0
    pgid_start: int = 0


class Hired(msgspec.Struct, frozen=True):
    """Agents taken on at run time: a crash must not lose them."""

    pool: Pool
    agents: list[AgentSpec]


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """The process that holds the journal, the boot ids it has registered under, newest last, and who was hired."""

    pid: int
    boot_ids: list[str] = []
    hired: list[Hired] = []


class Journal:
    """A folder: ``life.json``, and a file for every run that has processes. One process holds it at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._life = folder / "life.json"
        self._lock = (folder / "lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            other = self._read_life()
            who = f"process {other.pid}" if other is not None else "another process"
            name = folder.parent.name
            raise Occupied(f"worker {name!r} is running already, as {who}: give this one another --name") from None
        before = self._read_life()
        self._boot_ids = before.boot_ids if before is not None else []
        self._hired = before.hired if before is not None else []

    @property
    def boot_ids(self) -> list[str]:
        """Every boot id a worker of this folder has registered under lately: none of those processes lives any more."""
        return self._boot_ids

    def begin(self, boot_id: str) -> None:
        """Note a boot id before it is registered."""
        self._boot_ids = [*self._boot_ids[-9:], boot_id]
        self._write_life()

    @property
    def hired(self) -> list[Hired]:
        """Agents taken on at run time, by this process or one that did not leave in good order."""
        return list(self._hired)

    def hire(self, hired: Hired) -> None:
        """Note agents before they are reported."""
        self._hired = [*self._hired, hired]
        self._write_life()

    def dismiss(self) -> None:
        """The worker has left: its next life begins with its own pools."""
        self._hired = []
        self._write_life()

    def write(self, entry: Entry) -> None:
        _write(self._file(entry.run_id), msgspec.json.encode(entry))

    def remove(self, run_id: str) -> None:
        self._file(run_id).unlink(missing_ok=True)

    def entries(self) -> Iterator[Entry]:
        """The runs that had processes; a file that was cut short names none (its keeper dies by itself)."""
        for path in sorted(self._folder.glob("run.*.json")):
            try:
                yield msgspec.json.decode(path.read_bytes(), type=Entry)
            except (msgspec.DecodeError, OSError) as error:
                log.warning("journal entry set aside file=%s: %s", path.name, error)
                path.unlink(missing_ok=True)

    def close(self) -> None:
        self._lock.close()

    def _file(self, run_id: str) -> Path:
        return self._folder / f"run.{token(run_id)[-200:]}.json"

    def _write_life(self) -> None:
        _write(self._life, msgspec.json.encode(Life(pid=os.getpid(), boot_ids=self._boot_ids, hired=self._hired)))

    def _read_life(self) -> Life | None:
        try:
            return msgspec.json.decode(self._life.read_bytes(), type=Life)
        except (OSError, msgspec.DecodeError):
            return None


def alive(pid: int, start: int) -> bool:
    """Whether the very process lives that started at ``start``, not another one under its recycled number."""
    return pid > 0 and start > 0 and keeper.start_time(pid) == start and keeper.state_of(pid)[0] not in ("Z", "X", "")


def _write(path: Path, data: bytes) -> None:
    """All or nothing. Not fsynced: a power cut takes the processes with it."""
    half = path.with_suffix(".half")
    half.write_bytes(data)
    half.replace(path)
