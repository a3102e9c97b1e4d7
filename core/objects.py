"""Object stores: bytes by name, in chunks on a stream ``OBJ_<store>``, as ``nats object`` shows them.

An object is there when its description is; the description is written last and names the chunks' digest.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from core.api import NotFound, call, microseconds, sequence
from core.clock import Clock, SystemClock
from core.follower import Follower
from core.ledger import LedgerError
from core.link import Link
from core.replies import Reply
from core.streams import Sizes, ensure

CHUNK_BYTES = 128 << 10
IN_FLIGHT = 16
STORED_WITHIN_S = 10.0


class Damaged(LedgerError):
    """What is stored is not what was put. Nothing of it is returned."""


class Description(msgspec.Struct, frozen=True):
    """What is kept of an object beside its bytes. ``digest``: ``SHA-256=`` and base64url; ``at``: microseconds."""

    name: str
    nuid: str
    size: int
    chunks: int
    digest: str
    bucket: str = ""
    mtime: str = ""
    deleted: bool = False
    metadata: dict[str, str] = {}

    @property
    def at(self) -> int:
        return microseconds(self.mtime) if self.mtime else 0


class ObjectStore:
    """One store. Small enough objects to be held in memory: snapshots, logs, diffs."""

    def __init__(self, link: Link, name: str, *, clock: Clock | None = None, sizes: Sizes | None = None) -> None:
        self.name = name
        self.stream = f"OBJ_{name}"
        self._link = link
        self._clock: Clock = clock or SystemClock()
        self._sizes = sizes or Sizes()

    async def make(self) -> ObjectStore:
        """Make the store if it is missing; ``Unfit`` when it is set differently."""
        await ensure(self._link, self._sizes, names=[self.stream])
        return self

    async def put(self, name: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> Description:
        """Store, in the place of what bore that name. Until this returns readers see the old object, whole."""
        before = await self._find(name)
        nuid = secrets.token_hex(11)
        chunks = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
        described = Description(
            name=name,
            nuid=nuid,
            size=len(data),
            chunks=len(chunks),
            digest=_digest(data),
            bucket=self.name,
            mtime=datetime.fromtimestamp(self._clock.now_us() / 1e6, UTC).isoformat().replace("+00:00", "Z"),
            metadata=dict(metadata or {}),
        )
        try:
            await self._put_chunks(nuid, chunks)
        except LedgerError:
            await self._purge(nuid)
            raise
        await self._describe(described)
        if before is not None:
            await self._purge(before.nuid)
        return described

    async def get(self, name: str) -> bytes:
        """The object's bytes. ``NotFound`` when there is none, ``Damaged`` when they are not what was put."""
        described = await self._find(name)
        if described is None or described.deleted:
            raise NotFound(f"no object {name!r} in store {self.name}")
        parts = await self._read(f"$O.{self.name}.C.{described.nuid}", described.chunks)
        data = b"".join(parts)
        if len(data) != described.size or _digest(data) != described.digest:
            raise Damaged(
                f"object {name!r} in store {self.name}: {len(data)} of {described.size} bytes, or not the same"
            )
        return data

    async def holds(self, name: str) -> bool:
        """Whether there is an object of that name."""
        described = await self._find(name)
        return described is not None and not described.deleted

    async def delete(self, name: str) -> None:
        """Forget it. No error when it is not there."""
        described = await self._find(name)
        if described is not None and not described.deleted:
            gone = msgspec.structs.replace(described, deleted=True, size=0, chunks=0, digest="")
            await self._describe(gone)
            await self._purge(described.nuid)

    async def objects(self) -> list[Description]:
        """What is there, by name."""
        found = [_decode(each) for each in await self._read(f"$O.{self.name}.M.>", None)]
        return sorted((each for each in found if not each.deleted), key=lambda each: each.name)

    async def _put_chunks(self, nuid: str, chunks: list[bytes]) -> None:
        waiting = []
        for chunk in chunks:
            reply, stored = self._link.expect(self._stored, within_s=STORED_WITHIN_S)
            self._link.publish(f"$O.{self.name}.C.{nuid}", chunk, reply=reply)
            await self._link.drained()
            waiting.append(stored)
            if len(waiting) >= IN_FLIGHT:
                await waiting.pop(0)
        for stored in waiting:
            await stored

    async def _describe(self, described: Description) -> None:
        # The rollup removes the description before this one, in the same write.
        self._stored(
            await self._link.ask(
                self._about(described.name),
                msgspec.json.encode(described),
                headers={"Nats-Rollup": "sub"},
                within_s=STORED_WITHIN_S,
            )
        )

    async def _find(self, name: str) -> Description | None:
        try:
            found = await call(self._link, f"STREAM.MSG.GET.{self.stream}", {"last_by_subj": self._about(name)})
        except NotFound:
            return None
        return _decode(b64decode(found["message"]["data"]))

    async def _read(self, subject: str, count: int | None) -> list[bytes]:
        """Bodies on ``subject``: ``count`` of them, or all there are now."""
        follower = Follower(self._link, self.stream, after=0, subjects=[subject], forgets=True)
        parts: list[bytes] = []
        try:
            await follower.ready()
            while (len(parts) < count) if count is not None else not follower.caught_up:
                found = await follower.next(1.0)
                parts += [each.data for each in found]
                if not found and await follower.check_tail():
                    break
        finally:
            await follower.close()
        return parts

    async def _purge(self, nuid: str) -> None:
        await call(self._link, f"STREAM.PURGE.{self.stream}", {"filter": f"$O.{self.name}.C.{nuid}"})

    def _about(self, name: str) -> str:
        return f"$O.{self.name}.M.{urlsafe_b64encode(name.encode()).decode()}"

    def _stored(self, reply: Reply) -> int:
        return sequence(f"store {self.name}", reply)


_decoder = msgspec.json.Decoder(Description)


def _decode(data: bytes) -> Description:
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise Damaged(f"an object's description cannot be read ({error}): {data[:200]!r}") from error


def _digest(data: bytes) -> str:
    return f"SHA-256={urlsafe_b64encode(hashlib.sha256(data).digest()).decode()}"
