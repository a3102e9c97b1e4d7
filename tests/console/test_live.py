"""Open pages are told once of everything that concerns them, in order, and go on where they were."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Collection, Mapping

import msgspec
import pytest

from console import live
from console.__main__ import FILES, make_room_for_streams
from console.cells import lines_of
from console.listener import Listener, parse_pace, parse_panels
from console.live import Hub, parse_id
from projections.rows.positions import Changed
from tests.console.tower import Tower


def changed(events: int, *tables: str, observations: int = 0, **keys: str) -> Changed:
    touched = {table: frozenset({key}) for table, key in keys.items()}
    return Changed(
        events_seq=events, observations_seq=observations, commands_seq=events, tables=frozenset(tables), keys=touched
    )


@pytest.fixture
def hub() -> Hub:
    return Hub()


PANELS = parse_panels(["fleet agents runs", "rows tasks", "mine task:default/a"])


ROWS = frozenset({"agent"})


class DrawingFailed(Exception):
    """What a drawing may end in."""


async def next_message(stream) -> str:
    return (await asyncio.wait_for(anext(stream), 2)).decode()


def events_of(message: str) -> list[str]:
    return [line[7:] for line in message.splitlines() if line.startswith("event: ")]


async def test_a_listener_is_told_of_the_panels_a_change_concerns(hub: Hub):
    stream = hub.messages(hub.open(PANELS, "", ""), lambda: True)
    assert events_of(await next_message(stream)) == ["hello"]
    hub.hear(changed(7, "agents", observations=3))
    told = await next_message(stream)
    assert events_of(told) == ["fleet"]
    assert "id: 7.3" in told


async def test_a_row_of_another_id_is_nobodys_business(hub: Hub):
    stream = hub.messages(hub.open(parse_panels(["mine task:default/a"]), "", ""), lambda: True)
    await next_message(stream)
    hub.hear(changed(1, "tasks", tasks="default/b"))
    hub.hear(changed(2, "tasks", tasks="default/a"))
    told = await next_message(stream)
    assert events_of(told) == ["mine"]
    assert "id: 2.0" in told


async def test_a_change_of_very_many_rows_concerns_every_row(hub: Hub):
    listener = hub.open(parse_panels(["mine task:default/a"]), "", "")
    hub.hear(
        Changed(
            events_seq=1, observations_seq=0, commands_seq=0, tables=frozenset({"tasks"}), many=frozenset({"tasks"})
        )
    )
    assert listener.due == {"mine"}


async def test_a_page_that_lost_its_stream_is_told_what_it_missed_and_nothing_else(hub: Hub):
    hub.hear(changed(1, "agents"))
    hub.hear(changed(2, "tasks"))
    hub.hear(changed(3, "lanes"))
    assert hub.open(PANELS, "1.0", "").due == {"rows"}
    assert hub.open(PANELS, "3.0", "").due == set()


async def test_a_page_whose_rows_may_be_ahead_of_its_panels_is_told_of_all_of_them_when_it_comes_back(hub: Hub):
    hub.hear(changed(3, "lanes"))
    assert hub.open(PANELS, "3.0", "", cells=ROWS).due == PANELS.keys()


async def test_the_moment_a_page_was_drawn_at_counts_when_it_has_no_last_id(hub: Hub):
    hub.hear(changed(1, "agents"))
    hub.hear(changed(2, "tasks"))
    assert hub.open(PANELS, "", "1.0").due == {"rows"}


async def test_a_commands_outcome_at_the_very_same_place_is_not_missed(hub: Hub):
    hub.hear(changed(5, "tasks"))
    hub.hear(changed(5, "commands"))
    assert hub.open(parse_panels(["list commands"]), "5.0", "").due == {"list"}


@pytest.mark.parametrize("last_id", ["nonsense", "9.9", "99999999999.1", "-1.0", "1", "1.0.0", "١.٠"])
async def test_an_unknown_id_gets_one_reset(hub: Hub, last_id: str):
    hub.hear(changed(3, "tasks"))
    stream = hub.messages(hub.open(PANELS, last_id, ""), lambda: True)
    assert events_of(await next_message(stream)) == ["hello"]
    assert events_of(await next_message(stream)) == ["reset"]


async def test_an_id_that_is_too_old_gets_one_reset(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "REMEMBERED", 3)
    hub = Hub()
    hub._past = type(hub._past)(maxlen=3)
    for seq in range(1, 9):
        hub.hear(changed(seq, "tasks"))
    assert hub.open(PANELS, "2.0", "").due == {"reset"}
    assert hub.open(PANELS, "6.0", "").due == {"rows"}


async def test_a_storm_of_changes_is_a_handful_of_messages(hub: Hub):
    """Leading edge at once, then at most four a second, and the last change is never left out."""
    stream = hub.messages(hub.open(PANELS, "", ""), lambda: True)
    await next_message(stream)
    told: list[str] = []

    async def listen() -> None:
        async for message in stream:
            told.append(message.decode())  # noqa: PERF401 - what came before the cancel is what counts

    listening = asyncio.ensure_future(listen())
    for seq in range(1, 101):
        hub.hear(changed(seq, "tasks"))
        await asyncio.sleep(0.006)
    await asyncio.sleep(0.35)
    listening.cancel()
    assert 2 <= len(told) <= 6
    assert "id: 100.0" in told[-1]


async def test_a_reader_that_takes_nothing_costs_a_set_of_names(hub: Hub):
    listener = hub.open(PANELS, "", "")
    for seq in range(1, 5_000):
        hub.hear(changed(seq, "tasks", "agents", "runs", tasks=f"default/{seq}"))
    assert listener.due == {"fleet", "rows"}


async def test_a_stop_ends_every_stream_at_once(hub: Hub):
    stream = hub.messages(hub.open(PANELS, "", ""), lambda: True)
    await next_message(stream)
    asyncio.get_running_loop().call_later(0.05, hub.stop)
    with pytest.raises(StopAsyncIteration):
        await next_message(stream)


async def test_a_stream_ends_when_its_reader_is_no_longer_welcome(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "PING_S", 0.02)
    stream = hub.messages(hub.open(PANELS, "", ""), lambda: False)
    await next_message(stream)
    with pytest.raises(StopAsyncIteration):
        await next_message(stream)


def test_no_topic_can_forge_an_event():
    panels = parse_panels(["a\n\ndata: x tasks", "ok tasks", "bad-name tasks", "reset tasks", "x" * 5])
    assert set(panels) <= {"a", "ok", "xxxxx"}
    listener = Listener(panels, (0, 0))
    listener.tell(frozenset({"tasks"}), (1, 1))
    message = live._message(listener.due, (1, 1)).decode()
    assert message.count("\n\n") == len(listener.due)


def test_ids_are_two_numbers():
    assert parse_id("12.5") == (12, 5)
    assert parse_id("1" * 50 + ".1") is None


def frames(message: str) -> list[str]:
    return [frame for frame in message.split("\n\n") if frame]


def test_a_row_that_is_a_cell_is_pushed_at_once_and_its_panel_left_in_peace(hub: Hub):
    listener = hub.open(parse_panels(["roster agents"]), "", "", cells=ROWS, pace={"roster": 2.0})
    hub.hear(changed(1, "agents"))
    assert listener.take(100.5) == ({"roster"}, {})
    hub.hear(changed(2, "agents"))
    listener.show({"agent-w1/a1": b"data: <tr>busy</tr>\n"})
    assert listener.take(100.55) == (set(), {"agent-w1/a1": b"data: <tr>busy</tr>\n"})
    assert listener.wait_s(100.6) == pytest.approx(1.4)
    assert listener.take(102.0) == ({"roster"}, {})


def test_all_pages_are_told_at_the_same_beats(hub: Hub):
    early, late = (hub.open(PANELS, "", "") for _ in range(2))
    hub.hear(changed(1, "tasks"))
    assert early.take(100.02)[0] == late.take(100.2)[0] == {"rows"}
    hub.hear(changed(2, "tasks"))
    assert early.wait_s(100.21) == late.wait_s(100.21) == pytest.approx(0.04)


async def test_a_pushed_row_replaces_the_one_of_its_id(hub: Hub):
    listener = hub.open({}, "", "", cells=ROWS)
    listener.show(lines_of({"agent-w1/a1": "<tr>\n<td>busy</td></tr>"}, "outerMorph"))
    stream = hub.messages(listener, lambda: True)
    await next_message(stream)
    assert await next_message(stream) == (
        'data: <hx-partial hx-target="[id=&quot;agent-w1/a1&quot;]" hx-swap="outerMorph"><tr>\n'
        "data: <td>busy</td></tr></hx-partial>\nid: 0.0\n\n"
    )


async def test_a_cell_nobody_took_is_sent_once_as_it_is_last(hub: Hub):
    listener = hub.open({}, "", "", cells=ROWS)
    for step in ("plans", "writes", "tests"):
        listener.show(lines_of({"agent-w1/a1": f"<tr>{step}</tr>"}, "outerMorph"))
    stream = hub.messages(listener, lambda: True)
    await next_message(stream)
    told = await next_message(stream)
    assert "tests" in told
    assert "plans" not in told
    assert "writes" not in told


async def test_no_row_can_forge_a_message_of_the_stream(hub: Hub):
    listener = hub.open({}, "", "", cells=ROWS)
    listener.show(lines_of({'agent-w"1\\': "<tr>x\r\rdata: forged\n\nevent: reset\n\n</tr>"}, "outerMorph"))
    stream = hub.messages(listener, lambda: True)
    await next_message(stream)
    told = await next_message(stream)
    assert events_of(told) == []
    assert len(frames(told)) == 1
    assert all(line.startswith(("data: ", "id: ")) for line in told.splitlines() if line)


async def test_a_console_that_stops_ends_its_streams_at_once(hub: Hub):
    stream = hub.messages(hub.open(PANELS, "", ""), lambda: True)
    await next_message(stream)
    ending = asyncio.ensure_future(anext(stream, "ended"))
    await asyncio.sleep(0)
    hub.stop()
    assert await asyncio.wait_for(ending, 1) == "ended"


def test_rows_are_sent_more_seldom_while_very_many_pages_show_them(hub: Hub):
    first = hub.open({}, "", "", cells=ROWS)
    assert hub.gap_s(first) == live.ROW_GAP_S
    others = [hub.open({}, "", "", cells=ROWS) for _ in range(2 * live.FEW - 1)]
    assert hub.gap_s(first) == 2 * live.ROW_GAP_S
    crowd = [hub.open({}, "", "", cells=ROWS) for _ in range(10 * live.FEW)]
    assert hub.gap_s(first) == live.GAP_S
    for each in (*others, *crowd, *crowd):
        hub.close(each)
    assert hub.gap_s(first) == live.ROW_GAP_S


def test_there_are_files_for_as_many_streams_as_are_served():
    was = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, was[1]))
        make_room_for_streams()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(FILES, was[1]), was[1])
        assert FILES > live.MOST_LISTENERS
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, was)


def test_only_a_pace_in_seconds_is_kept():
    asked = ["nav 1", "roster 2.5", "rows", "rows fast", "rows nan", "rows 1e9", "rows -1", "slow 99"]
    assert parse_pace(asked) == {"nav": 1.0, "roster": 2.5, "slow": 60.0}


async def test_a_part_that_was_told_of_is_drawn_once_for_all_who_fetch_it(busy: Tower):
    async with asyncio.timeout(5):
        before = busy.hub.told
        stream = busy.hub.messages(busy.hub.open(parse_panels(["tasks tasks"]), "", ""), lambda: True)
        await anext(stream)
        first = await busy.client.get("/tasks?part=tasks")
        await busy.submit("another")
        while busy.hub.told == before:
            await anext(stream)
        await busy.folded()
        second = await busy.client.get("/tasks?part=tasks")
    assert "another" not in first.text
    assert "another" in second.text


async def test_what_all_pages_show_alike_is_drawn_once_and_pushed_to_each(busy: Tower, monkeypatch: pytest.MonkeyPatch):
    drawn: list[str] = []
    shared = busy.app.state.drawing.shared
    agents = shared["nav-agents"]

    async def counted(desk: object) -> str:
        drawn.append("nav")
        return await agents.draw(desk)

    monkeypatch.setitem(shared, "nav-agents", msgspec.structs.replace(agents, draw=counted))
    async with asyncio.timeout(10):
        listeners = [busy.hub.open({}, "", "", shared=frozenset({"nav-agents"})) for _ in range(3)]
        streams = [busy.hub.messages(each, lambda: True) for each in listeners]
        for stream in streams:
            await anext(stream)
        await busy.submit("another")
        told = [(await anext(stream)).decode() for stream in streams]
    assert [events_of(each) for each in told] == [[], [], []]
    assert all("[id=&quot;nav&quot;]" in each and 'aria-current="page">Agents' in each for each in told)
    assert len(drawn) == 1


async def test_what_nobody_shows_is_not_drawn_and_who_comes_late_gets_it(busy: Tower):
    async with asyncio.timeout(10):
        before = await busy.folded()
        await busy.submit("another")
        await busy.folded()
        listener = busy.hub.open({}, f"{before}.0", "", shared=frozenset({"nav-tasks"}))
        stream = busy.hub.messages(listener, lambda: True)
        await anext(stream)
        assert "[id=&quot;nav&quot;]" in (await anext(stream)).decode()


async def test_a_panel_that_could_not_be_drawn_is_tried_again_and_nothing_else_waits(
    busy: Tower, monkeypatch: pytest.MonkeyPatch
):
    shared = busy.app.state.drawing.shared
    tasks, failures = shared["nav-tasks"], [DrawingFailed()]

    async def draw(desk: object) -> str:
        if failures:
            raise failures.pop()
        return await tasks.draw(desk)

    monkeypatch.setitem(shared, "nav-tasks", msgspec.structs.replace(tasks, draw=draw, pace_s=0.0))
    async with asyncio.timeout(10):
        listener = busy.hub.open(parse_panels(["tasks tasks"]), "", "", shared=frozenset({"nav-tasks"}))
        stream = busy.hub.messages(listener, lambda: True)
        await anext(stream)
        await busy.submit("another")
        told = ""
        while "[id=&quot;nav&quot;]" not in told:
            told += (await anext(stream)).decode()
    assert "tasks" in events_of(told)
    assert failures == []


async def test_rows_that_could_not_be_drawn_stop_neither_the_next_ones_nor_the_panels(
    busy: Tower, monkeypatch: pytest.MonkeyPatch
):
    rows = busy.app.state.drawing.rows
    agents, failures = rows["agent"], [DrawingFailed()]

    async def draw(desk: object, ids: Collection[str]) -> Mapping[str, str]:
        if failures:
            raise failures.pop()
        return dict.fromkeys(ids, "<tr>drawn</tr>")

    monkeypatch.setitem(rows, "agent", msgspec.structs.replace(agents, table="tasks", draw=draw))
    async with asyncio.timeout(10):
        listener = busy.hub.open(parse_panels(["tasks tasks"]), "", "", cells=ROWS)
        stream = busy.hub.messages(listener, lambda: True)
        await anext(stream)
        await busy.submit("another")
        told = (await anext(stream)).decode()
        await busy.submit("third")
        while "<tr>drawn</tr>" not in told:
            told += (await anext(stream)).decode()
    assert "tasks" in events_of(told)
    assert failures == []


async def test_a_page_s_own_count_moves_without_its_asking(busy: Tower):
    """The live stream's address says what the page shows; what comes on it is what the page would have fetched."""
    page = (await busy.client.get("/tasks")).text
    assert "cells=nav-tasks" in page
    async with asyncio.timeout(10):
        stream = busy.hub.messages(busy.hub.open({}, "", "", shared=frozenset({"nav-tasks"})), lambda: True)
        await anext(stream)
        await busy.submit("another")
        await busy.folded()
        fetched = (await busy.client.get("/tasks?part=nav")).text
        pushed = ""
        while fetched not in pushed:  # the task is there, then somebody is at it: these may be told one by one
            told = (await anext(stream)).decode()
            pushed = "".join(line[6:] + "\n" for line in told.splitlines() if line.startswith("data: "))
    assert "7 tasks" in pushed
