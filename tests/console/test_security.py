"""Who may ask what: every route against no login, another host, another site; and what every answer carries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from starlette.routing import Mount, Route

from console.login import issue
from console.security import MAX_BODY, POLICY
from tests.console.tower import BASE, OURS, Tower

OPEN = {("GET", "/login"), ("POST", "/login"), ("GET", "/healthz"), ("GET", "/readyz")}
VALUES = {"session": "default", "name": "load", "worker": "w1"}


def filled(path: str) -> str:
    """The path with something in each of its places."""
    return re.sub(r"{(\w+)(?::\w+)?}", lambda place: VALUES.get(place[1], "1"), path)


def routes(tower: Tower) -> list[tuple[str, str]]:
    """Every method and path the application answers on, those of routers it includes too."""
    return sorted(set(_routes(tower.app.routes)))


def _routes(held: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for route in held:
        if isinstance(route, Route):
            yield from ((method, route.path) for method in route.methods or () if method != "HEAD")
        elif isinstance(route, Mount):
            yield "GET", f"{route.path}/tokens.css"
        else:
            yield from _routes(route.original_router.routes)


async def test_without_a_login_nothing_answers_but_the_door(tower: Tower):
    """Default deny: a new route needs a login until it is listed above."""
    for method, path in routes(tower):
        if path.startswith("/static") or (method, path) in OPEN:
            continue
        for accept in ("text/html", "application/json"):
            answer = await tower.stranger.request(
                method, filled(path), headers={**OURS, "Accept": accept}, follow_redirects=False
            )
            page = method == "GET" and accept == "text/html" and not path.startswith("/api")
            assert answer.status_code == (303 if page else 401), (method, path, accept)
            if page:
                assert answer.headers["location"].startswith("/login?next=/")


async def test_the_routes_are_those_that_are_meant(tower: Tower):
    found = {path for _, path in routes(tower)}
    assert {"/", "/agents", "/queues", "/tasks", "/commands", "/orders", "/live", "/login", "/theme"} <= found
    assert {"/api/status", "/api/commands", "/api/tasks", "/healthz", "/readyz", "/openapi.json"} <= found
    assert not {"/docs", "/redoc"} & found


HOSTS = [
    "evil.example", "evil.example:8420", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.2", "0.0.0.0",
    "10.0.0.1:8420", "[::2]", "[::1", "127.0.0.1:99999", "127.0.0.1:8420@evil.example", "evil.example@127.0.0.1",
    "127.0.0.1/evil", "localhost\t", "", "127.0.0.1:8420, evil.example", "LOCALHOST.", "local host", "127.1",
    "2130706433",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
async def test_another_host_is_not_answered_even_with_a_login(tower: Tower, host: str):
    answer = await tower.client.get("/", headers={"Host": host})
    assert answer.status_code == 400
    assert "Waiting on you" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8420", "localhost:9", "LOCALHOST", "[::1]:8420"])
async def test_our_own_names_are_answered_on_any_port(tower: Tower, host: str):
    assert (await tower.client.get("/", headers={"Host": host})).status_code == 200


FOREIGN = [
    {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
    {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
    {"Origin": BASE, "Sec-Fetch-Site": "same-site"},
    {"Origin": BASE, "Sec-Fetch-Site": "none"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null"},
    {"Origin": "http://localhost:8420"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Origin": "https://127.0.0.1:8420.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/orders", "/logout", "/theme", "/login", "/api/commands"])
async def test_a_write_that_another_site_may_have_caused_is_refused(tower: Tower, path: str, headers: dict[str, str]):
    before = tower.ledger.logs["COMMANDS"].last_seq
    client = tower.client
    kept = dict(client.headers)
    for name in ("origin", "sec-fetch-site"):
        client.headers.pop(name, None)
    try:
        answer = await client.post(path, data={"type": "lane.pause", "lane": "A"}, headers=headers)
    finally:
        client.headers.update(kept)
    assert answer.status_code == 403
    assert tower.ledger.logs["COMMANDS"].last_seq == before
    assert (await client.get("/", follow_redirects=False)).status_code == 200  # still signed in


@pytest.mark.parametrize(
    "headers",
    [OURS, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, {"Origin": BASE}, {"Sec-Fetch-Site": "same-origin"}],
    ids=str,
)
async def test_our_own_forms_are_let_through(tower: Tower, headers: dict[str, str]):
    """Under our no-referrer policy browsers send ``Origin: null`` with our own forms, and vouch for us otherwise."""
    client = tower.client
    for name in ("origin", "sec-fetch-site"):
        client.headers.pop(name, None)
    assert (await client.post("/theme", data={"theme": "dark"}, headers=headers)).status_code == 303


async def test_a_get_changes_nothing(busy: Tower):
    before = {stream: log.last_seq for stream, log in busy.ledger.logs.items()}
    token = issue(busy.data, busy.clock)
    for method, path in routes(busy):
        if method == "GET" and path != "/live":
            await busy.client.get(filled(path))
    await busy.client.get("/login", params={"token": token})
    assert {stream: log.last_seq for stream, log in busy.ledger.logs.items()} == before
    assert await busy.gate.exchange(token) is not None  # looking at the link did not use it up


async def test_every_answer_carries_the_strict_headers(busy: Tower):
    for path in ("/", "/login", "/static/tokens.css", "/api/status", "/healthz", "/nowhere", "/tasks?at=zzz"):
        answer = await busy.client.get(path)
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers


def test_the_policy_allows_nothing_but_our_own():
    assert "frame-ancestors 'none'" in POLICY
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert "*" not in POLICY


async def test_the_session_cookie_is_out_of_reach(tower: Tower):
    answer = await tower.stranger.post("/login", data={"token": issue(tower.data, tower.clock)}, headers=OURS)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie


async def test_signing_in_gives_a_new_session_and_leads_only_to_our_own_pages(tower: Tower):
    for following, lands in (("/tasks?state=failed", "/tasks?state=failed"), ("https://evil.example", "/"),
                             ("//evil.example", "/"), ("/\\evil.example", "/"), ("/login", "/")):  # fmt: skip
        tower.stranger.cookies.set(tower.gate.cookie, "chosen-by-somebody-else")
        data = {"token": issue(tower.data, tower.clock), "next": following}
        answer = await tower.stranger.post("/login", data=data, headers=OURS)
        assert answer.status_code == 303
        assert answer.headers["location"] == lands
        assert "chosen-by-somebody-else" not in answer.headers["set-cookie"]
        tower.stranger.cookies.clear()


async def test_a_wrong_token_is_told_and_lets_nobody_in(tower: Tower):
    answer = await tower.stranger.post("/login", data={"token": "guess"}, headers=OURS)
    assert answer.status_code == 401
    assert "bin/switchtower login" in answer.text
    assert "set-cookie" not in answer.headers


async def test_leaving_ends_the_session_for_good(tower: Tower):
    session = dict(tower.client.cookies)
    assert (await tower.client.post("/logout")).status_code == 303
    tower.client.cookies.update(session)
    assert (await tower.client.get("/api/status")).status_code == 401


async def test_the_api_token_needs_no_origin_and_a_wrong_one_is_refused(tower: Tower):
    order = {"command": {"type": "lane.pause", "lane": "A"}}
    assert (await tower.machine.post("/api/commands", json=order)).status_code == 200
    wrong = {"Authorization": "Bearer swt_wrong"}
    answer = await tower.stranger.post("/api/commands", json=order, headers=wrong)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await tower.client.get("/api/status", headers=wrong)).status_code == 401  # not the cookie's either


async def test_a_body_that_is_too_long_is_not_read(tower: Tower):
    big = b"type=lane.pause&lane=" + b"a" * MAX_BODY
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await tower.client.post("/orders", content=big, headers=form)).status_code == 413

    async def endless():
        for _ in range(2 * MAX_BODY // 65_536):
            yield b"a" * 65_536

    assert (await tower.client.post("/orders", content=endless(), headers=form)).status_code == 413


async def test_what_is_public_says_nothing(tower: Tower):
    for path in ("/healthz", "/readyz"):
        answer = await tower.stranger.get(path)
        assert answer.status_code == 200
        assert set(answer.json()) == {"status"}
