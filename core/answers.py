"""Outcomes on their way back to whoever waits: by NATS inbox, or within one process."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future

from core.ledger import LedgerError
from core.link import Link
from core.replies import Reply

log = logging.getLogger(__name__)


class LinkAnswers:
    """Over a link. An answer nobody waits for any more is dropped by the server; the log has the outcome."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def open(self, within_s: float) -> tuple[str, Future[bytes]]:
        inbox, future = self._link.expect(_body, within_s=within_s)
        return inbox.decode(), future

    def tell(self, inbox: str, data: bytes) -> None:
        try:
            self._link.publish(inbox, data)
        except (LedgerError, ValueError) as error:  # an inbox comes from outside: it may be no subject at all
            log.info("an outcome could not be told to %.80r: %s", inbox, error)


class LocalAnswers:
    """Within one process, for tests and the simulator."""

    def __init__(self) -> None:
        self._waiting: dict[str, Future[bytes]] = {}
        self._count = 0

    def open(self, within_s: float) -> tuple[str, Future[bytes]]:  # noqa: ARG002 - the caller bounds its wait
        self._count += 1
        inbox = f"local.{self._count}"
        future: Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[inbox] = future
        future.add_done_callback(lambda _: self._waiting.pop(inbox, None))
        return inbox, future

    def tell(self, inbox: str, data: bytes) -> None:
        future = self._waiting.pop(inbox, None)
        if future is not None and not future.done():
            future.set_result(data)


def _body(reply: Reply) -> bytes:
    return reply.data
