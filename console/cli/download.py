"""A file the console makes, taken from it piece by piece: what its pages offer for download."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from console import login
from console.cli.answered import refusal, silence
from console.cli.exits import Stop
from console.cli.where import Where, console_url

TIMEOUT_S = 60.0  # of one piece
PIECE = 1 << 16


def download(where: Where, path: str, write: Callable[[bytes], object], **asked: str) -> int:
    """Write what stands at ``path`` and return the number of runs in it. Empty values are left out of the question."""
    settings = where.settings()
    url = console_url(settings)
    address = urlsplit(url)
    question = urlencode({name: value for name, value in asked.items() if value})
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=TIMEOUT_S)
    headers = {"Accept": "application/json", "Authorization": f"Bearer {login.api_token(settings.data)}"}
    try:
        connection.request("GET", f"{path}?{question}", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise refusal(answer.status, answer.read(), url)
        while piece := answer.read(PIECE):
            write(piece)
        return int(answer.getheader("Switchtower-Runs") or 0)
    except http.client.IncompleteRead:
        raise Stop(f"the console at {url} broke off in the middle; its log says why") from None
    except (OSError, http.client.HTTPException) as problem:
        if isinstance(problem, BrokenPipeError):
            raise
        raise silence(url, problem) from None
    finally:
        connection.close()
