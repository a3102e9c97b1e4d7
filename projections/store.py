"""DuckDB, owned by one thread that writes and a few that read."""

from __future__ import annotations


class Reader:
    """What a query reads with."""
