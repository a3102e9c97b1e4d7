"""A read model folded straight from a history, without a ledger."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from core.ledger import Stored, Stream
from projections.model import Model, digest
from projections.store import open_store
from tests.projections.history import History


class Folded:
    """A model that takes a history in, in pieces of the wished size."""

    def __init__(self, path: Path | None = None) -> None:
        self.model = Model(open_store(path))

    async def open(self) -> Folded:
        await self.model.open()
        await self.model.settle()
        return self

    async def take(self, history: History, *, pieces: Random | int = 5_000, until: int | None = None) -> Folded:
        """All of the history (facts up to ``until``), in pieces of ``pieces`` messages, or of random sizes."""
        await self._stream("EVENTS", history.events[:until], pieces)
        await self._stream("COMMANDS", history.commands, pieces)
        return self

    async def _stream(self, stream: Stream, messages: list[Stored], pieces: Random | int) -> None:
        at = 0
        while at < len(messages):
            size = pieces if isinstance(pieces, int) else pieces.choice((1, 2, 7, 60, 60))
            await self.model.take(stream, messages[at : at + size])
            at += size

    async def ask(self, query: Any, *args: Any, **named: Any) -> Any:
        return await self.model.store.query(query, *args, **named)

    async def digest(self) -> dict[str, str]:
        return await self.ask(digest, sorted(self.model.store.sql.tables))
