"""Terminal output reaches OUTPUT in few chunks, in order, redacted, up to its cap; a hole is marked."""

from __future__ import annotations

import asyncio

from tests.workers.plant import Plant
from workers.observe import Redactor
from workers.outbox import Outbox
from workers.output import MAX_CHUNK, OutputLog

RUN = "default/t~1"


def log_into(plant: Plant, *, cap_bytes: int = 1 << 20) -> OutputLog:
    box = Outbox(plant.ledger, "OUTPUT", plant.clock, name="w1")
    plant.tasks.append(asyncio.ensure_future(box.run()))
    return OutputLog(RUN, box, plant.clock, Redactor(["very-secret"]), cap_bytes=cap_bytes)


def chunks(plant: Plant) -> list[bytes]:
    return [each.data for each in plant.ledger.logs["OUTPUT"].messages]


async def test_many_small_writes_become_at_most_ten_chunks_a_second(plant: Plant):
    output = log_into(plant)
    for n in range(300):
        await output.write("stdout", b"line %d\n" % n)
        await plant.pass_(0.01)
    output.close()
    await plant.settle()
    assert plant.output() == b"".join(b"line %d\n" % n for n in range(300))
    assert len(chunks(plant)) <= 32


async def test_the_first_line_is_there_at_once(plant: Plant):
    output = log_into(plant)
    await plant.pass_(5)
    await output.write("stdout", b"hello\n")
    await plant.settle()
    assert chunks(plant) == [b"hello\n"]


async def test_what_does_not_end_in_a_line_end_comes_with_the_end(plant: Plant):
    output = log_into(plant)
    await output.write("stdout", b"no end")
    await plant.pass_(1)
    assert chunks(plant) == []
    output.close()
    await plant.settle()
    assert plant.output() == b"no end"


async def test_output_beyond_its_cap_is_cut_and_both_cut_and_hole_are_marked(plant: Plant):
    output = log_into(plant, cap_bytes=1000)
    writing = asyncio.ensure_future(write_lines(output, 50))
    await plant.until(writing.done)
    output.close()
    await plant.settle()
    text = plant.output()
    assert text.startswith(b"x" * 99 + b"\n")
    assert b"output cut here: a run's first 1000 bytes are kept" in text
    assert text.endswith(b"[4000 more bytes were not kept]\n")
    assert text.count(b"?") == 4000


async def test_a_writer_that_is_faster_than_the_log_is_slowed_down(plant: Plant):
    output = log_into(plant, cap_bytes=100 << 20)
    writing = asyncio.ensure_future(write_lines(output, 10 * MAX_CHUNK // 100))
    await plant.pass_(0.25)
    assert not writing.done()
    assert sum(map(len, chunks(plant))) <= 4 * MAX_CHUNK
    await plant.until(writing.done, within_s=5)


async def test_U3_a_secret_split_over_two_writes_is_not_seen(plant: Plant):
    output = log_into(plant)
    await output.write("stderr", b"it is very-")
    await output.write("stderr", b"secret, mind\n")
    output.close()
    await plant.settle()
    assert plant.output("stderr") == b"it is [redacted], mind\n"


async def write_lines(output: OutputLog, n: int) -> None:
    for _ in range(n):
        await output.write("stdout", b"x" * 99 + b"\n")
