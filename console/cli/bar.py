"""A progress bar for long work: on a terminal only, on stderr, gone when the work is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Bar = Callable[[int, int], None]  # done, in all


@contextmanager
def bar(doing: str, total: int, *, quiet: bool = False, least: int = 2_000) -> Iterator[Bar | None]:
    """What tells a bar how far the work is; None where there is none to be drawn (no terminal, or little to do)."""
    if quiet or total < least or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as drawn:
        task = drawn.add_task(doing, total=total)
        yield lambda done, of: drawn.update(task, completed=done, total=of)
