"""A task as data: what is asked for, where it stands, and what is kept of it when it is done."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from core.domain.words import Line, Name, Policy, Priority, Text

Ids = Annotated[list[Annotated[str, Meta(max_length=250)]], Meta(max_length=1_000)]
TaskState = Literal["blocked", "ready", "running", "waiting", "paused", "done", "failed", "cancelled", "quarantined"]
Resting = Literal["ready", "blocked", "waiting"]
OPEN = frozenset({"blocked", "ready", "running", "waiting", "paused"})


class TaskSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a task is. ``needs``: abilities its agent must have. ``parents``: containers it is a part of.

    ``begin``: the state it starts from: open, paused ("someone else had begun") or done; ``because`` says why.
    ``source``: fields kept from where it was imported.
    """

    title: Annotated[str, Meta(min_length=1, max_length=500)]
    prompt: Text = ""
    command: Text = ""
    kind: Line = "task"
    priority: Priority = 2
    lane: Name = "A"
    depends_on: Ids = []
    parents: Ids = []
    needs: Annotated[list[Name], Meta(max_length=50)] = []
    files: Annotated[list[Annotated[str, Meta(max_length=1_000)]], Meta(max_length=500)] = []
    labels: Annotated[list[Line], Meta(max_length=200)] = []
    policy: Policy = Policy()
    begin: Literal["open", "paused", "done"] = "open"
    because: Line = ""
    source: dict[str, Any] = {}


class Task(msgspec.Struct):
    """A task that is not done. ``waits``: dependencies not done plus parents blocked. ``runs``: attempts numbered so
    far; ``used``: those that count against the policy; ``losses``: workers lost under it; ``born``: its age, and
    ``placed`` what an operator put in its stead. ``worded``: the EVENTS sequence of its last whole wording;
    ``amended``: of the last change of what was changed since."""

    task_id: str
    session_id: str
    spec: TaskSpec
    born: int
    priority: int
    state: TaskState = "blocked"
    waits: int = 0
    runs: int = 0
    used: int = 0
    losses: int = 0
    run_id: str = ""
    retry_at: int = 0
    children: int = 0
    open_children: int = 0
    failed_children: int = 0
    done_children: int = 0
    placed: float | None = None
    worded: int = 0
    amended: dict[str, int] = {}

    @property
    def order(self) -> float:
        """Among tasks of the same lane and priority the lowest goes first."""
        return self.born if self.placed is None else self.placed

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_container(self) -> bool:
        return self.open_children > 0


class Over(msgspec.Struct, frozen=True):
    """What is kept of a done task: enough to know it again."""

    runs: int
    digest: str


def plain(spec: TaskSpec) -> TaskSpec:
    """The same spec, its defaults being the defaults themselves. What is not told is told by identity, and a string of
    one letter is another object before a snapshot than after it: a spec made from the state goes through here."""
    policy = _plain(spec.policy)
    return _plain(spec if policy is spec.policy else msgspec.structs.replace(spec, policy=policy))


T = TypeVar("T", TaskSpec, Policy)
_DEFAULTS: dict[type, dict[str, Any]] = {
    kind: {field.name: field.default for field in msgspec.structs.fields(kind)} for kind in (TaskSpec, Policy)
}


def _plain(value: T) -> T:
    """Built anew only where it says a default: every task that is done comes by here."""
    defaults = _DEFAULTS[type(value)]
    said = {name: getattr(value, name) for name in defaults}
    if not any(said[name] is not default and said[name] == default for name, default in defaults.items()):
        return value
    return type(value)(**{name: each for name, each in said.items() if each != defaults[name]})


def digest(spec: TaskSpec, rules: int) -> str:
    """Tells one wording of a task from another. Before rules 3 saying a default was another wording than not saying it,
    and a state from a snapshot could take the one for the other."""
    return hashlib.blake2b(msgspec.json.encode(plain(spec) if rules >= 3 else spec), digest_size=12).hexdigest()
