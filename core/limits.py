"""What an append may hold, checked before anything leaves: an oversized publish would close nats-py's connection."""

from __future__ import annotations

from collections.abc import Sequence

from core.ledger import (
    MAX_APPEND_BYTES,
    MAX_BATCH,
    MAX_COMMAND_BYTES,
    MAX_FACT_BYTES,
    MAX_HEADER_BYTES,
    Message,
    Stream,
    TooLarge,
)

BATCH_HEADER_BYTES = 256  # room for the headers the appender adds
ANY_SERVER = 1 << 20  # nats-server's default max_payload


def check(
    stream: Stream, messages: Sequence[Message], *, expect: int | None = None, max_payload: int = ANY_SERVER
) -> None:
    """``TooLarge`` when one message, or all of them together, could not be stored. Nothing was sent then.

    ``max_payload`` is the server's limit on headers and body of one message.
    """
    if not messages:
        raise ValueError(f"an append to {stream} needs at least one message")
    if expect is not None and stream == "OUTPUT":
        raise ValueError("OUTPUT is not fsynced and may roll back: an append to it cannot expect a sequence")
    if len(messages) > MAX_BATCH:
        raise TooLarge(f"an append to {stream} of {len(messages)} messages: at most {MAX_BATCH} go together; split it")
    most = MAX_COMMAND_BYTES if stream == "COMMANDS" else MAX_FACT_BYTES
    total = 0
    for message in messages:
        heads = header_bytes(message) if message.headers else 0
        body = len(message.data)
        if body > most:
            raise TooLarge(
                f"{message.subject}: {body} bytes; {stream} takes {most}. Large text goes to the object store"
            )
        if heads > MAX_HEADER_BYTES:
            raise TooLarge(f"{message.subject}: {heads} bytes of headers; at most {MAX_HEADER_BYTES}")
        if body + heads + BATCH_HEADER_BYTES > max_payload:
            raise TooLarge(f"{message.subject}: {body + heads} bytes; this server's max_payload is {max_payload}")
        total += body + heads
    if total > MAX_APPEND_BYTES:
        raise TooLarge(f"an append to {stream} of {total} bytes: at most {MAX_APPEND_BYTES} go together; split it")


def header_bytes(message: Message) -> int:
    """Bytes of a message's headers as they are stored."""
    text = "".join(f"{name}: {value}\r\n" for name, value in (message.headers or {}).items())
    return len(text.encode(errors="surrogatepass"))  # half a character is the framer's to refuse
