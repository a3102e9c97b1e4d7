"""``switchtower run``: one attempt at a task."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from console.cli import api, out
from console.cli.exits import NotFound, Usage
from console.cli.line import Line, connected
from console.cli.shown import clock_time, money
from console.cli.steer import full_run_id
from console.cli.where import HERE, Where
from core.domain import run, worker
from core.domain.words import token
from core.envelope import decode_fact
from core.ledger import Stored
from core.observation import OFFSET


def show(run_id: str, /, *, where: Where = HERE) -> int:
    """Show one run.

    Parameters
    ----------
    run_id
        The run's id, task~attempt: t-147~2.
    """
    found: dict[str, Any] = api.get(where, f"/runs/{api.path_of(full_run_id(run_id))}")
    if where.as_json:
        out.document(found)
        return 0
    one = found["run"]
    usage = one.get("usage") or {}
    out.pairs(
        (
            ("run", one["run_id"]),
            ("task", one["title"]),
            ("state", one["state"]),
            ("agent", one["agent_id"]),
            ("step", one.get("step")),
            ("error", f"{one.get('error_class', '')} {one.get('error', '')}".strip()),
            ("exit code", one.get("exit_code")),
            ("summary", one.get("summary")),
            ("checks", one.get("checks")),
            ("files", one.get("files")),
            ("assigned", clock_time(one["assigned_at"]) if one.get("assigned_at") else ""),
            ("ended", clock_time(one["ended_at"]) if one.get("ended_at") else ""),
            ("tool calls", found.get("tool_calls")),
            ("tokens", f"{usage.get('input_tokens', 0)} in, {usage.get('output_tokens', 0)} out" if usage else ""),
            ("cost", money(usage.get("cost_uusd"))),
        )
    )
    return 0


def output(
    run_id: str,
    /,
    *,
    stream: Literal["stdout", "stderr", "both"] = "both",
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative=())] = False,
    where: Where = HERE,
) -> int:
    """Print what a run wrote: its stdout on ours, its stderr on ours. Straight from the log.

    Parameters
    ----------
    run_id
        The run's id, task~attempt: t-147~2.
    stream
        Only one of the two.
    follow
        Go on until the run is over.
    """
    if follow and where.as_json:
        raise Usage("--json gives one document: leave --follow out")
    return asyncio.run(_output(where, full_run_id(run_id), stream, follow))


async def _output(where: Where, run_id: str, stream: str, follow: bool) -> int:
    subjects = [f"out.run.{token(run_id)}.{'*' if stream == 'both' else stream}"]
    async with connected(where) as line:
        over = await _is_over(line, run_id)
        if over is None:
            raise NotFound(f"there is no run {run_id!r}")
        found: list[Stored] = []
        async for batch in line.ledger.read("OUTPUT", subjects=subjects):
            found.extend(batch)
        if where.as_json:
            out.document(_document(run_id, over, found))
            return 0
        holes = _Holes()
        for stored in found:
            _write(stored, holes)
        if follow and not over:
            await _follow(line, run_id, subjects, found[-1].seq if found else 0, holes)
    return 0


async def _follow(line: Line, run_id: str, subjects: list[str], after: int, holes: _Holes) -> None:
    """What comes, until the run is over and its last words are read."""
    async with aclosing(line.ledger.follow("OUTPUT", after=after, subjects=subjects, idle=0.5)) as following:
        over = False
        async for batch in following:
            for stored in batch:
                _write(stored, holes)
            if over and not batch:
                return
            over = over or (not batch and bool(await _is_over(line, run_id)))


async def _is_over(line: Line, run_id: str) -> bool | None:
    """Whether the run has ended; None when no such run was ever given out."""
    task = token(run_id.rpartition("~")[0])
    known = False
    subjects = [f"evt.run.{task}.*", "evt.worker.*.lost", "evt.worker.*.left", "evt.worker.*.registered"]
    async for batch in line.ledger.read("EVENTS", subjects=subjects):
        for stored in batch:
            match decode_fact(stored.data).fact:
                case run.Started(run_id=found) if found == run_id:
                    known = True
                case run.Succeeded() | run.Failed() | run.Interrupted() | run.Stopped() as fact:
                    if fact.run_id == run_id:
                        return True
                case worker.Lost() | worker.Left() | worker.Registered() as fact:
                    if any(released.run_id == run_id for released in fact.released):
                        return True
                case _:
                    pass
    return False if known or await _was_given_out(line, run_id) else None


async def _was_given_out(line: Line, run_id: str) -> bool:
    async for batch in line.ledger.read("EVENTS", subjects=["evt.worker.*.assigned"]):
        for stored in batch:
            fact = decode_fact(stored.data).fact
            if isinstance(fact, worker.Assigned) and fact.run_id == run_id:
                return True
    return False


class _Holes:
    """Notices where output is missing: a chunk says how many bytes of its stream came before it."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}

    def before(self, stored: Stored) -> int:
        """How many bytes are missing before this chunk."""
        stream = stored.subject.rpartition(".")[2]
        begins = int((stored.headers or {}).get(OFFSET, self._due.get(stream, 0)))
        missing = begins - self._due.get(stream, 0)
        self._due[stream] = begins + len(stored.data)
        return max(0, missing)


def _write(stored: Stored, holes: _Holes) -> None:
    missing = holes.before(stored)
    if missing:
        out.say(f"[{missing:,} bytes are missing here]")
    into = sys.stderr.buffer if stored.subject.endswith(".stderr") else sys.stdout.buffer
    # On a terminal what an agent wrote must not steer it; into a file or a pipe it goes byte for byte.
    data = stored.data if not into.isatty() else out.plain(stored.data.decode("utf-8", "replace")).encode()
    into.write(data)
    into.flush()


def _document(run_id: str, over: bool, found: list[Stored]) -> dict[str, Any]:
    holes, texts = _Holes(), {"stdout": b"", "stderr": b""}
    missing = 0
    for stored in found:
        missing += holes.before(stored)
        texts[stored.subject.rpartition(".")[2]] += stored.data
    return {
        "run_id": run_id,
        "over": over,
        **{name: data.decode("utf-8", "replace") for name, data in texts.items()},
        "missing_bytes": missing,
    }
