"""What goes wrong, told once and in the form the asker reads: a page, a toast, or problem details (RFC 9457)."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus

import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from console.live import TooManyListeners
from console.look import Absent, BadQuestion, Elsewhere, NotYet, theme_of
from console.render import page, part
from console.security import BodyTooLong
from core.ledger import Busy, Full, LedgerError, Malformed, TooLarge
from projections.queries import BadPlace

log = logging.getLogger("console")

TITLES = {
    400: "That was not understood",
    401: "Sign in first",
    403: "Not from here",
    404: "There is no such thing",
    405: "Not that way",
    409: "Not carried out",
    413: "Too long",
    422: "That does not fit",
    429: "Too fast",
    500: "The console failed",
    503: "Not just now",
}
EXTRA = {503: {"Retry-After": "2"}, 401: {"WWW-Authenticate": 'Bearer realm="switchtower"'}}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457. ``outcome`` and ``command_seq`` where a command was refused."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    instance: str = ""
    outcome: str = ""
    command_seq: int = 0


def refuse(
    request: Request, status: int, detail: str, *, outcome: str = "", command_seq: int = 0, again: bool = False
) -> Response:
    """The answer to a request that is not carried out. ``again``: the page asks once more by itself."""
    title = "Catching up" if again else TITLES.get(status, HTTPStatus(status).phrase)
    headers = EXTRA.get(status)
    if request.url.path.startswith("/api") or "text/html" not in request.headers.get("accept", "text/html"):
        place = request.url.path
        problem = Problem(
            title=title, status=status, detail=detail, instance=place, outcome=outcome, command_seq=command_seq
        )
        return Response(msgspec.json.encode(problem), status, headers, "application/problem+json")
    if "hx-request" in request.headers:
        told = part("toast", state="cancelled" if status == 409 else "failed", says=title, because=detail, link="")
        return HTMLResponse(told, status, {"HX-Retarget": "#toasts", "HX-Reswap": "innerHTML", **(headers or {})})
    back = request.query_params.get("back", "") or "/"
    rows = {"title": title, "status": status, "detail": detail, "command_seq": command_seq, "back": back}
    return HTMLResponse(page("error", theme=theme_of(request), again=again, **rows), status, headers)


def handle(app: FastAPI) -> None:
    """Give every kind of error its status. Anything not listed is a defect: logged with its trace, told as 500."""
    for error, status in (
        (BadPlace, 422), (Absent, 404), (NotYet, 503), (BadQuestion, 422), (BodyTooLong, 413), (TooManyListeners, 503),
        (msgspec.ValidationError, 422), (msgspec.DecodeError, 400), (TooLarge, 413), (Malformed, 422),
        (Full, 503), (Busy, 503), (LedgerError, 503),
    ):  # fmt: skip
        app.add_exception_handler(error, _telling(status))
    app.add_exception_handler(Elsewhere, _elsewhere)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _defect)


def _telling(status: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a handler as Starlette wants it
    async def tell(request: Request, error: Exception) -> Response:
        says = plainly(error) if isinstance(error, msgspec.ValidationError) else str(error)
        return refuse(request, status, says, again=isinstance(error, NotYet))

    return tell


_BOUNDS = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than"}


def plainly(error: msgspec.ValidationError) -> str:
    """``Expected `str` of length >= 1 - at `$.spec.title` `` as a person would say it, where that is known."""
    says = str(error)
    place = re.search(r"at `\$\.?(?:[\w.]+\.)?(\w+)`", says)
    name = place[1].replace("_", " ") if place else "What was written"
    if missing := re.search(r"missing required field `(\w+)`", says):
        return f"{missing[1].replace('_', ' ').capitalize()} is missing: write something there."
    if bound := re.search(r"Expected `(str|array)` of length (<=|>=) (\d+)", says):
        if bound[2] == "<=":
            of = "characters" if bound[1] == "str" else "of them"
            return f"{name.capitalize()} is too long: at most {bound[3]} {of}."
        return f"{name.capitalize()} is empty: write something there."
    if bound := re.search(r"Expected `(?:int|float)` (<=|>=|<|>) (-?[\d.]+)", says):
        return f"{name.capitalize()} is {_BOUNDS[bound[1]]} {float(bound[2]):,g}."
    if kind := re.search(r"Expected `(int|float)", says):
        return f"{name.capitalize()} is a {'whole ' if kind[1] == 'int' else ''}number."
    return says


async def _elsewhere(_: Request, error: Exception) -> Response:
    return RedirectResponse(str(error), 302)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = {404: f"Nothing stands at {request.url.path[:200]}.", 405: f"{request.method} is not for this address."}
    return refuse(request, error.status_code, known.get(error.status_code, str(error.detail)))


async def _defect(request: Request, error: Exception) -> Response:
    log.error("a page failed method=%s path=%s", request.method, request.url.path, exc_info=error)
    return refuse(request, 500, "This is a defect of the console; its log says more. Nothing was ordered by it.")
