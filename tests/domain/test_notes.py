"""What operators keep for each other: saved views, bookmarks, limits of the board."""

from __future__ import annotations

import msgspec
import pytest

from core.domain import machine, notes
from core.domain.notes import (
    BookmarkPlaced,
    BookmarkRemoved,
    LimitBoard,
    RemoveBookmark,
    RemoveView,
    SaveView,
    SetBookmark,
    ViewRemoved,
    ViewSaved,
)
from tests.spec import given, submit

BROKEN = SaveView(view_id="Broken on B", page="/tasks", query="q=state:failed+lane:B")


def test_a_saved_view_is_an_address_under_a_name_and_can_be_replaced():
    assert given().when(BROKEN) == [ViewSaved(view_id="Broken on B", page="/tasks", query="q=state:failed+lane:B")]
    story = given(BROKEN)
    assert story.refusal(BROKEN).outcome == "already_so"
    assert isinstance(story.when(SaveView(view_id="Broken on B", page="/tasks"))[0], ViewSaved)


def test_a_view_that_is_removed_is_gone():
    story = given(BROKEN)
    assert story.when(RemoveView(view_id="Broken on B")) == [ViewRemoved(view_id="Broken on B")]
    assert given().refusal(RemoveView(view_id="x")).outcome == "already_so"


@pytest.mark.parametrize("page", ["//elsewhere.example/x", "tasks", "https://elsewhere.example", "/\\elsewhere"])
def test_a_view_is_a_page_of_this_console(page: str):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"type": "view.save", "view_id": "x", "page": page}, SaveView)


@pytest.mark.parametrize("name", [" x", "x\n", "x" * 61, "\u202ex"])
def test_a_name_is_one_a_person_can_read(name: str):
    assert "cannot be used" in given().refusal(SaveView(view_id=name, page="/")).reason


def test_a_bookmark_marks_a_fact_that_is_there():
    story = given(submit("a"))
    order = SetBookmark(bookmark_id="b1", seq=2, title="where it began")
    assert story.when(order) == [BookmarkPlaced(bookmark_id="b1", place=2, title="where it began")]
    assert b'"seq":2' in msgspec.json.encode(story.when(order)[0])
    assert story.after(order).refusal(order).outcome == "already_so"
    for seq in (0, 3):
        said = story.refusal(SetBookmark(bookmark_id="b1", seq=seq, title="x")).reason
        assert said == f"there is no fact {seq} to mark: the log has 1 to 2"


def test_a_bookmark_that_is_removed_is_gone():
    story = given(SetBookmark(bookmark_id="b1", seq=1, title="x"))
    assert story.when(RemoveBookmark(bookmark_id="b1")) == [BookmarkRemoved(bookmark_id="b1")]
    assert story.after(RemoveBookmark(bookmark_id="b1")).refusal(RemoveBookmark(bookmark_id="b1")).outcome == (
        "already_so"
    )


def test_a_column_of_the_board_has_a_limit_until_it_is_none():
    story = given(LimitBoard(column="running", most=8))
    assert story.state.board_limits == {"running": 8}
    assert story.refusal(LimitBoard(column="running", most=8)).outcome == "already_so"
    assert story.after(LimitBoard(column="running", most=0)).state.board_limits == {}
    assert given().refusal(LimitBoard(column="running", most=0)).outcome == "already_so"


def test_notes_have_a_bound(monkeypatch):
    monkeypatch.setattr(notes, "MOST_VIEWS", 1)
    assert "the most there can be" in given(BROKEN).refusal(SaveView(view_id="y", page="/")).reason


def test_a_note_stands_under_its_own_name():
    assert machine.subject(ViewSaved(view_id="a b", page="/")) == "evt.view.a=20b.saved"
    assert machine.command_subject(LimitBoard(column="running", most=1)) == "cmd.board.running.limit"
