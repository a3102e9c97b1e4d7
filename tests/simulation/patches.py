"""Names of modules and classes replaced for a while, and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Patch = tuple[object, str, Any]  # where, which name, what it is meanwhile
_MISSING = object()


@contextmanager
def replaced(*patches: Patch) -> Iterator[None]:
    """The names are what the patches say until the context ends. A name that was not there is taken away again."""
    before = [(where, name, getattr(where, name, _MISSING)) for where, name, _ in patches]
    try:
        for where, name, value in patches:
            setattr(where, name, value)
        yield
    finally:
        for where, name, value in reversed(before):
            if value is _MISSING:
                delattr(where, name)
            else:
                setattr(where, name, value)
