"""Text with places for parameters: ``{{name}}``. Reading it, filling it, and knowing its length before it is filled.

A value never becomes code: in a command it travels in a shell variable that is set on a line of its own before the
command, and the place where it stood only reads that variable. ``\\{{`` writes two braces that are no place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

Value = str | int | float | bool | list[str]
Values = Mapping[str, Value]

_MARK = re.compile(r"\\\{\{|\{\{([^{}]*)\}\}|\{\{")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class Slot(msgspec.Struct, frozen=True):
    """A place for a parameter. ``quote``: what it stands within in a command: ``"``, ``'``, ``#`` (a comment)."""

    name: str
    quote: str = ""


Piece = str | Slot


class BadSlot(Exception):
    """Two braces that are neither a place nor escaped; the text says what to write instead."""


def is_name(text: str) -> bool:
    """Lower-case words with single underscores between them: what can be a shell variable of ours, too."""
    return _NAME.fullmatch(text) is not None


def pieces(text: str) -> list[Piece]:
    """Plain text and places, in turn."""
    found: list[Piece] = []
    end = 0
    for mark in _MARK.finditer(text):
        found.append(text[end : mark.start()])
        end = mark.end()
        if mark[0] == "\\{{":
            found.append("{{")
        elif mark[1] is None:
            raise BadSlot("it opens {{ and never closes it: write {{name}}, or \\{{ for two braces")
        elif not is_name(mark[1].strip()):
            raise BadSlot(f"{mark[0][:60]} is no place for a parameter: write {{{{name}}}}, or \\{{{{ for two braces")
        else:
            found.append(Slot(mark[1].strip()))
    return [*found, text[end:]]


def in_shell(text: str) -> list[Piece]:
    """The same of a command, each place with the quotes it stands within."""
    found: list[Piece] = []
    quote = ""
    for piece in pieces(text):
        if isinstance(piece, Slot):
            found.append(Slot(piece.name, quote))
        else:
            quote = _quote_after(piece, quote)
            found.append(piece)
    return found


def names(text: str) -> list[str]:
    return [piece.name for piece in pieces(text) if isinstance(piece, Slot)]


def length(found: Sequence[Piece], values: Values) -> int:
    """At most how many characters filling it gives: known before anything is put together."""
    shown = {piece.name: len(as_text(values[piece.name])) + 8 for piece in found if isinstance(piece, Slot)}
    return sum(len(piece) if isinstance(piece, str) else shown[piece.name] for piece in found)


def fill(text: str, values: Values) -> str:
    """The text with the values in their places, once: braces in a value stay braces."""
    return "".join(p if isinstance(p, str) else as_text(values[p.name]) for p in pieces(text))


def fill_each(texts: Sequence[str], values: Values) -> list[str]:
    """Each of them filled. One that is nothing but the place of a list becomes its items; empty ones are left out."""
    filled: list[str] = []
    for text in texts:
        found = [piece for piece in pieces(text) if piece]
        alone = found[0] if len(found) == 1 else None
        value = values[alone.name] if isinstance(alone, Slot) else None
        filled += value if isinstance(value, list) else [fill(text, values)]
    return list(dict.fromkeys(each for each in filled if each))


def fill_command(text: str, values: Values) -> str:
    """A command for ``/bin/sh``: the values set as variables, each on a line, then the text reading them."""
    found = in_shell(text)
    used = dict.fromkeys(piece.name for piece in found if isinstance(piece, Slot))
    settings = [line for name in used for line in _set(name, values[name])]
    body = "".join(piece if isinstance(piece, str) else _read(piece, values[piece.name]) for piece in found)
    return "\n".join([*settings, body])


def as_text(value: Value) -> str:
    """A value as it stands in a text: ``yes`` and ``no``, whole numbers without a point, items after commas."""
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(value)
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _set(name: str, value: Value) -> list[str]:
    if isinstance(value, list):
        return [f"{name}__{n}={quoted(item)}" for n, item in enumerate(value, 1)]
    return [f"{name}={quoted(as_text(value))}"]


def _read(slot: Slot, value: Value) -> str:
    if isinstance(value, list):
        return " ".join(f'"${slot.name}__{n}"' for n in range(1, len(value) + 1))
    return f"${{{slot.name}}}" if slot.quote else f'"${slot.name}"'


def quoted(text: str) -> str:
    """The text as one word of a shell, whatever is in it."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _quote_after(text: str, quote: str) -> str:
    """What is open at the end of a piece of a command: quotes, a comment (``#``), or nothing."""
    place, before = 0, ""
    while place < len(text):
        char = text[place]
        if quote == "#":
            quote = "" if char == "\n" else quote
        elif char == "\\" and quote != "'":
            place += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"" or (char == "#" and before in " \t\n;&|(" and (before or not place)):
            quote = char
        before = text[place] if place < len(text) else ""
        place += 1
    return quote
