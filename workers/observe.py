"""What a worker lets out of an agent: secrets are blotted out before anything is appended."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

MARK = "[redacted]"
SHORTEST = 6  # characters of a value worth hiding; shorter ones would blot out ordinary text
MAX_DATA_CHARS = 8_000  # of all text in one observation's data
LONG_LINE = 8 << 10  # a line may grow so long before a part of it is let out
HOLD = 2 << 10  # bytes of a long line kept back: room for a secret that is still growing
MAX_KEY = 64 << 10  # bytes of a private key waited for
MAX_KEY_LINE = 100  # bytes of the line a private key ends with

# Alternatives with a group "keep" hide only what follows it. No alternative but the private key spans lines.
_SHAPES = (
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
    r"\bsk-[A-Za-z0-9_-]{16,}",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{16,}",
    r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bAIza[0-9A-Za-z_-]{30,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}",
)
_AFTER = (
    r"(?i:\bbearer[ \t]+)",
    r"(?i:(?:api[_-]?key|secret|token|passw(?:or)?d)\b[\"']?[ \t]*[=:][ \t]*[\"']?)",
)
_AFTER_VALUE = r"[^\s\"',;]{8,}"
_KEY_BEGINS = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_KEY_ENDS = re.compile(rb"-----END [A-Z0-9 ]*PRIVATE KEY-----")
_IN_URL = r"(?<=://)[^\s/:@]{1,100}:[^\s/@]{1,200}(?=@)"


class Redactor:
    """Hides secrets of well-known shapes, and the values it was given."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        lines = {line.strip() for value in values for line in value.splitlines()}
        literal = sorted((re.escape(line) for line in lines if len(line) >= SHORTEST), key=len, reverse=True)
        kept = "|".join(_AFTER)
        whole = "|".join([*literal, *_SHAPES, _IN_URL])
        pattern = f"(?P<keep>{kept}){_AFTER_VALUE}|{whole}"
        self._text = re.compile(pattern)
        self._bytes = re.compile(pattern.encode())

    def text(self, text: str) -> str:
        return self._text.sub(_blot, text) if text else text

    def raw(self, data: bytes) -> bytes:
        return self._bytes.sub(_blot_bytes, data)

    def data(self, data: dict[str, Any]) -> dict[str, Any]:
        """The same shape with every text redacted, and cut where all of it together is long."""
        if not data:
            return data
        room = [MAX_DATA_CHARS]
        return {str(key)[:200]: self._value(value, room) for key, value in list(data.items())[:100]}

    def stream(self) -> Stream:
        return Stream(self)

    def spans(self, data: bytes) -> Iterable[tuple[int, int]]:
        return (found.span() for found in self._bytes.finditer(data))

    def _value(self, value: Any, room: list[int]) -> Any:
        match value:
            case str():
                said = cut(self.text(value), max(room[0], 0))
                room[0] -= len(said)
                return said
            case dict():
                return {str(key)[:200]: self._value(each, room) for key, each in list(value.items())[:100]}
            case list() | tuple():
                return [self._value(each, room) for each in value[:100]]
            case bool() | int() | float() | None:
                return value
            case _:
                return self._value(str(value), room)


class Stream:
    """Redacts bytes that come in pieces: what may still become a secret is kept back until its line is whole, a private
    key until its end."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""
        self._in_key = False  # within a private key too long to hold: dropped up to its end

    def feed(self, data: bytes) -> bytes:
        """What of it, and of what was held, may be let out now."""
        self._held += data
        if self._in_key and not self._key_skipped():
            return b""
        key = self._open_key()
        if key is not None and len(self._held) - key > MAX_KEY:
            out, self._in_key = self._held[:key], True
            self._held = self._held[key:]
            self._key_skipped()
            return self._redactor.raw(out) + MARK.encode()
        upto = self._safe() if key is None else min(self._safe(), key)
        out, self._held = self._held[:upto], self._held[upto:]
        return self._redactor.raw(out)

    def flush(self) -> bytes:
        """The rest; nothing more comes."""
        out, self._held = self._held, b""
        return b"" if self._in_key else self._redactor.raw(out)

    def _safe(self) -> int:
        """Where the last whole line ends, or a part of a very long one; never within a secret."""
        held = self._held
        upto = max(held.rfind(b"\n"), held.rfind(b"\r")) + 1
        if len(held) - upto > LONG_LINE:
            space = max(held.rfind(b" ", upto, len(held) - HOLD), held.rfind(b"\t", upto, len(held) - HOLD))
            upto = space + 1 if space >= 0 else len(held) - HOLD
        elif b"PRIVATE KEY" not in held:
            return upto
        return next((start for start, end in self._redactor.spans(held) if start < upto < end), upto)

    def _open_key(self) -> int | None:
        """Where a private key begins whose end has not come yet."""
        if b"PRIVATE KEY" not in self._held:
            return None
        at = 0
        while (begin := _KEY_BEGINS.search(self._held, at)) is not None:
            end = _KEY_ENDS.search(self._held, begin.end())
            if end is None:
                return begin.start()
            at = end.end()
        return None

    def _key_skipped(self) -> bool:
        """Drop what is held of a private key; whether its end was there."""
        end = _KEY_ENDS.search(self._held)
        self._held = self._held[-MAX_KEY_LINE:] if end is None else self._held[end.end() :]
        self._in_key = end is None
        return end is not None


def cut(text: str, most: int) -> str:
    """The text, shortened to ``most`` characters with a mark that says so."""
    if len(text) <= most:
        return text
    mark = f" [… {len(text)} characters]"
    return text[: max(most - len(mark), 0)] + mark[:most]


def _blot(found: re.Match[str]) -> str:
    return (found["keep"] or "") + MARK


def _blot_bytes(found: re.Match[bytes]) -> bytes:
    return (found["keep"] or b"") + MARK.encode()
