"""What is sent compressed: text, to whoever asks for it. The live stream never is, nor what is packed already.

Nothing secret stands in a page beside what an address can put there (no form token, no session, no API token), so its
length tells nobody anything he could not read: ARCHITECTURE.md, decisions.
"""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

SMALLEST = 1_024  # bytes; what is shorter fits into one packet anyway
LEVEL = 2  # measured: 1 to 3 take 0.25 ms for 200 KB, 4 to 6 twice as long and save a tenth; 9 takes 1.2 ms
PACKED = ("application/octet-stream", "application/vnd.apache.parquet", "image/*")

COMPRESSION: dict[str, Any] = {
    "minimum_size": SMALLEST,
    "compresslevel": LEVEL,
    "thread_minimum_size": 1 << 20,  # less takes a millisecond: a thread would wait longer for its turn
    "exclude_content_types": (*DEFAULT_EXCLUDED_CONTENT_TYPES, *PACKED),  # text/event-stream is one of theirs
}


class Files(StaticFiles):
    """Static files. One whose address carries its sum never changes and is kept for ever; each is compressed once."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self._kept: dict[str, tuple[str, bytes]] = {}  # by path: the tag it was read under, and its bytes compressed

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        if isinstance(answer, FileResponse) and _worth_it(answer, scope):
            answer = await self._compressed(answer)
        if answer.status_code == 200:
            kept = "public, max-age=31536000, immutable" if scope["query_string"] else "no-cache"
            answer.headers["Cache-Control"] = kept
        if not isinstance(answer, FileResponse):  # to that it is added on its way
            answer.headers["Vary"] = "Accept-Encoding"
        answer.headers["ETag"] = f"W/{answer.headers['etag']}"  # weak: the same file, not always the same bytes
        return answer

    async def _compressed(self, file: FileResponse) -> Response:
        path, tag = str(file.path), file.headers["etag"]
        if self._kept.get(path, ("",))[0] != tag:
            self._kept[path] = tag, await asyncio.to_thread(_read, path)
        told = {name: file.headers[name] for name in ("content-type", "etag", "last-modified")}
        return Response(self._kept[path][1], headers={**told, "Content-Encoding": "gzip"})


def _worth_it(file: FileResponse, scope: Scope) -> bool:
    asked = Headers(scope=scope)
    wanted = "gzip" in asked.get("accept-encoding", "") and "range" not in asked
    return wanted and int(file.headers["content-length"]) >= SMALLEST


def _read(path: str) -> bytes:
    return gzip.compress(Path(path).read_bytes(), 9, mtime=0)
