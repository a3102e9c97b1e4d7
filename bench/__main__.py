"""``python -m bench``: run the scenarios, print a table, write JSON. Exit code 0 whatever the speed."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from bench import whole_way
from bench.figures import table
from bench.fleet import fleet


async def main() -> None:
    figures = []
    async with fleet() as made:
        await made.start_core()
        await made.start_worker()
        figures += whole_way.memory(made, "idle")
        figures += await whole_way.latency(made, tasks=100, times=3)
        figures += await whole_way.dependencies(made, times=3)
        figures += await whole_way.throughput(made, tasks=10_000, times=3)
        figures += whole_way.memory(made, "loaded")
    print(table(figures))


uvloop.run(main())
