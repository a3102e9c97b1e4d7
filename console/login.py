"""Who may come in: a one-time token becomes a session; the CLI shows an API token that only its owner can read.

In the data folder, all 0600 and all hashed but the API token, which the CLI has to read:

    console/tokens/<sha-256>     one file for each login token not used yet; using it is deleting it
    console/sessions.json        sessions by the SHA-256 of their id, with the time they were made
    console/api-token            the bearer token of this data folder
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
from pathlib import Path

import msgspec

from core.clock import Clock

SESSION_S = 12 * 3600  # a login lasts this long, used or not
TOKEN_S = 12 * 3600  # a printed token may be used for this long
FREE_TRIES = 5  # failed logins in a row before the next one has to wait
MAX_DELAY_S = 5.0
ALWAYS_OPEN = 200  # sessions kept; the oldest goes first


def issue(data: Path, clock: Clock) -> str:
    """A new one-time login token (256 bits). Only its hash is kept; whoever runs `up` or `login` prints it."""
    token = secrets.token_urlsafe(32)
    folder = _folder(data) / "tokens"
    folder.mkdir(mode=0o700, exist_ok=True)
    _write(folder / _hash(token), str(clock.now_us()).encode())
    return token


def api_token(data: Path) -> str:
    """The data folder's bearer token, made when there is none. Whoever can read the file may command."""
    path = _folder(data) / "api-token"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        token = f"swt_{secrets.token_urlsafe(32)}"
        _write(path, token.encode())
        return token


class Gate:
    """Checks logins for one console. Sessions outlive a restart; they are written when one is made or ended."""

    def __init__(self, data: Path, clock: Clock) -> None:
        self.data = data
        self._folder = _folder(data)
        self._clock = clock
        self._api_token = api_token(data)
        self._sessions = self._read_sessions()
        self._failures = 0
        self._one_try = asyncio.Lock()
        # Browsers keep one jar for all ports of a machine: two consoles must not share a cookie's name.
        self.cookie = f"switchtower-{_hash(str(data.resolve()))[:8]}"

    async def exchange(self, token: str) -> str | None:
        """A session id for a token that is good, once; None for any other, more slowly after some failures."""
        async with self._one_try:
            if self._failures >= FREE_TRIES:
                await self._clock.sleep(min(MAX_DELAY_S, 0.5 * 2 ** (self._failures - FREE_TRIES)))
            if not self._used_up(token):
                self._failures += 1
                return None
            self._failures = 0
            session = secrets.token_urlsafe(32)
            self._sessions[_hash(session)] = self._clock.now_us()
            self._keep()
            return session

    def leave(self, cookies: dict[str, str]) -> None:
        """End the session, here and in every window that shares it."""
        if self._sessions.pop(_hash(cookies.get(self.cookie, "")), None) is not None:
            self._keep()

    def welcome(self, authorization: str, cookies: dict[str, str]) -> bool:
        """Whether whoever came in with these may still be here: for streams, which outlive the check at their start."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self.api_token_holds(token.strip())
        return self.session_holds(cookies)

    def session_holds(self, cookies: dict[str, str]) -> bool:
        made = self._sessions.get(_hash(cookies.get(self.cookie, "")))
        return made is not None and 0 <= self._clock.now_us() - made < SESSION_S * 1_000_000

    def who(self, cookies: dict[str, str]) -> str:
        """One name for all windows of a login, which tells nothing of it."""
        return _hash(cookies.get(self.cookie, ""))[:16]

    def api_token_holds(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._api_token.encode())

    def _used_up(self, token: str) -> bool:
        path = self._folder / "tokens" / _hash(token)
        try:
            made = int(path.read_bytes() or b"0")
            path.unlink()  # of two that try at once one gets FileNotFoundError
        except (FileNotFoundError, ValueError):
            return False
        return 0 <= self._clock.now_us() - made < TOKEN_S * 1_000_000

    def _keep(self) -> None:
        while len(self._sessions) > ALWAYS_OPEN:
            del self._sessions[next(iter(self._sessions))]
        _write(self._folder / "sessions.json", msgspec.json.encode(self._sessions))

    def _read_sessions(self) -> dict[str, int]:
        try:
            return msgspec.json.decode((self._folder / "sessions.json").read_bytes(), type=dict[str, int])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}  # nobody is signed in; a login makes the file anew


def _folder(data: Path) -> Path:
    folder = data / "console"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Replace the file at once, readable by its owner alone."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fsync(descriptor)
    fresh.replace(path)
