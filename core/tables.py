"""Tables: key-value buckets as streams ``KV_<name>`` that keep each key's last value; and leases on a key.

They are read through our own consumers and from the leader, never by nats-py's key-value calls: on a bucket with expiry
markers those take an expired key for a present one. What ``nats kv`` shows is the same data.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Literal

import msgspec

from core.api import NotFound, call, microseconds, sequence
from core.follower import Follower
from core.headers import Headers
from core.ledger import Busy, Conflict, Gap, Malformed, Stored
from core.link import Link
from core.streams import Sizes, ensure

EXPECTED = "Nats-Expected-Last-Subject-Sequence"
TIME_TO_LIVE = "Nats-TTL"
MARKER = "Nats-Marker-Reason"
OPERATION = "KV-Operation"
LIST_STEP_S = 1.0
AGAIN_S = 0.2  # before a table that could not be read is read again
TOMBSTONE_S = 60  # how long the mark of a deleted key stays

Why = Literal["put", "deleted", "expired"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A key's last word. ``value`` is None when it is gone (``why`` tells how). ``at``: server time, microseconds."""

    key: str
    value: bytes | None
    seq: int
    at: int
    why: Why = "put"


class Table:
    """One bucket. Writes are acknowledged; ``get`` asks the leader."""

    def __init__(self, link: Link, name: str, *, remake: bool = False, sizes: Sizes | None = None) -> None:
        """``remake``: make the bucket again whenever it turns out to be missing (its content can be lost)."""
        self.name = name
        self.stream = f"KV_{name}"
        self.prefix = f"$KV.{name}."
        self.link = link
        self._remake = remake
        self._sizes = sizes or Sizes()

    async def make(self) -> Table:
        """Make the bucket if it is missing; ``Unfit`` when it is set differently."""
        await ensure(self.link, self._sizes, names=[self.stream])
        return self

    async def make_again(self) -> bool:
        """Whether a bucket found missing was made again."""
        if self._remake:
            await self.make()
        return self._remake

    async def put(
        self, key: str, value: bytes, *, ttl_s: int | None = None, expect: int | None = None, within_s: float = 5.0
    ) -> int:
        """Store and return the sequence. ``ttl_s``: whole seconds after which the key expires.

        ``expect`` is the sequence of the key's last word, 0 for a key that never was: ``Conflict`` when it is another.
        """
        headers = {} if ttl_s is None else {TIME_TO_LIVE: str(ttl_s)}
        return await self._write(key, value, headers, expect, within_s)

    async def delete(self, key: str, *, expect: int | None = None, within_s: float = 5.0) -> int:
        """Mark the key deleted; watchers see it gone. Deleting what is not there is no error."""
        # PURGE, not DEL: the server would put a marker of its own in the place of an expired DEL.
        return await self._write(key, b"", {OPERATION: "PURGE", TIME_TO_LIVE: str(TOMBSTONE_S)}, expect, within_s)

    async def last(self, key: str) -> Entry | None:
        """The key's last word, a deletion or expiry included; None when it has none."""
        try:
            found = await call(self.link, f"STREAM.MSG.GET.{self.stream}", {"last_by_subj": self._subject(key)})
        except NotFound:
            return None
        message = found["message"]
        head = Headers(b64decode(message.get("hdrs", ""))).all()
        return _entry(key, message["seq"], microseconds(message["time"]), b64decode(message.get("data", "")), head)

    async def get(self, key: str) -> Entry | None:
        """The key's present value; None when it was never there, was deleted or has expired."""
        last = await self.last(key)
        return None if last is None or last.value is None else last

    async def entries(self, *, within_s: float = 5.0) -> dict[str, Entry]:
        """Every key that is there now; ``Busy`` when the table cannot be read in that time."""
        async with aclosing(self.watch()) as watch:
            try:
                async with asyncio.timeout(within_s):
                    return {each.key: each for each in await anext(watch)}
            except TimeoutError:
                raise Busy(f"table {self.name} at {self.link.url} could not be read within {within_s:g} s") from None

    async def watch(self, keys: str = ">", *, idle: float | None = None) -> AsyncGenerator[list[Entry], None]:
        """First one list of everything that is there (it may be empty), then what changes, for ever.

        ``keys`` is a pattern of key tokens. After every loss of the link the table is read anew and compared, so that
        a deletion whose marker came and went meanwhile is seen too: a vanished key is ``deleted``. ``idle`` seconds
        without news yield an empty list, but never before the first one. A bucket made again is simply read again.
        """
        watcher = _Watcher(self, keys)
        try:
            yield await watcher.first()
            while True:
                yield await watcher.next(idle)
        finally:
            await watcher.close()

    async def _write(
        self, key: str, value: bytes, headers: Mapping[str, str], expect: int | None, within_s: float
    ) -> int:
        added = {} if expect is None else {EXPECTED: str(expect)}
        subject = self._subject(key)
        for last_try in (False, True):
            try:
                reply = await self.link.ask(subject, value, headers={**headers, **added} or None, within_s=within_s)
                return sequence(f"{self.name}/{key}", reply)
            except Busy:
                if last_try or not self.link.up or not await self.make_again():
                    raise
        raise AssertionError("unreachable")

    def _subject(self, key: str) -> str:
        if not key or any(each in key for each in "*> \t\r\n"):
            raise Malformed(f"{key!r} is no key of table {self.name}: no white space, no wildcards, not empty")
        return self.prefix + key


class Lease:
    """One holder at a time for ``key``, for ``ttl_s`` whole seconds from each acquisition or renewal.

    It makes two holders rare, it cannot rule them out (a holder may sleep past its end): what must not happen twice is
    guarded by expected sequences. ``owner`` must be this process's alone (a boot id).
    """

    def __init__(self, table: Table, key: str, *, owner: str, ttl_s: int = 3) -> None:
        if ttl_s < 1:
            raise ValueError(f"lease {key}: ttl_s is {ttl_s}; the server counts whole seconds, at least 1")
        self.owner = owner
        self.token = 0  # the sequence of our last acquisition or renewal: rises with every holder
        self._table, self._key, self._ttl_s = table, key, ttl_s

    async def acquire(self) -> bool:
        """Whether we hold it now. Raises ``Busy`` or ``Unknown`` when the server cannot be asked."""
        last = await self._table.last(self._key)
        if last is not None and last.value is not None and last.value != self.owner.encode():
            return False
        return await self._take(0 if last is None else last.seq)

    async def renew(self) -> bool:
        """Whether it is still ours. ``Unknown`` when no answer came: then it may be, until its time is up."""
        return await self._take(self.token)

    async def release(self) -> None:
        """Give it up, if it is still ours."""
        try:
            await self._table.delete(self._key, expect=self.token, within_s=self._ttl_s)
        except Conflict:
            return  # somebody else's already
        finally:
            self.token = 0

    async def holder(self) -> str | None:
        """Who holds it, None when nobody does."""
        found = await self._table.get(self._key)
        return None if found is None or found.value is None else found.value.decode(errors="replace")

    async def _take(self, expect: int) -> bool:
        try:
            self.token = await self._table.put(
                self._key, self.owner.encode(), ttl_s=self._ttl_s, expect=expect, within_s=self._ttl_s
            )
        except Conflict:
            # An answer lost on the way makes our own write look like a rival's: the value tells.
            found = await self._table.get(self._key)
            if found is None or found.value != self.owner.encode():
                return False
            self.token = found.seq
        return True


class _Watcher:
    """Reads the whole table with each new consumer, and reports what is news to the caller."""

    def __init__(self, table: Table, keys: str) -> None:
        self._table = table
        self._subjects = () if keys == ">" else (table.prefix + keys,)
        self._known: dict[str, int] = {}  # the present keys' sequences
        self._follower = self._fresh()

    async def first(self) -> list[Entry]:
        """All that is there, as soon as it can be read."""
        while (listed := await self._list(None)) is None:
            pass
        return listed

    async def next(self, idle: float | None) -> list[Entry]:
        """What has changed; empty after ``idle`` seconds."""
        while True:
            try:
                found = await self._follower.next(idle)
                if self._follower.made == 1:
                    return self._news(found)
            except (Gap, NotFound):
                await asyncio.sleep(AGAIN_S)
            # A consumer made anew goes on behind what was read; a table must be read from its beginning.
            listed = await self._list(idle)
            if listed is None:
                return []
            if listed or idle is not None:
                return listed

    async def close(self) -> None:
        await self._follower.close()

    def _fresh(self) -> Follower:
        table = self._table
        return Follower(table.link, table.stream, after=0, subjects=self._subjects, forgets=True, contiguous=False)

    async def _list(self, idle: float | None) -> list[Entry] | None:
        """What of the whole table is not known yet; None if it could not be read (in ``idle`` seconds)."""
        await self._follower.close()
        self._follower = self._fresh()
        present: dict[str, Entry] = {}
        try:
            async with asyncio.timeout(idle):  # wait_for may swallow a cancellation (Python 3.11)
                await self._follower.ready()
            while not self._follower.caught_up:
                found = await self._follower.next(LIST_STEP_S)
                if self._follower.made != 1 or not found:
                    return None
                present.update((each.key, each) for each in map(self._read, found))
        except TimeoutError:
            return None
        except NotFound:
            if not await self._table.make_again():
                raise
            return None
        except Gap:
            await asyncio.sleep(AGAIN_S)
            return None
        return self._differences(present)

    def _differences(self, present: dict[str, Entry]) -> list[Entry]:
        vanished = {key: Entry(key=key, value=None, seq=seq, at=0, why="deleted") for key, seq in self._known.items()}
        gone = [each for key, each in {**vanished, **present}.items() if key in self._known and each.value is None]
        there = {key: each for key, each in present.items() if each.value is not None}
        new = [each for key, each in there.items() if self._known.get(key) != each.seq]
        self._known = {key: each.seq for key, each in there.items()}
        return gone + new

    def _news(self, found: list[Stored]) -> list[Entry]:
        entries = [self._read(each) for each in found]
        for each in entries:
            if each.value is None:
                self._known.pop(each.key, None)
            else:
                self._known[each.key] = each.seq
        return entries

    def _read(self, stored: Stored) -> Entry:
        head = stored.headers.all() if isinstance(stored.headers, Headers) else {}
        return _entry(stored.subject[len(self._table.prefix) :], stored.seq, stored.at, stored.data, head)


def _entry(key: str, seq: int, at: int, data: bytes, head: Mapping[str, Any]) -> Entry:
    why: Why = "put"
    if head.get(MARKER) == "MaxAge":
        why = "expired"
    elif MARKER in head or head.get(OPERATION) in ("DEL", "PURGE"):
        why = "deleted"
    return Entry(key=key, value=data if why == "put" else None, seq=seq, at=at, why=why)
