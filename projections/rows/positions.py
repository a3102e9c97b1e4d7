"""How far the read model is, and what a commit changed in it."""

from __future__ import annotations

from typing import Literal

from projections.rows import Row

MANY = 500


class Position(Row, frozen=True):
    """How far a stream is folded. ``head``: its last sequence as last seen; ``at``: time of the last folded message."""

    stream: str
    seq: int
    head: int
    at: int

    @property
    def lag(self) -> int:
        return max(0, self.head - self.seq)


class Positions(Row, frozen=True):
    """The read model's own state. ``doing``: following, catching up, rebuilding, or stopped, and then ``problem``.

    ``progress`` 0 to 1 while catching up or rebuilding.
    """

    events: Position
    observations: Position
    commands: Position
    doing: Literal["following", "catching up", "rebuilding", "stopped"] = "following"
    progress: float = 1.0
    problem: str = ""
    schema: str = ""


class Changed(Row, frozen=True):
    """Told to listeners after each commit: the tables that changed and, for those keyed by an id, which ids.

    ``keys``: by table (tasks, runs, agents, workers, lanes, sessions, plans), the ids touched; a table with more than
    ``MANY`` is in ``many`` instead, and a page draws it anew.
    """

    events_seq: int
    observations_seq: int
    commands_seq: int
    tables: frozenset[str]
    keys: dict[str, frozenset[str]] = {}
    many: frozenset[str] = frozenset()
