"""What a worker tells the core of its runs: started, how far, how it ended. Each said until the log has it."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future
from functools import partial
from typing import Literal

import msgspec

from core.clock import Clock
from core.domain import hire, run
from core.domain.words import Usage
from core.domain.worker import AgentSpec
from core.door import Door
from core.ledger import LedgerError, TooLarge

log = logging.getLogger(__name__)

SAY_AGAIN_S = 1.0

Result = Literal["succeeded", "failed", "interrupted", "cancelled"]
Report = run.Start | run.Progress | run.Finish


class Reports:
    """The reports of one epoch. Their ids are derived from what they mean, so one that is said twice does nothing."""

    def __init__(self, worker_id: str, epoch: int, door: Door, clock: Clock) -> None:
        self._worker_id, self._epoch = worker_id, epoch
        self._door, self._clock = door, clock
        self._closed = False

    def start(self, run_id: str) -> None:
        self._say(run.Start(run_id=run_id, worker_id=self._worker_id, epoch=self._epoch))

    def progress(self, run_id: str, *, step: str, percent: int | None, usage: Usage, files: list[str]) -> None:
        self._say(
            run.Progress(
                run_id=run_id,
                worker_id=self._worker_id,
                epoch=self._epoch,
                step=step,
                percent=percent,
                usage=usage,
                files=files,
            )
        )

    def ended(self, run_id: str, result: Result, *, error_class: str = "", error: str = "") -> None:
        """On a run that never became an attempt."""
        self.finish(
            run.Finish(
                run_id=run_id,
                worker_id=self._worker_id,
                epoch=self._epoch,
                result=result,
                error_class=error_class,
                error=error,
            )
        )

    def finish(self, report: run.Finish) -> None:
        self._say(report)

    def grow(self, agents: list[AgentSpec], order: int) -> None:
        """Agents that came by the order of that EVENTS sequence."""
        self._grow(hire.Grow(worker_id=self._worker_id, epoch=self._epoch, agents=agents), order)

    def _grow(self, report: hire.Grow, order: int) -> None:
        def again(error: BaseException) -> None:
            log.warning("agents not reported worker_id=%s: %s", self._worker_id, error)
            later = asyncio.ensure_future(self._clock.sleep(SAY_AGAIN_S))
            later.add_done_callback(lambda _: None if self._closed else self._grow(report, order))

        def stored(said: Future[int]) -> None:
            if not said.cancelled() and (error := said.exception()) is not None and not self._closed:
                again(error)

        try:
            said = self._door.put(report, command_id=f"~grow/{self._worker_id}/{self._epoch}/{order}")
        except LedgerError as error:
            again(error)
        else:
            said.add_done_callback(stored)

    def close(self) -> None:
        """The epoch is over: what could not be stored yet would be fenced."""
        self._closed = True

    def _say(self, report: Report) -> None:
        name = type(report).__name__.lower()
        try:
            stored = self._door.put(report, command_id=f"~{name}/{report.run_id}")
        except TooLarge as error:
            log.warning("report cut down to its bones run_id=%s: %s", report.run_id, error)
            if isinstance(report, run.Finish) and report != bare(report):
                self._say(bare(report))
        except LedgerError as error:
            self._say_again(report, error)
        else:
            stored.add_done_callback(partial(self._stored, report))

    def _stored(self, report: Report, stored: Future[int]) -> None:
        if not stored.cancelled() and (error := stored.exception()) is not None:
            self._say_again(report, error)

    def _say_again(self, report: Report, error: BaseException) -> None:
        """How a run ended has to reach the core; how far it is, the next report says better."""
        log.warning("report not stored run_id=%s: %s", report.run_id, error)
        if isinstance(report, run.Finish) and not self._closed:
            later = asyncio.ensure_future(self._clock.sleep(SAY_AGAIN_S))
            later.add_done_callback(lambda _: None if self._closed else self._say(report))


def bare(report: run.Finish) -> run.Finish:
    """The same report without what may make it too large."""
    return msgspec.structs.replace(report, summary="", error=report.error[:200], checks=[], files=[])
