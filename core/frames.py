"""The lines that publish: NATS's protocol on the way out, and what may be in it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from core.ledger import Malformed

MAX_SUBJECT_BYTES = 1024  # the server ends the connection when a control line passes 4,096

_LITERAL = re.compile(r"[^\x00-\x20\x7f.*>]+(\.[^\x00-\x20\x7f.*>]+)*")
_ANY = re.compile(r"[^\x00-\x20\x7f.]+(\.[^\x00-\x20\x7f.]+)*")


def publish_frame(
    subject: str,
    data: bytes,
    *,
    reply: bytes = b"",
    headers: Mapping[str, str] | None = None,
    wildcards: bool = False,
) -> bytes:
    """The bytes that publish one message. ``Malformed`` for what would break the line or reach another subject.

    Only requests to the server's own API carry ``wildcards`` (a consumer's filter) in their subject.
    """
    target = subject_bytes(subject, wildcards=wildcards)
    if headers:
        block = header_block(headers)
        return b"HPUB %b %b %d %d\r\n%b%b\r\n" % (target, reply, len(block), len(block) + len(data), block, data)
    return b"PUB %b %b %d\r\n%b\r\n" % (target, reply, len(data), data)


def subject_bytes(subject: str, *, wildcards: bool = False) -> bytes:
    """The subject as it goes on the wire: whole tokens, no white space, no wildcard unless allowed."""
    encoded = _utf8(subject)
    if (_ANY if wildcards else _LITERAL).fullmatch(subject) is None or len(encoded) > MAX_SUBJECT_BYTES:
        raise Malformed(
            f"subject {subject[:80]!r} cannot be published to: tokens between dots must not be empty nor hold white "
            f"space, '*' or '>', and all of it must be at most {MAX_SUBJECT_BYTES} bytes"
        )
    return encoded


def header_block(headers: Mapping[str, str]) -> bytes:
    """NATS's header block. ``Malformed`` for a name or value that holds a line break or a name with a colon."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    block = "".join(lines)
    if block.count("\n") != len(lines) or block.count("\r") != len(lines) or any(":" in n or not n for n in headers):
        raise Malformed(f"headers {sorted(headers)!r} hold a line break or a bad name: encode the value first")
    return b"NATS/1.0\r\n%b\r\n" % _utf8(block)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Malformed(f"{text[:80]!r} holds half a character (a lone surrogate): encode the value first") from error
