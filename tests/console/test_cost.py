"""The cost page: sums that lead to their runs, prices told apart, history repriced, files that carry no formulas."""

from __future__ import annotations

import json

import pytest

from core.domain.words import Usage
from tests.console.tower import Tower

DOLLAR = 1_000_000


@pytest.fixture
async def spending(tower: Tower) -> Tower:
    """Two dollars reported, a dollar estimated, some tokens without a price; one task is called like a formula."""
    await tower.register(agents=1, model="claude-sonnet-4-5")
    await tower.register("w2", agents=1, model="claude-haiku-4-5", capabilities=["haiku"])
    await tower.register("w3", agents=1, model="homebrew", capabilities=["brew"])
    for name, needs, usage in (
        ("told", ["claude-sonnet-4-5"], Usage(input_tokens=1_000, cost_uusd=2 * DOLLAR)),
        ("counted", ["haiku"], Usage(input_tokens=1_000_000)),
        ("strange", ["brew"], Usage(output_tokens=500)),
    ):
        title = '=HYPERLINK("http://evil.example")' if name == "told" else f"Task {name}"
        await tower.submit(name, title=title, needs=needs, lane="B" if name == "told" else "A")
        run_id = f"default/{name}~1"
        worker_id = {"told": "w1", "counted": "w2", "strange": "w3"}[name]
        await tower.start(run_id, worker_id)
        await tower.finish(run_id, worker_id=worker_id, usage=usage)
    await tower.folded()
    return tower


async def test_sums_are_told_with_the_word_they_rest_on(spending: Tower):
    page = (await spending.client.get("/cost")).text
    assert "$2.00 reported, $1.00 estimated" in page
    assert "in 1 run; in no sum here" in page
    by_model = (await spending.client.get("/cost?by=model")).text
    for told in ("claude-sonnet-4-5", "claude-haiku-4-5", "homebrew", "Reported", "Estimated", "Unpriced"):
        assert told in by_model


async def test_a_number_leads_to_the_runs_behind_it(spending: Tower):
    page = (await spending.client.get("/cost?by=lane")).text
    assert 'href="/cost?by=run&amp;lane=B"' in page
    behind = (await spending.client.get("/cost?by=run&lane=B")).text
    assert 'href="/runs/default/told~1"' in behind
    assert "counted~1" not in behind.partition("<table")[2]


async def test_history_is_repriced_under_another_model(spending: Tower):
    page = (await spending.client.get("/cost?by=agent&as=claude-haiku-4-5")).text
    assert "list price for claude-haiku-4-5: $1.00 instead of $3.00" in page
    assert "−$2.00" in page


async def test_a_model_without_a_price_is_said_so_at_the_field(spending: Tower):
    answer = await spending.client.get("/cost?as=homebrew")
    assert answer.status_code == 200
    assert "No price is known for the model <b>homebrew</b>" in answer.text


async def test_what_is_exported_is_what_is_shown(spending: Tower):
    lines = (await spending.client.get("/cost/export.jsonl?by=model&as=claude-haiku-4-5")).text.splitlines()
    rows = {row["key"]: row for row in map(json.loads, lines)}
    assert rows["claude-sonnet-4-5"]["cost_uusd"] == 2 * DOLLAR
    assert rows["homebrew"]["cost_uusd"] is None
    assert rows["homebrew"]["basis"] == "unpriced"
    assert rows["claude-haiku-4-5"]["cost_uusd_as_claude-haiku-4-5"] == DOLLAR


async def test_no_cell_of_a_sheet_is_a_formula(spending: Tower):
    answer = await spending.client.get("/cost/export.csv?by=task")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="cost-by-task.csv"'
    assert "'=HYPERLINK" in answer.text
    assert not [cell for line in answer.text.splitlines() for cell in line.split(",") if cell.strip('"')[:1] in "=+@"
                and cell.strip('"')]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/cost?by=mood", "?by=mood is nothing costs are summed by"),
        ("/cost?since=soon", "?since=soon is no beginning"),
        ("/cost?hour=noon", "Expected `int`"),
        ("/cost?basis=rumour", "Invalid enum value"),
        ("/cost/export.xlsx", "there are csv and jsonl"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_told_what_to_write(spending: Tower, path: str, says: str):
    answer = await spending.client.get(path)
    assert answer.status_code in (404, 422)
    assert says in answer.text.replace("&#39;", "'").replace("&#34;", '"')


async def test_a_session_s_budget_stands_beside_what_it_spent(spending: Tower):
    assert "Budget</th>" not in (await spending.client.get("/cost")).text
    await spending.order_and_fold({"type": "session.amend", "session_id": "default", "budget_uusd": 4 * DOLLAR})
    page = (await spending.client.get("/cost")).text
    assert "Budget</th>" in page
    assert "75.0 % of the budget" in page
    assert "$4.00" in page


async def test_before_anything_ran_the_page_says_so(tower: Tower):
    page = (await tower.client.get("/cost")).text
    assert "No run has ended today, and none is under way." in page
    assert "Nothing with a price in the last 24 hours." in page


async def test_the_past_has_its_own_sums(spending: Tower):
    last = await spending.folded()
    assert "$2.00" in (await spending.client.get(f"/cost?at={last}")).text
    before = (await spending.client.get("/cost?at=5")).text
    assert "$2.00" not in before
