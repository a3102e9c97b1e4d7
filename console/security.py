"""What every request must pass before a page sees it: a known host, our own origin, a login.

And what every answer carries."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from math import ceil
from typing import Protocol
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1 << 20  # bytes of a request's body; a plan of 400 tasks is a tenth of it
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
OPEN_PATHS = frozenset({"/login", "/healthz", "/readyz"})  # and /static: everything else needs a login
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")

Refuse = Callable[[Request, int, str], Response]


class Gate(Protocol):
    """Who may come in."""

    def session_holds(self, cookies: dict[str, str]) -> bool: ...
    def api_token_holds(self, token: str) -> bool: ...
    def who(self, cookies: dict[str, str]) -> str: ...


class Pace(Protocol):
    """How fast one may write."""

    def wait_s(self, who: str) -> float: ...


class Guard:
    """ASGI middleware. ``hosts``: names the console answers to, whatever the port (a tunnel may change that).

    400 for a foreign host, 403 for a write that another site may have caused, 401 (a redirect to the login page for a
    page) without a login, 413 for a body that is too long, 429 for writes that come too fast. Default deny: a new route
    needs a login until it is listed.
    """

    def __init__(self, app: ASGIApp, *, gate: Gate, pace: Pace, refuse: Refuse, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._gate = gate
        self._pace = pace
        self._refuse = refuse
        self._hosts = LOCAL_HOSTS | frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        refusal = self._refusal(request)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(scope, send))
        else:
            await self._app(scope, _at_most(MAX_BODY, receive), _with_headers(scope, send))

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if host_name(host) not in self._hosts or len(request.headers.getlist("host")) != 1:
            return self._refuse(request, 400, f"This console does not answer to the host {host[:100]!r}.")
        if int(request.headers.get("content-length", "0") or 0) > MAX_BODY:
            return self._refuse(request, 413, f"The body is longer than {MAX_BODY:,} bytes, the most that is read.")
        token = bearer(request.headers)
        if token is not None:  # no browser sends this by itself, so no other site can cause it
            if self._gate.api_token_holds(token):
                return self._too_fast(request, "the API token")
            return self._refuse(request, 401, "The API token is not the one in the data folder's api-token file.")
        if request.method not in SAFE_METHODS and not caused_by_us(request.headers, host):
            return self._refuse(request, 403, "Another site seems to have sent this. Send it from the console's page.")
        if is_open(request.url.path):
            return None
        if self._gate.session_holds(request.cookies):
            return self._too_fast(request, self._gate.who(request.cookies))
        return self._sign_in(request)

    def _too_fast(self, request: Request, who: str) -> Response | None:
        """A refusal when a write comes before there is a token for it; reading is free."""
        if request.method in SAFE_METHODS or (wait := self._pace.wait_s(who)) <= 0:
            return None
        told = self._refuse(
            request, 429, "Orders come faster than they are taken from one login: nothing was ordered. "
            f"Send this one again in {wait:.2f} s.",
        )  # fmt: skip
        told.headers["Retry-After"] = str(ceil(wait))
        return told

    def _sign_in(self, request: Request) -> Response:
        if request.method == "GET" and wants_page(request):
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?next={quote(path)}", 303)
        return self._refuse(request, 401, "Sign in first: `switchtower login` prints a link.")


def host_name(host: str) -> str:
    """The name in ``name:port``, lower case; empty for what is no host."""
    if not _HOST.fullmatch(host):
        return ""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return ""
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return ""
    name = (parts.hostname or "").lower()
    return f"[{name}]" if ":" in name else name


def caused_by_us(headers: Headers, host: str) -> bool:
    """Whether a write comes from a page of ours.

    Our no-referrer policy makes browsers send ``Origin: null`` with our own forms, so null or no origin counts only
    when the browser itself vouches for us by Sec-Fetch-Site, which no page can forge.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None or origin == "null":
        return site == "same-origin"
    return origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def bearer(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith("/static/")


def wants_page(request: Request) -> bool:
    """A person's browser that shows what it gets, as against a script or the API."""
    asks_html = "text/html" in request.headers.get("accept", "")
    return asks_html and not request.url.path.startswith("/api") and "hx-request" not in request.headers


def local_path(path: str) -> str:
    """Where to go after signing in: a path of ours, never another site."""
    if not path.startswith("/") or path.startswith(("//", "/\\", "/login")) or any(ord(c) < 32 for c in path):
        return "/"
    return path


class BodyTooLong(Exception):
    """More bytes came than ``Content-Length`` said or may be."""


def _at_most(limit: int, receive: Receive) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise BodyTooLong(f"The body is longer than {limit:,} bytes, the most that is read.")
        return message

    return counted


def _with_headers(scope: Scope, send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)  # a route may be stricter with what it sends
            if not scope["path"].startswith("/static/"):
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
