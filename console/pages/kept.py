"""What runs left behind: artifacts, looked at safely and downloaded whole; and their output as a file.

An artifact is whatever an agent wrote. Its bytes go out as an attachment, or as a picture that a browser can only
paint; never as a page, never as a script, and always under a policy that lets nothing in it act.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Literal

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from console.desk import Desk
from console.diff import MOST, Drawn
from console.diff import drawn as drawn_diff
from console.look import Absent, looking
from console.markdown import Written, written
from console.output import printed
from console.terminal import Line, Screen
from core.api import NotFound
from core.ledger import LedgerError
from projections import queries
from projections.rows.runs import Run

routes = APIRouter()

SANDBOX = "sandbox; default-src 'none'"
SHOWN_BYTES = 512 << 10  # of a text looked at in the page
PICTURES = {  # by their first bytes: what the agent calls it does not count
    b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF87a": "image/gif", b"GIF89a": "image/gif",
}  # fmt: skip
_SUM = re.compile(r"[0-9a-f]{64}")


class Kept(msgspec.Struct, frozen=True):
    """An artifact as its run's last fact names it."""

    name: str
    sha256: str
    size: int = 0
    media_type: str = ""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact opened: one of the fields holds it, as ``kind`` says. ``cut``: only its beginning is here."""

    kind: Literal["markdown", "json", "picture", "diff", "text", "binary", "gone"]
    markdown: Written | None = None
    lines: list[Line] = []
    diff: Drawn | None = None
    cut: bool = False
    because: str = ""


def listed(run: Run) -> list[Kept]:
    """The artifacts of a run; none while it is under way."""
    try:
        return msgspec.json.decode(getattr(run, "artifacts", "") or "[]", type=list[Kept])
    except msgspec.DecodeError:
        return []


async def viewed(desk: Desk, kept: Kept) -> View:
    """Open it as what its name and bytes say it is, at most its first half megabyte. Nothing in it is believed."""
    try:
        data = await desk.artifacts.bytes_of(kept.sha256)
    except NotFound:
        return View(kind="gone", because="its bytes are not in the store any more; the fact that names it stays")
    except LedgerError as error:
        return View(kind="gone", because=str(error))
    if picture(data):
        return View(kind="picture")
    text = _text(data[:SHOWN_BYTES])
    if text is None:
        return View(kind="binary")
    cut = len(data) > SHOWN_BYTES
    ending = kept.name.rpartition(".")[2].lower()
    if ending in ("md", "markdown"):
        return View(kind="markdown", markdown=written(text), cut=cut)
    if ending in ("diff", "patch"):
        return View(kind="diff", diff=drawn_diff(text, MOST), cut=cut)
    if ending == "json" and not cut:
        return View(kind="json", lines=_lines(_pretty(text)))
    return View(kind="text", lines=_lines(text), cut=cut)


def picture(data: bytes) -> str:
    """The media type of a picture a browser may paint, or nothing. SVG is text here: it can hold scripts."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in PICTURES.items() if data.startswith(magic)), "")


@routes.get("/runs/{session}/{name}/artifacts/{sha256}", include_in_schema=False)
async def artifact(request: Request, session: str, name: str, sha256: str) -> Response:
    """An artifact's bytes as an attachment; with ``?show=1`` a picture may be painted in the page."""
    desk, look = await looking(request)
    run_id = f"{session}/{name}"
    page = await desk.read_model.query(queries.run, look.at, run_id)
    if page is None:
        raise look.absent(f"run {run_id!r}")
    kept = next((each for each in listed(page.run) if each.sha256 == sha256), None)
    if kept is None or not _SUM.fullmatch(sha256):
        raise Absent(f"Run {run_id} left no artifact {sha256[:12]!r}; its page lists what it left.")
    try:
        data = await desk.artifacts.bytes_of(sha256)
    except NotFound:
        raise Absent(f"The bytes of {kept.name[:100]!r} are not in the store any more.") from None
    painted = picture(data) if look.get("show") == "1" else ""
    headers = {"Content-Security-Policy": SANDBOX}
    if not painted:
        headers["Content-Disposition"] = f'attachment; filename="{file_name(kept.name)}"'
    return Response(data, media_type=painted or "application/octet-stream", headers=headers)


@routes.get("/runs/{session}/{name}/output", include_in_schema=False)
async def download(request: Request, session: str, name: str) -> Response:
    """All a run printed, as it was printed: an attachment, never a page."""
    desk, look = await looking(request)
    run_id = f"{session}/{name}"
    if await desk.read_model.query(queries.run, look.at, run_id) is None:
        raise look.absent(f"run {run_id!r}")
    headers = {
        "Content-Disposition": f'attachment; filename="{file_name(name)}.txt"', "Content-Security-Policy": SANDBOX,
    }  # fmt: skip
    body = _sent(desk, run_id, 0 if look.live else look.time)
    return StreamingResponse(body, media_type="text/plain; charset=utf-8", headers=headers)


async def _sent(desk: Desk, run_id: str, until: int) -> AsyncIterator[bytes]:
    async with aclosing(printed(desk.ledger, run_id, until=until)) as pieces:
        async for piece in pieces:
            yield piece


def file_name(name: str) -> str:
    """The last part of a path as a file name no system stumbles over."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c if c.isascii() and (c.isalnum() or c in "-._~") else "_" for c in last).lstrip(".")[:120] or "file"


def _text(data: bytes) -> str | None:
    """As text; None for what is none. A character cut in two at the end is left out."""
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        return data[: error.start].decode("utf-8") if error.start > len(data) - 4 and error.start else None


def _pretty(text: str) -> str:
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError):
        return text


def _lines(text: str) -> list[Line]:
    screen = Screen(most_lines=5_000, most_chars=SHOWN_BYTES)
    screen.write("stdout", text.encode())
    return screen.lines()
