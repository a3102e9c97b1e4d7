"""The newest of many: looked for in a stretch that should hold them, so that not all there ever were are sorted."""

from __future__ import annotations

from collections.abc import Callable

from projections.known import Rows

REACHES = (4, 64)  # times the stretch that would hold the wanted ones, did they come at an even pace


def newest(
    find: Callable[[int], Rows],
    *,
    since: int,
    until: int,
    total: int,
    wanted: int,
    enough: Callable[[Rows], bool] | None = None,
) -> Rows:
    """What ``find`` finds among rows of an age or younger: sequences or times from ``since`` to ``until``.

    ``find`` is given the least of them, 0 for all, and sorts by them, the newest first; of ``total`` rows the first
    ``wanted`` will do, or as many as are ``enough``.
    """
    for reach in REACHES:
        least = until - (until - since) * wanted * reach // max(1, total)
        if least <= since:
            break
        found = find(least)
        if enough(found) if enough else len(found) >= wanted:
            return found
    return find(0)
