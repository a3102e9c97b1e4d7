"""What the system page and the metrics ask of the read model: rules, the log's beginning, sums since it."""

from __future__ import annotations

from projections.rows import At, Row
from projections.store import Reader


class Ground(Row, frozen=True):
    """What the log stands on. ``rules`` 0: it has not begun. Times in microseconds."""

    rules: int = 0
    rules_since: int = 0
    began_at: int = 0
    build: str = ""
    duckdb: str = ""


class Sums(Row, frozen=True):
    """Counts since the log began: runs by how they ended, commands that were not carried out by outcome."""

    runs: dict[str, int]
    refused: dict[str, int]


def ground(db: Reader, at: At) -> Ground:
    in_force = db.ask("system.in_force", seq=at.events_seq)
    began = db.ask("system.began", seq=at.events_seq)
    return Ground(
        rules=in_force[0]["rules"] if in_force else 0,
        rules_since=in_force[0]["at_us"] if in_force else 0,
        began_at=began[0]["at_us"] if began else 0,
        build=began[0]["build"] if began else "",
        duckdb=str(db.ask("system.vendor")[0]["duckdb"]),
    )


def sums(db: Reader, at: At) -> Sums:
    return Sums(
        runs={row["state"]: int(row["n"]) for row in db.ask("system.ended", seq=at.events_seq)},
        refused={row["outcome"]: int(row["n"]) for row in db.ask("system.outcomes", seq=at.events_seq)},
    )
