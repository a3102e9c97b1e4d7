"""How a page is looked at: which moment, which filters, one part of it or the whole."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from starlette.requests import Request

from console.desk import Desk, desk_of
from console.render import query
from console.stations import Station
from core.domain.machine import made_at
from projections import queries
from projections.moments import second_of
from projections.rows import At
from projections.rows.record import Command, CommandFilter

MOST_ROWS = 1_000_000_000
AHEAD_US = 60_000_000  # clocks of one fleet may differ by this much
TOLD_EVERY_S = 0.02
SEEN_WAIT_S = 0.3  # how long a page waits for the fold to reach what the caller has seen
FRESH_US = 60_000_000  # an order older than this that no log tells of is not on its way any more
ASIDE = ("part", "seen", "told", "others")  # said once; links and parts do not repeat them

T = TypeVar("T")


class Absent(Exception):
    """There is no such thing at that moment; the text says what was looked for."""


class Elsewhere(Exception):
    """The page has a better address, which is the text."""


class NotYet(Exception):
    """The caller has seen it, the fold has not: the page is asked for again in a moment."""


class BadQuestion(Exception):
    """The address asks for something that cannot be; the text says what to write instead."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """``at``: the moment. ``asked``: the address's own parameters, in order. ``behind``: the fold has not reached what
    the caller saw, which is ``seen``. ``told``: the command whose outcome the page is to show; ``others``: how many
    more like it were given with it. ``tape``: what is looked at is a tape of that name. ``stations``: the pages there
    are."""

    at: At
    now: int
    path: str
    asked: tuple[tuple[str, str], ...] = ()
    part: str = ""
    seen: int = 0
    behind: bool = False
    told: Command | None = None
    others: int = 0
    tape: str = ""
    theme: str = "system"
    stations: tuple[Station, ...] = ()
    moments: int = 1  # that the address names; the last one is looked at

    @property
    def live(self) -> bool:
        return self.at.live

    @property
    def time(self) -> int:
        """The instant ages are counted to, microseconds."""
        return self.now if self.at.live else self.at.at

    def get(self, name: str) -> str:
        return next((value for key, value in self.asked if key == name), "")

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter; commas separate too: ``state=failed,lost``."""
        found = [part.strip() for key, value in self.asked if key == name for part in value.split(",")]
        return tuple(part for part in found if part)

    def to(self, path: str, **values: Any) -> str:
        """A link to another page, seen at the same moment."""
        moment = None if self.at.live else self.get("at") or None
        return path + query(**values, at=moment)

    def here(self, **changes: Any) -> str:
        """This page with other parameters; None takes one away."""
        kept: dict[str, Any] = {}
        for key, value in self.asked:
            kept.setdefault(key, []).append(value)
        return self.path + query(**(kept | changes))

    def absent(self, what: str) -> Absent | NotYet:
        """What to raise for a thing that is not there: it may only not be folded yet."""
        if self.behind:
            return NotYet(f"The order is kept; this page has not heard of {what} yet. It looks again by itself.")
        if self.told is not None and self.told.reason:
            outcome = self.told.outcome.replace("_", " ")
            return Absent(f"There is no {what}: the order was {outcome}: {self.told.reason}")
        return Absent(f"There was no {what} at fact {self.at.events_seq:,}.")

    def has(self, station: str) -> bool:
        """Whether there is a page of that name: no link leads to one that is not built."""
        return any(each.name == station for each in self.stations)

    def moment(self, seq: int) -> str:
        """This page as it stood at an EVENTS sequence."""
        return self.here(at=seq)


async def looking(request: Request) -> tuple[Desk, Look]:
    """The desk, and how this request looks at it. Raises ``BadQuestion`` for a moment that cannot be."""
    desk = desk_of(request)
    now = desk.clock.now_us()
    seen = request.query_params.get("seen", "")
    least = _sequence(seen) if seen else 0
    behind = bool(seen) and not await desk.read_model.wait_for(least, SEEN_WAIT_S)
    asked_of = request.query_params.get("told", "")
    told = await _told(desk, asked_of, now)
    when = _when(request, now)
    at = await _moment(desk, when, now)
    look = Look(
        at=at,
        now=now,
        path=quote(request.scope["path"], safe="/~:@!$&'()*+,;="),  # links of the page lead back to it
        asked=_asked(request, when),
        moments=len(request.query_params.getlist("at")),
        part=request.query_params.get("part", ""),
        seen=max(least, at.events_seq) if told else least,
        behind=behind or _undecided(asked_of, told, now),
        told=told,
        others=_others(request.query_params.get("others", "")),
        tape=desk.tape,
        theme=theme_of(request),
        stations=request.app.state.stations,
    )
    return desk, look


def _when(request: Request, now: int) -> str:
    """The moment the address names. One counted back from now is a time from here on: links lead to that one, and so
    does the address of a page (``Elsewhere``), which may be shared."""
    text = request.query_params.get("at", "")
    when = second_of(text, now)
    page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if when != text and page and len(request.query_params.getlist("at")) == 1:
        raise Elsewhere(str(request.url.include_query_params(at=when).replace(scheme="", netloc="")))
    return when


def _asked(request: Request, when: str) -> tuple[tuple[str, str], ...]:
    """The address's own parameters. Of several moments the last one, which is the one looked at."""
    pairs = [(key, value) for key, value in request.query_params.multi_items() if key not in ASIDE]
    last = max((place for place, (key, _) in enumerate(pairs) if key == "at"), default=-1)
    return tuple(
        (key, when if key == "at" else value) for n, (key, value) in enumerate(pairs) if key != "at" or n == last
    )


def theme_of(request: Request) -> str:
    theme = request.cookies.get("theme", "system")
    return theme if theme in ("light", "dark") else "system"


def filters(kind: type[T], look: Look, **fixed: Any) -> T:
    """A filter struct from the address; ``fixed`` fields win. ``BadQuestion`` names the parameter that does not fit."""
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):  # type: ignore[arg-type]
        singular = parameter(field.name)
        if field.name in fixed or not look.get(singular):
            continue
        fields[field.name] = look.all(singular) if field.name in _MANY else look.get(singular)
    try:
        made = msgspec.convert(fields | fixed, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadQuestion(f"That filter does not fit: {error}") from error
    if not 0 <= getattr(made, "limit", 0) <= MOST_ROWS:
        raise BadQuestion(f"?limit= is a number of rows from 0 (all) to {MOST_ROWS:,}.")
    return made


_MANY = {"states", "lanes", "sessions", "kinds", "labels", "priorities", "types", "outcomes"}


def parameter(field: str) -> str:
    """``?state=failed,lost`` reads better than ``?states=``; and ``?task=`` than ``?task_id=``."""
    if field in _MANY:
        return {"outcomes": "outcome", "priorities": "priority"}.get(field, field[:-1])
    return field.removesuffix("_id")


def latest(desk: Desk, now: int) -> At:
    """The live moment: all that is folded."""
    folded = desk.read_model.positions()
    return At(
        events_seq=folded.events.seq, observations_seq=folded.observations.seq, commands_seq=folded.commands.seq, at=now
    )


def now_of(desk: Desk, path: str, *, part: str = "", stations: tuple[Station, ...] = ()) -> Look:
    """The page at ``path``, or a part of it, as it is looked at now, by nobody in particular."""
    now = desk.clock.now_us()
    return Look(at=latest(desk, now), now=now, path=path, part=part, stations=stations)


async def _moment(desk: Desk, text: str, now: int) -> At:
    if text in ("", "now"):  # the end of a tape is a moment of the past, too: nothing comes after it
        return msgspec.structs.replace(latest(desk, now), live=not desk.tape)
    try:
        at = await desk.read_model.query(queries.moment, text, now)
    except queries.BadMoment as error:
        raise BadQuestion(str(error)) from error
    if at.at > now + AHEAD_US:
        raise BadQuestion(f"{text[:40]!r} has not come yet: give a fact's number or an earlier time.")
    return at


async def _told(desk: Desk, command_id: str, now: int) -> Command | None:
    if not command_id:
        return None
    wanted = CommandFilter(text=command_id, reports=True, limit=1)
    until = desk.clock.monotonic() + SEEN_WAIT_S
    while True:  # commands are folded beside the facts, so the one may be here before the other
        found = await desk.read_model.query(queries.commands, latest(desk, now), wanted)
        if (found.rows and found.rows[0].outcome != "pending") or desk.clock.monotonic() > until:
            return found.rows[0] if found.rows else None
        await asyncio.sleep(TOLD_EVERY_S)


def _undecided(command_id: str, told: Command | None, now: int) -> bool:
    """Whether the page is about an order of the last minute whose outcome nobody knows yet."""
    made = made_at(command_id)
    fresh = made is not None and now - FRESH_US < made
    return fresh and (told is None or told.outcome == "pending")


def _others(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0


def _sequence(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadQuestion(f"?seen={text[:40]} is no EVENTS sequence; it is a whole number.") from None
