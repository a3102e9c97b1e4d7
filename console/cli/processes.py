"""``up``, ``core``, ``worker``, ``console``: the programs themselves. The last three become ``python -m …``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import Parameter

from console.cli import out
from core.settings import for_our_own, inherited, load

SAMPLE = Path(__file__).parents[2] / "samples" / "plan.json"
_COLOURS = {"nats": 35, "core": 36, "console": 34, "worker": 32}
Rest = Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]


def up(
    *,
    demo: Annotated[bool, Parameter(negative=())] = False,
    port: int | None = None,
    agents: int | None = None,
    data: Path | None = None,
    ephemeral: Annotated[bool | None, Parameter(negative=())] = None,
    nats: str | None = None,
    nats_monitor: str | None = None,
    allow_unchecked_sync: Annotated[bool | None, Parameter(negative=())] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Start everything on this machine: JetStream, core, console and one worker. Ctrl-C ends it within 5 s.

    Parameters
    ----------
    demo
        Bring the sample plan and the shipped templates along, so that there is something to see.
    port
        The console's port; 0 for any free one. Default: 8420.
    agents
        Agents of the worker; 0 starts no worker, so that plans can be looked at first. Default: 8.
    data
        Where everything is kept. Default: .switchtower
    ephemeral
        Keep nothing: use a temporary folder and remove it at the end.
    nats
        Use this NATS server instead of starting one.
    nats_monitor
        Its monitoring address, to see that it syncs every write.
    allow_unchecked_sync
        Run on a server whose syncing cannot be checked. Acknowledged work may be lost when the power goes.
    as_json
        Print one JSON document with all addresses when everything is up.
    """
    from console.cli import up as instance_up

    settings = load(
        {
            "port": port,
            "agents": agents,
            "data": data,
            "ephemeral": ephemeral,
            "nats": nats,
            "nats_monitor": nats_monitor,
            "allow_unchecked_sync": allow_unchecked_sync,
        }
    )

    async def ready(address: instance_up.Address) -> None:
        if as_json:
            out.document(address)
        else:
            _announce(address)
        if demo:
            await _bring_sample(Path(address.data), address.nats_url)

    return instance_up.run(settings, pools=_pools(settings.agents, demo=demo), on_ready=ready, say=_prefixed())


def core(*rest: Rest) -> NoReturn:
    """Run a core process, which decides; a second one stands by. Options are those of ``python -m core``."""
    _become("core", rest)


def console(*rest: Rest) -> NoReturn:
    """Run a console process, which people look at. Options are those of ``python -m console``."""
    _become("console", rest)


def worker(*rest: Rest) -> NoReturn:
    """Run a worker process, which hosts agents. Options are those of ``python -m workers``."""
    _become("workers", rest)


def _become(room: str, rest: tuple[str, ...]) -> NoReturn:
    """The same process goes on as the room's own program: no parent stands between it and its signals.

    Where nobody says which server, it joins the instance that runs on the data folder.
    """
    from console.cli import instance

    given = {option: rest[place + 1] for place, option in enumerate(rest[:-1]) if option in ("--data", "--nats")}
    settings = load({"data": given.get("--data"), "nats": given.get("--nats")})
    found = instance.running(settings.data)
    if settings.nats is None and found is not None and not {"-h", "--help"} & set(rest):
        rest = (*rest, "--nats", found.nats_url)
        if room == "core" and found.monitor_url and "--nats-monitor" not in rest:
            rest = (*rest, "--nats-monitor", found.monitor_url)
    program = [sys.executable, "-m", room, *rest]
    os.execve(sys.executable, program, for_our_own())  # noqa: S606 - our own interpreter, our own module


def _pools(agents: int, *, demo: bool) -> str:
    """Half simulated agents, half shells for tasks with a command. The demo: all simulated, and one shell beside them,
    so that a first task of one's own runs too."""
    simulated = agents if demo else (agents + 1) // 2
    pools = {"sim": simulated, "shell": min(agents, 1) if demo else agents - simulated}
    return ",".join(f"{adapter}:{count}" for adapter, count in pools.items() if count)


def _announce(address: object) -> None:
    from console.cli.up import Address

    assert isinstance(address, Address)
    out.text(
        f"\nSwitchtower is up.\n\n    {address.login_url}\n\n"
        f"The link signs you in once; `switchtower login` prints another. Data: {address.data}. Ctrl-C ends it.\n"
    )


async def _bring_sample(data: Path, nats_url: str) -> None:
    from console.cli.line import connected
    from console.cli.where import Where
    from console.plans import plan_json, send
    from console.shipped import shipped

    session, plan = plan_json.read(SAMPLE.read_bytes())
    async with connected(Where(data=data, nats=nats_url)) as line:
        sent = await send.send(
            line.door,
            line.ledger,
            line.clock,
            plan.tasks,
            session_id=session,
            goal=plan.goal,
            source="sample plan",
            cycles="refuse",
        )
        for define in shipped():
            await line.door.order(define)
    if sent.new:
        out.say(f"The sample plan is in: {sent.new} tasks in session {session!r}.")
    else:
        out.say(f"The sample plan is in already, in session {session!r}; to see it anew: --data DIR or --ephemeral.")


def _prefixed() -> Callable[[str, str], None]:
    """Log lines with the name of who wrote them, in colour on a terminal."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in inherited(["NO_COLOR"])

    def say(who: str, line: str) -> None:
        name = f"{who:<8}"
        head = f"\x1b[{_COLOURS.get(who, 33)}m{name}|\x1b[0m" if colour else f"{name}|"
        out.say(f"{head} {out.plain(line)}")

    return say
