"""The search line of tasks: ``state:failed lane:B cost:>1 since:2h some words``.

A line is read into terms, terms into the filter that the address's own parameters make too. What does not fit is told
by name, with what goes there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from console.look import Look
from core.domain.spec import OPEN
from projections.rows.tasks import STATE_ORDER, TaskFilter

MOST_TERMS = 40
GROUPS = {"open": tuple(sorted(OPEN)), "broken": ("failed", "quarantined")}

_VALUE = r'(?:"[^"]*"|[^\s"])*'
_TERM = re.compile(rf'([A-Za-z_]+):({_VALUE})|"([^"]*)"|(\S+)')
_PARTS = re.compile(r'"([^"]*)"|([^,"]+)')
_SPAN = re.compile(r"(\d{1,6})([smhd])")
_MONEY = re.compile(r"(>=|<=|>|<|)\$?(\d{1,9}(?:\.\d{1,6})?)")
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Unfit(ValueError):
    """A value that does not fit its qualifier; the text says what would."""


class Term(msgspec.Struct, frozen=True):
    """One thing asked for: a qualifier with its values, or (no name) a word or phrase of title or id."""

    name: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        said = ",".join(_quoted(value) for value in self.values)
        return f"{self.name}:{said}" if self.name else said


class Search(msgspec.Struct, frozen=True):
    """``line``: all that is asked, as one would type it. ``problems``: what does not fit; then the filter is no use."""

    terms: tuple[Term, ...]
    wanted: TaskFilter
    problems: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        return " ".join(map(str, self.terms))

    def without(self, term: Term) -> str:
        return " ".join(str(each) for each in self.terms if each is not term)

    def toggled(self, name: str, value: str) -> str:
        """The line with a value of a qualifier added, or taken out where it stands already."""
        out: list[Term] = []
        for term in self.terms:
            left = tuple(each for each in term.values if term.name != name or each != value)
            out += [Term(term.name, left)] if left else []
        if out == list(self.terms):
            out.append(Term(name, (value,)))
        return " ".join(map(str, out))


class Qualifier(msgspec.Struct, frozen=True):
    """``says``: what it asks. ``examples``: values that go, for suggestions. ``read``: values to filter fields."""

    says: str
    examples: tuple[str, ...]
    read: Callable[[Sequence[str], int], dict[str, Any]]


def search_of(look: Look, **fixed: Any) -> Search:
    """What the address asks: its own parameters (``?state=failed``) first, then the line ``?q=``."""
    own = [Term(name, look.all(name)) for name in QUALIFIERS if name != "text" and look.get(name)]
    words = [look.get("text")] if look.get("text") else []
    lines = [value for key, value in look.asked if key == "q"]
    return searched((*own, *terms_of(" ".join([*words, *lines]))), look.time // 1_000_000 * 1_000_000, **fixed)


def searched(terms: Iterable[Term], now: int, **fixed: Any) -> Search:
    """The filter of the terms; ``since:2h`` counts back from ``now``, microseconds."""
    terms = tuple(terms)
    fields: dict[str, Any] = {}
    problems = [f"{len(terms)} terms are more than the {MOST_TERMS} that go"] if len(terms) > MOST_TERMS else []
    for term in terms[:MOST_TERMS]:
        try:
            _take(fields, _read(term, now), term)
        except Unfit as unfit:
            problems.append(str(unfit))
    text = " ".join(_phrase(value) for value in fields.pop("words", ()))
    return Search(terms, TaskFilter(**fields, text=text, **fixed), tuple(problems))


def terms_of(line: str) -> tuple[Term, ...]:
    """The line cut into terms. ``"state:failed"`` in quotes is words, and so is what has no name before its colon."""
    found = []
    for name, value, phrase, word in _TERM.findall(line):
        if name:
            values = tuple(quoted or bare for quoted, bare in _PARTS.findall(value))
            found.append(Term(name.lower(), values))
        elif phrase.strip() or word:
            found.append(Term("", (phrase or word.replace('"', ""),)))
    return tuple(term for term in found if term.name or term.values[0])


def _read(term: Term, now: int) -> dict[str, Any]:
    if not term.name:
        return {"words": term.values}
    qualifier = QUALIFIERS.get(term.name)
    if qualifier is None:
        raise Unfit(
            f"{term.name[:40]}: is no qualifier; {', '.join(QUALIFIERS)} are. "
            f'To look for these very letters, write them in quotes: "{str(term)[:60].replace(chr(34), "")}".'
        )
    if not term.values:
        raise Unfit(f"{term.name}: says nothing yet; write for example {term.name}:{qualifier.examples[0]}.")
    return qualifier.read(term.values, now)


def _take(fields: dict[str, Any], read: dict[str, Any], term: Term) -> None:
    """Lists of one qualifier grow; a single thing asked for twice is a contradiction and told."""
    for name, value in read.items():
        if name in fields and not isinstance(value, tuple):
            raise Unfit(f"{term.name}: stands twice; leave one of them out.")
        fields[name] = (*fields[name], *value) if name in fields else value


# ── one reader for each kind of value


def _list(field: str) -> Callable[[Sequence[str], int], dict[str, Any]]:
    return lambda values, _: {field: tuple(values)}


def _states(values: Sequence[str], _: int) -> dict[str, Any]:
    found: list[str] = []
    for value in map(str.lower, values):
        if value not in STATE_ORDER and value not in GROUPS:
            raise Unfit(f"state:{value[:40]} is no state; {', '.join((*STATE_ORDER, *GROUPS))} are.")
        found += GROUPS.get(value, (value,))
    return {"states": tuple(found)}


def _priorities(values: Sequence[str], _: int) -> dict[str, Any]:
    found = [value.upper().removeprefix("P") for value in values]
    for value, read in zip(values, found, strict=True):
        if read not in ("0", "1", "2", "3", "4"):
            raise Unfit(f"priority:{value[:40]} is none; P0 (first) to P4 (last) are, also several: priority:0,1.")
    return {"priorities": tuple(map(int, found))}


def _cost(values: Sequence[str], _: int) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for value in values:
        read = _MONEY.fullmatch(value)
        if read is None:
            raise Unfit(f"cost:{value[:40]} is no bound in dollars; cost:>1, cost:<=0.50 or both (cost:>1,<5) are.")
        uusd = round(float(read[2]) * 1e6)
        most = read[1].startswith("<")
        bound = uusd + {">": 1, "<": -1}.get(read[1], 0)
        _take(fields, {"cost_most" if most else "cost_least": bound}, Term("cost", ()))
    return fields


def _since(values: Sequence[str], now: int) -> dict[str, Any]:
    [value] = values[:1]
    span = _SPAN.fullmatch(value)
    if span is not None:
        return {"since": max(0, now - int(span[1]) * _UNITS_S[span[2]] * 1_000_000)}
    try:
        when = datetime.fromisoformat(value)
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
        return {"since": max(0, int(when.timestamp() * 1e6))}
    except (ValueError, OverflowError):
        raise Unfit(
            f"since:{value[:40]} is no time; since:2h (s, m, h, d) or since:2026-11-20T14:05 (UTC) are."
        ) from None


def _one(field: str) -> Callable[[Sequence[str], int], dict[str, Any]]:
    def read(values: Sequence[str], _: int) -> dict[str, Any]:
        if len(values) > 1:
            raise Unfit(f"{field}: takes one value, not {len(values)}.")
        return {field: values[0]}

    return read


def _containers(values: Sequence[str], _: int) -> dict[str, Any]:
    said = {"yes": True, "true": True, "no": False, "false": False}
    if len(values) != 1 or values[0].lower() not in said:
        raise Unfit("containers: takes yes (only them) or no (all but them).")
    return {"containers": said[values[0].lower()]}


QUALIFIERS: dict[str, Qualifier] = {
    "state": Qualifier("in one of these states", (*STATE_ORDER, *GROUPS), _states),
    "lane": Qualifier("in one of these lanes", ("A", "B"), _list("lanes")),
    "agent": Qualifier("with this agent now, or last", ("opus-2", "anvil/opus-2"), _one("agent")),
    "session": Qualifier("of one of these sessions", ("default",), _list("sessions")),
    "label": Qualifier("with one of these labels", ("db",), _list("labels")),
    "kind": Qualifier("of one of these kinds", ("task", "bug"), _list("kinds")),
    "priority": Qualifier("of one of these priorities", ("0", "0,1"), _priorities),
    "cost": Qualifier("that cost so much, in dollars", (">1", "<0.5"), _cost),
    "since": Qualifier("in its state since then", ("2h", "30m", "1d"), _since),
    "containers": Qualifier("only containers, or none", ("no", "yes"), _containers),
    "text": Qualifier("with this in its title or id", ('"exact words"',), lambda values, _: {"words": tuple(values)}),
}


def _quoted(value: str) -> str:
    """The value as it must be typed so that it is read back the same."""
    plain = value.replace('"', "")
    return f'"{plain}"' if re.search(r"[\s,:]", plain) or not plain else plain


def _phrase(value: str) -> str:
    return f'"{value}"' if " " in value else value
