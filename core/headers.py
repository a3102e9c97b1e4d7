"""Headers of a stored message, parsed only when somebody looks: most readers never do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

SHOWN_OF_SERVERS = "Nats-Msg-Id"  # the caller's own, though its name is the server's


class Headers(Mapping[str, str]):
    """The caller's headers of one message. What the server and the appender added (``Nats-…``) is left out.

    ``all()`` has those too.
    """

    __slots__ = ("_block", "_shown")

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._shown: dict[str, str] | None = None

    def all(self) -> dict[str, str]:
        """Every header of the block, the protocol's included."""
        lines = self._block.decode(errors="replace").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return {name: value.strip() for name, colon, value in pairs if colon}

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
        """As any mapping's, but a header that is not there costs no parsing."""
        if self._shown is None and name.encode() not in self._block:
            return default
        return self._own().get(name, default)

    def __getitem__(self, name: str) -> str:
        return self._own()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._own())

    def __len__(self) -> int:
        return len(self._own())

    def __repr__(self) -> str:
        return f"Headers({self._own()!r})"

    def _own(self) -> dict[str, str]:
        if self._shown is None:
            own = {name: each for name, each in self.all().items() if not name.startswith("Nats-")}
            if (message_id := self.all().get(SHOWN_OF_SERVERS)) is not None:
                own[SHOWN_OF_SERVERS] = message_id
            self._shown = own
        return self._shown
