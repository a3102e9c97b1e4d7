"""Orders given from the command line: one or many, their outcomes told, and on ``--wait`` their effect awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter, validators

from console.cli import exits, out
from console.cli.exits import Stop, TimedOut, Usage
from console.cli.line import Line, Outcome, connected, order
from console.cli.where import Where
from core.domain.machine import Command
from core.domain.session import DEFAULT_SESSION
from core.domain.words import Refused, check_task_id

Effect = Callable[[Line, Outcome], Awaitable[str]]  # returns how it ended; ``Stop`` when that is a failure

_WAITING = Group("Waiting", sort_key=50)


@Parameter(name="*", group=_WAITING)
@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Whether to wait for the effect, and how long."""

    wait: Annotated[bool, Parameter(negative=())] = False
    """Return only when it has come about, not when it is decided."""
    timeout: Annotated[float, Parameter(validator=validators.Number(gt=0))] = 600.0
    """Seconds to wait at most; then the exit code is 124."""


AT_ONCE = Waiting()


def task_id(given: str, session: str = DEFAULT_SESSION) -> str:
    """The full id: ``t-147`` is short for ``default/t-147``. ``Usage`` when it cannot be one."""
    full = given if "/" in given else f"{session}/{given}"
    try:
        check_task_id(full)
    except Refused as refused:
        raise Usage(refused.reason) from None
    return full


def give(
    where: Where,
    orders: Sequence[tuple[str, Command]],
    *,
    says: str,
    waiting: Waiting | None = None,
    effect: Effect | None = None,
) -> int:
    """Give the orders (target, command) one after the other and tell the outcomes. The worst exit code.

    ``says`` is the word for "done". With ``--wait`` each target's ``effect`` is awaited too.
    """
    return asyncio.run(_give(where, orders, says, waiting, effect))


async def _give(
    where: Where,
    orders: Sequence[tuple[str, Command]],
    says: str,
    waiting: Waiting | None,
    effect: Effect | None,
) -> int:
    outcomes: list[Outcome] = []
    worst: Stop | None = None
    async with connected(where) as line:
        for target, command in orders:
            outcome = await order(line, command, target=target)
            outcomes.append(outcome)
            worst = worst or outcome.failed
            if not where.as_json:
                tell(outcome, says)
        if waiting is not None and waiting.wait and effect is not None and worst is None:
            worst = await _await_effects(line, outcomes, waiting, effect, quiet=where.as_json)
    if where.as_json:
        out.document(outcomes[0] if len(outcomes) == 1 else outcomes)
    return exits.OK if worst is None else worst.code


async def _await_effects(
    line: Line,
    outcomes: Sequence[Outcome],
    waiting: Waiting,
    effect: Effect,
    *,
    quiet: bool,
) -> Stop | None:
    until = line.clock.monotonic() + waiting.timeout
    for outcome in outcomes:
        try:
            async with asyncio.timeout(max(0.0, until - line.clock.monotonic())):
                end = await effect(line, outcome)
        except TimeoutError:
            late = TimedOut(f"{outcome.target}: not within {waiting.timeout:g} s")
            out.say(f"switchtower: {late}")
            return late
        except Stop as stop:
            out.say(f"switchtower: {stop}")
            return stop
        if not quiet:
            out.say(f"{outcome.target}: {end}")
    return None


def tell(outcome: Outcome, says: str) -> None:
    """An outcome in a line: what was carried out on stdout, what was not on stderr."""
    match outcome.outcome:
        case "done":
            out.text(f"{outcome.target} {says}")
        case "already_so":
            out.text(f"{outcome.target}: {outcome.reason}")
        case "accepted":
            out.text(f"{outcome.target}: accepted as command {outcome.command_seq}; its outcome is not known yet")
        case _:
            out.say(f"switchtower: {outcome.target}: {outcome.outcome}: {outcome.reason}")
