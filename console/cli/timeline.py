"""``switchtower timeline``: what happened, as a file, and a file opened again."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from console.cli import exits, out
from console.cli.bar import Bar, bar
from console.cli.exits import NotFound, Stop, Usage
from console.cli.line import connected
from console.cli.orders import task_id
from console.cli.where import HERE, Where
from core.clock import SystemClock

if TYPE_CHECKING:
    from core.envelope import Answer
    from projections.tape import Tape, Wanted

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def export(
    *,
    format: Literal["jsonl"] = "jsonl",  # noqa: A002 - the option's name
    session: str = "",
    task: str = "",
    run: str = "",
    since: str = "",
    until: str = "",
    output: Annotated[Path, Parameter(name=["-o", "--output"])] = Path("-"),
    where: Where = HERE,
) -> int:
    """Write facts and observations to a file (a tape), in order. Straight from the log.

    Parameters
    ----------
    format
        jsonl: one fact or observation a line.
    session
        Only what concerns this session.
    task
        Only what concerns this task; t-147 is short for default/t-147.
    run
        Only what concerns this run: t-147~2.
    since
        Only from this time on: 2026-11-20T08:00:00Z, or 30m, 2h, 7d ago.
    until
        Only up to this time.
    output
        The file; - is standard output.
    """
    from projections.tape import Wanted

    now = SystemClock().now_us()
    wanted = Wanted(
        session=session,
        task=task_id(task) if task else "",
        run=_run_id(run) if run else "",
        since=_time(since, now) if since else 0,
        until=_time(until, now) if until else 0,
    )
    if sum(map(bool, (session, task, run))) > 1:
        raise Usage("one of --session, --task and --run at a time")
    if where.as_json and str(output) == "-":
        raise Usage("--json says what was written: give a file with -o")
    return asyncio.run(_export(where, format, wanted, output, now))


async def _export(where: Where, kind: str, wanted: Wanted, path: Path, now: int) -> int:
    from projections import tape

    async with connected(where) as line:
        total = (await line.ledger.head("EVENTS")).last_seq + (await line.ledger.head("OBSERVATIONS")).last_seq
        with bar("exporting", total, quiet=where.as_json) as progress:
            if str(path) == "-":
                end = await tape.export(line.ledger, wanted, sys.stdout.buffer.write, made_at=now, tell=progress)
                sys.stdout.buffer.flush()
            else:
                end = await _into_file(path, line.ledger, wanted, now, progress)
    if where.as_json:
        out.document({"file": str(path), "format": kind, "events": end.events, "observations": end.observations})
    else:
        out.say(f"{end.events:,} facts and {end.observations:,} observations")
    return exits.OK


async def _into_file(path: Path, ledger: Any, wanted: Wanted, now: int, progress: Bar | None) -> Any:
    """Under another name first: a tape that is there is a whole one."""
    from projections import tape

    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as file:
            end = await tape.export(ledger, wanted, file.write, made_at=now, tell=progress)
        beside.replace(path)
    except OSError as problem:
        raise Stop(f"{path} cannot be written: {problem.strerror}") from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return end


def play(file: Path, /, *, port: int = 0, where: Where = HERE) -> int:
    """Open a tape read-only in a console of its own: every page, every past moment, nothing to be ordered.

    Parameters
    ----------
    file
        The tape, as `timeline export` wrote it.
    port
        The console's port; 0 for any free one.
    """
    tape = _read(file)
    with tempfile.TemporaryDirectory(prefix="switchtower-tape-") as folder:
        return _serve(tape, file, Path(folder), port, as_json=where.as_json)


def _read(file: Path) -> Tape:
    from projections import tape

    try:
        with file.open("rb") as lines:
            return tape.read(lines)
    except FileNotFoundError:
        raise NotFound(f"there is no file {file}") from None
    except OSError as problem:
        raise Stop(f"{file} cannot be read: {problem.strerror}") from None
    except tape.BadTape as problem:
        raise Stop(f"{file}: {problem}") from None


def _serve(tape: Tape, file: Path, folder: Path, port: int, *, as_json: bool) -> int:
    from console import login
    from console.__main__ import Server
    from console.app import create
    from console.cli.up import console_port
    from console.desk import Desk
    from console.live import Hub
    from projections.projector import Projector

    chosen = console_port(port)
    clock = SystemClock()
    gate, hub = login.Gate(folder, clock), Hub()

    @asynccontextmanager
    async def open_desk() -> AsyncIterator[Desk]:
        async with Projector(tape.ledger, None, clock) as read_model:
            await read_model.caught_up(60.0)
            door: Any = ClosedDoor(file)
            yield Desk(
                ledger=tape.ledger,
                read_model=read_model,
                door=door,
                clock=_Stopped(tape.last_at),
                gate=gate,
                hub=hub,
                version=f"tape {file.name}",
            )

    link = f"http://127.0.0.1:{chosen}/login?token={login.issue(folder, clock)}"
    told = {"file": str(file), "url": f"http://127.0.0.1:{chosen}", "login_url": link}
    if as_json:
        out.document(told | {"events": tape.events, "observations": tape.observations})
    else:
        out.text(f"\n{file} is open, read-only: {tape.events:,} facts.\n\n    {link}\n\nCtrl-C closes it.\n")
    server = Server(create(open_desk, gate), on_stop=hub.stop, port=chosen)
    with suppress(KeyboardInterrupt):  # the server has ended in good order and says what told it to
        server.run()
    return exits.OK if server.started else exits.FAILURE


class ClosedDoor:
    """The door of a tape: every order is refused, with the reason."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def order(self, *_: object, **__: object) -> Answer:
        from core.envelope import Answer

        return Answer(
            outcome="refused", seq=0, reason=f"this is a tape ({self._file.name}): nothing can be ordered on it"
        )


class _Stopped(SystemClock):
    """Time as it was when the tape ends: ages on pages are those of then. Waiting takes as long as ever."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        return self._now_us


def _time(text: str, now_us: int) -> int:
    """``2026-11-20T08:00:00Z`` (UTC when it names no zone), or ``30m``: so long ago. Microseconds."""
    ago = re.fullmatch(r"-?(\d+)([smhd])", text)
    if ago is not None:
        return now_us - int(ago[1]) * UNITS[ago[2]] * 1_000_000
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Usage(f"{text!r} is no time: write 2026-11-20T08:00:00Z, or 30m, 2h, 7d for so long ago") from None
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def _run_id(text: str) -> str:
    name, tilde, attempt = text.rpartition("~")
    if not tilde or not attempt.isdecimal():
        raise Usage(f"{text!r} is no run's id: it is the task's and the attempt, as in t-147~2")
    return f"{task_id(name)}~{attempt}"
