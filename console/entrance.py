"""Signing in and out, and the one thing a person may set without it: the theme."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from console.desk import desk_of
from console.forms import form
from console.login import SESSION_S
from console.look import theme_of
from console.render import page
from console.security import local_path

routes = APIRouter()

YEAR_S = 365 * 24 * 3600


@routes.get("/login", include_in_schema=False)
async def ask(request: Request) -> Response:
    """The form; a printed link brings its token along, but only the form's button uses it up: a GET changes nothing."""
    return _form(request, token=request.query_params.get("token", ""), following=request.query_params.get("next", "/"))


@routes.post("/login", include_in_schema=False)
async def enter(request: Request) -> Response:
    desk = desk_of(request)
    fields = await form(request)
    session = await desk.gate.exchange(fields.get("token", "").strip())
    if session is None:
        told = "This token is not good: each works once, for twelve hours. `bin/switchtower login` prints another."
        return _form(request, problem=told, following=fields.get("next", "/"), status=401)
    answer = RedirectResponse(local_path(fields.get("next", "/")), 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(desk.gate.cookie, session, max_age=SESSION_S, httponly=True, samesite="lax", secure=secure)
    return answer


@routes.post("/logout", include_in_schema=False)
async def leave(request: Request) -> Response:
    desk = desk_of(request)
    desk.gate.leave(request.cookies)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(desk.gate.cookie)
    return answer


@routes.post("/theme", include_in_schema=False)
async def theme(request: Request) -> Response:
    fields = await form(request)
    answer = RedirectResponse(local_path(fields.get("back", "/")), 303)
    if fields.get("theme") in ("light", "dark"):
        answer.set_cookie("theme", fields["theme"], max_age=YEAR_S, httponly=True, samesite="lax")
    else:
        answer.delete_cookie("theme")
    return answer


def _form(request: Request, *, token: str = "", following: str = "/", problem: str = "", status: int = 200) -> Response:
    rows = {"token": token[:200], "next": local_path(following), "problem": problem}
    return HTMLResponse(page("login", title="Sign in", theme=theme_of(request), **rows), status)
