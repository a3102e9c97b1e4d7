"""One order for many tasks: first exactly which and what becomes of them, then the orders, then what came of each.

The list is taken at one moment of the log (``seq``) and from then on is always the same, so what was looked at is what
is done. Each task gets an order of its own; their ids begin alike, so the log itself says how far it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.desk import Desk, desk_of
from console.forms import form
from console.look import TOLD_EVERY_S, BadQuestion, Look, looking
from console.panels import Panel, show
from console.render import query
from console.search import QUALIFIERS, searched, terms_of
from core.domain import amend, task
from core.domain.spec import OPEN
from core.door import Pending
from core.envelope import Answer
from core.ids import new_id, time_us
from projections import queries
from projections.rows.tasks import Pick, TaskFilter

routes = APIRouter()

MOST = 20_000  # tasks one order may be for
BATCH, AT_ONCE = 500, 64  # orders given by one request, and of those under way together
SHOWN = 200
FOLD_WAIT_S = 2.0  # without script the page that tells of the orders is not drawn again by itself
OVERLAP_US = 60_000_000  # by which the clocks of this console and of the log may differ


class Act(msgspec.Struct, frozen=True):
    """What may be ordered for many. ``goes``: whether it concerns a task now. ``otherwise``: why the others are left
    alone."""

    name: str
    label: str
    says: str
    goes: Callable[[Pick, Ask], bool]
    order: Callable[[str, Ask], Any]
    otherwise: str


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: the act, for these tasks or for all that a search line finds, as of one fact and one time."""

    do: str
    picks: tuple[str, ...] = ()
    q: str = ""
    to: int = 2
    lane: str = ""
    reason: str = ""
    lift: bool = False
    seq: int = 0
    time: int = 0

    @property
    def fields(self) -> dict[str, Any]:
        """As parameters of an address or fields of a form."""
        held = {
            "do": self.do,
            "q": self.q,
            "picks": " ".join(self.picks),
            "to": self.to,
            "lane": self.lane,
            "reason": self.reason,
        }
        return {**held, "lift": 1 if self.lift else "", "seq": self.seq, "time": self.time}


ACTS = {
    act.name: act
    for act in (
        Act("retry", "Retry", "tried again; their attempts start anew",
            lambda pick, ask: pick.state in ("failed", "cancelled") or (ask.lift and pick.state == "quarantined"),
            lambda task_id, _: task.Retry(task_id=task_id), "have not failed and were not cancelled"),
        Act("pause", "Pause", "held back; runs under way are interrupted, no attempt is used",
            lambda pick, _: pick.state in OPEN and pick.state != "paused",
            lambda task_id, ask: task.Pause(task_id=task_id, reason=ask.reason), "are over or paused already"),
        Act("resume", "Resume", "let go on",
            lambda pick, _: pick.state == "paused",
            lambda task_id, _: task.Resume(task_id=task_id), "are not paused"),
        Act("cancel", "Cancel", "given up; runs under way are ended with their processes",
            lambda pick, _: pick.state in OPEN,
            lambda task_id, ask: task.Cancel(task_id=task_id, reason=ask.reason), "are over"),
        Act("reprioritise", "Reprioritise", "given another priority",
            lambda pick, ask: pick.state in OPEN and pick.priority != ask.to,
            lambda task_id, ask: task.Reprioritise(task_id=task_id, priority=ask.to), "are over or have it already"),
        Act("move", "Move", "put into another lane",
            lambda pick, ask: pick.state != "done" and pick.lane != ask.lane,
            lambda task_id, ask: amend.Amend(task_id=task_id, changes=amend.Changes(lane=ask.lane)),
            "are done or stand in it already"),
    )
}  # fmt: skip


@routes.get("/tasks/bulk", include_in_schema=False)
async def bulk(request: Request) -> Response:
    """Without ``id``: what would happen. With it: what came of the orders given."""
    desk, look = await looking(request)
    bulk_id = look.get("id")
    if bulk_id:
        return await _outcome(request, desk, look, bulk_id)
    if not look.live:
        raise BadQuestion("The past cannot be ordered about: go back to now to act on many tasks.")
    picked = tuple(value for key, value in look.asked if key == "pick")
    ask = Ask(
        do=_act(look.get("do")).name, picks=() if look.get("all") else picked, q=look.get("q"),
        to=_number("to", look.get("to") or "2", 4), lane=await _lane(desk, look), lift=bool(look.get("lift")),
        seq=look.at.events_seq, time=look.time,
    )  # fmt: skip
    chosen = bool(picked or look.get("all"))
    found = await _picks(desk, ask) if chosen else []
    rows: dict[str, Any] = {"ask": ask, "act": ACTS[ask.do], "id": new_id(desk.clock), "chosen": chosen, "shown": SHOWN}
    goes = [pick for pick in found if ACTS[ask.do].goes(pick, ask)]
    left = [pick for pick in found if not ACTS[ask.do].goes(pick, ask)]
    if ask.do == "retry":
        rows["cost"] = await desk.read_model.query(queries.last_cost, look.at, [pick.task_id for pick in goes])
    return await show(request, desk, look, "bulk", f"{ACTS[ask.do].label} many", [], goes=goes, left=left, **rows)


@routes.post("/tasks/bulk", include_in_schema=False)
async def give(request: Request) -> Response:
    """Give the next batch of orders, and show what came of them. Sent twice, an order is still one."""
    desk, fields = desk_of(request), await form(request)
    ask = _ask(fields)
    bulk_id, start = fields.get("id", ""), _number("from", fields.get("from", "0"), MOST)
    if time_us(bulk_id) is None:
        raise BadQuestion("The form has lost its id: choose the tasks again.")
    goes = [pick for pick in await _picks(desk, ask) if ACTS[ask.do].goes(pick, ask)]
    if str(len(goes)) != fields.get("count"):
        raise BadQuestion(
            f"The list shown had {fields.get('count', '')[:9]} tasks and now has {len(goes)}: look at it again."
        )
    batch = goes[start : start + BATCH]
    answers = await _give_all(desk, ask, batch, [_order_id(bulk_id, start + n) for n in range(len(batch))])
    seen = max((answer.seq for answer in answers if isinstance(answer, Answer)), default=0)
    await _folded(desk, max((answer.command_seq for answer in answers), default=0))
    held = ask.fields | {"id": bulk_id, "from": start + len(batch), "count": len(goes), "seen": seen}
    return RedirectResponse("/tasks/bulk" + query(**held), 303)


async def _give_all(desk: Desk, ask: Ask, batch: Sequence[Pick], ids: Sequence[str]) -> list[Answer | Pending]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(pick: Pick, command_id: str) -> Answer | Pending:
        async with room:
            order = ACTS[ask.do].order(pick.task_id, ask)
            return await desk.door.order(order, command_id=command_id, by="operator")

    return await asyncio.gather(*(one(pick, command_id) for pick, command_id in zip(batch, ids, strict=True)))


async def _folded(desk: Desk, command_seq: int) -> None:
    """Wait a moment until the page can tell of the orders; the fold of facts is waited for by ``?seen=``."""
    until = desk.clock.monotonic() + FOLD_WAIT_S
    while desk.read_model.positions().commands.seq < command_seq and desk.clock.monotonic() < until:
        await desk.clock.sleep(TOLD_EVERY_S)


async def _outcome(request: Request, desk: Desk, look: Look, bulk_id: str) -> Response:
    since = time_us(bulk_id)
    if since is None:
        raise BadQuestion(f"?id={bulk_id[:40]} is no id of orders given together.")
    ask = _ask(dict(look.asked))
    given, count = (_number(name, look.get(name) or "0", MOST) for name in ("from", "count"))

    async def load() -> dict[str, Any]:
        found = await desk.read_model.query(queries.bulk, look.at, _prefix(bulk_id), since - OVERLAP_US, limit=SHOWN)
        return {"found": found, "count": count, "act": ACTS[ask.do], "ask": ask}

    panel = Panel("given", ("commands", "tasks"), load)
    rows = {"ask": ask, "act": ACTS[ask.do], "id": bulk_id, "given": given, "count": count, "batch": BATCH}
    return await show(request, desk, look, "bulk_given", f"{ACTS[ask.do].label} many", [panel], **rows)


async def _picks(desk: Desk, ask: Ask) -> list[Pick]:
    """The tasks asked for as they stood at the fact of the question, by id."""
    at = await desk.read_model.query(queries.moment, str(ask.seq), ask.time)
    if ask.picks:
        return await desk.read_model.query(queries.picks, at, TaskFilter(), ask.picks)
    search = searched(terms_of(ask.q), ask.time // 1_000_000 * 1_000_000, limit=MOST + 1)
    if search.problems:
        raise BadQuestion(" ".join(search.problems))
    found = await desk.read_model.query(queries.picks, at, search.wanted)
    if len(found) > MOST:
        raise BadQuestion(
            f"More than {MOST:,} tasks match; narrow the search ({', '.join(QUALIFIERS)}) and do it in parts."
        )
    return found


def _ask(fields: dict[str, str]) -> Ask:
    return Ask(
        do=_act(fields.get("do", "")).name, picks=tuple(fields.get("picks", "").split()), q=fields.get("q", ""),
        to=_number("to", fields.get("to") or "2", 4), lane=fields.get("lane", "")[:200],
        reason=fields.get("reason", "")[:500], lift=bool(fields.get("lift")),
        seq=_number("seq", fields.get("seq", ""), 1 << 60), time=_number("time", fields.get("time", ""), 1 << 60),
    )  # fmt: skip


def _act(name: str) -> Act:
    if name not in ACTS:
        raise BadQuestion(f"{name[:40]!r} cannot be done to many tasks; {', '.join(ACTS)} can.")
    return ACTS[name]


async def _lane(desk: Desk, look: Look) -> str:
    """The lane to move to, where moving is asked for; there must be such a lane."""
    lane, known = look.get("lane"), await desk.read_model.query(queries.lane_names, look.at)
    if look.get("do") == "move" and lane not in known:
        raise BadQuestion(f"There is no lane {lane[:60]!r} to move tasks to; {', '.join(known[:20])} are there.")
    return lane


def _number(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise BadQuestion(f"{name} is {text[:20]!r}; a whole number from 0 to {most:,} goes there.")
    return int(text)


def _prefix(bulk_id: str) -> str:
    """What the ids of all its orders begin with: all but the last group."""
    return bulk_id[:24]


def _order_id(bulk_id: str, n: int) -> str:
    """The id of its n-th order: a UUIDv7 of the same microsecond, so the core knows it again when it is sent twice."""
    return f"{_prefix(bulk_id)}{n:012x}"
