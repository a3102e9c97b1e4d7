"""``python -m bench.folding NATS DATA FILE``: fold the whole log there into a new read model; JSON of how long it took.

A process that does nothing else, as the console does at its start.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import uvloop

from bench.machine import resident_mb
from core.clock import SystemClock
from core.jetstream import JetStreamLedger
from core.link import connect
from core.loaded import keep_what_is_loaded
from core.settings import load
from projections.projector import Projector

WITHIN_S = 300.0


async def main(nats: str, data: str, file: str) -> None:
    user = load({"data": data}, environ={}).credentials("console")
    assert user is not None
    link = await connect(nats, name="bench-fold", user=user.user, password=user.password)
    ledger = JetStreamLedger(link)
    ends = {stream: (await ledger.head(stream)).last_seq for stream in ("EVENTS", "COMMANDS")}
    projector = Projector(ledger, Path(file), SystemClock())
    began = time.monotonic()
    async with projector:
        if not await projector.wait_for(ends["EVENTS"], WITHIN_S):
            raise SystemExit(f"only at {projector.positions()}")
        seconds = time.monotonic() - began
        caught_up = await projector.caught_up(WITHIN_S)
        all_seconds = time.monotonic() - began
    found = {"events": ends["EVENTS"], "commands": ends["COMMANDS"], "seconds": seconds, "all_seconds": all_seconds}
    await link.close()
    print(json.dumps({**found, "caught_up": caught_up, "mb": resident_mb(os.getpid()), "cpu_s": time.process_time()}))


if __name__ == "__main__":
    keep_what_is_loaded()
    uvloop.run(main(*sys.argv[1:4]))
