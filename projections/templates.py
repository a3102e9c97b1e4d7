"""Templates: the list, and one with its versions and its uses."""

from __future__ import annotations

from typing import Any

import msgspec

from core.domain.template_spec import TemplateSpec
from projections.rows import At, Row
from projections.rows.tasks import Link
from projections.store import Reader, only

MOST_USES = 50


class TemplateRow(Row, frozen=True):
    """A template in the list. ``since``: when it was last defined or retired; ``params`` and ``tasks`` are counts."""

    template_id: str
    state: str
    version: int
    title: str
    description: str = ""
    lane: str = ""
    params: int = 0
    tasks: int = 0
    because: str = ""
    actor: str = ""
    since: int = 0
    uses: int = 0
    last_used: int = 0


class TemplateVersion(Row, frozen=True):
    """A wording, and who gave it."""

    version: int
    at: int
    by: str
    command_seq: int
    seq: int
    spec: TemplateSpec


class _Artifact(msgspec.Struct):
    """As a run's last fact names it."""

    name: str
    sha256: str
    size: int = 0


class Kept(Row, frozen=True):
    """A file that a run of a use left behind."""

    name: str
    run_id: str
    sha256: str
    size: int = 0


class TemplateUse(Row, frozen=True):
    """What was made of it. ``tasks`` as they stand at the moment asked for; ``kept``: by name, of the run that left it
    last, in the order of the tasks."""

    use_id: str
    template_id: str
    version: int
    session_id: str
    prefix: str
    at: int
    by: str
    command_seq: int
    seq: int
    lane: str = ""
    params: dict[str, Any] = {}
    tasks: list[Link] = []
    kept: list[Kept] = []

    @property
    def by_state(self) -> dict[str, int]:
        """How many of its tasks are in each state."""
        found: dict[str, int] = {}
        for task in self.tasks:
            found[task.state] = found.get(task.state, 0) + 1
        return found


class Template(Row, frozen=True):
    """A template with all that is known of it: versions and uses, newest first."""

    row: TemplateRow
    versions: list[TemplateVersion]
    uses: list[TemplateUse]

    @property
    def spec(self) -> TemplateSpec:
        return self.versions[0].spec

    def worded(self, version: int) -> TemplateVersion | None:
        """The wording of that number, 0 for the newest; None where there is none."""
        return next((each for each in self.versions if version in (0, each.version)), None)


def templates(db: Reader, at: At) -> list[TemplateRow]:
    """Every template, those that are retired last."""
    return [TemplateRow(**row) for row in db.ask("templates.page", {"where": ""}, seq=at.events_seq)]


def template(db: Reader, at: At, template_id: str) -> Template | None:
    """One template, or None where there was none of that name."""
    values = {"seq": at.events_seq, "template_id": template_id}
    found = db.ask("templates.page", {"where": "and t.template_id = $template_id"}, **values)
    if not found:
        return None
    versions = [
        TemplateVersion(**row | {"spec": msgspec.json.decode(row["spec"], type=TemplateSpec)})
        for row in db.ask("templates.versions", **values)
    ]
    uses = db.ask("templates.uses", **values, limit=MOST_USES)
    ids = [task_id for use in uses for task_id in use["tasks"]]
    links, kept = _links(db, at, ids), _kept(db, at, ids)
    return Template(
        row=TemplateRow(**found[0]),
        versions=versions,
        uses=[
            TemplateUse(
                **use
                | {
                    "params": msgspec.json.decode(use["params"]),
                    "tasks": [links[each] for each in use["tasks"]],
                    "kept": list({file.name: file for each in use["tasks"] for file in kept.get(each, ())}.values()),
                }
            )
            for use in uses
        ],
    )


def _kept(db: Reader, at: At, ids: list[str]) -> dict[str, list[Kept]]:
    """By task what its runs left."""
    found: dict[str, list[Kept]] = {}
    rows = db.ask("templates.kept", {"ids": only("task_id", ids)}, seq=at.events_seq, ids=ids) if ids else []
    for row in rows:
        files = msgspec.json.decode(row["artifacts"], type=list[_Artifact])
        found.setdefault(row["task_id"], []).extend(
            Kept(name=each.name, run_id=row["run_id"], sha256=each.sha256, size=each.size) for each in files
        )
    return found


def _links(db: Reader, at: At, ids: list[str]) -> dict[str, Link]:
    where = {"ids": only("task_id", ids)}
    known = {row["task_id"]: row for row in db.ask("tasks.links", where, seq=at.events_seq, ids=ids)} if ids else {}
    return {each: Link(**known[each]) if each in known else Link(task_id=each, missing=True) for each in ids}
