"""The core process over a log in memory: one outcome for every command, whatever breaks, whoever leads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.answers import LocalAnswers
from core.clock import HandClock
from core.domain import machine, run, task, worker
from core.domain.state import snapshot
from core.door import Door, Pending
from core.engine import Engine
from core.envelope import Answer, decode_command, decode_fact, encode_fact, unchained
from core.ledger import Forbidden, Full, Malformed, Message, TooLarge, Unknown
from core.memory import Log, MemoryLedger
from core.recovery import Unusable


class House:
    """A log, a core on it, and a door."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.ledger = MemoryLedger(self.clock)
        self.answers = LocalAnswers()
        self.door = Door(self.ledger, self.answers, self.clock, by="ada")
        self.cores: list[tuple[Engine, asyncio.Task[None]]] = []

    def start(self, ledger: MemoryLedger | None = None) -> Engine:
        engine = Engine(ledger or self.ledger, self.clock, answers=self.answers, build="test")
        self.cores.append((engine, asyncio.ensure_future(engine.run())))
        return engine

    async def stop(self) -> None:
        for engine, running in self.cores:
            engine.stop()
            running.cancel()
        await asyncio.gather(*(running for _, running in self.cores), return_exceptions=True)
        self.cores.clear()

    async def order(self, command: machine.Command, command_id: str = "") -> Answer:
        answer = await self.door.order(command, command_id=command_id)
        assert isinstance(answer, Answer)
        return answer

    def facts(self) -> list[machine.Recorded]:
        return [decode_fact(stored.data) for stored in self.ledger.logs["EVENTS"].messages]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    built = House()
    built.start()
    yield built
    await built.stop()


def submit(name: str) -> task.Submit:
    return task.Submit(task_id=f"default/{name}", spec=task.TaskSpec(title=name))


def register() -> worker.Register:
    return worker.Register(worker_id="w1", boot_id="b1", agents=[worker.AgentSpec(name="a1", adapter="noop")])


async def test_a_submitted_task_is_given_to_a_free_agent_in_the_same_breath(house: House) -> None:
    await house.order(register())
    answer = await house.order(submit("paint"))
    assert answer.outcome == "done"
    assert [machine.tag(each.fact) for each in house.facts()[-2:]] == ["task.submitted", "worker.assigned"]
    assert answer.seq == len(house.facts())


async def test_an_order_that_cannot_be_carried_out_is_refused_with_a_reason(house: House) -> None:
    answer = await house.order(task.Cancel(task_id="default/nobody"))
    assert (answer.outcome, answer.reason) == ("refused", "there is no task 'default/nobody'")


async def test_the_same_command_sent_twice_is_carried_out_once(house: House) -> None:
    first = Door(house.ledger, house.answers, house.clock, by="ada")
    command_id = "0198c0de-0000-7000-8000-000000000001"
    house.clock.set_wall(0x0198C0DE0000 * 1000)
    await first.order(submit("once"), command_id=command_id)
    again = await house.order(submit("twice"), command_id)
    assert again.outcome == "already_so"
    assert "default/twice" not in house.cores[0][0].state.tasks


async def test_a_core_that_starts_again_knows_what_it_knew(house: House) -> None:
    await house.order(register())
    for name in "abc":
        await house.order(submit(name))
    before = snapshot(house.cores[0][0].state)
    await house.stop()
    engine = house.start()
    await house.order(submit("d"))
    assert snapshot(engine.state) != before
    assert set(engine.state.tasks) == {f"default/{name}" for name in "abcd"}


@pytest.mark.parametrize("kept", [1, 2, 3])
async def test_a_half_written_command_is_finished_and_not_decided_anew(house: House, kept: int) -> None:
    await house.order(register())
    await house.order(submit("a"))
    await house.order(submit("b"))
    await house.order(task.Cancel(task_id="default/a"))  # two facts: cancelled, and the order to the worker
    await house.stop()
    whole = list(house.ledger.logs["EVENTS"].messages)
    del house.ledger.logs["EVENTS"].messages[-kept:]
    house.start()
    await house.order(submit("c"))
    again = house.ledger.logs["EVENTS"].messages[: len(whole)]
    assert [each.data for each in again] == [each.data for each in whole]


async def test_events_are_a_function_of_commands(house: House) -> None:
    await house.order(register())
    for name in "abcde":
        await house.order(submit(name))
    await house.order(task.Cancel(task_id="default/c"))
    state = machine.State()
    again: list[bytes] = []
    for stored in house.ledger.logs["COMMANDS"].messages:
        again += [encode_fact(each, "")[0].data for each in machine.step(state, decode_command(stored))]
    assert [unchained(each) for each in again] == [
        unchained(stored.data) for stored in house.ledger.logs["EVENTS"].messages
    ]


async def test_garbage_in_commands_is_refused_and_the_queue_moves_on(house: House) -> None:
    for body in (b"", b"\xff\xfe", b"{", b'{"id":"x","by":"y","command":{"type":"no.such"}}', b"[" * 100_000, b"null"):
        house.ledger.put("COMMANDS", [Message("cmd.task.x.submit", body)])
    answer = await house.order(submit("after"))
    assert answer.outcome == "done"
    refused = [each.fact for each in house.facts() if isinstance(each.fact, machine.CommandRefused)]
    assert len(refused) == 6
    assert all("not a command" in each.reason for each in refused)


async def test_a_decider_that_raises_is_a_refusal_not_a_crash(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> list[machine.Event]:
        raise ZeroDivisionError("no good")

    with monkeypatch.context() as patch:
        patch.setattr(task, "decide", broken)
        answer = await house.order(submit("x"))
        assert answer.reason == "internal: ZeroDivisionError in task.submit"
    assert (await house.order(submit("x"))).outcome == "done"


async def test_two_cores_at_once_write_one_history() -> None:
    house = House()
    first = house.start()
    await asyncio.sleep(0.01)
    second = house.start()
    for name in "abcdef":
        answer = await house.door.order(submit(name))
        assert isinstance(answer, Answer | Pending)
        house.clock.advance(seconds=2)
    for _ in range(50):
        house.clock.advance(seconds=1)
        await asyncio.sleep(0.001)
    causes = [each.cause for each in house.facts() if each.end]
    assert len(causes) == len(set(causes)) == 7
    assert first.leading or second.leading
    await house.stop()


class Forgetful(MemoryLedger):
    """Stores what it is told, and now and then loses the answer, or the request."""

    lose_answer = False
    lose_request = False

    async def send(self, stream, messages, *, expect=None):  # type: ignore[no-untyped-def]
        if stream != "EVENTS":
            return await super().send(stream, messages, expect=expect)
        if self.lose_request:
            self.lose_request = False
            return _failed()
        future = await super().send(stream, messages, expect=expect)
        if self.lose_answer:
            self.lose_answer = False
            future.exception()
            return _failed()
        return future


def _failed() -> asyncio.Future[int]:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_exception(Unknown("no answer in time"))
    return future


@pytest.mark.parametrize("fault", ["lose_answer", "lose_request"])
async def test_an_unknown_answer_is_settled_by_reading(fault: str) -> None:
    house = House()
    house.ledger = Forgetful(house.clock)
    house.door = Door(house.ledger, house.answers, house.clock, by="ada")
    house.start()
    await house.order(submit("a"))
    setattr(house.ledger, fault, True)
    answer = await house.order(submit("b"))
    assert answer.outcome == "done"
    assert [each.command_seq for each in house.facts()] == [1, 2, 3]
    await house.stop()


async def test_a_task_whose_wait_is_over_is_woken(house: House) -> None:
    await house.order(register())
    await house.order(submit("a"))
    epoch = house.cores[0][0].state.workers["w1"].epoch
    report = run.Finish(run_id="default/a~1", worker_id="w1", epoch=epoch, result="failed", error_class="exit")
    await house.order(report, "~finish/default/a~1")
    assert house.cores[0][0].state.tasks["default/a"].state == "waiting"
    for _ in range(40):
        house.clock.advance(seconds=0.25)
        await asyncio.sleep(0.001)
    assert house.cores[0][0].state.tasks["default/a"].run_id == "default/a~2"


async def test_at_four_fifths_of_a_log_s_limit_the_doors_take_no_new_orders() -> None:
    house = House()
    house.ledger = MemoryLedger(house.clock, max_bytes={"COMMANDS": 2_000})
    house.door = Door(house.ledger, house.answers, house.clock, by="ada")
    house.start()
    with pytest.raises(Full, match="no new orders are taken"):
        for number in range(20):
            house.clock.advance(seconds=6)
            await house.order(submit(f"t{number}"))
    await house.stop()


class LeaseOnAClock:
    """A lease of three seconds that somebody else would take at once."""

    def __init__(self, clock: HandClock) -> None:
        self.clock, self.until, self.lost = clock, 0.0, 0

    async def acquire(self) -> bool:
        self.until = self.clock.monotonic() + 3
        return True

    async def renew(self) -> bool:
        self.lost += self.clock.monotonic() > self.until
        return await self.acquire()

    async def release(self) -> None:
        self.until = 0.0


class LongToRead(MemoryLedger):
    """Reading all of EVENTS takes ten seconds. ``read_from_first``: how often that was done."""

    read_from_first = 0

    async def read(self, stream, *, after=0, until=None, subjects=()):  # type: ignore[no-untyped-def]
        if stream == "EVENTS" and after == 0:
            self.read_from_first += 1
            for _ in range(10):
                await self.clock.sleep(1)
        async for found in super().read(stream, after=after, until=until, subjects=subjects):
            yield found


async def passes(house: House, seconds: float) -> None:
    for _ in range(int(seconds * 4)):
        house.clock.advance(seconds=0.25)
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_core_that_reads_a_long_log_keeps_its_lease_meanwhile() -> None:
    """Or two of them would take it from each other for ever, and none would ever lead."""
    house = House()
    house.ledger = LongToRead(house.clock)
    lease = LeaseOnAClock(house.clock)
    engine = Engine(house.ledger, house.clock, lease=lease, answers=house.answers)
    house.cores.append((engine, asyncio.ensure_future(engine.run())))
    await passes(house, 12)
    assert engine.leading
    assert lease.lost == 0
    await house.stop()


async def test_a_part_of_the_core_that_breaks_ends_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core that leads but looks at no timer and no beat any more would look alive for ever."""

    async def broken(*_: object) -> None:
        raise KeyError("default/fix")

    house = House()
    engine = house.start()
    monkeypatch.setattr(engine._watch, "look", broken)
    await passes(house, 1)
    with pytest.raises(KeyError):
        await asyncio.wait_for(house.cores[0][1], 1)


class Closed(LongToRead):
    """Takes no commands of the core's, or no facts, while ``why`` says so."""

    no_commands: Exception | None = None
    no_facts: Exception | None = None

    async def send(self, stream, messages, *, expect=None):  # type: ignore[no-untyped-def]
        why = self.no_commands if stream == "COMMANDS" else self.no_facts
        if why is None or (stream == "COMMANDS" and b'"by":"core"' not in messages[0].data):
            return await super().send(stream, messages, expect=expect)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.set_exception(why)
        return future


async def a_house_on(ledger: Closed, house: House) -> Engine:
    house.ledger = ledger
    house.door = Door(ledger, house.answers, house.clock, by="ada")
    engine = house.start()
    await passes(house, 11)
    return engine


async def test_a_core_that_cannot_order_itself_to_go_on_tries_again_where_it_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house, ledger = House(), Closed(HandClock())
    ledger.clock = house.clock
    engine = await a_house_on(ledger, house)
    for name in "abc":
        await house.order(submit(name))
    ledger.no_commands = Full("COMMANDS is full")
    monkeypatch.setattr(machine, "MAX_FACTS", 1)
    agents = [worker.AgentSpec(name=name, adapter="noop") for name in "xyz"]
    await house.order(worker.Register(worker_id="w1", boot_id="b1", agents=agents))
    await passes(house, 5)
    assert engine.state.pending
    assert ledger.read_from_first == 1
    ledger.no_commands = None
    await passes(house, 10)
    assert {each.state for each in engine.state.tasks.values()} == {"running"}
    await house.stop()


@pytest.mark.parametrize("why", [Forbidden("no right to"), TooLarge("900 KB"), Malformed("no subject")])
async def test_what_the_log_will_never_take_ends_the_core_and_says_so(why: Exception) -> None:
    house, ledger = House(), Closed(HandClock())
    ledger.clock = house.clock
    await a_house_on(ledger, house)
    ledger.no_facts = why
    await house.door.order(submit("a"), wait_s=0)
    with pytest.raises(Unusable, match=str(why)):
        await asyncio.wait_for(house.cores[0][1], 1)


async def test_a_core_that_gives_way_to_a_newer_one_stops_when_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    house.start()
    await house.order(submit("a"))
    await house.stop()
    monkeypatch.setattr("core.recovery.KNOWN_RULES", (99,))
    engine = house.start()
    await passes(house, 1)
    engine.stop()
    await passes(house, 1)
    assert house.cores[0][1].done()


async def test_commands_of_one_log_are_not_decided_into_another() -> None:
    """EVENTS was deleted and made again: deciding all of it anew would hand every task out once more."""
    house, ledger = House(), Closed(HandClock())
    ledger.clock = house.clock
    await a_house_on(ledger, house)
    await house.order(submit("a"))
    await house.stop()
    house.ledger.logs["EVENTS"] = Log(house.clock.now_us())
    engine = house.start()
    await passes(house, 11)
    assert not house.facts()
    with pytest.raises(Unusable, match="another log"):
        await asyncio.wait_for(house.cores[0][1], 1)
    assert not engine.leading
