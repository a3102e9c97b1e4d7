"""Orders drawn by chance that mean something in the state they are drawn for: what operators, agents and workers say.

``draw`` takes any ``random.Random``: Hypothesis' own in the stateful test (it shrinks), a seeded one in the simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from core.domain import agent, amend, hire, lane, notes, plan, run, session, steer, system, task, template, worker
from core.domain.state import State
from core.domain.template_spec import Draft, Param, TemplateSpec
from core.domain.words import Artifact, Order, Policy, Usage

T = TypeVar("T")
Draw = Callable[[Random, State], Order]

LANES = ("A", "B")
WORKERS = ("anvil", "bellows", "crane")
AGENTS = ("ada", "bob")
ABILITIES = ("python", "docs")
ERRORS = ("exit", "timeout", "auth", "nonsense", "")


def some(rng: Random, items: Sequence[T], most: int) -> list[T]:
    """Up to ``most`` different ones of them."""
    return rng.sample(items, min(len(items), rng.randint(0, most)))


def any_session(rng: Random, state: State) -> str:
    """Mostly the default one; else one that is open; now and then one that is closed or never was."""
    if rng.random() < 0.6:
        return "default"
    opened = [each.session_id for each in state.sessions.values() if each.state == "open"]
    return rng.choice(["nowhere", *state.sessions] if rng.random() < 0.05 else opened or ["default"])


def any_task(rng: Random, state: State, *states: str) -> str:
    """A task's id, of one of these states where there is any; now and then one that is over or never was."""
    fitting = [name for name, each in state.tasks.items() if not states or each.state in states]
    if not fitting or rng.random() < 0.03:
        return rng.choice([*state.tasks, *list(state.over)[-5:], "default/nobody"])
    return rng.choice(fitting)


def spec(rng: Random, state: State, others: Sequence[str], parents: Sequence[str]) -> task.TaskSpec:
    policy = Policy(max_attempts=rng.randint(1, 3), backoff_s=rng.choice((0.0, 1.0, 4.0)))
    return task.TaskSpec(
        title=rng.choice(("write", "read", "mend")),
        command="true" if rng.random() < 0.1 else "",
        priority=rng.randint(0, 4),
        lane=rng.choice(LANES),
        depends_on=some(rng, others, 2) if rng.random() < 0.6 else [],
        parents=some(rng, parents, 2) if rng.random() < 0.3 else [],
        needs=some(rng, ABILITIES, 1) if rng.random() < 0.3 else [],
        policy=policy,
    )


def submit(rng: Random, state: State) -> Order:
    name = f"{any_session(rng, state)}/t{state.command_seq}"
    known = [*state.tasks, *list(state.over)[-3:]]
    if known and rng.random() < 0.05:
        name = rng.choice(known)
    return task.Submit(task_id=name, spec=spec(rng, state, known, [t for t in known if t != name]))


def _of_task(order: Callable[..., Order], *states: str) -> Draw:
    return lambda rng, state: order(task_id=any_task(rng, state, *states))


cancel = _of_task(task.Cancel, "ready", "blocked", "running", "waiting", "paused")
pause = _of_task(task.Pause, "running", "waiting", "ready", "blocked")
resume = _of_task(task.Resume, "paused")
retry = _of_task(task.Retry, "failed", "cancelled", "quarantined")


def reprioritise(rng: Random, state: State) -> Order:
    return task.Reprioritise(task_id=any_task(rng, state), priority=rng.randint(0, 4))


def wake(rng: Random, state: State) -> Order:
    name = any_task(rng, state, "waiting")
    known = state.tasks.get(name)
    return task.Wake(task_id=name, after_run=known.runs if known else 0)


def begin_plan(rng: Random, state: State) -> Order:
    return plan.Begin(
        plan_id=f"p{state.command_seq}", session_id=any_session(rng, state), cycles=rng.choice(("refuse", "block"))
    )


def _a_plan(rng: Random, state: State) -> str:
    return rng.choice([*state.plans, *list(state.sealed_plans)[-1:], "nothing"][: 1 if rng.random() < 0.9 else None])


def add_to_plan(rng: Random, state: State) -> Order:
    """New tasks, known ones worded anew, some of them begun or done elsewhere; now and then in a circle."""
    plan_id = _a_plan(rng, state)
    session_id = state.plans[plan_id].session_id if plan_id in state.plans else "default"
    known = [name for name in (*state.tasks, *list(state.over)[-3:]) if name.startswith(f"{session_id}/")]
    names = [f"{session_id}/p{state.command_seq}-{n}" for n in range(rng.randint(1, 4))]
    names += some(rng, known, 2) if rng.random() < 0.5 else []
    planned = []
    for n, name in enumerate(names):
        circular = rng.random() < 0.1
        others = [*(names if circular else names[:n]), *state.tasks]
        worded = spec(rng, state, [o for o in others if o != name], [o for o in others if o != name])
        begin = rng.choice(("open", "open", "open", "paused", "done"))
        planned.append(plan.Planned(task_id=name, spec=_begun(worded, begin)))
    return plan.Add(plan_id=plan_id, tasks=planned)


def _begun(worded: task.TaskSpec, begin: str) -> task.TaskSpec:
    fields = {name: getattr(worded, name) for name in worded.__struct_fields__}
    return task.TaskSpec(**{**fields, "begin": begin})


def seal_plan(rng: Random, state: State) -> Order:
    return plan.Seal(plan_id=_a_plan(rng, state))


def drop_plan(rng: Random, state: State) -> Order:
    return plan.Drop(plan_id=_a_plan(rng, state))


def register(rng: Random, state: State) -> Order:
    agents = [
        worker.AgentSpec(name=name, adapter=rng.choice(("noop", "shell")), capabilities=some(rng, ABILITIES, 2))
        for name in AGENTS[: rng.randint(1, 2)]
    ]
    return worker.Register(
        worker_id=rng.choice(WORKERS), boot_id=f"boot-{rng.randint(1, 4)}", agents=agents, replace=rng.random() < 0.3
    )


def _a_worker(rng: Random, state: State) -> tuple[str, int]:
    present = [w for w in state.workers.values() if w.state in ("live", "draining")]
    if not present or rng.random() < 0.05:
        return rng.choice(WORKERS), rng.randint(0, 50)
    chosen = rng.choice(present)
    return chosen.worker_id, chosen.epoch


def drain(rng: Random, state: State) -> Order:
    return worker.Drain(worker_id=_a_worker(rng, state)[0])


def leave(rng: Random, state: State) -> Order:
    worker_id, epoch = _a_worker(rng, state)
    return worker.Leave(worker_id=worker_id, epoch=epoch)


def lose(rng: Random, state: State) -> Order:
    worker_id, epoch = _a_worker(rng, state)
    return worker.Lose(worker_id=worker_id, epoch=epoch)


def _a_run(rng: Random, state: State) -> dict[str, object]:
    if not state.runs or rng.random() < 0.03:
        return {"run_id": f"{any_task(rng, state)}~1", "worker_id": rng.choice(WORKERS), "epoch": rng.randint(0, 50)}
    held = rng.choice(list(state.runs.values()))
    wrong = rng.random() < 0.3  # a report that was meant for another epoch
    return {"run_id": held.run_id, "worker_id": held.worker_id, "epoch": held.epoch - wrong}


def start(rng: Random, state: State) -> Order:
    return run.Start(**_a_run(rng, state))  # type: ignore[arg-type]


def progress(rng: Random, state: State) -> Order:
    return run.Progress(**_a_run(rng, state), percent=rng.randint(0, 100), usage=Usage(tool_calls=1))  # type: ignore[arg-type]


def finish(rng: Random, state: State) -> Order:
    result = rng.choice(("succeeded", "succeeded", "failed", "failed", "interrupted", "cancelled"))
    left = [Artifact(name="report.md", sha256="a1" * 32, size=12)] if rng.random() < 0.2 else []
    return run.Finish(**_a_run(rng, state), result=result, error_class=rng.choice(ERRORS), artifacts=left)  # type: ignore[arg-type]


def pause_agent(rng: Random, state: State) -> Order:
    return agent.Pause(agent_id=rng.choice([*state.agents, "nobody/x"]))


def resume_agent(rng: Random, state: State) -> Order:
    paused = [name for name, each in state.agents.items() if each.paused]
    return agent.Resume(agent_id=rng.choice(paused or [*state.agents, "nobody/x"]))


def reword(rng: Random, state: State) -> Order:
    """Somebody changes a task, now and then one who saw it long ago."""
    name = any_task(rng, state)
    changes = amend.Changes(
        title=rng.choice((None, "write", "polish")),
        prompt=rng.choice((None, "in verse")),
        command=rng.choice((None, None, None, "", "true")),
        lane=rng.choice((None, *LANES)),
        priority=rng.choice((None, 0, 4)),
        needs=rng.choice((None, some(rng, ABILITIES, 1))),
        policy=rng.choice((None, amend.PolicyChanges(max_attempts=rng.randint(1, 4)))),
    )
    base = 0 if rng.random() < 0.6 else state.seq - rng.randint(0, 40)
    return amend.Amend(task_id=name, base=max(0, base), changes=changes)


def depend(rng: Random, state: State) -> Order:
    return amend.Depend(task_id=any_task(rng, state), on=any_task(rng, state))


def undepend(rng: Random, state: State) -> Order:
    bound = [(name, on) for name, each in state.tasks.items() for on in each.spec.depends_on]
    name, on = rng.choice(bound) if bound else (any_task(rng, state), "default/nobody")
    return amend.Undepend(task_id=name, on=on)


def place(rng: Random, state: State) -> Order:
    name = any_task(rng, state, "ready", "blocked")
    known = state.tasks.get(name)
    same = [
        other for other, each in state.tasks.items()
        if known is not None and each.priority == known.priority and each.spec.lane == known.spec.lane
    ]  # fmt: skip
    return amend.Place(task_id=name, before=rng.choice(["", *same] if same else [any_task(rng, state)]))


def save_view(rng: Random, state: State) -> Order:
    return notes.SaveView(view_id=rng.choice(("mine", "Broken on B")), page="/tasks", query=f"lane={rng.choice(LANES)}")


def remove_view(rng: Random, state: State) -> Order:
    return notes.RemoveView(view_id=rng.choice([*state.views, "mine"]))


def set_bookmark(rng: Random, state: State) -> Order:
    return notes.SetBookmark(bookmark_id=f"b{rng.randint(1, 3)}", seq=rng.randint(0, state.seq), title="here")


def remove_bookmark(rng: Random, state: State) -> Order:
    return notes.RemoveBookmark(bookmark_id=f"b{rng.randint(1, 3)}")


def limit_board(rng: Random, state: State) -> Order:
    return notes.LimitBoard(column=rng.choice(("running", "ready")), most=rng.randint(0, 3))


def amend_session(rng: Random, state: State) -> Order:
    return session.Amend(
        session_id=any_session(rng, state), goal=rng.choice((None, "go")), budget_uusd=rng.randint(0, 9)
    )


DRAFTS = [Draft(name="plan", title="Plan {{goal}}"), Draft(name="build", title="Build it", depends_on=["plan"])]


def define_template(rng: Random, state: State) -> Order:
    spec = TemplateSpec(title=rng.choice(("Build", "Mend")), params=[Param(name="goal")], lane="A", tasks=DRAFTS)
    known = state.templates.get("build")
    return template.Define(template_id="build", spec=spec, base=known.version if known else 0)


def retire_template(rng: Random, state: State) -> Order:
    return template.Retire(template_id="build")


def use_template(rng: Random, state: State) -> Order:
    return template.Use(
        template_id="build", session_id=any_session(rng, state), prefix=f"u{state.command_seq}", params={"goal": "it"}
    )


def stop_agent(rng: Random, state: State) -> Order:
    return agent.Stop(agent_id=rng.choice([*state.agents, "nobody/x"]))


def restart_agent(rng: Random, state: State) -> Order:
    busy = [name for name, each in state.agents.items() if each.run_id]
    return agent.Restart(agent_id=rng.choice(busy or [*state.agents, "nobody/x"]))


def hire_agents(rng: Random, state: State) -> Order:
    return hire.Hire(worker_id=_a_worker(rng, state)[0], adapter="noop", count=rng.randint(1, 2))


def grow(rng: Random, state: State) -> Order:
    worker_id, epoch = _a_worker(rng, state)
    specs = [worker.AgentSpec(name=f"hand-{rng.randint(1, 4)}", adapter="noop")]
    return hire.Grow(worker_id=worker_id, epoch=epoch, agents=specs)


def message(rng: Random, state: State) -> Order:
    return steer.Message(run_id=rng.choice([*state.runs, "default/nobody~1"]), text="mind the tests")


def hold(rng: Random, state: State) -> Order:
    return steer.Hold(run_id=rng.choice([*state.runs, "default/nobody~1"]), reason="wait")


def go_on_run(rng: Random, state: State) -> Order:
    held = [name for name, each in state.runs.items() if each.state == "held"]
    return steer.Continue(run_id=rng.choice(held or [*state.runs, "default/nobody~1"]))


def halt(rng: Random, state: State) -> Order:
    return system.Halt(reason="the build is red", gently=rng.random() < 0.4)


def release(rng: Random, state: State) -> Order:
    return system.Release()


def configure_lane(rng: Random, state: State) -> Order:
    return lane.Configure(lane=rng.choice(LANES), concurrency=rng.choice((None, None, 0, 1, 2)))


def pause_lane(rng: Random, state: State) -> Order:
    return lane.Pause(lane=rng.choice(LANES))


def resume_lane(rng: Random, state: State) -> Order:
    paused = [name for name, each in state.lanes.items() if each.paused]
    return lane.Resume(lane=rng.choice(paused or LANES))


def open_session(rng: Random, state: State) -> Order:
    return session.Open(
        session_id=f"siding-{len(state.sessions) - (rng.random() < 0.1)}", budget_uusd=rng.choice((0, 5_000_000))
    )


def close_session(rng: Random, state: State) -> Order:
    sidings = [name for name in state.sessions if name != "default"]
    return session.Close(session_id=rng.choice(sidings or ["siding-1"]), cancel_open=rng.random() < 0.7)


def adopt_rules(rng: Random, state: State) -> Order:
    return system.AdoptRules(rules=rng.choice((1, 2, 4, 99)))


def go_on(rng: Random, state: State) -> Order:
    return system.Continue()


# How often each is drawn: a fleet mostly submits and finishes; everything else happens, too.
WEIGHTS: dict[Draw, int] = {
    submit: 20, finish: 24, start: 8, progress: 4, register: 4, wake: 6, retry: 4, resume: 4, pause: 4, cancel: 4,
    reprioritise: 2, begin_plan: 4, add_to_plan: 6, seal_plan: 4, drop_plan: 1, drain: 1, leave: 1, lose: 2,
    pause_agent: 1, resume_agent: 1, configure_lane: 1, pause_lane: 1, resume_lane: 2, open_session: 2,
    close_session: 2, adopt_rules: 1, go_on: 1, stop_agent: 1, restart_agent: 1, hire_agents: 1, grow: 1, message: 1,
    hold: 2, go_on_run: 2, halt: 1, release: 4, reword: 4, depend: 4, undepend: 3, place: 3, save_view: 1,
    remove_view: 1, set_bookmark: 1, remove_bookmark: 1, limit_board: 1, amend_session: 1,
    define_template: 2, retire_template: 1, use_template: 3,
}  # fmt: skip


def draw(rng: Random, state: State) -> Order:
    """The next thing somebody orders."""
    return rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0](rng, state)
