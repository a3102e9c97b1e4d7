"""The lanes as a board of tracks: how each did in the last five minutes, and why what stands in line does not run."""

from __future__ import annotations

from core.domain.conditions import Condition, TaskView
from projections.because import seen_of
from projections.rows import At, Row
from projections.rows.tasks import TaskFilter, Tasks
from projections.store import Reader
from projections.tasks import task_rows, tasks

STEP_US, STEPS = 10_000_000, 30
MOST_NAMED = 24  # tasks that one task waits for, by name
WAITING = ("ready", "waiting", "blocked", "paused")
_FOR_THE_RULE = ("task_id", "lane", "state", "open_parts", "retry_at", "because")


class Pulse(Row, frozen=True):
    """A lane's last five minutes, ten seconds a step. ``at_once``: how many runs there were in it on average."""

    done: tuple[int, ...]
    broken: int
    at_once: float


class Cell(Row, frozen=True):
    """A condition of the scheduler for one task. ``brief``: what is missing in a word or two; empty when it is met.
    ``tasks``: those it waits for, each with its state."""

    name: str
    met: bool
    says: str
    brief: str
    tasks: tuple[tuple[str, str], ...] = ()


class NotRunning(Row, frozen=True):
    """Tasks that do not run, the nearest to running first, and every condition for each."""

    found: Tasks
    cells: dict[str, list[Cell]]

    @property
    def names(self) -> list[str]:
        return [cell.name for cell in next(iter(self.cells.values()), [])]


def pulses(db: Reader, at: At) -> dict[str, Pulse]:
    """By lane; one where nothing happened is left out."""
    until = (at.at // STEP_US + 1) * STEP_US  # whole steps, so that a line moves by one step and not a little each time
    span = {"seq": at.events_seq, "since": until - STEPS * STEP_US, "until": until, "step": STEP_US}
    done: dict[str, list[int]] = {}
    broken: dict[str, int] = {}
    for row in db.ask("runboard.pulse", **span):
        done.setdefault(row["lane"], [0] * STEPS)[int(row["slot"])] += int(row["done"])
        broken[row["lane"]] = broken.get(row["lane"], 0) + int(row["broken"])
    now = at.at // 1_000_000 * 1_000_000
    length = STEPS * STEP_US
    busy = {
        row["lane"]: max(0, int(row["busy_us"])) / length
        for row in db.ask("runboard.busy", seq=at.events_seq, since=now - length, until=now)
    }
    return {
        lane: Pulse(
            done=tuple(done.get(lane, [0] * STEPS)), broken=broken.get(lane, 0), at_once=round(busy.get(lane, 0.0), 2)
        )
        for lane in done.keys() | busy.keys()
    }


def not_running(db: Reader, at: At, *, lanes: tuple[str, ...] = (), limit: int = 20) -> NotRunning:
    """The tasks nearest to running that do not run: ready ones, then those that wait, are blocked, are paused."""
    return _with_cells(db, at, tasks(db, at, TaskFilter(states=WAITING, lanes=lanes, containers=False, limit=limit)))


def why_not(db: Reader, at: At, task_id: str) -> NotRunning:
    """The same of one task, whatever its state; no rows where there is no such task."""
    rows = task_rows(db, at, [task_id])
    return _with_cells(db, at, Tasks(rows=rows, total=len(rows), by_state={}))


def _with_cells(db: Reader, at: At, found: Tasks) -> NotRunning:
    asked = [{name: getattr(row, name) for name in _FOR_THE_RULE} for row in found.rows]
    seen = seen_of(db, at, asked) if asked else {}
    cells = {task_id: [_cell(view, each) for each in conditions] for task_id, (view, conditions) in seen.items()}
    return NotRunning(found=found, cells=cells)


def _cell(view: TaskView, each: Condition) -> Cell:
    tasks: list[tuple[str, str]] = []
    if each.name == "dependencies" and not each.met:
        tasks = [*view.unmet, *((parent, "blocked") for parent in view.blocked_parents if not view.unmet)]
    return Cell(name=each.name, met=each.met, says=each.says, brief=_brief(view, each), tasks=tuple(tasks[:MOST_NAMED]))


def _brief(view: TaskView, condition: Condition) -> str:
    if condition.met:
        return ""
    match condition.name:
        case "dependencies":
            return "circle" if view.circle else f"{len(view.unmet)} left" if view.unmet else "parent"
        case "parts":
            return f"{view.open_children} open"
        case "lane":
            return "paused" if view.lane_paused else f"{view.lane_running}/{view.lane_concurrency}"
        case "agent":
            return "busy" if "fitting" in condition.says else "none"
        case "open":
            return view.state
        case _:
            return "halted"
