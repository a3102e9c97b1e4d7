"""Questions that read just the columns they name: they answer what they would, asked of the whole tables."""

from __future__ import annotations

import re

import duckdb
import pytest

from projections import parts
from projections.narrow import narrowed
from projections.ordered import UNORDERED
from projections.sql import Table, load

RUNS = Table(
    "runs", {"state": "varchar", "lane": "varchar", "ended_at": "bigint"}, "run_id", ("state", "succeeded"), on={}
)
TABLES = {"runs": RUNS, "marks": Table("marks", {"seq": "bigint"})}
PIECES = ("costs.lately", "costs.each", "spans.chosen")  # stand within questions that name what they take of them


PLACES = {
    **UNORDERED, "order": "1", "where": "", "ids": "", "of": "", "before": "", "page": "", "failed": "", "seen": "",
    "track": "r.agent_id", "lane": "t.lane", "group": "r.worker_id", "key": "r.lane", "who": "r.agent_id",
    "title": "''", "word": "kind",
}  # fmt: skip
MADE_ELSEWHERE = {"costs.spent", "export.facts", "timeline.facts"}  # of pieces that their modules put together


def test_a_table_is_read_for_the_columns_that_are_named() -> None:
    assert narrowed("select lane from runs where to_seq > 3", TABLES) == (
        "select lane from (select to_seq, lane from runs_now union all select to_seq, lane from runs_rest "
        "union all select to_seq, lane from runs_past) runs where to_seq > 3"
    )


def test_what_moves_is_not_looked_for_among_what_rests() -> None:
    assert "runs_rest" not in narrowed("select lane from runs_moving r", TABLES)


@pytest.mark.parametrize("alias", ["r", "as_it_was"])
def test_a_table_keeps_the_name_it_was_given(alias: str) -> None:
    assert f") {alias} on " in narrowed(f"from marks m join runs {alias} on {alias}.lane = m.lane", TABLES)


def test_a_question_for_all_columns_gets_all_of_them() -> None:
    text = "select * exclude (lane) from runs"
    assert narrowed(text, TABLES) == text


def test_tables_that_only_grow_stay_as_they_are() -> None:
    assert narrowed("select seq from marks", TABLES) == "select seq from marks"


def test_every_question_answers_the_same_columns_asked_narrowly() -> None:
    sql, db = load(), duckdb.connect()
    for table in sql.tables.values():
        parts.create(db, table)
    compared = set()
    for name, text in sql.queries.items():
        whole = _filled(text)
        if name not in PIECES and "/*" not in whole:
            assert _columns(db, narrowed(whole, sql.tables)) == _columns(db, whole), name
            compared.add(name)
    assert sql.queries.keys() - compared - set(PIECES) == MADE_ELSEWHERE


def _filled(text: str) -> str:
    """The text with what is put into its places."""
    sql = load().queries
    for place, clause in {
        "chosen": sql["spans.chosen"],
        "moved": sql["compare.moved"],
        "runs": "(from runs)",
        **PLACES,
    }.items():
        text = text.replace(f"/*{place}*/", clause)
    return text


def _columns(db: duckdb.DuckDBPyConnection, text: str) -> list[str]:
    nothing = dict.fromkeys(re.findall(r"\$([a-z_]\w*)", text))
    return [column[0] for column in db.execute(text, nothing or None).description or ()]
