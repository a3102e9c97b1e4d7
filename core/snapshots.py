"""Snapshots in the object store, written off the hot path: a forked child encodes, the parent only uploads."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from core.domain.state import State
from core.ledger import LedgerError
from core.recovery import Snapshot, taken

log = logging.getLogger("core.snapshots")

PREFIX = "core-"
WRITE_WITHIN_S = 120
KEPT = 2  # the newest, and one before it in case that one was cut short


class Named(Protocol):
    """What is known of an object without its bytes."""

    @property
    def name(self) -> str: ...


class Objects(Protocol):
    """A bucket of named bytes."""

    async def put(self, name: str, data: bytes) -> object: ...

    async def get(self, name: str) -> bytes: ...

    async def objects(self) -> Sequence[Named]: ...

    async def delete(self, name: str) -> object: ...


class ForkedSnapshots:
    """Keeps the newest snapshots under ``core-<sequence>``. One is written at a time; a failed one is only logged."""

    def __init__(self, objects: Objects, scratch: Path) -> None:
        self._objects = objects
        self._scratch = scratch
        self._writing: asyncio.Task[None] | None = None

    async def newest(self) -> Snapshot | None:
        """The newest one that can be read; None too when nobody can say which there are: the log tells all of it."""
        try:
            names = await self._names()
        except LedgerError as error:
            log.warning("snapshots cannot be listed: %s", error)
            return None
        for name in reversed(names):
            try:
                return msgspec.msgpack.decode(await self._objects.get(name), type=Snapshot)
            except (LedgerError, msgspec.DecodeError) as error:
                log.warning("snapshot %s cannot be used: %s", name, error)
        return None

    async def _names(self) -> list[str]:
        return sorted(each.name for each in await self._objects.objects() if each.name.startswith(PREFIX))

    def keep(self, state: State, chain: str) -> bool:
        if self._writing is not None and not self._writing.done():
            return False
        path = self._scratch / f"snapshot-{os.getpid()}"
        name = f"{PREFIX}{state.seq:020d}"
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
            child = os.fork()
        except OSError as error:
            log.warning("snapshot %s was not begun: %s", name, error)
            return True  # a machine that cannot fork now is not asked again at every command
        if child == 0:
            _write_and_exit(path, state, chain)
        self._writing = asyncio.ensure_future(self._store(child, path, name))
        return True

    async def _store(self, child: int, path: Path, name: str) -> None:
        try:
            await self._objects.put(name, await asyncio.to_thread(_written_by, child, path))
            for old in (await self._names())[:-KEPT]:
                await self._objects.delete(old)
            log.info("kept snapshot %s", name)
        except (LedgerError, OSError) as error:
            log.warning("snapshot %s was not kept: %s", name, error)


def _written_by(child: int, path: Path) -> bytes:
    """What the child wrote, once it has ended; ``OSError`` when it did not get that far."""
    _, status = os.waitpid(child, 0)
    if status:
        raise OSError(f"the child that wrote it ended with status {status}")
    data = path.read_bytes()
    path.unlink()
    return data


def _write_and_exit(path: Path, state: State, chain: str) -> None:
    """In the child: no event loop, no connection is touched, and nothing of the parent's is closed."""
    code = 1
    signal.alarm(WRITE_WITHIN_S)  # a fork may have caught a lock that nobody here will ever open
    try:
        path.write_bytes(msgspec.msgpack.encode(taken(state, chain)))
        code = 0
    finally:
        os._exit(code)
