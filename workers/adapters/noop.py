"""An agent that does nothing, at once: it shows what everything around the work costs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from workers.adapters.adapter import Ended, Happening, Job, Means, Unfit

DONE = Ended(result="succeeded")


class Noop:
    """In process. The worker knows that it ends at once and reports ``DONE`` without making one of these."""

    def __init__(self, job: Job, means: Means) -> None:
        pass

    async def start(self) -> None:
        pass

    async def events(self) -> AsyncIterator[Happening]:
        yield DONE

    async def send(self, text: str) -> None:
        raise Unfit(f"a noop agent listens to nobody, not to {text[:40]!r} either")

    def used(self) -> None:
        return None

    async def hold(self) -> None:
        pass

    async def go_on(self) -> None:
        pass

    async def interrupt(self) -> None:
        pass

    async def stop(self) -> None:
        pass
