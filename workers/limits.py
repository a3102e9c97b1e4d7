"""How much one run may use of its machine."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one run may use; 0: as much as there is. ``memory_bytes``: private memory of all its processes together;
    ``cpus``: so many processors; ``nice``: 1 to 19, how far it stands back for others."""

    memory_bytes: int = 0
    processes: int = 0
    cpus: int = 0
    nice: int = 0


UNLIMITED = Limits()
