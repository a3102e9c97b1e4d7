"""Which issues ``bd ready`` would list: beads' own rule, over the file alone.

Blocked is a fix-point: an issue that is not closed or pinned, and needs one that is not, or is a part of one that is
blocked itself. Ready: open, not blocked, and none of what ``bd ready`` never lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from console.plans.issue import Edge, Issue, moment

NEEDS = frozenset({"blocks", "conditional-blocks"})
NEVER_LISTED = frozenset({"merge-request", "gate", "molecule", "message", "agent", "role", "rig"})

Issues = Mapping[str, Issue]


def children(issues: Issues) -> dict[str, list[str]]:
    """The parts of each issue, by ``parent-child``; nothing is a part of itself."""
    found: dict[str, dict[str, None]] = {}
    for name, issue in issues.items():
        for edge in issue.edges:
            if edge.type == "parent-child" and edge.depends_on_id != name:
                found.setdefault(edge.depends_on_id, {})[name] = None
    return {parent: list(parts) for parent, parts in found.items()}


def blocked(issues: Issues) -> set[str]:
    """Every issue that has to wait, directly or through a parent."""
    parts = children(issues)
    found: set[str] = set()
    queue = [name for name, issue in issues.items() if issue.holds_up and _waits(issues, parts, issue)]
    while queue:
        name = queue.pop()
        if name in found:
            continue
        found.add(name)
        queue.extend(part for part in parts.get(name, ()) if issues[part].holds_up)
    return found


def ready(issues: Issues, now: datetime, is_blocked: set[str]) -> set[str]:
    """What ``bd ready --limit 0`` lists at ``now``."""
    return {
        name
        for name, issue in issues.items()
        if issue.status == "open" and name not in is_blocked and not hidden(issues, issue, now)
    }


def hidden(issues: Issues, issue: Issue, now: datetime) -> str:
    """Why ``bd ready`` never lists an open issue, whatever it waits for; nothing when it may."""
    if issue.pinned:
        return "pinned in beads: a note that stays, not work"
    if issue.issue_type in NEVER_LISTED:
        return f"a beads {issue.issue_type}, which bd never gives out as work"
    if issue.ephemeral:
        return "ephemeral in beads, which bd never gives out as work"
    if is_deferred(issue, now):
        return f"deferred in beads until {issue.defer_until}"
    for edge in issue.edges:
        parent = issues.get(edge.depends_on_id) if edge.type == "parent-child" else None
        if parent is not None and is_deferred(parent, now):
            return f"a part of {parent.id}, which is deferred in beads until {parent.defer_until}"
    return ""


def is_deferred(issue: Issue, now: datetime) -> bool:
    """Whether the issue was put off to a time after ``now``."""
    try:
        return bool(issue.defer_until) and moment(issue.defer_until or "") > now
    except ValueError:
        return False


def waited_for(issues: Issues, parts: Mapping[str, list[str]], edge: Edge) -> list[str]:
    """The children a ``waits-for`` edge waits for: all that are not closed, or none once any one of them is, where
    that is enough."""
    known = [name for name in parts.get(edge.depends_on_id, ()) if name in issues]
    if edge.any_child_opens and any(issues[name].is_closed for name in known):
        return []
    return [name for name in known if issues[name].holds_up]


def _waits(issues: Issues, parts: Mapping[str, list[str]], issue: Issue) -> bool:
    tests: dict[str, Callable[[Edge], bool]] = {
        "waits-for": lambda edge: bool(waited_for(issues, parts, edge)),
        **dict.fromkeys(NEEDS, lambda edge: edge.depends_on_id in issues and issues[edge.depends_on_id].holds_up),
    }
    return any(tests[edge.type](edge) for edge in issue.edges if edge.type in tests)
