"""Replay, then follow: EVENTS, OBSERVATIONS and COMMANDS folded into the read model as they arrive.

Each stream keeps its own position and goes on when another one stops. A stream that was rolled back, has a gap or
holds a fact this build does not know stops its tables loudly: nothing is skipped.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import Task
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

from core.clock import Clock
from core.envelope import chain_of
from core.ledger import Busy, Gap, Head, Ledger, Stored, Stream, Unknown
from projections.listening import Listener
from projections.model import STREAMS, Mark, Model, digest
from projections.rows.agents import Agent
from projections.rows.positions import Changed, Position, Positions
from projections.store import Reader, StoreFailed, open_store

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)

IDLE_S = 2.0  # how often a quiet stream's end is looked at
AGAIN_S = 0.5  # after the log did not answer
ROOM_S = 5.0  # after the disk had no room
REST_S = 0.03  # at most, after a fold of EVENTS, while pages are open: rows are painted 20 ms sooner than with 0.1
LONG_REST_S = 0.2  # while none is: a thousand tasks with dependencies take 0.40 s instead of 0.54 (measured)
# After a fold of what was said: it takes the one writer as long as a fold of what happened, which waits for it then.
SAID_REST_S = 0.35
CATCH_UP = 10_000  # messages a fold takes far behind the end: 80,000 facts/s where folds of 5,000 make 62,000
SMALL = 200  # messages worth decoding right here; more go to a thread
FORGETFUL: frozenset[Stream] = frozenset({"OBSERVATIONS"})


class Rollback(Gap):
    """The log is shorter than what was folded, or another one. The read model must be folded anew."""


class Projector:
    """The read model of a ledger, kept in the file ``path`` (None: in memory).

    ``async with Projector(ledger, path, clock) as read_model: await read_model.query(tasks, at, TaskFilter())``.
    ``StoreLocked`` at the start when another process has the file.
    """

    def __init__(self, ledger: Ledger, path: Path | None, clock: Clock) -> None:
        self.ledger = ledger
        self.clock = clock
        self.model = Model(open_store(path))
        self._heads: dict[Stream, Head] = {}
        self._problems: dict[Stream, str] = {}
        self._spans: dict[Stream, tuple[int, int]] = {}  # where each stream stood when it was looked at, and its end
        self._rebuilding = False
        self._settled = False  # whether the end of EVENTS was reached once
        self._one_rebuild = asyncio.Lock()
        self._tasks: list[Task[None]] = []
        self._listeners: set[Listener] = set()
        self._watchers: set[Listener] = set()
        self.model.on_moves = self._show
        self._moved = asyncio.Event()
        self._waiting = 0  # how many wait for the fold to reach a sequence
        self._hurry = asyncio.Event()
        self.watched: Callable[[], bool] = lambda: True  # whether anybody would see a fact at once

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open what is there and begin to follow."""
        self._rebuilding = await self.model.open()
        self._follow_all()

    async def stop(self) -> None:
        """End following and close the file; what is being written is finished first."""
        await self._stop_following()
        await asyncio.to_thread(self.model.store.close)

    def query(self, ask: Callable[Concatenate[Reader, P], T], *args: P.args, **named: P.kwargs) -> Awaitable[T]:
        """``await read_model.query(tasks, at, TaskFilter())``: a query, run on a reader's thread."""
        return self.model.store.query(ask, *args, **named)

    def agents_now(self, ids: Collection[str] = ()) -> Awaitable[list[Agent]]:
        """Those agents, or all that are there, as they stand now: without a query where that can be."""
        return self.model.agents_now(ids)

    async def wait_for(self, events_seq: int, timeout_s: float) -> bool:
        """Whether the fold reached this EVENTS sequence within the time."""
        return await self._reach({"EVENTS": events_seq}, timeout_s)

    async def caught_up(self, timeout_s: float) -> bool:
        """Whether all that the streams hold now was folded within the time."""
        ends = {stream: (await self.ledger.head(stream)).last_seq for stream in STREAMS}
        return await self._reach(ends, timeout_s)

    def changes(self) -> AsyncIterator[Changed]:
        """Every commit from now on. A listener that is slow gets several as one."""
        return _heard(self._listeners)

    def moves(self) -> AsyncIterator[Changed]:
        """The same for ``agents_now``, which knows many a fact some milliseconds before it is written."""
        return _heard(self._watchers)

    def positions(self) -> Positions:
        """How far each stream is folded, at once and without a query."""
        marks = self.model.marks
        progress = self._progress()
        doing = "following" if progress >= 1 else "rebuilding" if self._rebuilding else "catching up"
        return Positions(
            events=self._position(marks["EVENTS"]),
            observations=self._position(marks["OBSERVATIONS"]),
            commands=self._position(marks["COMMANDS"]),
            doing="stopped" if self._problems else doing,  # type: ignore[arg-type]
            progress=progress,
            problem=" · ".join(self._problems.values()),
            schema=self.model.schema,
        )

    async def rebuild(self) -> None:
        """Drop what is known and fold the log anew; ``positions`` shows how far it is. Two at once go in turn."""
        async with self._one_rebuild:
            await self._stop_following()
            await self.model.clear()
            self._problems.clear()
            self._spans.clear()
            self._rebuilding, self._settled = True, False
            self._follow_all()

    async def digest(self) -> dict[str, str]:
        """For each table, what tells its rows from any others: equal digests, equal read models."""
        return await self.query(digest, sorted(self.model.store.sql.tables))

    # -------------------------------------------------------------- following

    def _follow_all(self) -> None:
        self._tasks = [asyncio.create_task(self._keep_following(stream), name=f"fold {stream}") for stream in STREAMS]

    async def _stop_following(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _keep_following(self, stream: Stream) -> None:
        """Follow one stream for as long as its history holds; stop loudly when it does not."""
        while True:
            try:
                await self._check(stream)
                await self._follow(stream)
            except (Busy, Unknown) as error:
                log.warning("fold of %s waits for the log: %s", stream, error)
                await self.clock.sleep(AGAIN_S)
            except StoreFailed as error:
                log.warning("fold of %s waits at %d: %s", stream, self.model.marks[stream].seq, error)
                self._problems[stream] = f"{error}. It is tried again every {ROOM_S:g} s; make room"
                await self.clock.sleep(ROOM_S)
            except Exception as error:  # whatever it is: this stream stops, the others and the pages go on
                log.exception("fold of %s stopped at %d", stream, self.model.marks[stream].seq)
                self._problems[stream] = str(error) or type(error).__name__
                self._ring()
                if stream == "EVENTS":  # this is as far as it goes
                    with suppress(StoreFailed):
                        await self.model.settle()
                return

    async def _check(self, stream: Stream) -> None:
        """``Rollback`` unless the stream is the one that was folded, and still has all of it."""
        head = self._heads[stream] = await self.ledger.head(stream)
        mark = self.model.marks[stream]
        self._spans[stream] = (mark.seq, head.last_seq)
        remedy = "run `switchtower projections rebuild` to fold the log that is there"
        if mark.seq and mark.created and head.created != mark.created:
            raise Rollback(f"{stream} was made again since {mark.seq} was folded: {remedy}")
        if head.last_seq < mark.seq:
            raise Rollback(f"{stream} ends at {head.last_seq}, before {mark.seq} which is folded: {remedy}")
        if stream == "EVENTS" and mark.seq:
            last = await self._last_folded(mark.seq)
            if last is None or chain_of(last.data) != mark.chain:
                raise Rollback(f"{stream} {mark.seq} is not the fact that was folded: the log was rewritten; {remedy}")
        await self.model.born(stream, head.created)

    async def _last_folded(self, seq: int) -> Stored | None:
        async with aclosing(self.ledger.read("EVENTS", after=seq - 1, until=seq)) as lists:
            async for found in lists:
                return found[-1]
        return None

    async def _follow(self, stream: Stream) -> None:
        """Fold what has arrived as soon as the last fold ended. In catch-up the next batch is decoded meanwhile."""
        writing: Task[None] | None = None
        await self._settle(stream)
        try:
            async with aclosing(self._batches(stream)) as batches:
                async for batch in batches:
                    await self._events_first(stream)
                    if len(batch) <= SMALL:
                        ready = self.model.prepare(stream, batch)
                    else:
                        ready = await asyncio.to_thread(self.model.prepare, stream, batch)
                    if writing is not None:
                        await writing
                    writing = asyncio.create_task(self._commit(stream, batch, ready))
                    if self._at_end(stream, batch[-1].seq):
                        await self._rest_after(writing, stream)
                        await self._settle(stream)
        finally:
            if writing is not None:
                await asyncio.gather(writing, return_exceptions=True)

    async def _events_first(self, stream: Stream) -> None:
        """In catch-up the other streams wait: tasks and agents are what somebody wants to see first."""
        while stream != "EVENTS" and not self._at_end("EVENTS") and "EVENTS" not in self._problems:
            await self._moved.wait()

    async def _settle(self, stream: Stream) -> None:
        if stream == "EVENTS" and not self._settled and self._at_end(stream):
            await self.model.settle()
            self._settled = True

    async def _rest_after(self, writing: Task[None], stream: Stream) -> None:
        """Wait for the fold, then for as long again, at most ``REST_S``; longer where nobody is kept waiting.

        A fold of three facts costs half of what one of five hundred does: without a rest a trickle of facts would keep
        a whole core busy, which the core and the workers need. While pages are open a rest is short: under load a fold
        takes several times what it works, and rows would come that much later. The first fact after a pause never
        waits, and who waits for a fact ends the rest.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        await writing
        if stream != "EVENTS":
            rest_s = SAID_REST_S
        else:
            rest_s = min(loop.time() - began, REST_S) if self.watched() else LONG_REST_S
        with suppress(TimeoutError):
            async with asyncio.timeout(rest_s):
                await self._hurry.wait()

    async def _batches(self, stream: Stream) -> AsyncGenerator[list[Stored], None]:
        """What has arrived; before the end as last seen it waits until there are ``CATCH_UP`` or all up to there."""
        kept: list[Stored] = []
        lists = self.ledger.follow(stream, after=self.model.marks[stream].seq, idle=IDLE_S)
        async with aclosing(lists):
            async for arrived in lists:
                if not arrived:
                    self._heads[stream] = await self.ledger.head(stream)
                kept += arrived
                if kept and (len(kept) >= CATCH_UP or not arrived or self._at_end(stream, kept[-1].seq)):
                    yield kept
                    kept = []

    async def _commit(self, stream: Stream, batch: list[Stored], ready: object) -> None:
        """Write a batch. One that cannot be folded is halved until the message it fails at stands alone."""
        try:
            changed = await self.model.commit(ready, forgets=stream in FORGETFUL)  # type: ignore[arg-type]
        except (Gap, StoreFailed, asyncio.CancelledError):
            raise
        except Exception as error:
            if len(batch) == 1:
                raise RuntimeError(
                    f"{stream} {batch[0].seq} ({batch[0].subject}) cannot be folded: {error}. The read model stops "
                    "before it; this is a defect, please report it with that message"
                ) from error
            for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                await self._commit(stream, half, self.model.prepare(stream, half))
            return
        if changed is not None:
            self._problems.pop(stream, None)
            self._tell(changed)
        problem = getattr(ready, "problem", None)
        if problem is not None:
            raise problem

    # -------------------------------------------------------------- telling

    def _tell(self, changed: Changed) -> None:
        self._rebuilding = self._rebuilding and self._progress() < 1
        for listener in self._listeners:
            listener.put(changed)
        self._ring()

    def _show(self, moved: Changed) -> None:
        for watcher in self._watchers:
            watcher.put(moved)

    def _ring(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _reach(self, ends: dict[Stream, int], timeout_s: float) -> bool:
        self._waiting += 1
        self._hurry.set()
        try:
            async with asyncio.timeout(timeout_s):
                while any(self.model.marks[stream].seq < seq for stream, seq in ends.items()):
                    await self._moved.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._hurry.clear()
        return True

    def _at_end(self, stream: Stream, seq: int | None = None) -> bool:
        """Whether nothing, or nothing after ``seq``, is left to fold up to the end as last seen."""
        at = self.model.marks[stream].seq if seq is None else seq
        head = self._heads.get(stream)
        return head is None or head.last_seq <= at

    def _position(self, mark: Mark) -> Position:
        head = self._heads.get(mark.stream)
        return Position(stream=mark.stream, seq=mark.seq, head=max(mark.seq, head.last_seq if head else 0), at=mark.at)

    def _progress(self) -> float:
        """Share that is folded of what there was to fold when the streams were looked at; 0 before they were."""
        if len(self._spans) < len(STREAMS):
            return 0.0
        todo = sum(end - began for began, end in self._spans.values())
        left = sum(max(0, end - self.model.marks[stream].seq) for stream, (_, end) in self._spans.items())
        return 1 - left / todo if left else 1.0


async def _heard(by: set[Listener]) -> AsyncGenerator[Changed, None]:
    listener = Listener()
    by.add(listener)
    try:
        while True:
            yield await listener.next()
    finally:
        by.discard(listener)
