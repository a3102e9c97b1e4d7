"""What a command says: data on stdout, as a table or one JSON document; messages on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Column = tuple[str, Callable[[Any], object]]  # heading, and the cell's value of a row


def document(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.buffer.flush()


def line(value: Any) -> None:
    """One JSON document on a line of its own, at once."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def say(message: str) -> None:
    """A message for a person, on stderr."""
    print(plain(message), file=sys.stderr, flush=True)


def text(message: str) -> None:
    """Plain text on stdout."""
    print(plain(message), flush=True)


def show(what: RenderableType) -> None:
    """Something rich on stdout; without colour when it is not a terminal or NO_COLOR is set."""
    _console().print(what)


def table(rows: Iterable[Any], columns: Sequence[Column], *, empty: str) -> None:
    """Rows under headings; ``empty`` is said when there are none."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    for heading, _ in columns:
        drawn.add_column(heading, overflow="fold", no_wrap=heading == columns[0][0])
    count = 0
    for row in rows:
        count += 1
        drawn.add_row(*(Text(_cell(value(row)).replace("\n", "↵ ")) for _, value in columns))  # a row stays one
    if count:
        show(drawn)
    else:
        say(empty)


def pairs(items: Iterable[tuple[str, object]]) -> None:
    """Names and values of one thing, one below the other; empty ones left out."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, show_header=False, pad_edge=False)
    drawn.add_column(style="bold")
    drawn.add_column(overflow="fold")
    for name, value in items:
        if value not in (None, "", [], {}):
            drawn.add_row(name, Text(_cell(value)))
    show(drawn)


def plain(message: str) -> str:
    """The text without control characters: what an agent or a file wrote must not steer the terminal."""
    return "".join(char if char in "\n\t" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in message)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return plain(str(value))


def _console() -> Console:
    from rich.console import Console

    # Piped into a file or another program a table keeps its full width: nothing is cut to an imagined terminal.
    return Console(width=None if sys.stdout.isatty() else 10_000, soft_wrap=not sys.stdout.isatty(), highlight=False)
