"""The console's HTTP API, asked for lists and single things: what the read model knows."""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from console import login
from console.cli.exits import Declined, NoAnswer, NotFound, Stop, Usage
from console.cli.where import Where, console_url

TIMEOUT_S = 15.0


def get(where: Where, path: str, **asked: Any) -> Any:
    """The JSON that stands at ``path``. Empty values are left out of the question; lists are repeated."""
    settings = where.settings()
    url = console_url(settings)
    question = urlencode([pair for name, value in asked.items() for pair in _pairs(name, value)])
    status, body = _exchange(url, f"/api{path}" + (f"?{question}" if question else ""), login.api_token(settings.data))
    if status == 200:
        return msgspec.json.decode(body)
    raise _refusal(status, body, url)


def rows(where: Where, path: str, *, states: Sequence[str] = (), limit: int = 0, **asked: Any) -> dict[str, Any]:
    """A list that the console gives whole, cut here: ``{"rows": […], "total": all that fit}``. ``limit`` 0: all."""
    found = [row for row in get(where, path, **asked) if not states or row["state"] in states]
    return {"rows": found[:limit] if limit else found, "total": len(found)}


def path_of(identifier: str) -> str:
    """An id as it stands in an address: its slash stays, everything else that needs it is escaped."""
    return quote(identifier, safe="/~")


def _pairs(name: str, value: Any) -> Sequence[tuple[str, str]]:
    if value is None or value in ("", [], ()):
        return []
    if isinstance(value, list | tuple):
        return [(name, str(each)) for each in value]
    return [(name, str(value))]


def _exchange(url: str, path: str, token: str) -> tuple[int, bytes]:
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "127.0.0.1", where.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}", "Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as problem:
        raise NoAnswer(
            f"the console at {url} does not answer: {problem}. Is it running? `switchtower status`"
        ) from None
    finally:
        connection.close()


def _refusal(status: int, body: bytes, url: str) -> Stop:
    """A problem document as the error a command ends with."""
    try:
        told: Mapping[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        told = {}
    says = str(told.get("detail") or told.get("title") or f"the console at {url} answered {status}")
    match status:
        case 404:
            return NotFound(says)
        case 400 | 422:
            return Usage(says)
        case 503:
            return NoAnswer(says)
        case 409:
            return Declined(says)
        case _:
            return Stop(says)
