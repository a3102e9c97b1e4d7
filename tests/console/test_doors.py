"""The doors bound what comes in: how fast, and how full the log may get. And what a monitoring system reads there."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2

from console.app import create
from console.login import api_token
from console.pace import Pace
from core.clock import HandClock
from tests.console.tower import BASE, OURS, Tower

PAUSE = {"type": "lane.pause", "lane": "A"}


def test_a_login_may_write_in_bursts_and_then_as_fast_as_its_tokens_come_back():
    clock = HandClock()
    pace = Pace(clock, rate=10, burst=3)
    assert [pace.wait_s("ada") for _ in range(3)] == [0, 0, 0]
    assert pace.wait_s("ada") == 0.1
    clock.advance(seconds=0.05)
    assert 0.04 < pace.wait_s("ada") < 0.06
    clock.advance(seconds=0.05)
    assert pace.wait_s("ada") == 0
    clock.advance(seconds=60)
    assert [pace.wait_s("ada") > 0 for _ in range(4)] == [False, False, False, True]


def test_one_who_writes_too_fast_keeps_nobody_else_waiting():
    pace = Pace(HandClock(), rate=1, burst=1)
    assert pace.wait_s("ada") == 0
    assert pace.wait_s("ada") > 0
    assert pace.wait_s("bob") == 0


async def test_orders_that_come_too_fast_are_refused_with_the_time_to_wait(tower: Tower):
    clock = HandClock()
    app = create(tower._desk, tower.gate, Pace(clock, rate=0.5, burst=2))
    app.state.desk = tower.app.state.desk
    headers = {"Accept": "text/html", **OURS, "Authorization": f"Bearer {api_token(tower.data)}"}
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers) as program:
        codes = [(await program.post("/api/commands", json={"command": PAUSE})).status_code for _ in range(3)]
        assert codes == [200, 409, 429]
        refused = await program.post("/api/commands", json={"command": PAUSE})
        assert refused.headers["Retry-After"] == "2"
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert "Send this one again in 2.00 s" in refused.json()["detail"]
        page = await program.post("/orders", data=PAUSE)
        assert (page.status_code, "Too fast" in page.text) == (429, True)
        assert (await program.get("/api/status")).status_code == 200  # reading is free
        clock.advance(seconds=2)
        assert (await program.post("/api/commands", json={"command": PAUSE})).status_code == 409


async def test_a_nearly_full_log_takes_no_orders_and_says_why(tower: Tower):
    log = tower.ledger.logs["COMMANDS"]
    log.max_bytes = int(log.bytes / 0.81)
    answer = await tower.client.post("/orders", data=PAUSE)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert "COMMANDS holds" in answer.text
    assert "no new orders are taken" in answer.text
    assert (await tower.machine.post("/api/commands", json={"command": PAUSE})).status_code == 503
    assert (await tower.client.get("/system")).status_code == 200


async def test_metrics_are_for_those_who_may_come_in(busy: Tower):
    assert (await busy.stranger.get("/metrics", headers={"Accept": "*/*"})).status_code == 401
    assert (await busy.client.get("/metrics")).status_code == 200


async def test_metrics_are_text_that_prometheus_reads(busy: Tower):
    answer = await busy.machine.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    line = re.compile(r'^(# (HELP|TYPE) switchtower_\w+ .+|switchtower_\w+(\{(\w+="[^"\n]*",?)+\})? -?[0-9.e+]+)$')
    wrong = [each for each in answer.text.splitlines() if not line.match(each)]
    assert wrong == []
    names = [each.split()[2] for each in answer.text.splitlines() if each.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert 'switchtower_tasks{state="failed"} 1' in answer.text
    assert 'switchtower_runs{state="running"} 1' in answer.text
    assert 'switchtower_fold_lag_messages{stream="EVENTS"} 0' in answer.text
    assert "switchtower_core_keeps_up 1" in answer.text


async def test_every_metric_is_told_in_the_documents_and_every_told_one_is_there(busy: Tower):
    text = (await busy.machine.get("/metrics")).text
    there = {each.split()[2] for each in text.splitlines() if each.startswith("# TYPE")}
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    assert set(re.findall(r"^\| `(\w+)", page, re.MULTILINE)) == there


async def test_orders_are_counted_with_what_they_took(tower: Tower):
    before = await _figure(tower, "switchtower_order_seconds_count")
    await tower.client.post("/orders", data=PAUSE)
    await tower.client.post("/orders", data=PAUSE)
    assert await _figure(tower, "switchtower_order_seconds_count") == before + 2
    assert await _figure(tower, 'switchtower_order_seconds_bucket{le="+Inf"}') == before + 2
    assert await _figure(tower, 'switchtower_orders_total{outcome="already_so"}') == 1


async def _figure(tower: Tower, name: str) -> float:
    text = (await tower.machine.get("/metrics")).text
    found = [each for each in text.splitlines() if each.startswith(name + " ")]
    return float(found[0].split()[-1])
