"""How far a task reaches: the tasks it needs and those that need it, their needs and needers, up to a bound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from core.domain.conditions import AgentView
from projections.because import agent_views, needs, unfit
from projections.rows import At, Row
from projections.rows.tasks import Link
from projections.store import Reader, only

MOST = 300  # tasks drawn at once
STANDING = ("failed", "quarantined", "cancelled", "paused")  # somebody has to do something
ROWS_READ = 2_500_000  # of the table of edges, by one question: each step reads it once


class Reach(Row, frozen=True):
    """``links``: the tasks drawn, ``task_id`` first. ``edges``: (before, after) among them: a need before the task
    that needs it, a part before its container. ``before``, ``after``: by task how many more there are, not drawn."""

    task_id: str
    links: list[Link]
    edges: list[tuple[str, str]]
    before: dict[str, int]
    after: dict[str, int]

    @property
    def more(self) -> int:
        return sum(self.before.values()) + sum(self.after.values())

    @property
    def needs(self) -> list[Link]:
        """All drawn tasks that must be done before it, nearest first."""
        return self._towards({(after, before) for before, after in self.edges})

    @property
    def needed_by(self) -> list[Link]:
        """All drawn tasks that wait for it, nearest first."""
        return self._towards(set(self.edges))

    def _towards(self, steps: set[tuple[str, str]]) -> list[Link]:
        known = {link.task_id: link for link in self.links}
        found: dict[str, None] = {}
        look = {self.task_id}
        while look:
            look = {there for here, there in steps if here in look} - found.keys() - {self.task_id}
            found |= dict.fromkeys(sorted(look))
        return [known[each] for each in found]


def reach(db: Reader, at: At, task_id: str, steps: int | None) -> Reach:
    """``steps``: how far to go in each direction; None: to all that hangs together with it. At most ``MOST`` tasks."""
    drawn = {task_id: None}
    edges: dict[tuple[str, str], None] = {}
    back, on = {task_id}, {task_id}
    looked: set[str] = set()
    for step in range(_steps(db, at, steps) + 1):
        look = sorted((back | on) - looked)
        if not look:
            break
        looked |= set(look)
        found = _around(db, at, look)
        edges |= dict.fromkeys(found)
        if steps is not None and step == steps:
            break
        lefts = {a for a, b in found if b in back}
        rights = {b for a, b in found if a in on}
        fresh = [each for each in sorted(lefts | rights) if each not in drawn][: MOST - len(drawn)]
        drawn |= dict.fromkeys(fresh)
        back, on = (set(fresh), set(fresh)) if steps is None else (lefts & set(fresh), rights & set(fresh))
    return _reach(db, at, task_id, list(drawn), edges)


def stuck_on(db: Reader, at: At, task_id: str) -> list[Link]:
    """What a blocked task waits for in the end, through others that are blocked too: the tasks before it that do not go
    on by themselves, those among them that no agent could do, nearest first. At most ``MOST`` tasks are looked at."""
    seen, look = {task_id}, [task_id]
    found: list[Link] = []
    present = [agent for agent in agent_views(db, at) if agent.state != "gone"]
    for _ in range(_steps(db, at, None)):
        before = sorted({a for a, b in _around(db, at, look) if b in look} - seen)[: MOST - len(seen)]
        if not before:
            break
        seen |= set(before)
        links = _links(db, at, before)
        ready = [link.task_id for link in links if link.state == "ready"]
        wholes = _wholes(db, at, ready)
        lacking = _lacking(db, at, [each for each in ready if each not in wholes], present)
        told = [msgspec.structs.replace(link, says=lacking.get(link.task_id, "")) for link in links]
        found += [link for link in told if link.missing or link.state in STANDING or link.says]
        look = [link.task_id for link in links if link.state == "blocked" or link.task_id in wholes]
    return found


def _wholes(db: Reader, at: At, ready: list[str]) -> set[str]:
    """Of these tasks those with parts: they are given to nobody, and done when their parts are."""
    if not ready:
        return set()
    rows = db.ask("tasks.parts", {"ids": only("after", ready)}, seq=at.events_seq, ids=ready)
    return {row["task_id"] for row in rows}


def _lacking(db: Reader, at: At, ready: list[str], present: Sequence[AgentView]) -> dict[str, str]:
    """Of these tasks those that none of the agents could do, and why."""
    if not ready:
        return {}
    rows = db.ask("tasks.wording", {"ids": only("task_id", ready)}, seq=at.events_seq, ids=ready)
    told = {row["task_id"]: unfit(needs(row), present) for row in rows}
    return {task_id: says for task_id, says in told.items() if says}


def _steps(db: Reader, at: At, steps: int | None) -> int:
    """How many steps may be taken: a small plan is walked to its end, one among millions as far as time allows."""
    if steps is not None:
        return steps
    [rows] = db.ask("reach.size", seq=at.events_seq)
    return max(3, min(MOST, ROWS_READ // max(1, int(rows["n"]))))


def _around(db: Reader, at: At, ids: list[str]) -> list[tuple[str, str]]:
    """Every edge that begins or ends at one of these: (before, after)."""
    return [(row["before"], row["after"]) for row in db.ask("reach.around", seq=at.events_seq, ids=ids)]


def _reach(db: Reader, at: At, task_id: str, drawn: list[str], edges: Iterable[tuple[str, str]]) -> Reach:
    known = set(drawn)
    inside: list[tuple[str, str]] = []
    before: dict[str, int] = {}
    after: dict[str, int] = {}
    for a, b in edges:
        if a in known and b in known:
            inside.append((a, b))
        elif b in known:
            before[b] = before.get(b, 0) + 1
        elif a in known:
            after[a] = after.get(a, 0) + 1
    return Reach(task_id=task_id, links=_links(db, at, drawn), edges=sorted(inside), before=before, after=after)


def _links(db: Reader, at: At, ids: list[str]) -> list[Link]:
    found = db.ask("tasks.links", {"ids": only("task_id", ids)}, seq=at.events_seq, ids=ids)
    known = {row["task_id"]: Link(**row) for row in found}
    return [known.get(each) or Link(task_id=each, missing=True) for each in ids]
