"""The console put together: what it connects to when it starts, and the routes it answers on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response

from console import api, entrance, forms, metrics, stations, stream
from console.cells import Drawing
from console.compressed import COMPRESSION, Files
from console.desk import Desk
from console.errors import handle, refuse
from console.login import Gate
from console.pace import Pace
from console.pages import (
    agents,
    board,
    bulk,
    command,
    commands,
    cost,
    crew,
    edit,
    exports,
    kept,
    now,
    palette,
    queues,
    replay,
    runs,
    sessions,
    system,
    task,
    tasks,
    template_edit,
    template_use,
    templates,
    timeline,
)
from console.panels import navs
from console.render import STATIC
from console.security import Guard
from core.clock import SystemClock

log = logging.getLogger("console")

OpenDesk = Callable[[], AbstractAsyncContextManager[Desk]]


def create(open_desk: OpenDesk, gate: Gate, pace: Pace | None = None) -> FastAPI:
    """The application. ``open_desk`` connects and follows for as long as the application runs; ``pace`` bounds how fast
    one login may write."""
    app = FastAPI(
        title="Switchtower", version=api.VERSION, lifespan=_lifespan(open_desk), docs_url=None, redoc_url=None,
        openapi_url=None,
    )  # fmt: skip
    app.add_middleware(GZipMiddleware, **COMPRESSION)
    app.add_middleware(Guard, gate=gate, pace=pace or Pace(SystemClock()), refuse=_refuse)
    paths: set[str] = set()
    doors = (
        entrance, forms, stream, palette, now, agents, queues, board, bulk, tasks, edit, task, sessions, runs, kept,
        cost, exports, timeline, replay, template_edit, template_use, templates, commands, command, system, crew,
        metrics, api,
    )  # fmt: skip
    for door in doors:
        app.include_router(door.routes)
        paths |= {getattr(route, "path", "") for route in door.routes.routes}
    app.state.stations = stations.open_on(paths)
    app.state.cells = (*(each for door in doors for each in getattr(door, "cells", ())), *navs(app.state.stations))
    app.mount("/static", Files(STATIC), name="static")
    handle(app)
    return app


def _lifespan(open_desk: OpenDesk) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_desk() as desk:
            app.state.desk = desk
            app.state.drawing = Drawing(app.state.cells, desk)
            desk.read_model.watched = lambda: desk.hub.listeners > 0
            telling = asyncio.create_task(desk.hub.run(desk.read_model, app.state.drawing), name="tell open pages")
            telling.add_done_callback(_died)
            try:
                yield
            finally:
                desk.hub.stop()
                telling.cancel()
                await desk.prover.stop()

    return lifespan


def _died(telling: asyncio.Task[None]) -> None:
    """Open pages would go stale without a word; say it where an operator of the process looks."""
    if not telling.cancelled() and (error := telling.exception()) is not None:
        log.error("open pages are no longer told of changes", exc_info=error)


def _refuse(request: Request, status: int, detail: str) -> Response:
    return refuse(request, status, detail)
