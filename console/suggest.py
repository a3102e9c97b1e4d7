"""What could stand next in the search line: qualifiers by name, and the values there are."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from console.desk import Desk
from console.look import Look
from console.search import QUALIFIERS
from projections import queries

MOST = 12
_LAST = re.compile(r'(?:^|\s)((?:[^\s"]|"[^"]*"?)*)$')


class Hint(msgspec.Struct, frozen=True):
    """``line``: the whole line with the suggestion taken. ``says``: what the suggestion asks."""

    line: str
    says: str


async def suggestions(desk: Desk, look: Look, line: str) -> list[Hint]:
    """Ways to go on from the last, unfinished word of the line; at its very end the qualifiers themselves."""
    found = _LAST.search(line)
    last = found[1] if found else ""
    before = line[: len(line) - len(last)]
    name, colon, value = last.partition(":")
    qualifier = QUALIFIERS.get(name.lower())
    if not colon:
        fits = (each for each in QUALIFIERS if each.startswith(last.lower()))
        return [Hint(f"{before}{each}:", QUALIFIERS[each].says) for each in fits][:MOST]
    if qualifier is None:
        return []
    *held, begun = value.split(",")
    lead = f"{before}{name}:{''.join(each + ',' for each in held)}"
    known = await _values(desk, look, name.lower()) or qualifier.examples
    fits = (each for each in dict.fromkeys(known) if each not in held and begun.lower() in each.lower())
    return [Hint(f"{lead}{_typed(each)}", qualifier.says) for each in fits][:MOST]


async def _values(desk: Desk, look: Look, name: str) -> Iterable[str]:
    """The values that exist, where a query knows them; else the qualifier's own examples go."""
    ask, at = desk.read_model.query, look.at
    match name:
        case "lane":
            return await ask(queries.lane_names, at)
        case "session":
            return [each.session_id for each in await ask(queries.sessions, at)]
        case "agent":
            return [each.name for each in await ask(queries.crew, at)]
        case "label" | "kind":
            return await ask(queries.words_of, at, name)
        case _:
            return ()


def _typed(value: str) -> str:
    return f'"{value}"' if re.search(r"[\s,]", value) else value
