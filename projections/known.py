"""Answers about settled moments: a page that is seen by many asks its questions once."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

Rows = list[dict[str, Any]]

PARAMETER = re.compile(r"\$([a-z_]\w*)")
ANSWERS, ANSWER_ROWS = 256, 500  # answers kept, and the longest of them
SETTLED_BY = ("seq", "observations_seq", "commands_seq")  # parameters that name a moment in a stream


class Known:
    """Answers about moments that are folded whole, which never change: pages seen by many are asked for once.

    Who asks what is being asked waits for that answer: the panels of a page ask side by side, and often the same.
    """

    def __init__(self) -> None:
        self._answers: OrderedDict[bytes, Rows] = OrderedDict()
        self._asked: dict[bytes, Flight] = {}
        self._lock = threading.Lock()
        self._folded = dict.fromkeys(SETTLED_BY, 0)

    @property
    def folded(self) -> int:
        """How far EVENTS is folded."""
        return self._folded["seq"]

    def fold(self, **folded: int) -> None:
        """Note how far the streams are folded (``seq``, ``observations_seq``, ``commands_seq``)."""
        self._folded = folded

    def forget(self) -> None:
        with self._lock:
            self._answers, self._asked = OrderedDict(), {}
            self._folded = dict.fromkeys(SETTLED_BY, 0)

    def answer(self, text: str, values: dict[str, Any], ask: Callable[..., Rows]) -> Rows:
        """The rows, as new dicts: asked for, or known from before."""
        named = {name: values[name] for name in set(PARAMETER.findall(text))}
        if "seq" not in named:
            return ask(text, **named)
        key = text.encode() + msgspec.msgpack.encode(sorted(named.items()))
        flight: Flight | None = None
        with self._lock:
            settled = all(named.get(name, 0) <= self._folded[name] for name in SETTLED_BY)
            rows = self._found(key) if settled else None
            first = settled and rows is None and key not in self._asked
            if first:
                flight = self._asked[key] = Flight(self._answers, self._asked)
            elif settled and rows is None:
                flight = self._asked[key]
        if flight is not None:
            rows = self._fly(key, flight, lambda: ask(text, **named)) if first else flight.rows()
        if rows is None:  # not settled yet, or whoever asked first failed
            rows = ask(text, **named)
        return [dict(row) for row in rows]

    def _found(self, key: bytes) -> Rows | None:
        rows = self._answers.get(key)
        if rows is not None:
            self._answers.move_to_end(key)
        return rows

    def _fly(self, key: bytes, flight: Flight, ask: Callable[[], Rows]) -> Rows:
        """Ask, tell those who wait, and keep the answer with those it began with: a rebuild has put others there."""
        try:
            flight.found = ask()
            return flight.found
        finally:
            with self._lock:
                flight.asked.pop(key, None)
                if flight.found is not None and len(flight.found) <= ANSWER_ROWS:
                    flight.answers[key] = flight.found
                    while len(flight.answers) > ANSWERS:
                        flight.answers.popitem(last=False)
            flight.landed.set()


class Flight:
    """A question that is being asked. Its asker waits for nobody: it is at a statement, not at a page."""

    def __init__(self, answers: OrderedDict[bytes, Rows], asked: dict[bytes, Flight]) -> None:
        self.answers, self.asked = answers, asked
        self.found: Rows | None = None
        self.landed = threading.Event()

    def rows(self) -> Rows | None:
        """What was found, once it is; None when that failed."""
        self.landed.wait()
        return self.found
