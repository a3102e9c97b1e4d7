"""What operators keep for each other: saved views, bookmarks, limits of the board. Nothing is decided by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from core.domain.words import Count, Fact, Name, Order, Refused, check_label

if TYPE_CHECKING:
    from core.domain.state import State

MOST_VIEWS, MOST_BOOKMARKS, MOST_COLUMNS = 500, 2_000, 200

Page = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^/([^/\\]|$)")]
Query = Annotated[str, Meta(max_length=2_000)]
Title = Annotated[str, Meta(min_length=1, max_length=200)]


class SaveView(Order, frozen=True, tag="view.save"):
    """Keep a page's address under a name; one of that name is replaced. ``query`` without its question mark."""

    view_id: Name
    page: Page
    query: Query = ""


class RemoveView(Order, frozen=True, tag="view.remove"):
    view_id: Name


class SetBookmark(Order, frozen=True, tag="bookmark.set"):
    """Mark a moment of the log: the EVENTS sequence ``seq``."""

    bookmark_id: Name
    seq: Count
    title: Title


class RemoveBookmark(Order, frozen=True, tag="bookmark.remove"):
    bookmark_id: Name


class LimitBoard(Order, frozen=True, tag="board.limit"):
    """How many tasks a column of the board should hold at most; 0: no limit. It is shown, not enforced."""

    column: Name
    most: Annotated[int, Meta(ge=0, le=100_000)]


class ViewSaved(Fact, frozen=True, tag="view.saved"):
    view_id: str
    page: str
    query: str = ""


class ViewRemoved(Fact, frozen=True, tag="view.removed"):
    view_id: str


class BookmarkPlaced(Fact, frozen=True, tag="bookmark.placed"):
    """``place`` is ``seq`` on the wire: the read models call the fact's own sequence so."""

    bookmark_id: str
    place: int = msgspec.field(name="seq")
    title: str


class BookmarkRemoved(Fact, frozen=True, tag="bookmark.removed"):
    bookmark_id: str


class BoardLimited(Fact, frozen=True, tag="board.limited"):
    column: str
    most: int


Command = SaveView | RemoveView | SetBookmark | RemoveBookmark | LimitBoard
Event = ViewSaved | ViewRemoved | BookmarkPlaced | BookmarkRemoved | BoardLimited


class View(msgspec.Struct, frozen=True):
    page: str
    query: str


class Bookmark(msgspec.Struct, frozen=True):
    seq: int
    title: str


def decide(state: State, command: Command, at: int) -> list[Event]:
    match command:
        case SaveView(view_id=view_id, page=page, query=query):
            check_label("view", view_id)
            _room(state.views, view_id, MOST_VIEWS, "saved views")
            if state.views.get(view_id) == View(page, query):
                raise Refused(f"view {view_id!r} is saved so already", outcome="already_so")
            return [ViewSaved(view_id=view_id, page=page, query=query)]
        case RemoveView(view_id=view_id):
            _known(state.views, "view", view_id)
            return [ViewRemoved(view_id=view_id)]
        case SetBookmark(bookmark_id=bookmark_id, seq=seq, title=title):
            return [_bookmark(state, bookmark_id, seq, title)]
        case RemoveBookmark(bookmark_id=bookmark_id):
            _known(state.bookmarks, "bookmark", bookmark_id)
            return [BookmarkRemoved(bookmark_id=bookmark_id)]
        case LimitBoard(column=column, most=most):
            check_label("column", column)
            _room(state.board_limits, column, MOST_COLUMNS, "limited columns")
            if state.board_limits.get(column, 0) == most:
                raise Refused(f"column {column!r} is limited so already", outcome="already_so")
            return [BoardLimited(column=column, most=most)]


def evolve(state: State, fact: Event, seq: int) -> None:
    match fact:
        case ViewSaved():
            state.views[fact.view_id] = View(fact.page, fact.query)
        case ViewRemoved():
            del state.views[fact.view_id]
        case BookmarkPlaced():
            state.bookmarks[fact.bookmark_id] = Bookmark(fact.place, fact.title)
        case BookmarkRemoved():
            del state.bookmarks[fact.bookmark_id]
        case BoardLimited():
            state.board_limits.pop(fact.column, None)
            if fact.most:
                state.board_limits[fact.column] = fact.most


def _bookmark(state: State, bookmark_id: str, seq: int, title: str) -> BookmarkPlaced:
    check_label("bookmark", bookmark_id)
    _room(state.bookmarks, bookmark_id, MOST_BOOKMARKS, "bookmarks")
    if not 1 <= seq <= state.seq:
        raise Refused(f"there is no fact {seq} to mark: the log has 1 to {state.seq}")
    if state.bookmarks.get(bookmark_id) == Bookmark(seq, title):
        raise Refused(f"bookmark {bookmark_id!r} is set so already", outcome="already_so")
    return BookmarkPlaced(bookmark_id=bookmark_id, place=seq, title=title)


def _known(kept: dict[str, View] | dict[str, Bookmark], kind: str, name: str) -> None:
    if name not in kept:
        raise Refused(f"there is no {kind} {name!r}", outcome="already_so")


def _room(kept: dict[str, View] | dict[str, Bookmark] | dict[str, int], name: str, most: int, what: str) -> None:
    if name not in kept and len(kept) >= most:
        raise Refused(f"there are {most:,} {what}, the most there can be: remove some first")
