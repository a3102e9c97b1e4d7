"""Two runs side by side: figures, what they did, which files they touched."""

from __future__ import annotations

from difflib import SequenceMatcher

import msgspec

from projections.costs import Cost
from projections.inside import FileChange
from projections.rows.runs import RunPage

MOST = 400  # deeds of each that are laid side by side


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two. ``time``: the instant that goes with the page, microseconds."""

    page: RunPage
    deeds: list[str]
    files: list[FileChange]
    cost: Cost
    time: int

    @property
    def us(self) -> int:
        run = self.page.run
        return run.duration_ms * 1000 or (run.ended_at or self.time) - (run.started_at or run.assigned_at)


class Pair(msgspec.Struct, frozen=True):
    """A row of the comparison: what each did there; empty where only the other did something."""

    left: str
    right: str

    @property
    def kind(self) -> str:
        return "" if self.left == self.right else "del" if not self.right else "add" if not self.left else "odd"


class FilePair(msgspec.Struct, frozen=True):
    name: str
    left: FileChange | None
    right: FileChange | None


class Both(msgspec.Struct, frozen=True):
    """``left`` is the other run, ``right`` the one whose page it is. ``alike``: share of deeds they have in common."""

    left: Side
    right: Side
    deeds: list[Pair]
    files: list[FilePair]
    alike: float
    cut: bool = False


def beside(left: Side, right: Side) -> Both:
    one, other = left.deeds[:MOST], right.deeds[:MOST]
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    pairs: list[Pair] = []
    for _, start, end, first, last in matcher.get_opcodes():
        mine, theirs = one[start:end], other[first:last]
        longer = max(len(mine), len(theirs))
        mine += [""] * (longer - len(mine))
        theirs += [""] * (longer - len(theirs))
        pairs += [Pair(a, b) for a, b in zip(mine, theirs, strict=True)]
    names = dict.fromkeys([*(each.name for each in left.files), *(each.name for each in right.files)])
    by_name = [{each.name: each for each in side.files} for side in (left, right)]
    files = [FilePair(name, by_name[0].get(name), by_name[1].get(name)) for name in names]
    cut = len(left.deeds) > MOST or len(right.deeds) > MOST
    return Both(left, right, pairs, files, matcher.ratio() if one or other else 1.0, cut)
