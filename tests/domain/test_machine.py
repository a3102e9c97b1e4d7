"""The machine: one outcome for every command, ids that count once, names that never change, the same everywhere."""

from __future__ import annotations

import subprocess
import sys
import typing
from pathlib import Path

import msgspec
import pytest

from core import envelope
from core.domain import lane, machine, task
from core.domain.machine import CommandRefused, Received, made_at, step
from core.domain.state import State, restore, snapshot
from core.domain.words import MAX_FACTS, token, untoken
from core.ledger import Stored
from tests.spec import NOON, SECOND, given, register, spec, submit

DAY = 86_400 * SECOND
PAUSE = lane.Pause(lane="A")

AT_FIRST = {
    "agent.pause", "agent.resume", "core.adopt_rules", "core.begin", "core.continue", "core.suspect_clock",
    "core.trust_clock", "lane.configure", "lane.pause", "lane.resume", "plan.add", "plan.begin", "plan.drop",
    "plan.seal", "run.finish", "run.progress", "run.start", "session.close", "session.open", "task.cancel",
    "task.pause", "task.reprioritise", "task.resume", "task.retry", "task.submit", "task.wake", "worker.drain",
    "worker.leave", "worker.lose", "worker.register",
}  # fmt: skip

WITH_RULES_3 = {
    "agent.restart", "agent.stop", "board.limit", "bookmark.remove", "bookmark.set", "core.halt", "core.release",
    "run.continue", "run.hold", "run.message", "session.amend", "task.amend", "task.depend", "task.place",
    "task.undepend", "template.define", "template.retire", "template.use", "view.remove", "view.save", "worker.grow",
    "worker.hire",
}  # fmt: skip

COMMANDS = AT_FIRST | WITH_RULES_3

FACTS = {
    "agent.paused", "agent.resumed", "board.limited", "bookmark.placed", "bookmark.removed", "command.refused",
    "core.clock_suspected", "core.clock_trusted", "core.genesis", "core.halted", "core.released", "core.rules_adopted",
    "lane.configured", "lane.paused", "lane.resumed", "plan.begun", "plan.dropped", "plan.released", "plan.sealed",
    "run.continued", "run.failed", "run.held", "run.interrupted", "run.progressed", "run.started", "run.stopped",
    "run.succeeded", "session.amended", "session.closed", "session.opened", "task.amended", "task.cancelled",
    "task.dependency_added", "task.dependency_removed", "task.paused", "task.placed", "task.reprioritised",
    "task.resumed", "task.retried", "task.rolled_up", "task.staged", "task.submitted", "task.unblocked", "task.woken",
    "template.defined", "template.retired", "template.used", "view.removed", "view.saved", "worker.assigned",
    "worker.cancel_ordered", "worker.continue_ordered", "worker.draining", "worker.grown", "worker.halt_ordered",
    "worker.hire_ordered", "worker.hold_ordered", "worker.interrupt_ordered", "worker.left", "worker.lost",
    "worker.message_ordered", "worker.registered",
}  # fmt: skip


def uuid7(made: int, n: int = 1) -> str:
    digits = f"{made // 1000:012x}7000b000{n:012x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


# -- names on the wire ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("union", "frozen"), [(machine.Command, COMMANDS), (machine.Event, FACTS)])
def test_wire_names_are_frozen(union: object, frozen: set[str]):
    """A name outlives the class: logs are kept for ever. Add a new one here on purpose; never take one away."""
    assert {str(kind.__struct_config__.tag) for kind in typing.get_args(union)} == frozen


def test_every_new_command_says_which_rules_it_needs():
    """A command that older builds do not know is refused until the log is under rules that do."""
    needs = {str(kind.__struct_config__.tag): rules for kind, rules in machine.NEEDS_RULES.items()}
    known_at_first = COMMANDS - needs.keys()
    assert known_at_first == AT_FIRST
    assert needs == dict.fromkeys(WITH_RULES_3, 3)


@pytest.mark.parametrize("rules", [1, 2])
def test_a_new_command_under_older_rules_is_refused_with_the_way_to_adopt_newer_ones(rules: int):
    said = given(rules=rules).refusal(machine.system.Halt())
    assert said.reason == (
        f"core.halt needs rules 3, this log is under rules {rules}: when every core is of this build, order "
        "core.adopt_rules with rules 3 (switchtower rules adopt)"
    )
    adopted = given(machine.system.AdoptRules(rules=3), rules=rules)
    assert adopted.when(machine.system.Halt()) == [machine.system.Halted()]


def test_a_run_stands_under_its_task_so_that_one_filter_shows_a_tasks_whole_life():
    story = given(register(), submit("bd-1.2"))
    subjects = [machine.subject(fact) for fact in story.facts]
    assert subjects == [
        "evt.core.core.genesis", "evt.worker.anvil.registered", "evt.task.default=2Fbd-1=2E2.submitted",
        "evt.worker.anvil.assigned",
    ]  # fmt: skip
    finish = machine.run.Finish(run_id="default/bd-1.2~1", worker_id="anvil", epoch=2, result="succeeded")
    assert machine.command_subject(finish) == "cmd.run.default=2Fbd-1=2E2.finish"
    assert machine.subject(story.when(finish)[0]) == "evt.run.default=2Fbd-1=2E2.succeeded"


@pytest.mark.parametrize("identifier", ["default/fix", "a.b", "Grüße", "=", "a=2Fb", "-_", "日本/語", "*", ">"])
def test_any_id_is_one_subject_token_and_back(identifier: str):
    assert untoken(token(identifier)) == identifier
    assert all(c.isascii() and (c.isalnum() or c in "_-=") for c in token(identifier))


def test_a_fact_of_the_future_is_read_without_the_fields_nobody_knows():
    message, _ = envelope.encode_fact(_recorded(lane.Paused(lane="A")), envelope.GENESIS_CHAIN)
    told = msgspec.json.decode(message.data)
    told["fact"]["mood"] = "calm"
    told["weather"] = ["rain"]
    assert envelope.decode_fact(msgspec.json.encode(told)) == envelope.decode_fact(message.data)


def test_a_command_with_a_field_nobody_knows_is_refused():
    body = b'{"id":"~1","by":"ada","command":{"type":"lane.pause","lane":"A","reson":"typing error"}}'
    received = envelope.decode_command(Stored(1, "cmd.lane.A.pause", NOON, body))
    assert received.problem == "not a command: Object contains unknown field `reson` - at `$.command`"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"id":1}', b'{"id":"~1","by":"x","command":{"type":"lane.burn"}}',
     b'{"id":"~1","by":"x","command":{"type":"lane.pause","lane":""}}', b"[" * 100_000, b'"' + b"x" * 300_000 + b'"',
     b'{"id":"~1","by":"x","command":{"type":"lane.pause","lane":"\\ud800"}}'],
)  # fmt: skip
def test_garbage_in_the_log_is_refused_with_a_reason_and_nothing_stops(body: bytes):
    received = envelope.decode_command(Stored(2, "cmd.lane.A.pause", NOON, body))
    story = given().told(received.command, command_id=received.id, problem=received.problem)
    (fact,) = story.last
    assert isinstance(fact, CommandRefused)
    assert (fact.outcome, fact.kind, machine.subject(fact)) == ("refused", "command", "evt.command.refused")
    assert fact.reason.startswith("not a command: ")


# -- ids and deadlines ------------------------------------------------------------------------------------------------


def test_a_commands_id_counts_once():
    story = given().told(PAUSE, command_id=uuid7(NOON))
    said = story.refusal(lane.Resume(lane="A"), command_id=uuid7(NOON))
    assert (said.outcome, said.reason) == ("already_so", "a command of this id was decided before")


def test_a_refused_commands_id_counts_too():
    story = given().told(lane.Resume(lane="A"), command_id=uuid7(NOON)).after(PAUSE)
    assert story.refusal(lane.Resume(lane="A"), command_id=uuid7(NOON)).outcome == "already_so"


def test_an_id_counts_for_a_day_and_older_ones_are_refused():
    story = given().told(PAUSE, command_id=uuid7(NOON)).wait(86_400 - 10)
    assert story.refusal(lane.Resume(lane="A"), command_id=uuid7(NOON)).outcome == "already_so"
    said = story.wait(20).refusal(lane.Resume(lane="A"), command_id=uuid7(NOON, n=2))
    assert (said.outcome, said.reason) == ("expired", "its id is older than a day: send it again under a new one")


def test_ids_are_forgotten_when_nothing_of_their_age_is_taken_any_more():
    story = given().told(PAUSE, command_id=uuid7(NOON)).wait(86_400 + 301)
    assert list(story.state.recent) == [uuid7(NOON)]
    story = story.told(lane.Resume(lane="A"), command_id=uuid7(story.now))
    assert list(story.state.recent) == [uuid7(story.now - 1_000)]


def test_a_clock_that_jumped_ahead_by_years_does_not_make_every_later_id_too_old():
    story = given().told(PAUSE, command_id=uuid7(NOON)).wait(1_000 * 86_400).told(lane.Resume(lane="A"))
    back = story.wait(-1_000 * 86_400)
    assert back.refusal(PAUSE, command_id=uuid7(NOON)).outcome == "already_so"
    back = back.told(lane.Pause(lane="B"), command_id=uuid7(back.now))
    assert back.last == [lane.Paused(lane="B")]
    assert back.refusal(PAUSE, command_id=uuid7(NOON)).outcome in ("already_so", "expired")
    assert back.refusal(PAUSE, command_id=uuid7(back.now - 1_000)).outcome == "already_so"


def test_a_clock_that_jumped_ahead_does_not_make_every_later_deadline_pass():
    story = given().wait(30 * 86_400).told(PAUSE).wait(-30 * 86_400)
    assert story.when(lane.Resume(lane="A"), deadline=story.now + SECOND) == [lane.Resumed(lane="A")]


def test_an_id_of_the_future_is_refused():
    said = given().refusal(PAUSE, command_id=uuid7(NOON + 301 * SECOND))
    assert "more than 5 minutes in the future" in said.reason


@pytest.mark.parametrize(
    "command_id",
    ["", "1", "0193a7d1-0000-4000-8000-000000000000", "x" * 36, "0193a7d1_0000-7000-8000-00000000000",
     "+0193a7d1-000-7000-8000-00000000000", "0193a7d1-0000-7000-8000-0000000_0000"],
)  # fmt: skip
def test_an_id_that_is_no_uuid7_is_refused(command_id: str):
    assert made_at(command_id) is None
    if command_id:
        assert "is not a UUIDv7" in given().refusal(PAUSE, command_id=command_id).reason


def test_a_derived_id_may_come_again_the_target_decides():
    story = given().told(PAUSE, command_id="~pause/A")
    assert story.refusal(PAUSE, command_id="~pause/A").reason == "lane A is paused already"


def test_a_command_past_its_deadline_is_not_carried_out():
    said = given().wait(10).refusal(PAUSE, deadline=NOON + 5 * SECOND)
    assert said.outcome == "expired"
    assert "its deadline passed" in said.reason
    assert given().when(PAUSE, deadline=NOON + 5 * SECOND) == [lane.Paused(lane="A")]


# -- one outcome, whatever happens ------------------------------------------------------------------------------------


def test_time_never_goes_back_in_the_log():
    state = State()
    orders = [machine.system.Begin(commands_created=1, events_created=2), PAUSE, lane.Resume(lane="A")]
    at = [step(state, Received(seq, stamp, f"~{seq}", "x", order))[0].at
          for seq, (stamp, order) in enumerate(zip((NOON, NOON - DAY, NOON + 1), orders, strict=True), 1)]  # fmt: skip
    assert at == [NOON, NOON, NOON + 1]


def test_a_defect_in_a_decider_refuses_that_command_and_nothing_else(monkeypatch):
    def broken(state, command, at):
        raise KeyError(object())  # its text is another one in every process

    story = given(submit("fix"))
    with monkeypatch.context() as patch:
        patch.setattr(lane, "decide", broken)
        said = story.refusal(PAUSE)
        assert (said.outcome, said.reason) == ("refused", "internal: KeyError in lane.pause")
        story = story.after(PAUSE)
    assert story.when(PAUSE) == [lane.Paused(lane="A")]


@pytest.mark.parametrize("exhausted", [MemoryError, RecursionError])
def test_exhausted_memory_or_recursion_stops_the_core_instead(monkeypatch, exhausted: type[Exception]):
    def broken(state, command, at):
        raise exhausted

    monkeypatch.setattr(lane, "decide", broken)
    with pytest.raises(exhausted):
        given(PAUSE)


def test_a_defect_in_evolve_stops_the_core_instead(monkeypatch):
    def broken(state, fact, seq):
        raise KeyError("A")

    monkeypatch.setitem(machine._ROUTES, lane.Paused, (broken,))
    with pytest.raises(KeyError):
        given(PAUSE)


def test_a_command_that_would_make_too_many_facts_is_refused(monkeypatch):
    monkeypatch.setattr(lane, "decide", lambda *_: [lane.Paused(lane="A")] * (MAX_FACTS + 1))
    assert given().refusal(PAUSE).reason == "it makes 401 facts; 400 is the most"


def test_a_command_whose_fact_would_be_too_large_for_the_log_is_refused():
    """Numbers grow when they are written out: 4 bytes of a command can be 18 of its fact."""
    numbers = b",".join([b"1e15"] * 50_000)
    body = b'{"id":"~1","by":"x","command":{"type":"task.submit","task_id":"default/a","spec":{"title":"t","source":'
    received = envelope.decode_command(Stored(2, "cmd.task.a.submit", NOON, body + b'{"n":[' + numbers + b"]}}}}"))
    (recorded,) = step(given().state, received)
    assert isinstance(recorded.fact, CommandRefused)
    assert recorded.fact.reason.startswith("it makes a fact of 950,")


# -- the same everywhere ----------------------------------------------------------------------------------------------


def test_a_snapshot_gives_a_state_that_decides_the_same():
    story = given(*(submit(f"t{n}", priority=n % 3) for n in range(9)), register("anvil", "ada", "bob"))
    again = restore(snapshot(story.state))
    order = Received(story.state.command_seq + 1, story.now, "~r", "x", register("bellows", "eve", "joe"))
    assert step(again, order) == step(restore(snapshot(story.state)), order)
    assert again.ready.keys() == restore(snapshot(again)).ready.keys()


@pytest.mark.parametrize("source", [{"n": 1 << 63}, {"a": [{"b": -(1 << 80)}]}])
def test_numbers_no_machine_can_hold_do_not_break_a_snapshot(source: dict):
    said = given().refusal(task.Submit(task_id="default/fix", spec=spec(source=source)))
    assert "more than 64 bits" in said.reason


@pytest.mark.parametrize("depth", [33, 200, 900, 985, 1_100, 40_000])
def test_a_source_nested_too_deep_is_the_same_garbage_on_every_machine(depth: int):
    """The decoder itself gives up somewhere below 1,000, sooner the deeper its caller: not a thing to decide by."""
    source = b'{"a":' * depth + b"1" + b"}" * depth
    body = b'{"id":"~1","by":"x","command":{"type":"task.submit","task_id":"default/a","spec":{"title":"t","source":'
    received = envelope.decode_command(Stored(7, "cmd.task.a.submit", NOON, body + source + b"}}}"))
    assert received == Received(7, NOON, "~garbage/7", "unknown", None, 0, "not a command: nested more than 32 deep")


def test_a_source_nested_reasonably_is_kept():
    source: dict = {}
    for _ in range(31):
        source = {"a": source}
    assert given().when(task.Submit(task_id="default/fix", spec=spec(source=source)))[0].spec.source == source


@pytest.mark.parametrize("field", [b'"id":"' + b"x" * 601 + b'","by":"x"', b'"id":"~1","by":"' + b"x" * 201 + b'"'])
def test_a_sender_cannot_fill_the_cores_memory_with_names(field: bytes):
    body = b"{" + field + b',"command":{"type":"lane.pause","lane":"A"}}'
    assert "Expected `str` of length" in envelope.decode_command(Stored(1, "cmd.lane.A.pause", NOON, body)).problem


PROGRAM = """
from random import Random
from tests.domain import orders
from tests.spec import given
from core import envelope
story, rng, chain = given(), Random(7), envelope.GENESIS_CHAIN
for _ in range(120):
    story = story.after(orders.draw(rng, story.state))
for recorded in story.log:
    chain = envelope.encode_fact(recorded, chain)[1]
print(chain)
"""


def test_two_processes_with_other_hash_seeds_write_the_same_log():
    root = Path(__file__).parents[2]
    chains = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}, cwd=root,
            capture_output=True, check=True, text=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(chains) == 1


def _recorded(fact: machine.Event) -> machine.Recorded:
    return machine.Recorded(at=NOON, by="ada", cause="~1", command_seq=1, part=1, of=1, end=True, fact=fact)
