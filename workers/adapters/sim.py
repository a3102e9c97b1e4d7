"""A scripted agent that behaves like one with a language model behind it; in process, seeded, as fast as is wanted.

It plans, calls tools, prints, touches files, uses tokens, tells how far it is, listens to the operator, leaves a
report, and sometimes fails, crashes or hangs. What it does depends on the run's id and the pool's seed alone. A line
``sim: …`` in the task's prompt directs it instead:

    sim: seconds=6 fail=1 class=exit      six seconds; the first attempt fails, as "exit"; the next ones do not

``seconds``; ``fail``, ``crash``, ``hang``: so many first attempts end so (all left out: none does); ``class``: the
error class of a failure; ``tools``: how many calls; ``checks``: 0 or 1, whether its tests are recorded as a check;
``artifacts``: 0 or 1, whether it leaves its report (left out: one in four does).
"""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import msgspec

from core.domain.retry import ERROR_CLASSES
from core.domain.words import Usage
from workers.adapters import pretend
from workers.adapters.adapter import Ended, Happening, Job, Made, Means, Output, Seen, Unfit
from workers.adapters.pace import Pace

Fate = Literal["well", "fail", "crash", "hang"]

# How an agent nobody directed ends, per attempt. A hang gives up after HANG_S; a directed one waits for the time limit.
CHANCES: tuple[tuple[Fate, float], ...] = (("fail", 0.04), ("crash", 0.01), ("hang", 0.005))
HANG_S = 45.0
INPUT_UUSD, OUTPUT_UUSD, CACHE_READ_UUSD = 3.0, 15.0, 0.3  # millionths of a dollar a token, like a mid-size model's
_DIRECTION = re.compile(r"^\s*sim:(.*)$", re.MULTILINE)

PLANS = ("I will read the code first, then change it and run the tests.",
         "Let me look at how this works today before I touch it.",
         "Small steps: find the place, make the change, prove it.")  # fmt: skip
LOOKS = (("Read", "{file}"), ("Grep", "def .*{word}"), ("Glob", "**/*{word}*"), ("Read", "README.md"))
WORK = (("Edit", "{file}"), ("Edit", "{file}"), ("Write", "{file}"), ("Bash", "make test"), ("Bash", "make lint"))


class Crashed(Exception):
    """The simulated agent's process died."""


class Direction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"error_class": "class"}):
    """A ``sim:`` line, read."""

    seconds: float | None = None
    fail: int = 0
    crash: int = 0
    hang: int = 0
    error_class: str = "exit"
    tools: int | None = None
    checks: int | None = None
    artifacts: int | None = None


class Sim:
    def __init__(self, job: Job, means: Means) -> None:
        self._job = job
        self._chance = random.Random(f"{job.pool.seed}/{job.run_id}")  # noqa: S311 - it must be repeatable
        self._pace = Pace(means.clock)
        self._said: list[str] = []
        self._direction = Direction()
        self._fate: Fate = "well"
        self._usage = Usage()
        self._spent_by_call: list[int] = []
        self._files = pretend.Files(random.Random(f"{job.pool.seed}/{job.run_id}/files"))  # noqa: S311 - as above

    async def start(self) -> None:
        found = _DIRECTION.search(self._job.prompt)
        if found is None:
            self._fate = self._drawn()
        else:
            self._direction = direction(found[1])
            self._fate = self._directed()

    async def events(self) -> AsyncIterator[Happening]:
        seconds = self._direction.seconds
        if seconds is None:
            seconds = self._chance.uniform(3.0, 14.0)
        story = list(self._story())
        pause_s = seconds / len(story) / self._job.pool.speed
        ends_early = self._fate != "well"
        last = self._chance.randrange(len(story) // 2, len(story)) if ends_early else len(story)
        for seen, shown in story[:last]:
            if not await self._pace.passed(pause_s * self._chance.uniform(0.5, 1.5)):
                yield Ended(result="interrupted")
                return
            yield seen
            if shown:
                yield Output("stdout", shown)
            while self._said:
                yield Seen(kind="text", says=f"Understood: {self._said.pop(0)}")
        if self._fate == "hang" and not await self._pace.passed(self._hangs_s()):
            yield Ended(result="interrupted")
            return
        end = self._end()
        if end.result == "succeeded":
            for made in self._left():
                yield made
        yield end

    async def send(self, text: str) -> None:
        self._said.append(text)

    def used(self) -> None:
        return None

    async def hold(self) -> None:
        self._pace.hold()

    async def go_on(self) -> None:
        self._pace.go_on()

    async def interrupt(self) -> None:
        self._pace.stop()

    async def stop(self) -> None:
        self._pace.stop()

    def _drawn(self) -> Fate:
        draw = self._chance.random()
        for fate, chance in CHANCES:
            if draw < chance:
                return fate
            draw -= chance
        return "well"

    def _directed(self) -> Fate:
        attempt, direction = self._job.attempt, self._direction
        for fate, until in (("hang", direction.hang), ("crash", direction.crash), ("fail", direction.fail)):
            if attempt <= until:
                return fate  # type: ignore[return-value]
        return "well"

    def _hangs_s(self) -> float:
        """A directed hang outlasts the time limit, whatever that is."""
        return self._job.policy.time_limit_s * 2 if self._direction.hang else HANG_S / self._job.pool.speed

    def _story(self) -> Iterator[tuple[Seen, bytes]]:
        """What happens, one after the other, each with what it prints."""
        job, chance = self._job, self._chance
        files = job.files or [f"src/{_word(job.title)}.py", f"tests/test_{_word(job.title)}.py"]
        calls = self._direction.tools or chance.randint(4, 9)
        yield Seen(kind="step", name="plan", says=chance.choice(PLANS), percent=0), b""
        yield self._spent(chance.randint(2_000, 9_000), chance.randint(60, 300)), b""
        for n in range(1, calls + 1):
            name, pattern = chance.choice(LOOKS if n <= calls // 3 else WORK)
            file = chance.choice(files)
            subject = pattern.format(file=file, word=_word(job.title))
            ref = f"call-{n}"
            yield Seen(kind="tool", name=name, ref=ref, says=subject, data={"input": subject}), b""
            fails = name == "Bash" and n < calls and n % 4 == 3
            if name in ("Edit", "Write"):
                diff = self._files.edit(file) if name == "Edit" else self._files.write(file)
                yield Seen(kind="file", name=file, says="changed", ref=ref, diff=diff), b""
            shown = pretend.printed(self._files.chance, subject, fails=fails) if name == "Bash" else b""
            said = "exit 1: 1 failed" if fails else f"{chance.randint(1, 400)} lines"
            yield Seen(kind="tool_result", name=name, ref=ref, says=said, failed=fails), shown
            yield self._spent(chance.randint(400, 6_000), chance.randint(40, 900), ref=ref), b""
            yield Seen(kind="step", name="work", says=f"{name} {subject}", percent=100 * n // (calls + 1)), b""
        yield Seen(kind="text", says=f"{job.title}: done in {calls} calls."), b""

    def _left(self) -> Iterator[Made]:
        """What it leaves behind when all went well."""
        asked = self._direction.artifacts
        leaves = self._files.chance.random() < 0.25 if asked is None else asked > 0
        if not leaves:
            return
        calls = self._usage.tool_calls
        yield Made("report.md", pretend.report(self._job.title, calls, self._usage, self._files.names))
        yield Made("usage.json", pretend.figures(self._usage, calls))
        yield Made("calls.png", pretend.picture(self._spent_by_call))
        if self._files.changes:
            yield Made("changes.diff", "".join(self._files.changes).encode())

    def _spent(self, fresh: int, written: int, *, ref: str = "") -> Seen:
        before = self._usage
        reread = before.input_tokens + before.cache_read_tokens // 2
        cost = fresh * INPUT_UUSD + written * OUTPUT_UUSD + reread * CACHE_READ_UUSD
        self._usage = Usage(
            input_tokens=before.input_tokens + fresh,
            output_tokens=before.output_tokens + written,
            cache_read_tokens=before.cache_read_tokens + reread,
            tool_calls=before.tool_calls + bool(ref),
            cost_uusd=(before.cost_uusd or 0) + round(cost),
        )
        self._spent_by_call.append(fresh + written)
        return Seen(kind="usage", name=self._job.pool.model or "sim", usage=self._usage, ref=ref)

    def _end(self) -> Ended:
        match self._fate:
            case "crash":
                raise Crashed("the simulated agent's process died of signal 11")
            case "hang":
                return Ended(result="failed", error_class="hung", error=f"said nothing for {HANG_S:.0f} s")
            case "fail":
                says = f"attempt {self._job.attempt}: 2 tests fail"
                return Ended(result="failed", error_class=self._direction.error_class, error=says, exit_code=1)
            case "well":
                checks = self._direction.checks
                passed = self._chance.random() < 0.6 if checks is None else checks > 0
                tests = ["python -m pytest -q: passed"] if passed else []
                return Ended(result="succeeded", exit_code=0, summary=f"{self._job.title}: done.", checks=tests)


def direction(line: str) -> Direction:
    """A ``sim:`` line as a ``Direction``; ``Unfit`` names what is wrong with it."""
    pairs = [part.partition("=") for part in line.split()]
    try:
        read = msgspec.convert({key: value for key, _, value in pairs}, Direction, strict=False)
    except msgspec.ValidationError as error:
        says = f"the line 'sim:{line[:100]}' cannot be followed: {error}"
        raise Unfit(f"{says}; write it like: sim: seconds=6 fail=1") from error
    if read.error_class not in ERROR_CLASSES:
        classes = ", ".join(sorted(ERROR_CLASSES))
        raise Unfit(f"'sim:{line[:100]}': there is no error class {read.error_class!r}; there are: {classes}")
    return read


def _word(title: str) -> str:
    words = re.findall(r"[a-z]{4,}", title.lower())
    return words[-1] if words else "work"
