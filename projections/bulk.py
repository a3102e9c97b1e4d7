"""What became of many orders given as one."""

from __future__ import annotations

from collections.abc import Sequence

from projections.rows import At, Row
from projections.store import Reader


class Given(Row, frozen=True):
    """One of them: the task it was for, as it stands now, and the order's outcome with its reason."""

    command_seq: int
    target: str
    outcome: str
    reason: str
    title: str
    state: str


class Bulk(Row, frozen=True):
    """``by_outcome``: of all of them. ``rows``: refused ones first, then what waits, then what is done."""

    by_outcome: dict[str, int]
    rows: list[Given]

    @property
    def total(self) -> int:
        return sum(self.by_outcome.values())


class LastCost(Row, frozen=True):
    """``cost_uusd``: None where no attempt has a price; ``known``: how many have one."""

    cost_uusd: int | None
    known: int


def last_cost(db: Reader, at: At, task_ids: Sequence[str]) -> LastCost:
    """What trying these tasks once more may cost: as much as their last attempts did."""
    return LastCost(**db.ask("bulk.last_cost", seq=at.events_seq, ids=list(task_ids))[0])


def bulk(db: Reader, at: At, prefix: str, since: int, *, limit: int = 200) -> Bulk:
    """The orders whose ids begin with ``prefix``, none given before ``since`` (microseconds)."""
    values = {"seq": at.events_seq, "commands_seq": at.commands_seq, "prefix": prefix, "since": since, "limit": limit}
    counts = {row["outcome"]: int(row["n"]) for row in db.ask("bulk.given", **values)}
    return Bulk(by_outcome=counts, rows=[Given(**row) for row in db.ask("bulk.rows", **values)])
