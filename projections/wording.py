"""A task's wordings, one after the other: what it said when somebody began to edit it, and what it says now."""

from __future__ import annotations

import msgspec

from core.domain.spec import TaskSpec
from projections.rows import At, Row
from projections.store import Reader


class Wording(Row, frozen=True):
    """``seq``: the EVENTS sequence of the fact that worded the task so; ``by``: whose order that was."""

    seq: int
    at: int
    by: str
    spec: TaskSpec


def wordings(db: Reader, at: At, task_id: str) -> list[Wording]:
    """Oldest first; the last one holds. Empty where there is no such task at that moment."""
    return [
        Wording(**row | {"spec": msgspec.json.decode(row["spec"], type=TaskSpec)})
        for row in db.ask("wording.all", seq=at.events_seq, task_id=task_id)
    ]
