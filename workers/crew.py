"""Who works on a worker: the agents of its pools, and those it took on since."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from core.domain.worker import AgentSpec, HireOrdered
from workers.journal import Hired, Journal
from workers.pools import BadPools, Pool, agents, hired

log = logging.getLogger(__name__)


class Crew:
    """``specs`` are offered to the core, ``pools`` tell an agent's pool by its id.

    Who was hired is on disk before it is reported, so that a crash does not lose it; when the worker leaves, it is left
    with its own pools.
    """

    def __init__(self, worker_id: str, pools: Sequence[Pool], journal: Journal) -> None:
        self._worker_id = worker_id
        self._journal = journal
        self._own = agents(list(pools))
        self._make()

    def _make(self) -> None:
        self.specs: list[AgentSpec] = []
        self.pools: dict[str, Pool] = {}
        for spec, pool in self._own:
            self._add(spec, pool)
        for each in self._journal.hired:
            for spec in each.agents:
                self._add(spec, each.pool)

    def _add(self, spec: AgentSpec, pool: Pool) -> None:
        agent_id = f"{self._worker_id}/{spec.name}"
        if agent_id not in self.pools:
            self.specs.append(spec)
            self.pools[agent_id] = pool

    @property
    def has_hired(self) -> bool:
        return bool(self._journal.hired)

    def hire(self, order: HireOrdered) -> list[AgentSpec]:
        """Take on the agents an order asks for; none where that cannot be."""
        try:
            pool, specs = hired(order, list(self.pools.values()), {spec.name for spec in self.specs})
            self._journal.hire(Hired(pool, specs))
        except (BadPools, OSError) as error:
            log.warning("nobody hired worker_id=%s: %s", self._worker_id, error)
            return []
        for spec in specs:
            self._add(spec, pool)
        return specs

    def dismiss(self) -> None:
        """Go on with the agents of our own pools alone."""
        self._journal.dismiss()
        self._make()
