"""What the palette finds: orders, pages, agents, tasks, runs, moments, for the few words somebody typed.

Every word must stand in what is found. Nothing that takes something away is ordered from here; it is only led to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from console import words
from console.desk import Desk
from console.everyone import everyone
from console.look import Look
from console.render import agent_path, run_path, task_path, template_path
from projections import queries
from projections.rows.agents import Agent
from projections.rows.fleet import Lane
from projections.rows.runs import RunFilter, Runs
from projections.rows.tasks import TaskFilter, Tasks
from projections.templates import TemplateRow

MOST = 6  # of one kind
LONGEST = 200  # characters of a question
UNDER_WAY = ("assigned", "running", "held")


class Find(msgspec.Struct, frozen=True, kw_only=True):
    """One line. It leads to ``path``, or it is an order (``fields``), or something the browser does (``does``).

    ``label`` as pieces, each with whether it was asked for; ``end``: what stands at the line's end; ``keys`` likewise.
    """

    label: tuple[tuple[str, bool], ...]
    path: str = ""
    fields: dict[str, str] = {}
    does: str = ""
    state: str = ""
    sign: str = ""
    id: str = ""
    end: str = ""
    keys: str = ""


class Group(msgspec.Struct, frozen=True):
    name: str
    finds: list[Find]


async def find(desk: Desk, look: Look, text: str) -> list[Group]:
    """Groups with something in them, the likeliest first."""
    asked = text[:LONGEST].lower().split()
    lanes = await desk.read_model.query(queries.lanes, look.at)
    agents = await everyone(desk, look)
    fleet = await desk.read_model.query(queries.fleet_state, look.at)
    first = list(_first(look, halted=fleet.halted))
    groups = [Group("Go to", _few(asked, _pages(look))), Group("Moments", list(_moments(look, text.strip())))]
    orders = _few(asked, _meant(asked, [*first, *_orders(look, lanes, agents)]) if asked else first)
    groups.insert(0 if any(each.fields for each in orders) else 1, Group("Do", orders))
    if asked:
        wanted = TaskFilter(text=" ".join(asked), limit=MOST)
        tasks = await desk.read_model.query(queries.tasks, look.at, wanted)
        runs = await desk.read_model.query(queries.runs, look.at, RunFilter(states=UNDER_WAY, limit=0))
        templates = await desk.read_model.query(queries.templates, look.at)
        groups.insert(2, Group("Templates", _few(asked, _templates(look, templates))))
        groups.append(Group("Agents", _few(asked, _agents(look, agents))))
        groups += [Group("Tasks", _tasks(look, tasks, asked)), Group("Runs", _few(asked, _runs(look, runs)))]
    return [group for group in groups if group.finds]


Candidate = tuple[str, Find]  # what is searched, and what is shown


def _few(asked: Sequence[str], candidates: Iterable[Candidate]) -> list[Find]:
    """Those in which every word stands; where one begins with what was typed, it comes first."""
    found = [
        (not text.lower().startswith(" ".join(asked)), n, each)
        for n, (text, each) in enumerate(candidates)
        if all(word in text.lower() for word in asked)
    ]
    best = sorted(found, key=lambda each: each[:2])[: MOST if asked else None]
    return [msgspec.structs.replace(each, label=pieces(each.label, asked)) for _, _, each in best]


def _meant(asked: Sequence[str], orders: Iterable[Candidate]) -> Iterator[Candidate]:
    """Orders whose verb was typed: whoever types a name and presses Enter wants to see it, not to pause it."""
    for text, order in orders:
        verb = text.partition(" ")[0].lower()
        if not order.fields or any(verb.startswith(word) for word in asked):
            yield text, order


def pieces(label: Sequence[tuple[str, bool]], asked: Sequence[str]) -> tuple[tuple[str, bool], ...]:
    """The label cut where the words that were asked for stand in it."""
    text = "".join(piece for piece, _ in label)
    hit = [False] * len(text)
    low = text.lower() if len(text.lower()) == len(text) else text
    for word in asked:
        at = low.find(word)
        while at >= 0:
            hit[at : at + len(word)] = [True] * len(word)
            at = low.find(word, at + len(word))
    cut: list[tuple[str, bool]] = []
    for letter, marked in zip(text, hit, strict=True):
        if cut and cut[-1][1] == marked:
            cut[-1] = (cut[-1][0] + letter, marked)
        else:
            cut.append((letter, marked))
    return tuple(cut)


def _plain(text: str) -> tuple[tuple[str, bool], ...]:
    return ((text, False),)


def _pages(look: Look) -> Iterator[Candidate]:
    for station in look.stations:
        keys = f"g {station.key}" if station.key else ""
        yield station.label, Find(label=_plain(station.label), path=look.to(station.path), sign="right", keys=keys)
    yield "Keys", Find(label=_plain("Keys"), path=look.to("/keys"), sign="keys", keys="?")


def _first(look: Look, *, halted: bool) -> Iterator[Candidate]:
    """What may be done anywhere; all there is to do before a word is typed."""
    if not look.live:
        yield "Back to now", Find(label=_plain("Back to now"), path="/", sign="clock")
        return
    yield "New task", Find(label=_plain("New task"), path="/tasks/new", sign="plus")
    yield "Pause live updates", Find(label=_plain("Pause live updates"), does="pause", sign="pause", keys=".")
    if halted:
        label = "Release the halt"
        yield label, Find(label=_plain(label), fields={"type": "core.release"}, sign="play", end="what is ready starts")
    yield "Halt the fleet", Find(label=_plain("Halt the fleet…"), path="/halt", sign="halt", keys="!")


def _orders(look: Look, lanes: Sequence[Lane], agents: Sequence[Agent]) -> Iterator[Candidate]:
    if not look.live:
        return
    for lane in lanes:
        verb, says = ("Open", lane.paused_because) if lane.paused else ("Pause", f"{lane.running} running go on")
        fields = {"type": "lane.resume" if lane.paused else "lane.pause", "lane": lane.lane}
        label = f"{verb} lane {lane.lane}"
        yield label, Find(label=_plain(label), fields=fields, sign=_sign(lane.paused), end=says)
    for agent in agents:
        paused = agent.state == "paused" or agent.pausing
        label = f"{'Resume' if paused else 'Pause'} agent {agent.name}"
        fields = {"type": "agent.resume" if paused else "agent.pause", "agent_id": agent.agent_id}
        end = agent.paused_because if paused else "finishes its run first" if agent.run else agent.worker_id
        yield f"{label} {agent.worker_id}", Find(label=_plain(label), fields=fields, sign=_sign(paused), end=end)


def _templates(look: Look, templates: Sequence[TemplateRow]) -> Iterator[Candidate]:
    for row in templates:
        if row.state != "open":
            continue
        place = template_path(row.template_id)
        label = f"Use {row.title}" if look.live else row.title
        path = f"{place}/use" if look.live else look.to(place)
        found = Find(label=_plain(label), path=path, sign="plan", id=row.template_id)
        yield f"{label} {row.template_id} template", found


def _sign(paused: bool) -> str:
    return "play" if paused else "pause"


def _moments(look: Look, text: str) -> Iterator[Find]:
    number = text.removeprefix("fact").removeprefix("command").strip()
    if not (number.isascii() and number.isdecimal() and 0 < len(number) < 16):
        return
    if not text.startswith("command") and 0 < int(number) <= look.at.events_seq:
        says = f"The fleet at fact {words.number(int(number))}"
        yield Find(label=_plain(says), path=f"/?at={int(number)}", sign="clock")
    if not text.startswith("fact"):
        says = f"Command {words.number(int(number))}"
        yield Find(label=_plain(says), path=look.to("/commands", text=int(number)), sign="term")


def _agents(look: Look, agents: Sequence[Agent]) -> Iterator[Candidate]:
    for agent in agents:
        doing = agent.run.title if agent.run else agent.paused_because
        yield (
            f"{agent.name} {agent.agent_id} {agent.pool} {agent.model} {words.word(agent.state)}",
            Find(
                label=_plain(agent.name), path=look.to(agent_path(agent.agent_id)), state=agent.state, end=doing,
                id=agent.worker_id,
            ),
        )  # fmt: skip


def _tasks(look: Look, tasks: Tasks, asked: Sequence[str]) -> list[Find]:
    full = words.apart(row.task_id for row in tasks.rows)
    return [
        Find(
            label=pieces(_plain(row.title), asked), path=look.to(task_path(row.task_id)), state=row.shown,
            id=row.task_id if full else row.name, end=words.word(row.shown),
        )
        for row in tasks.rows
    ]  # fmt: skip


def _runs(look: Look, runs: Runs) -> Iterator[Candidate]:
    full = words.apart(run.run_id for run in runs.rows)
    for run in runs.rows:
        yield (
            f"{run.run_id} {run.title} {run.agent_id}",
            Find(
                label=_plain(run.title), path=look.to(run_path(run.run_id)), state=run.state,
                id=run.run_id if full else run.run_id.partition("/")[2], end=run.agent_id.partition("/")[2],
            ),
        )  # fmt: skip
