"""What the console answered, or that it did not, as the error a command ends with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from console.cli.exits import Declined, NoAnswer, NotFound, Stop, Usage


def silence(url: str, problem: Exception) -> NoAnswer:
    """Nobody answered at the console's address."""
    return NoAnswer(f"the console at {url} does not answer: {problem}. Is it running? `switchtower status`")


def refusal(status: int, body: bytes, url: str) -> Stop:
    """A problem document in its own words."""
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
