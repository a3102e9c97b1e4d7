"""JetStream's JSON API: one request, its answer as a dict, a refusal as the right class of error."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from core.ledger import Busy, Conflict, Duplicate, Full, LedgerError, TooLarge, Unknown
from core.link import ASK_WITHIN_S, Link
from core.replies import Reply

# The server's err_codes, sorted by what a caller can do about them.
CONFLICTS = {10071, 10164}  # wrong last sequence; the same inside a batch, or while another append is in flight
DUPLICATES = {10201}
TOO_LARGE = {10054, 10097, 10199}  # message, headers, batch
NO_ROOM = {10002, 10023, 10028, 10047, 10053}  # account, server resources, memory, storage, stream limits
NOT_NOW = {10008, 10009, 10118, 10163, 10194}  # no leader yet, offline
NOT_NOW |= {10176, 10210, 10049}  # batch given up, too many open batches, the store still being removed
STORE_FAILED = 10077  # the store's own words tell which it is
NOT_FOUND = {10014, 10037, 10059}  # consumer, message, stream


class NotFound(LedgerError):
    """There is no such stream, consumer or message."""


class ApiError(msgspec.Struct, frozen=True):
    """What a JetStream answer says when it is a refusal."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct, frozen=True, gc=False):
    seq: int = 0
    error: ApiError | None = None


_ack = msgspec.json.Decoder(_Ack).decode


def sequence(what: str, reply: Reply) -> int:
    """The sequence an append was stored at, or the error its answer is. ``what`` names the append in the error."""
    if reply.status == 503:
        raise Busy(f"{what}: nobody takes it, no such stream or no leader yet; nothing was stored, try again")
    ack = _ack(reply.data)
    if ack.error is not None:
        raise refusal(what, ack.error)
    if ack.seq == 0:
        raise Unknown(f"{what}: answered without a sequence: {reply.data[:200]!r}")
    return ack.seq


async def call(link: Link, subject: str, body: object = None, *, within_s: float = ASK_WITHIN_S) -> dict[str, Any]:
    """The answer to ``$JS.API.<subject>``. Raises what ``refusal`` makes of a refusal, ``Busy`` or ``Unknown``."""
    data = b"" if body is None else msgspec.json.encode(body)
    reply = await link.ask(f"$JS.API.{subject}", data, within_s=within_s)
    try:
        answer: dict[str, Any] = msgspec.json.decode(reply.data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise LedgerError(f"{subject} was answered with something that is not JSON: {reply.data[:200]!r}") from error
    if "error" in answer:
        raise refusal(subject, msgspec.convert(answer["error"], ApiError))
    return answer


def refusal(what: str, error: ApiError) -> LedgerError:
    """The class of error a refusal is, with a sentence that names ``what`` was refused."""
    text = f"{what}: {error.description} [{error.err_code}]"
    store = error.description if error.err_code == STORE_FAILED else ""
    if error.err_code in CONFLICTS:
        return Conflict(f"{text}; read on, then decide again")
    if error.err_code in DUPLICATES:
        return Duplicate(f"{text}; nothing was stored, send the messages apart")
    if error.err_code in TOO_LARGE or "too large" in store:
        return TooLarge(f"{text}; nothing was stored")
    if error.err_code in NO_ROOM or "maximum" in store:
        return Full(f"{text}; nothing was stored: make room or raise the limit (`switchtower doctor` shows both)")
    if error.err_code in NOT_FOUND:
        return NotFound(text)
    if error.err_code in NOT_NOW or error.code in (429, 503):
        return Busy(f"{text}; nothing was stored, try again")
    return LedgerError(text)


def microseconds(moment: str) -> int:
    """Microseconds since the epoch of the server's RFC 3339 time (nanoseconds and ``Z``)."""
    whole, _, rest = moment.partition(".")
    fraction, offset = (rest[:-1], "Z") if rest.endswith("Z") else (rest[:-6], rest[-6:]) if rest else ("", "")
    zone = "+00:00" if offset in ("Z", "") else offset
    seconds = datetime.fromisoformat(whole.removesuffix("Z") + zone) if rest else datetime.fromisoformat(moment)
    return int(seconds.timestamp()) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
