"""What a query hands out: one struct a thing, ready for a part to draw. Times in microseconds; 0: never.

Every row is as of one moment, an ``At``. Nothing here knows SQL, and nothing here is computed by a template.
One module a topic; a row that one query alone hands out stands beside that query.
"""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of an answer."""


class At(Row, frozen=True):
    """A moment: facts up to ``events_seq``, observations up to ``observations_seq``, commands up to ``commands_seq``.

    ``at`` is the time that goes with it: now for the live moment, the asked time, or the named fact's own.
    """

    events_seq: int
    observations_seq: int
    commands_seq: int = 0
    at: int = 0
    live: bool = True

    @property
    def event_id(self) -> str:
        """The live stream's event id: ``<events sequence>.<observations sequence>``."""
        return f"{self.events_seq}.{self.observations_seq}"
