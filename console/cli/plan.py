"""``switchtower plan``: many tasks at once, from a file."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from console.cli import exits, out
from console.cli.bar import bar
from console.cli.effects import all_over
from console.cli.exits import Declined, NoAnswer, NotFound, Stop, TimedOut
from console.cli.line import Line, connected
from console.cli.orders import AT_ONCE, Waiting
from console.cli.where import HERE, Where
from console.plans import beads, plan_json, send
from console.plans.report import PlanFile, Report
from core.clock import SystemClock
from core.domain.session import DEFAULT_SESSION
from core.domain.words import Refused, check_name

if TYPE_CHECKING:
    from console.plans.send import Progress

SHOWN = 20  # problems told one by one; --json has them all


class Imported(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The report, and what sending the plan in has changed. ``seq``: the EVENTS sequence at which it is seen."""

    session: str
    dry_run: bool = False
    plan_id: str = ""
    circles: list[list[str]] = []
    new: int | None = None
    revised: int | None = None
    unchanged: int | None = None
    seq: int = 0


def import_file(
    file: Path,
    /,
    *,
    format: Literal["beads", "json"] | None = None,  # noqa: A002 - the option's name
    session: str | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    strict: Annotated[bool, Parameter(negative=())] = False,
    waiting: Waiting = AT_ONCE,
    where: Where = HERE,
) -> int:
    """Import a plan from a file. The same file again changes nothing; a changed one applies its differences.

    With --wait: until every task of the plan is over; exit code 1 when one ends other than done.

    Parameters
    ----------
    file
        beads' .beads/issues.jsonl, or a plan in our own JSON (docs/plan-format.md). - reads standard input.
    format
        What the file is; when left out, .jsonl is beads and .json is json.
    session
        The session the tasks go to; it is opened when it is missing.
    dry_run
        Only say what is in the file and what would come of it. Needs no instance.
    strict
        Import nothing when a line is malformed, instead of the rest.
    """
    name, plan = _read(file, format or _guess(file), session)
    report = plan.report
    told = Imported(session=name, dry_run=dry_run)
    try:
        _check(report, strict=strict)
        if not dry_run and plan.tasks:
            asyncio.run(_import(where, plan, file, told, waiting))
    except Stop as stop:
        _tell(where, report, told, stop)
        return stop.code
    _tell(where, report, told, None)
    return exits.OK


def _guess(file: Path) -> Literal["beads", "json"]:
    match file.suffix:
        case ".jsonl":
            return "beads"
        case ".json":
            return "json"
        case _:
            raise exits.Usage(f"say what {file} is: --format beads or --format json")


def _read(file: Path, kind: Literal["beads", "json"], session: str | None) -> tuple[str, PlanFile]:
    data = _bytes(file)
    if kind == "json":
        name, plan = plan_json.read(data, session=session)
    else:
        now = datetime.fromtimestamp(SystemClock().now_us() / 1e6, UTC)
        name = session or DEFAULT_SESSION
        plan = beads.read(data.splitlines(), session=name, now=now)
    try:
        check_name("session", name)
    except Refused as refused:
        raise exits.Usage(refused.reason) from None
    return name, plan


def _bytes(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no file {file}") from None
    except OSError as problem:
        raise Stop(f"{file} cannot be read: {problem.strerror}") from None


def _check(report: Report, *, strict: bool) -> None:
    """Refuse what must not go in as it is."""
    if report.malformed and (strict or report.format == "json"):
        what = "line" if report.format == "beads" else "place"
        many = f"{report.malformed} malformed {what}{'s' if report.malformed > 1 else ''}"
        raise Declined(f"{many}, so nothing is imported; see the problems" + (" (--strict)" if strict else ""))


async def _import(where: Where, plan: PlanFile, file: Path, told: Imported, waiting: Waiting) -> None:
    async with connected(where) as line:
        with bar("importing", len(plan.tasks), quiet=where.as_json) as progress:
            sent = await _send(line, plan, told.session, file, progress)
        told.plan_id, told.seq = sent.plan_id, sent.seq
        told.circles = sent.circles
        told.new, told.revised, told.unchanged = sent.new, sent.revised, sent.unchanged
        if waiting.wait:
            await _until_over(line, plan, waiting.timeout)


async def _send(line: Line, plan: PlanFile, session: str, file: Path, progress: Progress | None) -> send.Sent:
    try:
        return await send.send(
            line.door,
            line.ledger,
            line.clock,
            plan.tasks,
            session_id=session,
            source=f"{plan.report.format} file {file.name}"[:500],
            cycles="block" if plan.report.format == "beads" else "refuse",
            goal=plan.goal,
            progress=progress,
        )
    except send.NotSent as why:
        raise (NoAnswer(str(why)) if why.unanswered else Declined(str(why))) from None


async def _until_over(line: Line, plan: PlanFile, timeout: float) -> None:
    """Until all is done; ``Stop`` when a task of it ends otherwise."""
    names = {task.task_id for task in plan.tasks if task.spec.begin != "done"}
    try:
        await asyncio.wait_for(all_over(line, names), timeout)
    except TimeoutError:
        raise TimedOut(f"the plan is in, but not over within {timeout:g} s") from None


def _tell(where: Where, report: Report, told: Imported, stop: Stop | None) -> None:
    if where.as_json:
        merged: dict[str, Any] = {**msgspec.to_builtins(report), **msgspec.to_builtins(told)}
        if stop is not None:
            merged |= {"error": str(stop), "exit_code": stop.code}
        out.document(merged)
    else:
        _tell_report(report, told)
    if stop is not None:
        out.say(f"switchtower: {stop}")


def _tell_report(report: Report, told: Imported) -> None:
    names = ("lines", "tasks", "done", "paused", "blocked", "ready", "startable", "containers", "tombstones", "skipped")
    out.pairs((name, f"{getattr(report, name):,}") for name in names if getattr(report, name) or name not in names[-2:])
    for problem in report.problems[:SHOWN]:
        out.say(f"{problem.kind}: {problem.says}")
    if len(report.problems) > SHOWN:
        out.say(f"and {len(report.problems) - SHOWN:,} more problems; --json lists all")
    if told.new is not None:
        changed = f"{told.new:,} new, {told.revised:,} changed, {told.unchanged:,} as they were"
        out.text(f"imported into session {told.session}: {changed}")
    if told.circles:
        many = f"{len(told.circles)} group{'s' if len(told.circles) > 1 else ''} of tasks"
        out.say(f"{many} wait for each other and stay blocked, such as {', '.join(told.circles[0][:9])}")
    if told.dry_run:
        out.say("a dry run: nothing was sent")
