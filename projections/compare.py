"""Two moments side by side: what became of the tasks, who came and went, what ran, what it cost, who ordered what."""

from __future__ import annotations

from projections.record import REPORTS
from projections.rows import At, Row
from projections.sql import load
from projections.store import Reader


class Move(Row, frozen=True):
    """So many tasks went from one state to another; ``was`` empty: they were new."""

    was: str
    state: str
    n: int


class MovedTask(Row, frozen=True):
    task_id: str
    title: str
    lane: str
    was: str
    state: str
    proof: str
    because: str
    since: int

    @property
    def shown(self) -> str:
        return "claimed" if self.state == "done" and self.proof == "claimed" else self.state


class MovedAgent(Row, frozen=True):
    """An agent that came, went, was paused or let go on."""

    agent_id: str
    was_present: bool
    was_paused: bool
    present: bool
    paused: bool
    because: str = ""

    @property
    def was(self) -> str:
        return _standing(self.was_present, self.was_paused)

    @property
    def state(self) -> str:
        return _standing(self.present, self.paused)


class Kind(Row, frozen=True):
    """Facts of one type; ``seq``: the first of them."""

    type: str
    n: int
    seq: int
    failed: bool


class OrderGiven(Row, frozen=True):
    type: str
    target: str
    by: str
    at: int
    command_seq: int


class Standing(Row, frozen=True):
    """The figures of one moment."""

    at: At
    tasks: dict[str, int]
    runs: int
    under_way: int
    tokens: int
    cost_uusd: int


class Compared(Row, frozen=True):
    """From the earlier moment to the later one."""

    first: Standing
    second: Standing
    moves: list[Move]
    tasks: list[MovedTask]
    agents: list[MovedAgent]
    ended: dict[str, int]
    facts: list[Kind]
    orders: list[OrderGiven]

    @property
    def moved(self) -> int:
        """Tasks in another state than before, and new ones."""
        return sum(move.n for move in self.moves)

    @property
    def decided(self) -> int:
        """Facts in between."""
        return self.second.at.events_seq - self.first.at.events_seq


def compare(db: Reader, first: At, second: At, limit: int) -> Compared:
    """What changed; the lists hold at most ``limit`` things each. Moments in any order: the earlier comes first."""
    if first.events_seq > second.events_seq:
        first, second = second, first
    span = {"first": first.events_seq, "second": second.events_seq}
    moved = {"moved": load().queries["compare.moved"]}
    given = db.ask(
        "compare.orders", first_command=first.commands_seq, second_command=second.commands_seq, limit=limit,
        reports=list(REPORTS),
    )  # fmt: skip
    return Compared(
        first=_standing_at(db, first),
        second=_standing_at(db, second),
        moves=[Move(**row) for row in db.ask("compare.moves", moved, **span)],
        tasks=[MovedTask(**row) for row in db.ask("compare.moved_tasks", moved, **span, limit=limit)],
        agents=[MovedAgent(**row) for row in db.ask("compare.agents", **span, limit=limit)],
        ended={row["state"]: row["n"] for row in db.ask("compare.ended", **span)},
        facts=[Kind(type=row.pop("tag"), **row) for row in db.ask("compare.facts", **span)],
        orders=[
            OrderGiven(type=row["tag"], target=row["target"], by=row["actor"], at=row["at_us"], command_seq=row["seq"])
            for row in given
        ],
    )


def _standing_at(db: Reader, at: At) -> Standing:
    states = {row["state"]: row["n"] for row in db.ask("compare.states", seq=at.events_seq)}
    return Standing(at=at, tasks=states, **db.ask("compare.used", seq=at.events_seq)[0])


def _standing(present: bool, paused: bool) -> str:
    if not present:
        return "gone"
    return "paused" if paused else "idle"
