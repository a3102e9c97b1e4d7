"""What a run printed, read from OUTPUT: the last part of it, with holes marked, as it stood at any moment.

A page that follows a run asks again and again; a ``Scroll`` remembers how far it has read and reads on from there.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from console.terminal import Line, Screen, marked
from core.domain.words import token
from core.ledger import Ledger, LedgerError, Stored
from core.observation import OFFSET

MOST_CHARS = 256 << 10  # of one run kept for its page; the whole is downloaded
MOST_LINES = 2_000
MOST_SCROLLS = 32  # runs whose output is kept at hand
MOST_FOUND = 500  # lines a search shows
SEARCHED_CHARS = 32 << 20  # more than any run may print
LARGE = 32 << 10  # bytes of a piece of output
READ_WITHIN_S = 2.0
DOWNLOAD_WITHIN_S = 30.0


class Output(msgspec.Struct, frozen=True):
    """``bytes``: of all there is; ``cut``: only its end is here; ``late``: reading took too long, there may be more.

    ``steady``: the first line that may still change, ``base``: whose numbers these are; with both, what is new since
    can be asked for.
    """

    lines: list[Line]
    bytes: int
    cut: bool = False
    late: bool = False
    last_at: int = 0
    steady: int = 1
    base: str = ""
    problem: str = ""  # why it could not be read on just now


class Found(msgspec.Struct, frozen=True):
    """What a search brought: ``places`` in all there is, in ``total`` lines, of which the last are here."""

    lines: list[Line]
    total: int
    places: int
    late: bool = False


class Scroll:
    """One run's output as far as it was read. ``read_on`` takes in what is new and nothing else."""

    def __init__(self, run_id: str, *, most_lines: int = MOST_LINES, most_chars: int = MOST_CHARS) -> None:
        self._run_id = run_id
        self._most = {"most_lines": most_lines, "most_chars": most_chars}
        self._lock = asyncio.Lock()
        self._reads = 0  # begun so far
        self._begin(0)

    def _begin(self, created: int) -> None:
        self.screen = Screen(**self._most)
        self.bytes = 0
        self.last_at = 0
        self.late = False
        self.problem = ""
        self._created = created  # of the stream: one made again under its name is another one
        self._read = 0  # the last sequence of the stream looked at
        self._first = 0  # the first that was ours
        self._offsets: dict[str, int] = {}

    @property
    def base(self) -> str:
        """Names these lines' numbering: another one when OUTPUT has forgotten its beginning or was rolled back."""
        return f"{self._created}.{self._first}"

    def output(self, since: int = 0) -> Output:
        """What is known, from line ``since`` on."""
        screen = self.screen
        return Output(
            screen.lines(since), self.bytes, screen.cut, self.late, self.last_at, screen.steady, self.base, self.problem
        )  # fmt: skip

    async def read_on(self, ledger: Ledger, *, until: int = 0) -> None:
        """Take in what was printed since (up to ``until``, microseconds, where given), within the bound on reading.
        What was read before stays where the log cannot be asked; ``problem`` says why. Whoever waits for another's
        reading to end shares the next one with all who wait."""
        asked_after = self._reads
        async with self._lock:
            if self._reads > asked_after:
                return
            self._reads += 1
            try:
                await self._read_on(ledger, until)
                self.problem = ""
            except LedgerError as error:
                self.problem = str(error)

    async def _read_on(self, ledger: Ledger, until: int) -> None:
        head = await ledger.head("OUTPUT")
        if head.created != self._created or head.last_seq < self._read:
            self._begin(head.created)
        before = self._read
        whole = await self._take_up_to(ledger, head.last_seq, until)
        if not whole and before:  # the server took back what we had read, and went on: read it all again
            self._begin(head.created)
            await self._take_up_to(ledger, head.last_seq, until)

    async def _take_up_to(self, ledger: Ledger, last: int, until: int) -> bool:
        """Whether nothing was missing."""
        whole, self.late = True, False
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                reading = ledger.read("OUTPUT", after=self._read, until=last, subjects=[subject(self._run_id)])
                async with aclosing(reading) as news:
                    async for stored in news:
                        wanted = [each for each in stored if not until or each.at <= until]
                        for each in wanted:
                            whole &= self._take(each)
                            if len(each.data) > LARGE:
                                await asyncio.sleep(0)  # others are served between two large pieces
                        self._read = stored[-1].seq
                self._read = max(self._read, last)
        except TimeoutError:
            self.late = True
        return whole

    def _take(self, stored: Stored) -> bool:
        """One chunk. What comes a second time, because its acknowledgement was lost, is passed over."""
        stream = stored.subject.rpartition(".")[2]
        seen = self._offsets.get(stream, 0)
        offset = int((stored.headers or {}).get(OFFSET, seen))
        lost = max(0, offset - seen)
        if lost:
            self.screen.hole(lost, aged=not self.bytes and not seen)
        data = stored.data[max(0, seen - offset) :]
        self.screen.write(stream, data)
        self._offsets[stream] = max(seen, offset + len(stored.data))
        self._first = self._first or stored.seq
        self.bytes += len(data)
        self.last_at = stored.at
        return not lost


class Scrolls:
    """The runs that were looked at lately."""

    def __init__(self, most: int = MOST_SCROLLS) -> None:
        self._most = most
        self._kept: OrderedDict[str, Scroll] = OrderedDict()

    def of(self, run_id: str) -> Scroll:
        scroll = self._kept.pop(run_id, None) or Scroll(run_id)
        self._kept[run_id] = scroll
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return scroll


def subject(run_id: str) -> str:
    return f"out.run.{token(run_id)}.*"


async def output_of(ledger: Ledger, run_id: str, *, until: int = 0) -> Output:
    """The end of what the run printed up to ``until`` (microseconds; 0: now). Never longer than the bounds above."""
    scroll = Scroll(run_id)
    await scroll.read_on(ledger, until=until)
    return scroll.output()


async def search(ledger: Ledger, run_id: str, wanted: str, *, until: int = 0) -> Found:
    """Every line of all the run printed that reads ``wanted``, whatever its case."""
    scroll = Scroll(run_id, most_lines=1_000_000, most_chars=SEARCHED_CHARS)
    await scroll.read_on(ledger, until=until)
    return await asyncio.to_thread(_found, scroll, wanted)


def _found(scroll: Scroll, wanted: str) -> Found:
    small = wanted.lower()
    hits = [line for line in scroll.screen.lines() if small in line.text.lower()]
    places = sum(line.text.lower().count(small) for line in hits)
    return Found([marked(line, wanted) for line in hits[-MOST_FOUND:]], len(hits), places, scroll.late)


async def printed(ledger: Ledger, run_id: str, *, until: int = 0) -> AsyncGenerator[bytes, None]:
    """All of it, both streams as they came, piece by piece; where something is missing a line says so."""
    offsets: dict[str, int] = {}
    async with aclosing(ledger.read("OUTPUT", subjects=[subject(run_id)])) as news:
        while stored := await asyncio.wait_for(anext(news, None), DOWNLOAD_WITHIN_S):
            for each in stored:
                if until and each.at > until:
                    return
                stream = each.subject.rpartition(".")[2]
                seen = offsets.get(stream, 0)
                offset = int((each.headers or {}).get(OFFSET, seen))
                if offset > seen:
                    yield b"\n[%d bytes of %s are missing here]\n" % (offset - seen, stream.encode())
                yield each.data[max(0, seen - offset) :]
                offsets[stream] = max(seen, offset + len(each.data))
