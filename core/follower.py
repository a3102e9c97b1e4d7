"""A reader of one stream that keeps its own position: it makes consumers, one after the other, and trusts none.

A new consumer is made after every loss of the link, missed heartbeat, missing delivery or answer that says the old one
is gone. What a new consumer does not cure is told as ``Gap``.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Sequence

from core.api import NotFound, call, microseconds
from core.consumer import Consumer
from core.headers import Headers
from core.ledger import Busy, Gap, Head, Stored, Unknown
from core.link import Link

TAIL_EVERY_S = 2.0  # an idle reader asks this often whether the stream holds more than it was given
MOST_BARREN = 2
TAIL_GRACE_S = 0.5  # what was on its way when it asked has arrived by then
AGAIN_S = (0.0, 0.05, 0.1, 0.2, 0.5)  # between tries to make a consumer; the last one stays


async def head(link: Link, stream: str) -> Head:
    """Where the stream stands, from its leader."""
    info = await call(link, f"STREAM.INFO.{stream}")
    state, config = info["state"], info["config"]
    return Head(
        last_seq=state["last_seq"],
        created=microseconds(info["created"]),
        first_seq=max(state["first_seq"], 1),
        bytes=state["bytes"],
        max_bytes=config["max_bytes"],
    )


class Follower:
    """``next`` gives lists for ever. ``forgets``: the stream drops old messages, so its beginning may move past us.

    ``contiguous`` readers (unfiltered ones of logs) refuse a missing sequence; tables, which keep only a subject's last
    message, and filtered readers cannot. ``made`` counts consumers.
    """

    def __init__(
        self,
        link: Link,
        stream: str,
        *,
        after: int,
        subjects: Sequence[str] = (),
        forgets: bool = False,
        contiguous: bool = True,
    ) -> None:
        self.stream = stream
        self.position = after
        self.made = 0
        self.consumer: Consumer | None = None
        self._link = link
        self._subjects = subjects
        self._forgets = forgets
        self._contiguous = contiguous and not subjects
        self._created: int | None = None
        self._tries = 0  # to make a consumer, in a row
        self._barren = 0  # consumers in a row that did not bring what is there
        self._skipped: tuple[int, int] | None = None
        self._quiet_since: float | None = None
        self.stream_end = after  # the stream's last sequence when it was last asked for

    async def next(self, idle: float | None = None) -> list[Stored]:
        """What has arrived since, waiting for it; empty after ``idle`` seconds without."""
        loop = asyncio.get_running_loop()
        deadline = None if idle is None else loop.time() + idle
        while True:
            left = TAIL_EVERY_S if deadline is None else deadline - loop.time()
            if self.consumer is None:
                if left <= 0:
                    return []
                await self._try_make(left)
                continue
            arrived = self.consumer.take()
            if arrived:
                self.position = arrived[-1].seq
                self._barren, self._quiet_since = 0, None
                return arrived
            if self.consumer.lost is not None:
                await self._drop()
                continue
            if left <= 0:
                return []
            await self.consumer.wait(left)
            await self._tail_when_quiet(loop.time())

    async def ready(self) -> None:
        """Return when a consumer is there."""
        while self.consumer is None or self.consumer.lost is not None:
            await self._drop()
            await self._try_make(TAIL_EVERY_S)

    @property
    def caught_up(self) -> bool:
        """Whether the server believes that it has sent us everything. ``check_tail`` makes sure."""
        return self.consumer is not None and self.consumer.pending == 0 and not self.consumer.holding

    async def check_tail(self) -> bool:
        """Whether everything the stream holds for us was delivered. If not, the consumer is given up.

        Raises ``Gap`` when even a new consumer does not bring what is there, or the stream ends before our position.
        """
        if self.consumer is None:
            return False
        try:
            last = await self._last_for_us()
            if last <= self.position:
                return True
            await self.consumer.wait(TAIL_GRACE_S)
        except (Busy, Unknown):
            return False  # asked again at the next quiet moment
        if self.consumer.holding or self.consumer.lost is not None:
            return False
        self._barren += 1
        if self._barren > MOST_BARREN:
            raise Gap(f"{self.stream} holds {last}, but nothing after {self.position} is delivered: damaged storage?")
        await self._drop()
        return False

    async def close(self) -> None:
        """Release the consumer."""
        if self.consumer is not None:
            consumer, self.consumer = self.consumer, None
            await consumer.close()

    async def _tail_when_quiet(self, now: float) -> None:
        if self._quiet_since is None or (now - self._quiet_since > TAIL_EVERY_S and await self.check_tail()):
            self._quiet_since = now

    async def _try_make(self, within_s: float) -> None:
        """Wait for the link, ``within_s`` at most, then one try to make a consumer after the pause its turn has."""
        try:
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes as what it waits for is done.
            async with asyncio.timeout(within_s):
                await self._link.until_up()
        except TimeoutError:
            return
        await asyncio.sleep(AGAIN_S[min(self._tries, len(AGAIN_S) - 1)])
        try:
            await self._locate()
            self.consumer = await Consumer.make(
                self._link, self.stream, after=self.position, subjects=self._subjects, contiguous=self._contiguous
            )
        except (Busy, Unknown):
            self._tries += 1
        else:
            self._tries, self.made = 0, self.made + 1

    async def _locate(self) -> None:
        """Check that the stream is still the one we read and still reaches our position; see where it begins."""
        now = await head(self._link, self.stream)
        if self._created is not None and now.created != self._created:
            raise Gap(f"{self.stream} is another stream than the one followed so far: it was made again under its name")
        self._created = now.created
        self._check_end(now)
        if now.first_seq > self.position + 1:
            if not self._forgets:
                raise Gap(
                    f"{self.stream} begins at {now.first_seq}: {self.position + 1} is no longer there; "
                    "start from a snapshot"
                )
            self.position = now.first_seq - 1
        self.stream_end = now.last_seq

    async def _drop(self) -> None:
        """Give the consumer up; ``Gap`` if it skipped the same sequences as the one before it."""
        consumer, self.consumer = self.consumer, None
        if consumer is None:
            return
        await consumer.close()
        if consumer.skipped is None:
            return
        due, came = consumer.skipped
        self._barren += self._forgets  # what is forgotten moves our position; a hole in the middle does not
        if consumer.skipped == self._skipped and (not self._forgets or self._barren > MOST_BARREN):
            raise Gap(f"{self.stream}: sequence {came} came where {due} was due, again and again: damaged storage?")
        self._skipped = consumer.skipped

    async def _last_for_us(self) -> int:
        """The last sequence that fits our subjects, as the leader has it; 0 when there is none."""
        now = await head(self._link, self.stream)
        self.stream_end = now.last_seq
        self._check_end(now)
        if self._contiguous or now.last_seq == self.position:
            return now.last_seq
        # A table's last message may have expired, a filtered reader's last one be somebody else's.
        return max([await last_fitting(self._link, self.stream, each) for each in self._subjects or (">",)])

    def _check_end(self, now: Head) -> None:
        if now.last_seq < self.position:
            raise Gap(f"{self.stream} ends at {now.last_seq}, before {self.position} which was read: rolled back?")


async def last_fitting(link: Link, stream: str, subject: str) -> int:
    """The sequence of the last message on ``subject`` (wildcards allowed), from the leader; 0 when there is none."""
    try:
        found = await call(link, f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
    except NotFound:
        return 0
    return int(found["message"]["seq"])


async def stored_at(link: Link, stream: str, seq: int) -> Stored:
    """The message of that sequence, from the leader. ``NotFound`` when it holds none."""
    message = (await call(link, f"STREAM.MSG.GET.{stream}", {"seq": seq}))["message"]
    data, block = (b64decode(message.get(field, "")) for field in ("data", "hdrs"))
    return Stored(seq, message["subject"], microseconds(message["time"]), data, Headers(block) if block else None)
