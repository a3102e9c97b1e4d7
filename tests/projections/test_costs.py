"""What work costs, and on whose word: reported, estimated, unpriced; by anything; as fast as it goes."""

from __future__ import annotations

import pytest

from core.domain import run, task, worker
from core.domain.spec import TaskSpec
from core.domain.words import Usage
from projections.costs import CostFilter, Spent, burn, cost_of, costs, hours, spent_by
from projections.prices import Rates, rates
from projections.rows import At
from tests.projections.folded import Folded
from tests.projections.history import History

HOUR_MS = 3_600_000
DOLLAR = 1_000_000
SONNET, HAIKU, HOMEBREW = "claude-sonnet-4-5", "claude-haiku-4-5", "homebrew-9"


class Yard:
    """A worker with an agent of each kind, each with a task of its own lane; time is wound by hand."""

    def __init__(self) -> None:
        self.told = History()
        agents = [
            worker.AgentSpec(name="teller", adapter="claude", model=SONNET, capabilities=["teller"]),
            worker.AgentSpec(name="counter", adapter="codex", model=HAIKU, capabilities=["counter"]),
            worker.AgentSpec(name="stranger", adapter="sim", model=HOMEBREW, capabilities=["stranger"]),
            worker.AgentSpec(name="mute", adapter="sim", capabilities=["mute"]),
        ]
        self.told.order(worker.Register(worker_id="w", boot_id="b", agents=agents))
        self.epoch = self.told.state.workers["w"].epoch

    def begin(self, who: str, name: str, later_ms: float = 40, **spec: object) -> str:
        wording = TaskSpec(title=f"Task {name}", needs=[who], **spec)  # type: ignore[arg-type]
        self.told.order(task.Submit(task_id=f"default/{name}", spec=wording), later_ms=later_ms)
        run_id = f"default/{name}~1"
        self.told.order(run.Start(run_id=run_id, worker_id="w", epoch=self.epoch))
        return run_id

    def says(self, run_id: str, later_ms: float = 40, **usage: int) -> None:
        told = run.Progress(run_id=run_id, worker_id="w", epoch=self.epoch, usage=Usage(**usage))
        self.told.order(told, later_ms=later_ms)

    def ends(self, run_id: str, later_ms: float = 40, **usage: int) -> None:
        told = run.Finish(run_id=run_id, worker_id="w", epoch=self.epoch, result="succeeded", usage=Usage(**usage))
        self.told.order(told, later_ms=later_ms)

    @property
    def now(self) -> At:
        return At(events_seq=len(self.told.events), observations_seq=0, at=self.told.now)


def one_of_each() -> Yard:
    """Reported 2 dollars; 1 M haiku input tokens, a dollar by the list; 500 tokens without a price; and silence."""
    yard = Yard()
    yard.ends(yard.begin("teller", "told", lane="A"), input_tokens=1_000, cost_uusd=2 * DOLLAR)
    yard.ends(yard.begin("counter", "counted", lane="B"), input_tokens=1_000_000)
    yard.ends(yard.begin("stranger", "strange", lane="B"), output_tokens=500)
    yard.ends(yard.begin("mute", "mute", lane="C"))
    return yard


@pytest.fixture
def yard() -> Yard:
    return one_of_each()


async def known(folded, yard: Yard) -> Folded:
    model: Folded = await folded()
    return await model.take(yard.told)


def test_a_list_price_has_its_own_rate_for_each_kind_of_token():
    found = rates(SONNET)
    assert found == Rates(
        provider="anthropic", model=SONNET, fresh=3 * DOLLAR, cache_read=300_000, cache_write=3_750_000,
        output=15 * DOLLAR,
    )  # fmt: skip
    usage = Usage(input_tokens=1_000, cache_read_tokens=10_000, cache_write_tokens=1_000, output_tokens=100)
    assert found.price(usage) == 3_000 + 3_000 + 3_750 + 1_500


@pytest.mark.parametrize("model", ["", "homebrew-9", "gpt-nonsense", "nowhere/claude-sonnet-4-5", "x" * 5_000])
def test_a_model_that_no_list_knows_has_no_price(model: str):
    assert rates(model) is None


def test_a_name_may_say_whose_price_is_meant():
    assert rates("openrouter/anthropic/claude-sonnet-4.5").provider == "openrouter"  # type: ignore[union-attr]


def test_what_a_run_reported_wins_over_what_its_tokens_would_cost():
    assert cost_of(Usage(input_tokens=1_000_000, cost_uusd=7), SONNET).basis == "reported"
    assert cost_of(Usage(input_tokens=1_000_000, cost_uusd=0), SONNET).uusd == 0  # it said that it was free
    assert cost_of(Usage(input_tokens=1_000_000), SONNET).uusd == 3 * DOLLAR
    assert cost_of(Usage(input_tokens=1_000_000), HOMEBREW) == cost_of(Usage(output_tokens=1), "")
    assert cost_of(Usage(input_tokens=1_000_000), HOMEBREW).uusd is None
    assert cost_of(Usage(), SONNET).basis == "none"


async def test_each_kind_of_cost_is_summed_apart_and_the_unpriced_is_never_zero(folded, yard: Yard):
    model = await known(folded, yard)
    found = await model.ask(costs, yard.now, "agent", CostFilter())
    by = {row.key: row for row in found.rows}
    assert [row.key for row in found.rows[:2]] == ["w/teller", "w/counter"]  # the dearest first
    assert (by["w/teller"].uusd, by["w/teller"].basis) == (2 * DOLLAR, "reported")
    assert (by["w/counter"].uusd, by["w/counter"].basis) == (DOLLAR, "estimated")
    assert (by["w/stranger"].uusd, by["w/stranger"].basis) == (None, "unpriced")
    assert by["w/stranger"].unpriced_tokens == 500
    assert (by["w/mute"].uusd, by["w/mute"].basis) == (None, "none")
    assert found.total.uusd == 3 * DOLLAR
    assert (found.total.unpriced_runs, found.total.silent_runs) == (1, 1)
    assert found.total.basis == "partly estimated"


@pytest.mark.parametrize("by", ["session", "agent", "model", "task", "lane", "hour", "run", "state"])
async def test_the_rows_of_every_table_come_to_the_same_sum(folded, yard: Yard, by: str):
    model = await known(folded, yard)
    found = await model.ask(costs, yard.now, by, CostFilter())
    for field in ("runs", "tokens", "reported_uusd", "estimated_uusd", "unpriced_tokens", "silent_runs"):
        assert sum(getattr(row, field) for row in found.rows) == getattr(found.total, field)
    assert found.total.runs == 4


async def test_a_number_leads_to_just_the_runs_it_is_the_sum_of(folded, yard: Yard):
    model = await known(folded, yard)
    for row in (await model.ask(costs, yard.now, "lane", CostFilter())).rows:
        behind = await model.ask(costs, yard.now, "run", CostFilter(lane=row.key))
        assert sum(each.uusd or 0 for each in behind.rows) == (row.uusd or 0)
        assert len(behind.rows) == row.runs
    unpriced = await model.ask(costs, yard.now, "run", CostFilter(basis="unpriced"))
    assert [row.key for row in unpriced.rows] == ["default/strange~1"]


async def test_the_same_tokens_by_another_model_cost_what_its_list_says(folded, yard: Yard):
    model = await known(folded, yard)
    found = await model.ask(costs, yard.now, "agent", CostFilter(), otherwise=rates(SONNET))
    by = {row.key: row.otherwise_uusd for row in found.rows}
    assert by == {"w/teller": 3_000, "w/counter": 3 * DOLLAR, "w/stranger": 7_500, "w/mute": 0}


async def test_the_past_cost_what_it_had_cost_by_then(folded):
    yard = Yard()
    first = yard.begin("teller", "long")
    yard.says(first, cost_uusd=DOLLAR)
    then = yard.now
    yard.ends(first, cost_uusd=5 * DOLLAR)
    model = await known(folded, yard)
    before = await model.ask(costs, then, "run", CostFilter())
    assert (before.total.uusd, before.total.under_way) == (DOLLAR, 1)
    assert (await model.ask(costs, yard.now, "run", CostFilter())).total.uusd == 5 * DOLLAR


async def test_the_burn_rate_counts_what_was_added_and_not_what_a_run_had_cost_before(folded):
    yard = Yard()
    long = yard.begin("teller", "long")
    yard.says(long, cost_uusd=10 * DOLLAR)
    yard.says(long, cost_uusd=14 * DOLLAR, later_ms=HOUR_MS / 2)
    yard.says(long, cost_uusd=15 * DOLLAR, later_ms=HOUR_MS * 0.45)
    model = await known(folded, yard)
    found = await model.ask(burn, yard.now)
    assert found.today.uusd == 15 * DOLLAR
    assert found.last_5m_uusd == DOLLAR
    assert found.last_60m_uusd == 15 * DOLLAR
    later = At(events_seq=yard.now.events_seq, observations_seq=0, at=yard.now.at + HOUR_MS * 1_000 // 4)
    found = await model.ask(burn, later)
    assert (found.last_5m_uusd, found.last_60m_uusd) == (0, 5 * DOLLAR)
    hours_left = (found.next_midnight - found.now) / (HOUR_MS * 1_000)
    assert found.forecast_uusd == pytest.approx(15 * DOLLAR + 5 * DOLLAR * hours_left, abs=1)


async def test_an_hour_without_an_end_stands_among_the_others(folded):
    yard = Yard()
    yard.ends(yard.begin("teller", "early"), cost_uusd=DOLLAR)
    yard.ends(yard.begin("teller", "late", later_ms=3 * HOUR_MS), cost_uusd=2 * DOLLAR)
    model = await known(folded, yard)
    found = await model.ask(hours, yard.now, CostFilter(), count=6)
    assert [row.uusd for row in found] == [None, None, DOLLAR, None, None, 2 * DOLLAR]


async def test_others_ask_for_the_cost_of_the_things_they_show(folded, yard: Yard):
    model = await known(folded, yard)
    found = await model.ask(spent_by, yard.now, "agent", ["w/counter", "w/nobody"])
    assert {key: row.uusd for key, row in found.items()} == {"w/counter": DOLLAR}
    assert set(await model.ask(spent_by, yard.now, "lane")) == {"A", "B", "C"}


async def test_an_agent_s_model_is_the_one_it_had_when_the_run_began(folded):
    yard = Yard()
    yard.ends(yard.begin("counter", "first"), input_tokens=1_000_000)
    renamed = worker.AgentSpec(name="counter", adapter="codex", model=SONNET, capabilities=["counter"])
    yard.told.order(worker.Leave(worker_id="w", epoch=yard.epoch))
    yard.told.order(worker.Register(worker_id="w", boot_id="b2", agents=[renamed]))
    yard.epoch = yard.told.state.workers["w"].epoch
    yard.ends(yard.begin("counter", "second"), input_tokens=1_000_000)
    model = await known(folded, yard)
    found = await model.ask(costs, yard.now, "model", CostFilter())
    assert {row.key: row.uusd for row in found.rows} == {HAIKU: DOLLAR, SONNET: 3 * DOLLAR}
    burns = await model.ask(burn, yard.now)
    assert (burns.today.uusd, burns.last_60m_uusd) == (4 * DOLLAR, 4 * DOLLAR)


async def test_no_digest_knows_a_price(folded, yard: Yard):
    """The tables hold what was reported; a price list that changes leaves them, and their digests, alone."""
    model = await known(folded, yard)
    before = await model.digest()
    await model.ask(costs, yard.now, "agent", CostFilter(), otherwise=rates(SONNET))
    assert await model.digest() == before
    assert Spent().uusd is None
