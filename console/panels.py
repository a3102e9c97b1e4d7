"""A page is a frame around panels. Each panel is one part; asked for alone (``?part=name``) it is the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from console.cells import Shared
from console.desk import Desk
from console.listener import RESET
from console.look import Absent, Look, now_of
from console.player import player
from console.render import page, part, query
from console.sides import Sides
from console.stations import Station, station_of
from projections import queries
from projections.rows import At

_NOWHERE = "/nowhere"  # a path of no station
NEAR = 5_000  # facts behind that are folded within a tenth of a second: under load there are always some

Load = Callable[[], Awaitable[dict[str, Any]]]


class Panel(msgspec.Struct, frozen=True):
    """``topics``: changes after which it is drawn anew. ``load`` gives the part's rows. ``every_s``: it shows ages, so
    it is asked for again after this long even when nothing changed; 0: it shows none.
    ``beside``: it shows more than the read model holds, so the moment alone does not tell what it looks like.
    ``cells``: the kind of cells its rows are (``console/cells.py``); those are pushed. ``shared``: the kind of shared
    panel it is; then it is pushed whole. ``pace_s``: after a change it can wait this long, since it was last told of.
    ``at``: the moment it is drawn of where that is not its page's own, as what is drawn of the sides; none later.
    """

    name: str
    topics: tuple[str, ...]
    load: Load
    every_s: int = 0
    beside: bool = False
    cells: str = ""
    shared: str = ""
    pace_s: float = 0.0
    at: At | None = None

    async def draw(self, desk: Desk, look: Look) -> Markup:
        """The part's bytes. Open pages of one address and moment share them; ages make a moment last a second.

        A part that is fetched because its page was told to may be as old as the last telling of anybody, for up to a
        second: what came since will be told.
        """
        if self.beside:
            return await self._draw(look)
        second = look.time // 1_000_000
        drawn_of = self.at or look.at
        at: tuple[int, ...] = (drawn_of.events_seq, drawn_of.observations_seq, drawn_of.commands_seq)
        if look.part and look.live and desk.hub.listeners:
            at = (desk.hub.told, second)
        elif self.every_s:
            at = (*at, second)
        key = (self.name, look.path, look.asked, at)
        return await desk.shelf.get(key, lambda: self._draw(look))

    async def _draw(self, look: Look) -> Markup:
        return Markup(part(self.name, look=look, **await self.load()))  # noqa: S704 - our own templates


class Drawn(msgspec.Struct, frozen=True):
    """A panel as the frame places it: its bytes, where to fetch them again, and on which events of the live stream."""

    name: str
    html: Markup
    source: str
    trigger: str
    tag: str


async def show(  # noqa: PLR0917 - every page says the same five things in the same order
    request: Request, desk: Desk, look: Look, name: str, title: str, panels: Sequence[Panel], **rows: Any
) -> Response:
    """The page ``name``, or the one panel asked for, or nothing new (304) when the asker has those bytes already."""
    sides = None if look.part else await desk.beside.look(desk, look)
    nav = Panel("nav", (), lambda: _nav(desk, look, sides), beside=True, shared=_nav_of(station_of(look.path)))
    past = () if look.live else (Panel("player", (), lambda: player(desk, look), beside=True),)
    halted = Panel("halted", ("fleet_state",), lambda: _halted(desk, look), every_s=30)
    panels = (*panels, *past, nav, halted, _model(desk))
    if sides is None:
        return await _one(request, desk, look, panels)
    drawn = await asyncio.gather(*(panel.draw(desk, look) for panel in panels))
    placed = {panel.name: _placed(panel, html, look) for panel, html in zip(panels, drawn, strict=True)}
    html = page(
        name, look=look, title=title, panels=placed, stream=stream_of(panels, sides.at),
        positions=desk.read_model.positions(), version=desk.version, alarms=sides.alarms, **rows,
    )  # fmt: skip
    return HTMLResponse(html, headers={"Vary": "HX-Request"})


async def _one(request: Request, desk: Desk, look: Look, panels: Sequence[Panel]) -> Response:
    panel = next((panel for panel in panels if panel.name == look.part), None)
    if panel is None:
        raise Absent(f"This page has no part {look.part[:40]!r}.")
    html = await panel.draw(desk, look)
    if panel.shared:
        return HTMLResponse(html, headers={"Vary": "HX-Request"})
    tag = _tag(html)
    if request.headers.get("hx-ptag") == tag:
        return Response(status_code=304, headers={"HX-PTag": tag})
    return HTMLResponse(html, headers={"HX-PTag": tag, "Vary": "HX-Request"})


def _placed(panel: Panel, html: Markup, look: Look) -> Drawn:
    triggers = f"{RESET} from:#live" if panel.shared else f"{panel.name} from:#live, {RESET} from:#live"
    if panel.every_s:
        triggers += f", every {panel.every_s}s"
    tag = "" if panel.shared else _tag(html)  # what is pushed into its place has no tag
    return Drawn(panel.name, html, look.here(part=panel.name), triggers, tag)


def stream_of(panels: Sequence[Panel], since: At) -> str:
    """The live stream's address: what each panel is about, and the moment the oldest of them was drawn at."""
    about = [" ".join((panel.name, *panel.topics)) for panel in panels if panel.topics]
    cells = [kind for panel in panels for kind in (panel.cells, panel.shared) if kind]
    pace = [f"{panel.name} {panel.pace_s:g}" for panel in panels if panel.pace_s]
    return "/live" + query(since=since.event_id, panel=about, cells=cells, pace=pace)


@lru_cache(maxsize=32)  # many open pages fetch the very same bytes at once
def _tag(html: str) -> str:
    return blake2b(html.encode(), digest_size=8).hexdigest()


def _model(desk: Desk) -> Panel:
    """A word on every page while the read model is not what the log says. Asked for often only then."""
    folded = desk.read_model.positions()
    fine = folded.doing == "following" or (folded.doing == "catching up" and folded.events.lag < NEAR)

    async def load() -> dict[str, Any]:
        return {"positions": folded, "fine": fine}

    return Panel("model", (), load, every_s=30 if fine else 3, beside=True)


def navs(stations: tuple[Station, ...]) -> list[Shared]:
    """The navigation as each station shows it, and as a page does that stands on none."""
    topics = ("tasks", "agents", "workers", "sessions", "plans")
    paths = {"": _NOWHERE} | {station.name: station.path for station in stations}

    def draws(path: str) -> Callable[[Desk], Awaitable[str]]:
        async def draw(desk: Desk) -> str:
            look = now_of(desk, path, stations=stations, part="nav")
            return part("nav", look=look, **await _nav(desk, look))

        return draw

    return [Shared(_nav_of(name), "nav", topics, 1.0, draws(path)) for name, path in paths.items()]


def _nav_of(station: str) -> str:
    return f"nav-{station}"


async def _nav(desk: Desk, look: Look, sides: Sides | None = None) -> dict[str, Any]:
    """Drawn of the sides its page begins at, so that what they miss is told."""
    sides, here = sides or await desk.beside.look(desk, look), station_of(look.path)
    return {"counts": sides.counts, "alarms": sides.alarms, "sessions": sides.sessions, "here": here}


async def _halted(desk: Desk, look: Look) -> dict[str, Any]:
    return {"fleet": await desk.read_model.query(queries.fleet_state, look.at)}
