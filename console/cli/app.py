"""The tree of commands, and the one place where an error becomes a line on stderr and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from cyclopts import App, CycloptsError, Group

from console.cli import exits, out
from core.settings import BadSetting

EPILOGUE = """Exit codes: 0 done, 1 failure, 2 wrong usage, 3 no such thing, 4 refused or in the way,
5 nobody answers, 124 not in time, 130 interrupted. Every command takes --help and --json; docs/cli.md has examples."""

# Noun, what it is, and its commands: name, where its code is, the line shown in help.
NOUNS: Sequence[tuple[str, str, Sequence[tuple[str, str, str]]]] = (
    ("task", "Tasks: submit, look, steer.", (
        ("submit", "console.cli.task:submit", "Submit a new task."),
        ("list", "console.cli.task:listing", "List tasks, the most urgent first."),
        ("show", "console.cli.task:show", "Show one task, its runs, and why it is not running."),
        ("cancel", "console.cli.task:cancel", "Cancel tasks; a run under way is ended."),
        ("retry", "console.cli.task:retry", "Try tasks again that failed or were cancelled."),
        ("pause", "console.cli.task:pause", "Hold tasks back; a run under way is interrupted."),
        ("resume", "console.cli.task:resume", "Let paused tasks go on."),
        ("prioritise", "console.cli.task:prioritise", "Give tasks another priority."),
        ("amend", "console.cli.amend:amend", "Change what a task says."),
        ("depend", "console.cli.amend:depend", "Have a task wait for others, too."),
        ("undepend", "console.cli.amend:undepend", "Have a task wait for others no longer."),
        ("place", "console.cli.amend:place", "Put a task elsewhere in its line."),
    )),
    ("agent", "Agents: who does the work.", (
        ("list", "console.cli.agent:listing", "List agents and what they do."),
        ("show", "console.cli.agent:show", "Show one agent and its runs."),
        ("pause", "console.cli.agent:pause", "Give agents nothing new."),
        ("resume", "console.cli.agent:resume", "Give agents work again."),
        ("stop", "console.cli.agent:stop", "Take from agents what they do, and give them nothing new."),
        ("restart", "console.cli.agent:restart", "Interrupt what agents do; they are given work again."),
    )),
    ("worker", "Workers: the processes that host agents; without a verb: run one.", (
        ("list", "console.cli.worker:listing", "List workers."),
        ("drain", "console.cli.worker:drain", "Give a worker's agents nothing new."),
        ("hire", "console.cli.worker:hire", "Have a worker take on more agents."),
    )),
    ("fleet", "The fleet: all agents at once.", (
        ("status", "console.cli.fleet:status", "Say whether the fleet is halted."),
        ("halt", "console.cli.fleet:halt", "Give nothing out, and interrupt what runs."),
        ("release", "console.cli.fleet:release", "Give out again what is ready."),
    )),
    ("queue", "Queues: the lanes tasks wait in.", (
        ("status", "console.cli.queue:status", "Show every lane: ready, blocked, running, paused."),
        ("pause", "console.cli.queue:pause", "Stop giving out a lane's tasks."),
        ("resume", "console.cli.queue:resume", "Give out a lane's tasks again."),
        ("set", "console.cli.queue:configure", "Make a lane, or set how many of its tasks run at once."),
    )),
    ("session", "Sessions: undertakings with a goal and a budget.", (
        ("list", "console.cli.session:listing", "List sessions."),
        ("open", "console.cli.session:begin", "Open a session."),
        ("amend", "console.cli.session:amend", "Change what an open session is about."),
        ("close", "console.cli.session:close", "Close a session."),
    )),
    ("plan", "Plans: many tasks at once.", (
        ("import", "console.cli.plan:import_file", "Import a plan from a file."),
    )),
    ("template", "Templates: plans with places for parameters.", (
        ("list", "console.cli.template:listing", "List templates."),
        ("show", "console.cli.template:show", "Show one template, what it asks for and what it makes."),
        ("define", "console.cli.template:define", "Define a template from a file, or its next version."),
        ("use", "console.cli.template:use", "Make a template's tasks."),
        ("retire", "console.cli.template:retire", "Retire templates."),
    )),
    ("run", "Runs: one attempt at a task each.", (
        ("show", "console.cli.run:show", "Show one run."),
        ("output", "console.cli.run:output", "Print what a run wrote."),
        ("message", "console.cli.steer:message", "Say something to the agent at work."),
        ("hold", "console.cli.steer:hold", "Freeze runs where they are."),
        ("continue", "console.cli.steer:go_on", "Let held runs go on."),
    )),
    ("events", "Events: every fact there is, straight from the log.", (
        ("tail", "console.cli.events:tail", "Print the last facts, and follow."),
    )),
    ("timeline", "Timelines: what happened, as a file and back.", (
        ("export", "console.cli.timeline:export", "Write a tape: commands, facts, observations; or the runs."),
        ("play", "console.cli.timeline:play", "Open a tape read-only in a console."),
    )),
    ("replay", "Replay: the log checked against itself.", (
        ("verify", "console.cli.replay:verify", "Recompute EVENTS from COMMANDS, and the read models; compare."),
    )),
    ("rules", "Rules: what a log's cores decide by.", (
        ("adopt", "console.cli.fleet:adopt", "Put an older log under newer rules."),
    )),
    ("projections", "Projections: the read models.", (
        ("rebuild", "console.cli.projections:rebuild", "Drop the read models and fold them anew from the log."),
    )),
)  # fmt: skip

COMMANDS: Sequence[tuple[str, str, str]] = (
    ("up", "console.cli.processes:up", "Start everything on this machine."),
    ("core", "console.cli.processes:core", "Run a core process; a second one stands by."),
    ("console", "console.cli.processes:console", "Run a console process."),
    ("login", "console.cli.login:login", "Print a fresh one-time login link."),
    ("status", "console.cli.status:status", "Say how the instance is doing."),
    ("doctor", "console.cli.doctor:doctor", "Check server, limits, disk, clock, lease and lag."),
    ("completion", "console.cli.completion:completion", "Print the completion script for bash, zsh or fish."),
)


def call(tokens: Sequence[str]) -> int:
    """Carry out one command line and return its exit code."""
    try:
        code = build()(list(tokens))
    except CycloptsError:  # told already, with the usage
        return exits.USAGE
    except BadSetting as wrong:
        return _failed(str(wrong), exits.USAGE, tokens)
    except exits.Stop as stop:
        return _failed(str(stop), stop.code, tokens)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough (head, less): not an error. Keep the interpreter from flushing into it.
        sys.stdout = None
        return exits.OK
    except Exception as error:
        code = _code_of(error)
        if code is None:
            raise
        return _failed(str(error), code, tokens)
    return code if isinstance(code, int) else exits.OK


def build() -> App:
    app = App(
        name="switchtower",
        help="The control room for fleets of AI coding agents.",
        help_epilogue=EPILOGUE,
        version=_version,
        result_action="return_value",
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
    )
    processes, nouns = Group.create_ordered("The instance"), Group.create_ordered("Nouns")
    for name, where, says in COMMANDS:
        own_help: dict[str, list[str]] = {"help_flags": []} if name in ("core", "console") else {}  # theirs
        app.command(where, name=name, help=says, group=processes, **own_help)
    for noun, says, verbs in NOUNS:
        sub = App(name=noun, help=says, group=nouns)
        for name, where, help_line in verbs:
            sub.command(where, name=name, help=help_line)
        if noun == "worker":
            _also_runs(sub)
        app.command(sub)
    return app


def _also_runs(worker: App) -> None:
    """``switchtower worker`` without a verb runs one: the Procfile says so."""
    from console.cli.processes import worker as run_one

    worker.default(run_one)


def _failed(says: str, code: int, tokens: Sequence[str]) -> int:
    out.say(f"switchtower: {says}")
    if "--json" in tokens:
        out.document({"error": says, "exit_code": code})
    return code


def _code_of(error: Exception) -> int | None:
    """The exit code of an error from the ledger; None for one that nobody foresaw, which keeps its traceback."""
    from core import ledger, link

    match error:
        case link.Unreachable() | ledger.Busy() | ledger.Unknown():
            return exits.UNREACHABLE
        case ledger.LedgerError():
            return exits.FAILURE
        case _:
            return None


def _version() -> str:
    try:
        return version("switchtower")
    except PackageNotFoundError:
        return "0.1 (from a checkout)"
