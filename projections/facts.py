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

Rows = Sequence[Any]
Column = tuple[pa.DataType, Callable[[Rows], list[Any]]]
Seen = tuple[Stored, Recorded]

FACTS: dict[str, type] = {str(fact.__struct_config__.tag): fact for fact in typing.get_args(Event)}
LARGEST = 2**53
_PLAIN = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


class Unreadable(Exception):
    """A fact this build does not know, or that is not one. ``before`` are the messages up to it, which are good."""

    def __init__(self, stored: Stored, why: str, before: list[Seen]) -> None:
        super().__init__(
            f"EVENTS {stored.seq} ({stored.subject}) cannot be read: {why}. The read model stops before it and skips "
            "nothing; start a build that knows this fact"
        )
        self.before = before


def decode(batch: Sequence[Stored]) -> list[Seen]:
    """The facts of the messages, or ``Unreadable`` for the first that is none."""
    seen: list[Seen] = []
    for stored in batch:
        try:
            seen.append((stored, decode_fact(stored.data)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreadable(stored, str(error), seen) from error
    return seen


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

    def facts(self, seen: Sequence[Seen]) -> dict[str, pa.Table]:
        """By fact tag, and all of them under ``any``."""
        by_tag: dict[type, list[Seen]] = {}
        for each in seen:
            by_tag.setdefault(type(each[1].fact), []).append(each)
        shaped = {
            name: self._shape(name, rows)
            for name, rows in ((tag(rows[0][1].fact), rows) for rows in by_tag.values())
            if name in self._columns
        }
        if ANY in self._columns:
            shaped[ANY] = self._shape(ANY, seen)
        return shaped

    def observations(self, batch: Sequence[Stored]) -> dict[str, pa.Table]:
        return {OBSERVATION: self._shape(OBSERVATION, [_observation(stored) for stored in batch])}

    def commands(self, batch: Sequence[Stored]) -> dict[str, pa.Table]:
        return {COMMAND: self._shape(COMMAND, [_command(decode_command(stored)) for stored in batch])}

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
        return _of_struct(_Observation, "")
    if name == COMMAND:
        return _of_struct(_Command, "")
    if name != ANY and name not in FACTS:
        raise ValueError(f"'-- on {name}': there is no such fact; see core/domain/machine.py for the ones there are")
    envelope: dict[str, Column] = {
        "seq": (pa.int64(), _each("0.seq")), "stored_us": (pa.int64(), _each("0.at")),
        "at_us": (pa.int64(), _each("1.at")), "actor": (pa.string(), _each("1.by")),
        "cause": (pa.string(), _each("1.cause")), "command_seq": (pa.int64(), _each("1.command_seq")),
        "part": (pa.int64(), _each("1.part")), "parts": (pa.int64(), _each("1.of")),
        "ended": (pa.bool_(), _each("1.end")),
    }  # fmt: skip
    if name == ANY:
        return envelope | {
            "tag": (pa.string(), lambda rows: [tag(row[1].fact) for row in rows]),
            "outcome": (pa.string(), lambda rows: [_refusal(row[1], "outcome") for row in rows]),
            "reason": (pa.string(), lambda rows: [_refusal(row[1], "reason") for row in rows]),
        }
    return envelope | {"tag": (pa.string(), lambda rows: [name] * len(rows))} | _of_struct(FACTS[name], "1.fact.")


def _refusal(recorded: Recorded, field: str) -> str | None:
    return getattr(recorded.fact, field) if isinstance(recorded.fact, CommandRefused) else None


def _of_struct(struct: type, path: str, prefix: str = "") -> dict[str, Column]:
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
            columns[f"{prefix}{field}"] = (_arrow(inner), _each(where))
    return columns


def _structs(where: str, struct: type) -> Column:
    """A list of structs, each with its plain fields (defaults filled in)."""
    hints = {
        field: _arrow(_bare(hint)) for field, hint in typing.get_type_hints(struct).items()
        if field in struct.__struct_fields__  # type: ignore[attr-defined]
    }  # fmt: skip
    get = _each(where)
    kind = pa.list_(pa.struct(list(hints.items())))
    return kind, lambda rows: [[{f: getattr(x, f) for f in hints} for x in items] for items in get(rows)]


def _each(where: str) -> Callable[[Rows], list[Any]]:
    """The values at a path such as ``1.fact.task_id``, of every row; the leading number is the place in the pair."""
    first, _, rest = where.partition(".")
    if not first.isdigit():
        plain = attrgetter(where)
        return lambda rows: list(map(plain, rows))
    place, get = int(first), attrgetter(rest)
    return lambda rows: [get(row[place]) for row in rows]


def _as_json(where: str) -> Callable[[Rows], list[Any]]:
    encode, get = msgspec.json.Encoder().encode, _each(where)
    return lambda rows: [encode(value).decode() for value in get(rows)]


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
        seen.says, seen.ref, seen.failed, usage, msgspec.json.encode(seen.data).decode(),
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
