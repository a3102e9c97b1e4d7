"""A tower whose agents, plans and operators wrote the whole corpus into every field they may fill."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec

from core.domain import agent, lane, notes, plan, run, session, task, template, worker
from core.domain.spec import TaskSpec
from core.domain.template_spec import Draft, Param, TemplateSpec
from core.domain.words import Policy, Refused, Usage, check_name
from core.door import Door
from core.envelope import decode_fact
from core.ledger import Malformed
from tests.console.tower import Tower
from tests.hostile.payloads import CORPUS, name_of

AGENTS = 8
ARTIFACTS = ("x.md", "x.json", "x.diff", "x.svg", "x.html", "x.txt", "x.png")


def cut(text: str, most: int) -> str:
    return text[:most]


def names(kind: str, most: int) -> list[str]:
    """Every payload that may be an id of that kind, as far as it may."""
    found = []
    for payload in CORPUS:
        name = name_of(payload, most)
        with contextlib.suppress(Refused):
            check_name(kind, name)
            found.append(name)
    return list(dict.fromkeys(found))


async def poison(tower: Tower) -> Tower:
    """Fill it. Nothing here may be refused but for what a field does not take; what it takes stands in the log."""
    await _workers(tower)
    await _tasks(tower)
    await _runs(tower)
    await _house(tower)
    assert await tower.read_model.caught_up(60)
    return tower


async def _workers(tower: Tower) -> None:
    """Agents that do the runs, and agents and workers with hostile names that only stand there."""
    await tower.register(agents=AGENTS, model=cut(CORPUS[0], 200), pool="sim", capabilities=["sim", "shell"])
    for number, name in enumerate(names("worker", 40)[:60]):
        words = CORPUS[number * 3 % len(CORPUS)]
        offered = worker.AgentSpec(
            name=name_of(CORPUS[number * 5 % len(CORPUS)], 40) or "a", adapter=cut(name, 60), model=cut(words, 200),
            pool=cut(words, 200), capabilities=[cut(words, 100) or "x"],
        )  # fmt: skip
        await tower.door.order(
            worker.Register(
                worker_id=name, boot_id="b", agents=[offered], host=cut(words, 200), version=cut(words, 100)
            )
        )


async def _tasks(tower: Tower) -> None:
    """A task for each payload, with that payload in every field; and some that hold all of them at once."""
    planned = []
    for number, payload in enumerate(CORPUS):
        spec = TaskSpec(
            title=cut(payload, 500) or "?", prompt=payload, command="" if number % 2 else payload,
            kind=cut(payload, 500), files=[cut(payload, 1_000)], labels=[cut(payload, 500)],
            source={payload: payload, "deep": [payload]}, policy=Policy(max_attempts=1), because=cut(payload, 500),
            needs=["sim"],
        )  # fmt: skip
        planned.append(plan.Planned(task_id=f"default/h-{number}", spec=spec))
    heap = [payload for payload in CORPUS if len(payload) < 200]
    for number in range(0, len(heap), 60):
        some = heap[number : number + 60]
        spec = TaskSpec(
            title=f"All of them {number}", prompt="\n\n".join(some), files=some, labels=some, begin="paused",
            source=dict.fromkeys(some, some[0]), because=some[0], depends_on=["default/h-0", "default/h-1"],
        )  # fmt: skip
        planned.append(plan.Planned(task_id=f"default/heap-{number}", spec=spec))
    orders: list[Any] = [plan.Begin(plan_id="p", session_id="default", source=cut(CORPUS[0], 500))]
    orders += [plan.Add(plan_id="p", tasks=planned[at : at + 50]) for at in range(0, len(planned), 50)]
    for order in [*orders, plan.Seal(plan_id="p")]:
        answer = await tower.order(order)
        assert answer.outcome == "done", answer.reason
    for number, name in enumerate(names("task", 60)[:80]):
        await tower.door.order(
            task.Submit(task_id=f"default/{name}", spec=TaskSpec(title=CORPUS[number][:500], begin="open"))
        )


async def _runs(tower: Tower) -> None:
    """A run for each task of the corpus, whose agent says the payload wherever it may."""
    read = 0
    while fresh := tower.ledger.logs["EVENTS"].messages[read:]:
        read += len(fresh)
        for fact in (decode_fact(stored.data).fact for stored in fresh):
            if isinstance(fact, worker.Assigned) and fact.worker_id == "w1":
                number = fact.task_id.rpartition("h-")[2]
                await _speak(tower, fact.run_id, CORPUS[int(number)] if number.isdecimal() else CORPUS[0])


async def _speak(tower: Tower, run_id: str, payload: str) -> None:
    epoch, size = tower.epoch("w1"), len(payload.encode())
    await tower.start(run_id)
    line = cut(payload, 500)
    usage = Usage(input_tokens=1_000, output_tokens=10, cost_uusd=1_200)
    await tower.order(
        run.Progress(run_id=run_id, worker_id="w1", epoch=epoch, step=line, percent=5, usage=usage, files=[line])
    )
    for n, kind in enumerate(
        ("step", "text", "tool", "tool_result", "usage", "file", "retry", "error", "note", "message")
    ):
        tower.see(
            run_id, n + 1, kind, name=payload, says=payload, ref=payload, data={payload: payload}, failed=n % 2 == 0,
            diff=payload if kind == "file" else "",
        )  # fmt: skip
    tower.say(run_id, f"{payload}\n")
    tower.say(run_id, payload, stream="stderr")
    sums = [await tower_artifacts(tower).keep(payload.encode() + name.encode()) for name in ARTIFACTS]
    kept = [
        {
            "name": cut(f"{payload}{name}", 200),
            "sha256": each,
            "size": size,
            "media_type": cut(payload, 100) or "text/html",
        }
        for name, each in zip(ARTIFACTS, sums, strict=True)
    ]
    told = {"summary": line, "checks": [line], "files": [line], "duration_ms": 5, "exit_code": 1}
    if "artifacts" in run.Finish.__struct_fields__:
        told["artifacts"] = kept
    failed = len(payload) % 2 == 1
    said = {"error_class": cut(payload, 100), "error": line} if failed else {}
    order = {
        "type": "run.finish", "run_id": run_id, "worker_id": "w1", "epoch": epoch,
        "result": "failed" if failed else "succeeded", **told, **said,
    }  # fmt: skip
    answer = await tower.order(msgspec.convert(order, run.Finish))
    assert answer.outcome == "done", answer.reason


def tower_artifacts(tower: Tower) -> Any:
    return tower.app.state.desk.artifacts


async def _house(tower: Tower) -> None:
    """What operators and other doors write: sessions, reasons, views, bookmarks, templates, lanes."""
    door: Door = tower.door
    for number, payload in enumerate(CORPUS[::4]):
        name = name_of(payload, 40) or f"s{number}"
        for order in (
            session.Open(session_id=name, goal=payload, root=cut(payload, 500)),
            session.Close(session_id=name, summary=payload) if number % 3 == 0 else None,
            lane.Pause(lane="B", reason=cut(payload, 500)), lane.Resume(lane="B"),
            notes.SaveView(view_id=cut(payload, 200) or "v", page="/tasks", query=cut(payload, 500)),
            notes.SetBookmark(bookmark_id=cut(payload, 200) or "b", seq=5 + number, title=cut(payload, 200) or "t"),
            template.Define(template_id=name, spec=_template(payload)),
            agent.Pause(agent_id="w1/a0", reason=cut(payload, 500)), agent.Resume(agent_id="w1/a0"),
            task.Cancel(task_id=payload, reason=cut(payload, 500)),
        ):  # fmt: skip
            if order is not None:
                with contextlib.suppress(msgspec.ValidationError, Malformed):
                    await door.order(
                        msgspec.convert(msgspec.to_builtins(order), type(order)), by=cut(payload, 60) or "x"
                    )


def _template(payload: str) -> TemplateSpec:
    line = cut(payload, 400)
    asked = Param(name="p", label=line, help=line, kind="choice", choices=[line, "b"])
    made = Draft(name="d", title=line + " {{p}}", prompt=payload, files=[line], labels=[line])
    return TemplateSpec(title=cut(payload, 200) or "?", description=payload, params=[asked], tasks=[made])
