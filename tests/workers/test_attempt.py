"""One run: however its agent behaves, it ends, and ends in one report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from core.domain.words import Usage
from tests.workers.plant import Plant
from workers.adapters.adapter import Ended, Happening, Job, Means, Seen
from workers.attempt import Attempt
from workers.keepsakes import Keepsakes
from workers.observe import Redactor
from workers.outbox import Outbox
from workers.output import OutputLog
from workers.pools import Pool

JOB = Job(run_id="default/t~1", task_id="default/t", agent_id="w1/a-1", attempt=1, title="t", pool=Pool(adapter="sim"))


class Agent:
    """Says what it is given, then ends, or hangs where it is told to; listens to nobody."""

    def __init__(self, *says: Happening, hangs: bool = False, stop_hangs: bool = False) -> None:
        self.says, self.hangs, self.stop_hangs = says, hangs, stop_hangs

    async def start(self) -> None:
        pass

    async def events(self) -> AsyncIterator[Happening]:
        for each in self.says:
            yield each
        if self.hangs:
            await asyncio.Event().wait()

    async def send(self, text: str) -> None:
        pass

    async def interrupt(self) -> None:
        pass

    async def stop(self) -> None:
        if self.stop_hangs:
            self.stop_hangs = False
            await asyncio.Event().wait()


def attempt(plant: Plant, agent: Agent) -> Attempt:
    means = Means(clock=plant.clock, processes=SimpleNamespace())
    sights, output = (Outbox(plant.ledger, name, plant.clock, name="w1") for name in ("OBSERVATIONS", "OUTPUT"))
    redact = Redactor(["open-sesame"])
    log = OutputLog(JOB.run_id, output, plant.clock, redact, cap_bytes=1000)
    plant.tasks.append(asyncio.ensure_future(sights.run()))
    kept = Keepsakes(JOB.run_id, None, None, redact, plant.clock)
    return Attempt(JOB, agent, means, seen=sights, output=log, redact=redact, keepsakes=kept)


@pytest.mark.parametrize("verdict", ["cancelled", "interrupted"])
@pytest.mark.parametrize("stop_hangs", [False, True])
async def test_C4_an_agent_that_does_not_listen_ends_within_five_seconds(plant: Plant, verdict, stop_hangs):
    deaf = attempt(plant, Agent(hangs=True, stop_hangs=stop_hangs))
    await plant.settle()
    deaf.end(verdict)
    await plant.until(deaf.over.done, within_s=5.1)
    assert deaf.finish("w1", 1).result == verdict


async def test_a_cancel_takes_the_place_of_an_interrupt_that_is_under_way(plant: Plant):
    deaf = attempt(plant, Agent(hangs=True))
    await plant.settle()
    deaf.end("interrupted")
    deaf.end("cancelled")
    await plant.until(deaf.over.done, within_s=5.1)
    assert deaf.finish("w1", 1).result == "cancelled"


async def test_what_was_done_before_the_order_came_stays_done(plant: Plant):
    quick = attempt(plant, Agent(Ended(result="succeeded", summary="all of it")))
    await plant.settle()
    quick.end("interrupted")
    await plant.until(quick.over.done)
    report = quick.finish("w1", 1)
    assert (report.result, report.summary) == ("succeeded", "all of it")


async def test_an_agent_that_ends_without_a_word_failed(plant: Plant):
    mute = attempt(plant, Agent())
    await plant.until(mute.over.done)
    report = mute.finish("w1", 1)
    assert (report.result, report.error_class) == ("failed", "unknown")


async def test_U3_reports_and_observations_are_redacted(plant: Plant):
    seen = Seen(kind="tool", name="Bash", says="echo open-sesame", data={"input": {"command": "echo open-sesame"}})
    step = Seen(kind="step", says="say open-sesame")
    word = "open-sesame"
    ended = Ended(result="failed", error_class="exit", error=word, summary=word, checks=[word])
    loud = attempt(plant, Agent(seen, step, ended))
    await plant.until(loud.over.done)
    await plant.settle()
    stored = b"".join(each.data for each in plant.ledger.logs["OBSERVATIONS"].messages)
    assert b"open-sesame" not in stored
    assert stored.count(b"[redacted]") == 3
    report = loud.finish("w1", 1)
    assert [report.error, report.summary, *report.checks, loud.step] == ["[redacted]"] * 3 + ["say [redacted]"]


async def test_a_report_holds_no_more_than_the_core_takes(plant: Plant):
    usage = Usage(input_tokens=1)
    files = [Seen(kind="file", name=f"{n}/" + "ü" * 2_000) for n in range(700)]
    ended = Ended(result="failed", error="é" * 9_000, summary="ß" * 200_000, checks=["ç" * 900] * 80)
    long = attempt(plant, Agent(*files, Seen(kind="usage", usage=usage), ended))
    await plant.until(long.over.done)
    report = long.finish("w1", 1)
    assert (await plant.order(report)).outcome == "fenced", "it was decoded; the run is not this plant's"
