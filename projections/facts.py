"""Messages of a stream as Arrow tables, one for each type of fact, with just the columns the SQL names."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa

from core.domain.machine import CommandRefused, Event, Received, Recorded, about, tag
from core.envelope import decode_command, decode_fact
from core.ledger import Stored
from core.observation import decode_observation
from projections.sql import ANY, COMMAND, OBSERVATION, Table


class Rows(msgspec.Struct, frozen=True):
    """What a relation is made of: for each row the message, its envelope, and the thing itself.

    (Three lists and not a list of three: 5,000 tuples a batch keep the garbage collector busy, 8 ms of it.)
    """

    stored: Sequence[Stored]
    recorded: Sequence[Recorded]
    things: Sequence[Any]

    def at(self, places: Sequence[int]) -> Rows:
        stored, recorded, things = self.stored, self.recorded, self.things
        return Rows([stored[i] for i in places], [recorded[i] for i in places], [things[i] for i in places])

    def part(self, first: int, end: int) -> Rows:
        return Rows(self.stored[first:end], self.recorded[first:end], self.things[first:end])


Column = tuple[pa.DataType, Callable[[Rows], list[Any]]]

FACTS: dict[str, type] = {str(fact.__struct_config__.tag): fact for fact in typing.get_args(Event)}
LARGEST = 2**53
_PLAIN = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


class Unreadable(Exception):
    """A fact this build does not know, or that is not one. ``before`` are the messages up to it, which are good."""

    def __init__(self, stored: Stored, why: str, before: Rows) -> None:
        super().__init__(
            f"EVENTS {stored.seq} ({stored.subject}) cannot be read: {why}. The read model stops before it and skips "
            "nothing; start a build that knows this fact"
        )
        self.before = before


def decode(batch: Sequence[Stored]) -> Rows:
    """The facts of the messages, or ``Unreadable`` for the first that is none."""
    seen: list[Recorded] = []
    try:
        for stored in batch:
            seen.append(decode_fact(stored.data))  # noqa: PERF401 - what came before a bad one is wanted
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        bad = batch[len(seen)]
        raise Unreadable(bad, str(error), _rows(batch[: len(seen)], seen)) from error
    return _rows(batch, seen)


class Shaper:
    """Turns decoded messages into the relations that the tables' blocks read, by the name of the block."""

    def __init__(self, tables: Iterable[Table]) -> None:
        words: dict[str, set[str]] = {}
        for table in tables:
            for name, block in table.on.items():
                words.setdefault(name, set()).update(re.findall(r"\w+", block.sql))
            for name, sql in table.after.items():
                words.setdefault(name, set()).update(re.findall(r"\w+", sql))
        self._columns = {
            name: {column: made for column, made in _columns(name).items() if column in named}
            for name, named in words.items()
        }

    def facts(self, seen: Rows) -> dict[str, pa.Table]:
        """By fact tag, and all of them under ``any``."""
        places: dict[type, list[int]] = {}
        for place, kind in enumerate(map(type, seen.things)):
            places.setdefault(kind, []).append(place)
        shaped = {ANY: self._shape(ANY, seen)} if ANY in self._columns else {}
        for kind, at in places.items():
            name = str(kind.__struct_config__.tag)  # type: ignore[attr-defined]
            if name in self._columns:
                shaped[name] = self._shape(name, seen.at(at))
        return shaped

    def observations(self, batch: Sequence[Stored]) -> dict[str, pa.Table]:
        return {OBSERVATION: self._shape(OBSERVATION, Rows((), (), [_observation(stored) for stored in batch]))}

    def commands(self, batch: Sequence[Stored]) -> dict[str, pa.Table]:
        return {COMMAND: self._shape(COMMAND, Rows((), (), [_command(decode_command(stored)) for stored in batch]))}

    def _shape(self, name: str, rows: Rows) -> pa.Table:
        columns = self._columns[name]
        return pa.table({column: _array(values(rows), kind) for column, (kind, values) in columns.items()})


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except OverflowError:  # a number no table holds is shown as the largest one: it must not stop the fold
        return pa.array([value and max(-LARGEST, min(LARGEST, value)) for value in values], kind)


def _columns(name: str) -> dict[str, Column]:
    """Every column the relation of that name could have."""
    if name == OBSERVATION:
        return _of_struct(_Observation)
    if name == COMMAND:
        return _of_struct(_Command)
    if name != ANY and name not in FACTS:
        raise ValueError(f"'-- on {name}': there is no such fact; see core/domain/machine.py for the ones there are")
    envelope: dict[str, Column] = {
        "seq": (pa.int64(), _each("stored", "seq")), "stored_us": (pa.int64(), _each("stored", "at")),
        "at_us": (pa.int64(), _each("recorded", "at")), "actor": (pa.string(), _each("recorded", "by")),
        "cause": (pa.string(), _each("recorded", "cause")),
        "command_seq": (pa.int64(), _each("recorded", "command_seq")),
        "part": (pa.int64(), _each("recorded", "part")), "parts": (pa.int64(), _each("recorded", "of")),
        "ended": (pa.bool_(), _each("recorded", "end")),
    }  # fmt: skip
    if name == ANY:
        return envelope | {
            "tag": (pa.string(), lambda rows: list(map(tag, rows.things))),
            "outcome": (pa.string(), lambda rows: _of_refusals(rows.things, "outcome")),
            "reason": (pa.string(), lambda rows: _of_refusals(rows.things, "reason")),
        }
    return envelope | {"tag": (pa.string(), lambda rows: [name] * len(rows.things))} | _of_struct(FACTS[name])


def _rows(batch: Sequence[Stored], seen: Sequence[Recorded]) -> Rows:
    return Rows(batch, seen, [each.fact for each in seen])


def _of_refusals(facts: Sequence[Any], field: str) -> list[str | None]:
    return [getattr(fact, field) if type(fact) is CommandRefused else None for fact in facts]


def _of_struct(struct: type, path: str = "", prefix: str = "") -> dict[str, Column]:
    """A column a field; a struct within gives its own fields, prefixed, and itself as JSON text."""
    columns: dict[str, Column] = {}
    for field, hint in typing.get_type_hints(struct).items():
        if field not in struct.__struct_fields__:  # type: ignore[attr-defined]
            continue
        inner, where = _bare(hint), f"{path}{field}"
        if _is_struct(inner):
            columns |= _of_struct(inner, f"{where}.", f"{prefix}{field}_")
            columns[f"{prefix}{field}"] = (pa.string(), _as_json(where))
        elif typing.get_origin(inner) is dict or inner is dict:
            columns[f"{prefix}{field}"] = (pa.string(), _as_json(where))
        elif typing.get_origin(inner) is list and _is_struct(_bare(typing.get_args(inner)[0])):
            columns[f"{prefix}{field}"] = _structs(where, _bare(typing.get_args(inner)[0]))
        else:
            columns[f"{prefix}{field}"] = (_arrow(inner), _each("things", where))
    return columns


def _structs(where: str, struct: type) -> Column:
    """A list of structs, each with its plain fields (defaults filled in)."""
    hints = {
        field: _arrow(_bare(hint)) for field, hint in typing.get_type_hints(struct).items()
        if field in struct.__struct_fields__  # type: ignore[attr-defined]
    }  # fmt: skip
    get = _each("things", where)
    kind = pa.list_(pa.struct(list(hints.items())))
    return kind, lambda rows: [[{f: getattr(x, f) for f in hints} for x in items] for items in get(rows)]


def _each(part: str, path: str) -> Callable[[Rows], list[Any]]:
    """The values at a path such as ``spec.title`` in that part of every row."""
    of, get = attrgetter(part), attrgetter(path)
    return lambda rows: list(map(get, of(rows)))


def _as_json(where: str) -> Callable[[Rows], list[Any]]:
    encode, get = msgspec.json.Encoder().encode, _each("things", where)
    return lambda rows: list(map(encode, get(rows)))


def _arrow(hint: Any) -> pa.DataType:
    if typing.get_origin(hint) is list:
        return pa.list_(_arrow(_bare(typing.get_args(hint)[0])))
    return _PLAIN[hint]


def _bare(hint: Any) -> Any:
    """The type without Annotated, Optional and Literal."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _bare(typing.get_args(hint)[0])
    if origin is typing.Literal:
        return str
    if origin in (typing.Union, types.UnionType):
        return _bare(next(each for each in typing.get_args(hint) if each is not type(None)))
    return hint


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


class _Observation(msgspec.Struct, frozen=True, gc=False):
    seq: int
    stored_us: int
    at_us: int
    run_id: str
    task_id: str
    n: int
    kind: str
    name: str
    says: str
    ref: str
    failed: bool
    usage: str | None
    data: str
    diff: str = ""
    added: int = 0
    removed: int = 0


class _Command(msgspec.Struct, frozen=True, gc=False):
    seq: int
    at_us: int
    command_id: str
    actor: str
    tag: str
    kind: str
    target: str
    deadline: int
    problem: str


def _observation(stored: Stored) -> _Observation:
    """As a row; what cannot be read is one too, so that garbage on the stream is seen and stops nothing."""
    try:
        seen = decode_observation(stored.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        says = f"not an observation: {error}"
        return _Observation(stored.seq, stored.at, stored.at, "", "", 0, "unreadable", "", says, "", True, None, "{}")
    usage = None if seen.usage is None else msgspec.json.encode(seen.usage).decode()
    return _Observation(
        stored.seq, stored.at, seen.at, seen.run_id, seen.run_id.rpartition("~")[0], seen.n, seen.kind, seen.name,
        seen.says, seen.ref, seen.failed, usage, msgspec.json.encode(seen.data).decode(), seen.diff, seen.added,
        seen.removed,
    )  # fmt: skip


def _command(received: Received) -> _Command:
    command = received.command
    kind, target = about(command) if command is not None else ("command", "")
    return _Command(
        received.seq, received.at, received.id, received.by, tag(command) if command is not None else "", kind,
        target, received.deadline, received.problem,
    )  # fmt: skip


def kinds(tables: Mapping[str, Table]) -> set[str]:
    """The tags of all facts some table takes in by name."""
    return {name for table in tables.values() for name in table.on if name in FACTS}
