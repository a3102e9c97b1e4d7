"""What time brings: nobody is called lost by a core that could not hear."""

from __future__ import annotations

from core.clock import HandClock
from core.domain import machine, worker
from core.domain.state import State
from core.watch import Watch
from tests.spec import finish, given, register, submit

TTL_S = 6.0


class Ears:
    """Beats as they were heard, by worker."""

    def __init__(self) -> None:
        self.heard: dict[str, float] = {}

    def last(self, worker_id: str, epoch: int) -> tuple[float, int] | None:  # noqa: ARG002
        return (self.heard[worker_id], 0) if worker_id in self.heard else None


class Core:
    """A watch over a state, on a clock wound by hand; ``orders`` are what it ordered."""

    def __init__(self, state: State) -> None:
        self.clock, self.ears, self.state = HandClock(), Ears(), state
        self.orders: list[machine.Command] = []
        self.stopped_for_s = 0.0  # while its next order is under way
        self.watch = Watch(self.clock, self.ears, self._order, beat_ttl_s=TTL_S)
        self.watch.start_anew()

    async def _order(self, command: machine.Command, order_id: str) -> None:  # noqa: ARG002
        self.clock.advance(seconds=self.stopped_for_s)
        self.stopped_for_s = 0.0
        self.orders.append(command)

    async def looks(self, *, seconds: float) -> None:
        """Look every quarter of a second for so long."""
        for _ in range(int(seconds * 4)):
            await self.watch.look(self.state)
            self.clock.advance(seconds=0.25)

    @property
    def lost(self) -> list[str]:
        return [order.worker_id for order in self.orders if isinstance(order, worker.Lose)]


async def test_W3_a_worker_silent_for_the_ttl_is_ordered_lost():
    core = Core(given(register()).state)
    await core.looks(seconds=TTL_S)
    assert core.lost == []
    await core.looks(seconds=1)
    assert core.lost[:1] == ["anvil"]


async def test_W3_a_core_that_is_stopped_while_it_orders_something_else_calls_nobody_lost():
    story = given(register(), submit("fix"))
    failed = finish(story, "fix", "failed", error_class="exit")
    core = Core(story.after(failed).state)
    core.clock.set_wall(max(core.state.timers.values()))
    core.ears.heard["anvil"] = core.clock.monotonic()
    core.stopped_for_s = 2 * TTL_S  # while the waking order is under way; beats that came meanwhile are unread
    await core.watch.look(core.state)
    await core.watch.look(core.state)
    assert core.orders
    assert core.lost == []
