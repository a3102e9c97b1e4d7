"""Answers about settled moments: asked for once, however many ask side by side."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from projections.known import ANSWER_ROWS, Flight, Known

TEXT = "select n from t where seq <= $seq"


class Tables:
    """Answers when it is let go, with so many rows, or fails."""

    def __init__(self, rows: int = 1, *, fails: int = 0) -> None:
        self.asked, self._rows, self._fails = 0, rows, fails
        self.go, self.busy = threading.Event(), threading.Event()

    def ask(self, _text: str, **_values: Any) -> list[dict[str, Any]]:
        self.asked += 1
        self.busy.set()
        assert self.go.wait(5)
        if self._fails:
            self._fails -= 1
            raise ValueError("no disk")
        return [{"n": n} for n in range(self._rows)]


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Counts who waits for somebody else's answer."""
    entered, rows = threading.Semaphore(0), Flight.rows

    def counted(flight: Flight) -> Any:
        entered.release()
        return rows(flight)

    monkeypatch.setattr(Flight, "rows", counted)
    return entered


def side_by_side(known: Known, tables: Tables, waiting: threading.Semaphore, askers: int = 4) -> list[Any]:
    """What each of several threads got: rows, or what it failed with."""

    def one() -> Any:
        try:
            return known.answer(TEXT, {"seq": 5}, tables.ask)
        except ValueError as error:
            return error

    with ThreadPoolExecutor(askers) as threads:
        asking = [threads.submit(one) for _ in range(askers)]
        assert tables.busy.wait(5)
        assert all(waiting.acquire(timeout=5) for _ in range(askers - 1))
        tables.go.set()
        return [each.result(10) for each in asking]


@pytest.fixture
def known() -> Known:
    made = Known()
    made.fold(seq=10, observations_seq=0, commands_seq=0)
    return made


@pytest.mark.parametrize("rows", [1, ANSWER_ROWS + 1])
def test_who_asks_what_is_being_asked_gets_that_answer_however_long_it_is(known: Known, waiting: Any, rows: int):
    tables = Tables(rows)
    answers = side_by_side(known, tables, waiting)
    assert tables.asked == 1
    assert all(answer == [{"n": n} for n in range(rows)] for answer in answers)
    assert len({id(row) for answer in answers for row in answer}) == rows * len(answers)  # each has rows of its own


def test_a_failure_is_its_asker_s_own_and_the_others_ask_for_themselves(known: Known, waiting: Any):
    tables = Tables(fails=1)
    answers = side_by_side(known, tables, waiting)
    assert sum(isinstance(answer, ValueError) for answer in answers) == 1
    assert sum(answer == [{"n": 0}] for answer in answers) == 3


def test_what_was_asked_before_a_rebuild_is_no_answer_after_it(known: Known):
    tables = Tables()

    def forgets(text: str, **values: Any) -> list[dict[str, Any]]:
        known.forget()
        known.fold(seq=10, observations_seq=0, commands_seq=0)
        return tables.ask(text, **values)

    tables.go.set()
    known.answer(TEXT, {"seq": 5}, forgets)
    known.answer(TEXT, {"seq": 5}, tables.ask)
    assert tables.asked == 2


def test_a_moment_that_is_not_folded_yet_is_asked_for_each_time(known: Known):
    tables = Tables()
    tables.go.set()
    for _ in range(2):
        known.answer(TEXT, {"seq": 11}, tables.ask)
    assert tables.asked == 2
