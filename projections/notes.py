"""What operators keep for each other (views, bookmarks, limits of the board), and whether the fleet is halted."""

from __future__ import annotations

from projections.rows import At, Row
from projections.store import Reader


class View(Row, frozen=True):
    """A page's address under a name. ``query`` without its question mark."""

    view_id: str
    page: str
    query: str = ""
    by: str = ""
    since: int = 0

    @property
    def address(self) -> str:
        return f"{self.page}?{self.query}" if self.query else self.page


class Bookmark(Row, frozen=True):
    """A marked moment. ``seq``: its EVENTS sequence; ``since``: when it was marked."""

    bookmark_id: str
    seq: int
    title: str
    by: str = ""
    since: int = 0


class FleetState(Row, frozen=True):
    """Whether anything is given out. ``gently``: what ran when it was halted, runs on. ``because``: why, as told."""

    halted: bool = False
    gently: bool = False
    because: str = ""
    by: str = ""
    since: int = 0


def views(db: Reader, at: At) -> list[View]:
    """By name."""
    return [View(**row) for row in db.ask("notes.views", seq=at.events_seq)]


def bookmarks(db: Reader, at: At) -> list[Bookmark]:
    """In the order of the moments they mark."""
    return [Bookmark(**row) for row in db.ask("notes.bookmarks", seq=at.events_seq)]


def board_limits(db: Reader, at: At) -> dict[str, int]:
    """By column the most tasks it should hold; columns without a limit are not there."""
    return {row["column_id"]: int(row["most"]) for row in db.ask("notes.board_limits", seq=at.events_seq)}


def fleet_state(db: Reader, at: At) -> FleetState:
    found = db.ask("notes.fleet", seq=at.events_seq)
    return FleetState(**found[0]) if found else FleetState()
