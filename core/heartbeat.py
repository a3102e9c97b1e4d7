"""A worker's sign of life, as it stands in the ``heartbeats`` bucket under the worker's subject token."""

from __future__ import annotations

import msgspec

from core.domain.words import token

BUCKET = "heartbeats"
BEAT_S = 2.0
TTL_S = 6.0  # on one server; 15 in a cluster, whose leader changes take 4 to 8 s
MARGIN_S = 1.5  # a worker's own lease ends so much before the core may call it lost


class Beat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Here I am, and how busy. ``at``: the worker's wall clock, microseconds; a beat counts for its epoch alone."""

    worker_id: str
    epoch: int
    boot_id: str
    at: int
    agents_busy: int = 0
    load1: float = 0.0
    rss_mb: float = 0.0


def beat_key(worker_id: str) -> str:
    return token(worker_id)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Beat).decode


def encode_beat(beat: Beat) -> bytes:
    return _encode(beat)


def decode_beat(data: bytes) -> Beat:
    """The beat, or ``msgspec.DecodeError``: anybody with the credential may write into the bucket."""
    return _decode(data)
