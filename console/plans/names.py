"""Names from elsewhere made into task ids of ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from core.domain.words import Refused, check_name

_UNFIT = re.compile(r"[\s/~*>\"\\\x00-\x1f\x7f]+")
_MOST = 80  # bytes kept of a name that has to change, before the digest


def task_ids(session: str, names: Iterable[str]) -> dict[str, str]:
    """``session/name`` for every name. One that cannot be a task's gets its bad characters replaced and a digest of
    the original, so that two never fall together and the next import of the same file finds the same task."""
    return {name: f"{session}/{safe(name)}" for name in names}


def safe(name: str) -> str:
    """The name itself where it can be a task's, else the nearest that can."""
    try:
        check_name("task", name)
    except Refused:
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=4).hexdigest()
        kept = _UNFIT.sub("_", name.strip()).encode("utf-8", "replace")[:_MOST].decode("utf-8", "ignore")
        return f"{kept}-{digest}"
    return name
