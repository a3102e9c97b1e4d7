"""Where the tasks of a file stand by our own rule, before anything is sent: the figures of a dry run.

The core decides this again from the same rule at the seal; ``tests/plans`` hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.domain.plan import Planned


def stand(planned: Sequence[Planned]) -> tuple[set[str], set[str], set[str]]:
    """The ids of the tasks that wait, of those that can start at once, and of the containers with open parts."""
    specs = {task.task_id: task.spec for task in planned}
    open_ones = {name for name, spec in specs.items() if spec.begin != "done"}
    parts: dict[str, list[str]] = {}
    for name in open_ones:
        for parent in specs[name].parents:
            parts.setdefault(parent, []).append(name)
    blocked = _blocked([name for name in open_ones if any(need in open_ones for need in specs[name].depends_on)], parts)
    containers = open_ones & parts.keys()
    startable = {name for name in open_ones - blocked - containers if specs[name].begin == "open"}
    return blocked, startable, containers


def _blocked(waiting: list[str], parts: dict[str, list[str]]) -> set[str]:
    """Those that wait, and whatever is a part of one that does."""
    found: set[str] = set()
    queue = list(waiting)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(parts.get(name, ()))
    return found
