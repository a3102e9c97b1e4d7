"""``python -m bench.arrow_floor FILE ROWS TIMES``: bare Arrow inserts into a DuckDB file, rows per second as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb
import pyarrow as pa

BATCH = 5_000


def main(file: str, rows: int, times: int) -> None:
    rates = []
    for _ in range(times):
        Path(file).unlink(missing_ok=True)
        db = duckdb.connect(file, config={"threads": 2})
        db.execute("create table facts (seq bigint, at_us bigint, tag varchar, task_id varchar, body varchar)")
        began = time.monotonic()
        for first in range(0, rows, BATCH):
            db.register("arrived", _batch(first))
            db.execute("begin")
            db.execute("insert into facts select * from arrived")
            db.execute("commit")
        rates.append(rows / (time.monotonic() - began))
        db.close()
    print(json.dumps(rates))


def _batch(first: int) -> pa.RecordBatch:
    numbers = range(first, first + BATCH)
    return pa.RecordBatch.from_pydict(
        {
            "seq": list(numbers),
            "at_us": [1_800_000_000_000_000 + i for i in numbers],
            "tag": ["run.succeeded"] * BATCH,
            "task_id": [f"default/task-{i}" for i in numbers],
            "body": [f"{i}" + "x" * 200 for i in numbers],
        }
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
