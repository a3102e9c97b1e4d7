"""A process that folds a history over and over until it is killed: ``python -m tests.projections.killed FILE SEED``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from projections.model import Model
from projections.store import open_store
from tests.projections.history import wandering

PIECE = 5


async def main(path: Path, seed: int) -> None:
    history = wandering(seed)
    model = Model(open_store(path))
    await model.open()
    print("open", flush=True)
    at = model.marks["EVENTS"].seq
    while at < len(history.events):
        await model.take("EVENTS", history.events[at : at + PIECE])
        at = model.marks["EVENTS"].seq
        print(at, flush=True)
    model.store.close()
    print("done", at, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
