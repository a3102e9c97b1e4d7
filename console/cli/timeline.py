"""``switchtower timeline``: what happened, as a file, and a file opened again."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

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
    from projections.played import Tape
    from projections.tape import Wanted

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def export(
    *,
    format: Literal["jsonl", "csv", "parquet", "perfetto"] = "jsonl",  # noqa: A002 - the option's name
    session: str = "",
    task: str = "",
    run: str = "",
    since: str = "",
    until: str = "",
    with_output: Annotated[bool, Parameter(negative=())] = False,
    output: Annotated[Path, Parameter(name=["-o", "--output"])] = Path("-"),
    where: Where = HERE,
) -> int:
    """Write a tape: commands, facts and observations in order, straight from the log. Or the runs, as the console
    knows them.

    Parameters
    ----------
    format
        jsonl: a tape, which `timeline play` opens. csv, parquet: a row a run. perfetto: a trace for ui.perfetto.dev.
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
    with_output
        On a tape, what the runs printed as well: at most 1 MB of a run and 64 MB in all.
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
        output=with_output,
    )
    if sum(map(bool, (session, task, run))) > 1:
        raise Usage("one of --session, --task and --run at a time")
    if where.as_json and str(output) == "-":
        raise Usage("--json says what was written: give a file with -o")
    if format != "jsonl":
        return _spans(where, format, wanted, output)
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
        counts = {"events": end.events, "observations": end.observations, "commands": end.commands}
        counts |= {"output": end.output, "output_left_out": end.left_out}
        out.document({"file": str(path), "format": kind, **counts})
        return exits.OK
    out.say(f"{end.commands:,} commands, {end.events:,} facts and {end.observations:,} observations")
    if end.output or end.left_out:
        left = f"; {end.left_out:,} more were left out for want of room" if end.left_out else ""
        out.say(f"{end.output:,} pieces of output{left}")
    return exits.OK


def _spans(where: Where, kind: str, wanted: Wanted, path: Path) -> int:
    """The runs as the console's timeline exports them."""
    from console.cli.download import download

    if wanted.run or wanted.output:
        option = "--run" if wanted.run else "--with-output"
        raise Usage(f"{option} goes with --format jsonl: a {kind} file has a row a run")
    asked = {
        "format": kind, "session": wanted.session, "task": wanted.task,
        "from": _stamp(wanted.since) if wanted.since else "start",
        "to": _stamp(wanted.until) if wanted.until else "now",
    }  # fmt: skip
    if str(path) == "-":
        runs = download(where, "/timeline/export", sys.stdout.buffer.write, **asked)
        sys.stdout.buffer.flush()
    else:
        with _whole_file(path) as file:
            runs = download(where, "/timeline/export", file.write, **asked)
    if where.as_json:
        out.document({"file": str(path), "format": kind, "runs": runs})
    else:
        out.say(f"{runs:,} runs")
    return exits.OK


async def _into_file(path: Path, ledger: Any, wanted: Wanted, now: int, progress: Bar | None) -> Any:
    from projections import tape

    with _whole_file(path) as file:
        return await tape.export(ledger, wanted, file.write, made_at=now, tell=progress)


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is there when all of it was written, or not at all."""
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as file:
            yield file
        beside.replace(path)
    except OSError as problem:
        raise Stop(f"{path} cannot be written: {problem.strerror}") from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def play(file: Path, /, *, port: int = 0, where: Where = HERE) -> int:
    """Open a tape read-only in a console of its own: every page, every past moment, nothing to be ordered.

    Parameters
    ----------
    file
        The tape, as `timeline export` wrote it; a name that ends with .gz: packed by gzip.
    port
        The console's port; 0 for any free one.
    """
    tape = _read(file)
    with tempfile.TemporaryDirectory(prefix="switchtower-tape-") as folder:
        return _serve(tape, file, Path(folder), port, as_json=where.as_json)


def _read(file: Path) -> Tape:
    import gzip

    from projections import played

    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            return played.read(lines)
    except FileNotFoundError:
        raise NotFound(f"there is no file {file}") from None
    except EOFError:
        raise Stop(f"{file}: the tape is not whole: it was cut off while it was packed or copied") from None
    except OSError as problem:
        raise Stop(f"{file} cannot be read: {problem.strerror or problem}") from None
    except played.BadTape as problem:
        raise Stop(f"{file}: {problem}") from None


def _serve(tape: Tape, file: Path, folder: Path, port: int, *, as_json: bool) -> int:
    from console import login
    from console.__main__ import Server
    from console.app import create
    from console.cli.ports import console_port
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
                tape=file.name,
            )

    link = f"http://127.0.0.1:{chosen}/login?token={login.issue(folder, clock)}"
    told = {"file": str(file), "url": f"http://127.0.0.1:{chosen}", "login_url": link}
    if as_json:
        counts = {"events": tape.events, "observations": tape.observations, "commands": tape.commands}
        out.document(told | counts | {"output": tape.output})
    else:
        holds = f"{tape.events:,} facts, {tape.commands:,} commands"
        out.text(f"\n{file} is open, read-only: {holds}.\n\n    {link}\n\nCtrl-C closes it.\n")
    server = Server(create(open_desk, gate), on_stop=hub.stop, port=chosen)
    with suppress(KeyboardInterrupt):  # the server has ended in good order and says what told it to
        server.run()
    return exits.OK if server.started else exits.FAILURE


class ClosedDoor:
    """The door of a tape: every order is refused, with the reason."""

    def __init__(self, file: Path) -> None:
        from core.waits import Waits

        self._file = file
        self.waits = Waits()

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


def _stamp(us: int) -> str:
    at = datetime.fromtimestamp(us // 1_000_000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{us % 1_000_000:06d}Z"


def _run_id(text: str) -> str:
    name, tilde, attempt = text.rpartition("~")
    if not tilde or not attempt.isdecimal():
        raise Usage(f"{text!r} is no run's id: it is the task's and the attempt, as in t-147~2")
    return f"{task_id(name)}~{attempt}"
