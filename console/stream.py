"""GET /live: the stream an open page listens to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from console.desk import Desk, desk_of
from console.listener import Listener, parse_pace, parse_panels
from console.output import subject

routes = APIRouter()

WATCHED_RUNS = 4  # a page shows one; more are an asker who wants too much


@routes.get("/live", include_in_schema=False)
async def live(request: Request) -> Response:
    """Events named after panels, from ``Last-Event-ID`` or ``?since=`` on. Raises ``TooManyListeners``."""
    desk = desk_of(request)
    asked, drawing = request.query_params, request.app.state.drawing
    panels = parse_panels(asked.getlist("panel"))
    cells = frozenset(asked.getlist("cells"))
    listener = desk.hub.open(
        panels,
        request.headers.get("last-event-id", ""),
        asked.get("since", ""),
        cells=cells & drawing.rows.keys(),
        shared=cells & drawing.shared.keys(),
        pace=parse_pace(asked.getlist("pace")),
    )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_told(desk, listener, request), media_type="text/event-stream", headers=headers)


async def _told(desk: Desk, listener: Listener, request: Request) -> AsyncIterator[bytes]:
    watching = [asyncio.ensure_future(_watch(desk, listener, topic)) for topic in _outputs(listener)]
    try:
        async for message in desk.hub.messages(listener, lambda: _welcome(desk, request)):
            yield message
            await asyncio.sleep(0)  # a generator that never waits would outlive its reader
    finally:
        desk.hub.close(listener)
        for watch in watching:
            watch.cancel()


def _welcome(desk: Desk, request: Request) -> bool:
    return desk.gate.welcome(request.headers.get("authorization", ""), request.cookies)


def _outputs(listener: Listener) -> list[str]:
    topics = {topic for wanted in listener.panels.values() for topic in wanted}
    return sorted(topic for topic in topics if topic.startswith("output:") and topic != "output:*")[:WATCHED_RUNS]


async def _watch(desk: Desk, listener: Listener, topic: str) -> None:
    """Tell the listener when the run prints something."""
    head = await desk.ledger.head("OUTPUT")
    follow = desk.ledger.follow("OUTPUT", after=head.last_seq, subjects=[subject(topic.partition(":")[2])])
    async with aclosing(follow) as printed:
        async for _ in printed:
            listener.tell(frozenset({topic}), listener.position)
