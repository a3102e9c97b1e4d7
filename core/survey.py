"""What lies behind the pages, measured: every stream and bucket with its limit, snapshots, and the doctor's findings.

Looking changes nothing. What could not be seen is None or in ``problems``, never zero and never well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import msgspec

from core.api import call, microseconds
from core.clock import Clock
from core.doctor import SHARE, Finding, Reader, examine, lag, room
from core.envelope import decode_fact
from core.ledger import Head, Ledger, LedgerError, Stream
from core.link import Link
from core.objects import ObjectStore
from core.snapshots import PREFIX
from core.streams import Sizes, settings

STREAMS: tuple[Stream, ...] = ("COMMANDS", "EVENTS", "OBSERVATIONS", "OUTPUT")
_S = 1_000_000_000  # the server's durations are nanoseconds

Kind = Literal["stream", "table", "store"]


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How much one stream or bucket holds. Times in microseconds, 0: it is empty. ``max_bytes`` and ``max_age_s`` 0: no
    limit. ``forgets``: the oldest goes when it is full; else nothing more is taken. ``subjects`` None: not known."""

    name: str
    kind: Kind
    messages: int
    first_seq: int
    last_seq: int
    bytes: int
    max_bytes: int = 0
    first_at: int = 0
    last_at: int = 0
    max_age_s: int = 0
    forgets: bool = False
    subjects: int | None = None

    @property
    def share(self) -> float | None:
        """Of its limit, 0 to 1; None without one."""
        return self.bytes / self.max_bytes if self.max_bytes > 0 else None

    @property
    def full(self) -> bool:
        """So full that something stops: doors, for a log."""
        return not self.forgets and (self.share or 0) > SHARE


class Snapshot(msgspec.Struct, frozen=True):
    """A kept snapshot of the core's state: up to which EVENTS sequence, how many bytes, when (microseconds)."""

    seq: int
    size: int
    at: int


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at one look. ``server``: its version; empty: a log in memory. ``snapshots``: newest first, None when
    they could not be listed."""

    at: int
    findings: list[Finding]
    reaches: list[Reach]
    snapshots: list[Snapshot] | None = None
    server: str = ""
    url: str = ""

    @property
    def unwell(self) -> list[Finding]:
        return [each for each in self.findings if each.ok is False]

    @property
    def unseen(self) -> list[Finding]:
        return [each for each in self.findings if each.ok is None]


class Surveyor(Protocol):
    """Looks when asked. ``readers``: who reads which stream, and how far each has come."""

    async def look(self, readers: list[Reader]) -> Survey: ...


class LedgerSurveyor:
    """Of any ledger: its four streams, and how far its readers are behind."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock

    async def look(self, readers: list[Reader]) -> Survey:
        heads = {name: await self._ledger.head(name) for name in STREAMS}
        readers = [*await core_reader(self._ledger), *readers]
        reaches = [_reach_of_head(name, head) for name, head in heads.items()]
        findings = [
            room(each.name, each.bytes, each.max_bytes, forgets=each.forgets) for each in reaches if each.max_bytes
        ]
        findings += [lag(reader, heads[reader.stream].last_seq) for reader in readers if reader.stream in heads]
        return Survey(at=self._clock.now_us(), findings=findings, reaches=reaches)


class LinkSurveyor:
    """Of the server behind a link. ``monitor``: its monitoring address as it is known at the moment of the look."""

    def __init__(self, link: Link, ledger: Ledger, clock: Clock, monitor: Callable[[], str | None]) -> None:
        self._link, self._ledger, self._clock, self._monitor = link, ledger, clock, monitor

    async def look(self, readers: list[Reader]) -> Survey:
        readers = [*await core_reader(self._ledger), *readers]
        findings = await examine(self._link, monitor=self._monitor(), readers=readers, clock=self._clock)
        reaches = []
        for name in settings(Sizes()):
            try:
                reaches.append(_reach(name, await call(self._link, f"STREAM.INFO.{name}")))
            except LedgerError:
                continue  # the finding about this stream says why
        return Survey(
            at=self._clock.now_us(), findings=findings, reaches=reaches, snapshots=await self._snapshots(),
            server=str(self._link.server.get("version", "")), url=self._link.url,
        )  # fmt: skip

    async def _snapshots(self) -> list[Snapshot] | None:
        try:
            found = await ObjectStore(self._link, "snapshots").objects()
        except LedgerError:
            return None
        kept = [each for each in found if each.name.startswith(PREFIX) and each.name[len(PREFIX) :].isdigit()]
        return [Snapshot(int(each.name[len(PREFIX) :]), each.size, each.at) for each in reversed(kept)]


async def core_reader(ledger: Ledger) -> list[Reader]:
    """How far the core has come in COMMANDS: the last fact says it. Nothing where the log cannot be read just now."""
    try:
        end = (await ledger.head("EVENTS")).last_seq
        async for found in ledger.read("EVENTS", after=max(0, end - 1), until=end):
            return [Reader("the core", "COMMANDS", decode_fact(found[-1].data).command_seq)]
    except (LedgerError, msgspec.DecodeError):
        return []
    return []


def _reach_of_head(name: Stream, head: Head) -> Reach:
    return Reach(
        name=name, kind="stream", messages=head.last_seq - head.first_seq + 1, first_seq=head.first_seq,
        last_seq=head.last_seq, bytes=head.bytes, max_bytes=max(0, head.max_bytes),
        forgets=name in ("OBSERVATIONS", "OUTPUT"),
    )  # fmt: skip


def _reach(name: str, info: Mapping[str, Any]) -> Reach:
    state, config = info["state"], info["config"]
    some = int(state["messages"]) > 0
    return Reach(
        name=name,
        kind="table" if name.startswith("KV_") else "store" if name.startswith("OBJ_") else "stream",
        messages=int(state["messages"]),
        first_seq=int(state["first_seq"]),
        last_seq=int(state["last_seq"]),
        bytes=int(state["bytes"]),
        max_bytes=max(0, int(config["max_bytes"])),
        first_at=microseconds(state["first_ts"]) if some else 0,
        last_at=microseconds(state["last_ts"]) if some else 0,
        max_age_s=int(config.get("max_age", 0)) // _S,
        forgets=config["discard"] == "old",
        subjects=state.get("num_subjects"),
    )
