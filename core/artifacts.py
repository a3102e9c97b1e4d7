"""Artifacts: bytes kept from runs, each under its own sha-256. What is there once is not stored again.

Facts name them (``run.finish`` brings names and sums); the bytes lie in the object store ``artifacts``.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from core.api import NotFound
from core.link import Link
from core.objects import Damaged, ObjectStore

STORE = "artifacts"
MAX_BYTES = 8 << 20  # of one artifact: both sides hold it in memory
MAX_RUN_BYTES = 32 << 20  # of all artifacts of one run
MAX_COUNT = 50


class Artifacts(Protocol):
    """Where artifacts are kept."""

    async def keep(self, data: bytes) -> str:
        """Store, unless it is there; the sha-256 it lies under, in hex. ``LedgerError`` when it could not be."""
        ...

    async def bytes_of(self, sha256: str) -> bytes:
        """The artifact's bytes. ``NotFound`` when there is none, ``Damaged`` when they are not what was kept."""
        ...


class StoredArtifacts:
    """In the object store of the server that carries the log."""

    def __init__(self, link: Link) -> None:
        self._objects = ObjectStore(link, STORE)

    async def keep(self, data: bytes) -> str:
        name = sum_of(data)
        if not await self._objects.holds(name):
            await self._objects.put(name, data)
        return name

    async def bytes_of(self, sha256: str) -> bytes:
        data = await self._objects.get(sha256)
        if sum_of(data) != sha256:  # the store's own digest says only that it is what was put there
            raise Damaged(f"artifact {sha256} is not what its name says; it was put there by somebody else")
        return data


class MemoryArtifacts:
    """In this process: for tests and tapes."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def keep(self, data: bytes) -> str:
        name = sum_of(data)
        self.kept[name] = data
        return name

    async def bytes_of(self, sha256: str) -> bytes:
        try:
            return self.kept[sha256]
        except KeyError:
            raise NotFound(f"no artifact {sha256}") from None


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
