"""What the machine gives without us: bare appends to JetStream, bare Arrow inserts into DuckDB."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from pathlib import Path

from bench.figures import Figure, percentile
from bench.fleet import Fleet
from bench.machine import Quiet
from bench.processes import answer_of, module
from core.api import call
from core.ledger import MAX_BATCH, Message

STREAM = "FLOOR"
BODY = 400  # bytes, about those of a fact
IN_FLIGHT = 4


async def appends(fleet: Fleet, *, messages: int, times: int) -> list[Figure]:
    """Messages as small as facts, every one synced: in atomic batches of 400, four in flight; and one by one."""
    config = {"name": STREAM, "subjects": ["floor.>"], "storage": "file", "allow_atomic": True, "num_replicas": 1}
    await call(fleet.link, f"STREAM.CREATE.{STREAM}", config)
    quiet, rates, singles = Quiet(), [], []
    for n in range(times):
        batch = [Message(f"floor.{n}.{i}", b"x" * BODY) for i in range(MAX_BATCH)]
        began, waiting = time.monotonic(), deque()
        for _ in range(messages // MAX_BATCH):
            waiting.append(await fleet.ledger.send("OBSERVATIONS", batch))
            if len(waiting) == IN_FLIGHT:
                await waiting.popleft()
        await asyncio.gather(*waiting)
        rates.append(messages // MAX_BATCH * MAX_BATCH / (time.monotonic() - began))
        singles.append([await _single(fleet) for _ in range(200)])
    noise = quiet.read()
    p50 = [percentile(each, 0.50) for each in singles]
    p99 = [percentile(each, 0.99) for each in singles]
    return [
        Figure(scenario="floor", name="bare append, batches of 400", unit="/s", values=rates, noise=noise),
        Figure(
            scenario="floor", name="bare append, one by one, p50", unit="ms", values=p50, better="less", noise=noise
        ),
        Figure(
            scenario="floor", name="bare append, one by one, p99", unit="ms", values=p99, better="less", noise=noise
        ),
    ]


async def _single(fleet: Fleet) -> float:
    await asyncio.sleep(0.001)
    began = time.monotonic()
    await fleet.ledger.append("OBSERVATIONS", [Message("floor.one", b"x" * BODY)])
    return (time.monotonic() - began) * 1e3


async def inserts(folder: Path, *, rows: int, times: int) -> list[Figure]:
    """Rows of a fact's width as Arrow batches into a DuckDB file, in a process of its own as DuckDB starts threads."""
    quiet = Quiet()
    rates = await answer_of(*module("bench.arrow_floor", str(folder / "floor.duckdb"), str(rows), str(times)))
    name = "bare Arrow insert, batches of 5,000"
    return [Figure(scenario="floor", name=name, unit="rows/s", values=rates, noise=quiet.read())]
