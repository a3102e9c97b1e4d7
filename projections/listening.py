"""Who wants to hear of each commit: what comes while a listener is busy is put together into one."""

from __future__ import annotations

import asyncio

from projections.rows.positions import MANY, Changed


class Listener:
    """One reader of changes."""

    def __init__(self) -> None:
        self._waiting: Changed | None = None
        self._bell = asyncio.Event()

    def put(self, changed: Changed) -> None:
        self._waiting = changed if self._waiting is None else together(self._waiting, changed)
        self._bell.set()

    async def next(self) -> Changed:
        await self._bell.wait()
        self._bell.clear()
        changed, self._waiting = self._waiting, None
        assert changed is not None
        return changed


def together(one: Changed, other: Changed) -> Changed:
    """Two changes as one."""
    many = one.many | other.many
    keys: dict[str, frozenset[str]] = {}
    for name in (one.keys.keys() | other.keys.keys()) - many:
        ids = one.keys.get(name, frozenset()) | other.keys.get(name, frozenset())
        if len(ids) > MANY:
            many |= {name}
        else:
            keys[name] = ids
    return Changed(
        events_seq=max(one.events_seq, other.events_seq),
        observations_seq=max(one.observations_seq, other.observations_seq),
        commands_seq=max(one.commands_seq, other.commands_seq),
        tables=one.tables | other.tables,
        keys=keys,
        many=many,
    )
