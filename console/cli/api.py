"""The console's HTTP API, asked for lists and single things: what the read model knows."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from console import login
from console.cli import instance
from console.cli.answered import refusal, silence
from console.cli.exits import NoAnswer
from console.cli.where import Where, console_url
from core.clock import SystemClock

TIMEOUT_S = 15.0
FOLDED_WITHIN_S = 2.0  # each question waits up to 0.3 s for it by itself


def get(where: Where, path: str, **asked: Any) -> Any:
    """The JSON that stands at ``path``. Empty values are left out of the question; lists are repeated.

    An order given a moment ago is seen: the console is asked again until it has folded what is in the log by now.
    """
    settings = where.settings()
    url, token = console_url(settings), login.api_token(settings.data)
    end = _log_end(instance.running(settings.data))
    question = urlencode([pair for name, value in (asked | {"seen": end}).items() for pair in _pairs(name, value)])
    clock = SystemClock()
    until = clock.monotonic() + FOLDED_WITHIN_S
    while True:
        status, body, at = _exchange(url, f"/api{path}" + (f"?{question}" if question else ""), token)
        behind = end is not None and (0 < at < end if status == 200 else status == 404 and _folded(url, token) < end)
        if not behind or clock.monotonic() > until:
            break
    if status == 200:
        return msgspec.json.decode(body)
    raise refusal(status, body, url)


def post(where: Where, path: str) -> Any:
    """Have the console do something that is no command: nothing about it goes into the log."""
    settings = where.settings()
    url = console_url(settings)
    status, body, _ = _exchange(url, f"/api{path}", login.api_token(settings.data), method="POST")
    if 200 <= status < 300:
        return msgspec.json.decode(body)
    raise refusal(status, body, url)


def rows(where: Where, path: str, *, states: Sequence[str] = (), limit: int = 0, **asked: Any) -> dict[str, Any]:
    """A list that the console gives whole, cut here: ``{"rows": […], "total": all that fit}``. ``limit`` 0: all."""
    found = [row for row in get(where, path, **asked) if not states or row["state"] in states]
    return {"rows": found[:limit] if limit else found, "total": len(found)}


def path_of(identifier: str) -> str:
    """An id as it stands in an address: its slash stays, everything else that needs it is escaped."""
    return quote(identifier, safe="/~")


def _log_end(found: instance.Running | None) -> int | None:
    """The last sequence of EVENTS, as the server's monitoring says (no connection of our own); None if it does not."""
    if found is None or not found.monitor_url:
        return None
    try:
        status, body, _ = _exchange(found.monitor_url, "/jsz?streams=true")
        accounts = msgspec.json.decode(body)["account_details"] if status == 200 else []
        ends = [
            stream["state"]["last_seq"]
            for account in accounts
            for stream in account.get("stream_detail", ())
            if stream["name"] == "EVENTS"
        ]
    except (NoAnswer, msgspec.DecodeError, KeyError, TypeError):
        return None
    return max(ends, default=None)


def _pairs(name: str, value: Any) -> Sequence[tuple[str, str]]:
    if value is None or value in ("", [], ()):
        return []
    if isinstance(value, list | tuple):
        return [(name, str(each)) for each in value]
    return [(name, str(value))]


def _folded(url: str, token: str) -> int:
    """How far the console has folded EVENTS."""
    status, body, _ = _exchange(url, "/api/status", token)
    return int(msgspec.json.decode(body)["positions"]["events"]["seq"]) if status == 200 else 0


def _exchange(url: str, path: str, token: str = "", *, method: str = "GET") -> tuple[int, bytes, int]:
    """Status, body, and the EVENTS sequence at which the answer was true (0: it does not say)."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "127.0.0.1", where.port, timeout=TIMEOUT_S)
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        at = answer.getheader("Switchtower-At") or "0"
        return answer.status, answer.read(), int(at.partition(".")[0])
    except (OSError, http.client.HTTPException) as problem:
        raise silence(url, problem) from None
    finally:
        connection.close()
