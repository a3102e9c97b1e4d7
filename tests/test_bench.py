"""The benchmark's own arithmetic: what it prints is what was measured."""

from __future__ import annotations

import asyncio

import pytest

from bench import decide, scenarios
from bench.__main__ import main
from bench.figures import Figure, percentile, table
from bench.machine import Noise
from bench.pages import delays_ms
from bench.report import Report, Sizes, merged, over_floors
from bench.tab import AN_HOUR, Reading, figures_of


def test_a_figure_is_held_against_its_gate_by_its_median():
    fast = Figure(scenario="T", name="tasks", values=[1.0, 5.0, 4.0], gate=4)
    slow = Figure(scenario="L", name="latency", values=[3.0, 9.0, 9.0], gate=5, better="less")

    assert (fast.median, fast.holds) == (4.0, True)
    assert (slow.median, slow.holds) == (9.0, False)
    assert Figure(scenario="M", name="memory", values=[1.0]).holds is None


def test_the_table_says_what_was_not_reached_and_what_was_not_measured():
    said = table(
        [
            Figure(scenario="D", name="a thousand tasks", unit="s", values=[0.4, 0.6, 0.9], gate=0.5, better="less"),
            Figure(scenario="T", name="tasks", problem="core ended with 1"),
        ]
    )

    assert "0.60 [0.40-0.90] s" in said
    assert "≤ 0.50 NOT reached" in said
    assert "not measured: core ended with 1" in said


def test_a_percentile_is_a_value_that_was_measured():
    hundred = [float(n) for n in range(1, 101)]

    assert percentile(hundred, 0.50) == 50
    assert percentile(hundred, 0.99) == 99
    assert percentile([7.0], 0.99) == 7


def test_a_fact_is_seen_with_the_first_message_that_is_not_before_it():
    told = [(1_000, 5), (9_000, 5), (20_000, 12)]

    assert delays_ms([(4, 500), (5, 1_000), (6, 10_000), (13, 0)], told) == [0.5, 0.0, 10.0]


def test_a_tab_that_grows_says_by_how_much_an_hour_and_one_reading_amid_a_swap_says_nothing():
    def readings(heap_per_hour: float) -> list[Reading]:
        return [
            Reading(
                messages=n, swaps=n * AN_HOUR, heap_mb=2 + heap_per_hour * n + (3 if n == 4 else 0), nodes=100,
                listeners=9, resident_mb=300,
            )
            for n in range(13)
        ]  # fmt: skip

    noise = Noise(spin_ms=25, sync_ms=0.2, load1=0, others=0)
    updates, heap, nodes, *_ = figures_of(readings(1.5), "/agents", noise)
    flat = figures_of(readings(0), "/agents", noise)[1]

    assert "100% of the 172,800 that 12 hours have" in updates.note
    assert (heap.median, heap.holds, heap.note) == (pytest.approx(1.5), False, "2.0 at first, 20.0 at last")
    assert (nodes.median, nodes.holds) == (0, True)
    assert (flat.median, flat.holds) == (0, True)


def test_rounds_of_one_figure_are_one_figure_and_a_task_is_five_messages_on_the_floor():
    rounds = [Figure(scenario="T", name="tasks, submit → done", unit="/s", values=[n]) for n in (3_000.0, 5_000.0)]
    bare = Figure(scenario="floor", name="bare append, batches of 400", values=[40_000.0])

    (tasks, _) = over_floors([*merged(rounds), bare])

    assert (tasks.values, tasks.floor) == ([3_000.0, 5_000.0], 8_000.0)


async def test_a_scenario_that_fails_or_hangs_is_a_line_of_the_report_and_the_next_one_runs():
    report = Report({"T", "L", "D"}, Sizes(within_s=0.02))

    async def fails():
        raise RuntimeError("no server")

    async def hangs():
        await asyncio.Event().wait()

    async def works():
        return [Figure(scenario="D", name="tasks", values=[1.0])]

    await report.add("T", fails)
    await report.add("L", hangs)
    await report.add("D", works)

    assert [each.problem for each in report.figures] == ["RuntimeError: no server", "not done within 0.02 s", ""]


async def test_when_a_fleet_does_not_come_up_every_scenario_on_it_says_so():
    report = Report({"T", "M", "fold"}, Sizes())

    async def comes_up():
        report.figures.append(Figure(scenario="M", name="resident core", values=[30.0]))
        raise RuntimeError("console ended with 1")

    await report.together(("L", "T", "M", "fold"), comes_up)

    assert [each.scenario for each in report.figures if each.problem] == ["T", "fold"]


async def test_a_run_stops_measuring_when_its_time_is_over():
    report = Report({"T"}, Sizes(all_within_s=0.0))

    async def works():
        return [Figure(scenario="T", name="tasks", values=[1.0])]

    await report.add("T", works)

    assert report.figures[0].problem == "no time was left"


def test_the_plan_for_the_core_alone_is_decided_to_its_end():
    log = decide.Log(1_000)
    (figure,) = decide.in_process(log, times=1)

    assert len(log.messages) - log.prologue == 1_000
    assert figure.values[0] > 0
    assert not log.state.tasks
    assert b"run.finish" in log.messages[-1].data


def test_an_unknown_scenario_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "T,X"])

    assert f"there is no scenario 'X'; there are: {', '.join(scenarios.ALL)}" in capsys.readouterr().err
