"""``python -m workers``, but the first line of every run is stamped: ``<run id> <monotonic ns>`` into the file named first.

STAND-IN until ``workers.__main__`` is there: then this file only adds the stamp to the real program.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

import uvloop

from core.answers import LinkAnswers
from core.clock import SystemClock
from core.domain import run, worker
from core.door import Door
from core.envelope import decode_fact
from core.heartbeat import Beat, beat_key, encode_beat
from core.jetstream import JetStreamLedger
from core.link import connect
from core.settings import load
from core.tables import Table


async def main(stamps: int, options: dict[str, str]) -> None:
    user = load({"data": options["--data"]}).credentials("worker")
    assert user is not None
    link = await connect(options["--nats"], name="worker", user=user.user, password=user.password)
    ledger, clock, name = JetStreamLedger(link), SystemClock(), options["--name"]
    door = Door(ledger, LinkAnswers(link), clock, by=name)
    agents = int(options["--agents"].partition(":")[2])
    specs = [worker.AgentSpec(name=f"a{i}", adapter="noop") for i in range(agents)]
    answer = await door.order(worker.Register(worker_id=name, boot_id=str(clock.now_us()), agents=specs))
    epoch = 0
    async for batch in ledger.follow("EVENTS", after=0, subjects=[f"evt.worker.{name}.>"]):
        for stored in batch:
            fact = decode_fact(stored.data).fact
            if isinstance(fact, worker.Registered) and not epoch:
                epoch = stored.seq
                beating = asyncio.ensure_future(beat(Table(link, "heartbeats"), name, epoch))
            elif isinstance(fact, worker.Assigned):
                os.write(stamps, b"%b %d\n" % (fact.run_id.encode(), time.monotonic_ns()))
                report = run.Finish(run_id=fact.run_id, worker_id=name, epoch=epoch, result="succeeded")
                door.put(report, command_id="~finish/" + fact.run_id)
    del answer, beating


async def beat(heart: Table, name: str, epoch: int) -> None:
    while True:
        await heart.put(beat_key(name), encode_beat(Beat(worker_id=name, epoch=epoch, boot_id="b", at=1)), ttl_s=6)
        await asyncio.sleep(2)


if __name__ == "__main__":
    arguments = sys.argv[2:]
    file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    uvloop.run(main(file, dict(zip(arguments[::2], arguments[1::2], strict=True))))
