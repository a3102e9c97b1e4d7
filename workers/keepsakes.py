"""What a run leaves behind: files in a folder of its own, and what agents in process hand over, kept by their sums.

Nothing outside the folder is ever read: no link is followed, and only plain files count. Text is redacted as output is;
other bytes are kept as they are.
"""

from __future__ import annotations

import asyncio
import logging
import mimetypes
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from core.artifacts import MAX_BYTES, MAX_COUNT, MAX_RUN_BYTES, Artifacts
from core.clock import Clock
from core.domain.words import Artifact, token
from core.ledger import LedgerError
from workers.observe import Redactor, cut
from workers.within import within

log = logging.getLogger(__name__)

FOLDER_MARK = "SWITCHTOWER_ARTIFACTS"  # names the folder to the run's processes
KEPT_WITHIN_S = 10.0
MAX_NAME = 200
MAX_LOOKED_AT = 2_000  # files and folders; a folder with more was not meant for keeping
TYPES = {".md": "text/markdown", ".diff": "text/x-diff", ".patch": "text/x-diff", ".json": "application/json"}


class Keepsakes:
    """The artifacts of one run. ``folder``: where its processes may leave files, None where nothing is kept;
    ``kept`` ends it all and says what was."""

    def __init__(self, run_id: str, store: Artifacts | None, root: Path | None, redact: Redactor, clock: Clock) -> None:
        self.left_out: list[str] = []  # what was not kept, and why
        self._run_id = run_id
        self._store, self._redact, self._clock = store, redact, clock
        self.folder = None if store is None or root is None else root / token(run_id)[-200:]
        self._handed: dict[str, bytes] = {}
        self._room = MAX_RUN_BYTES

    def hand_over(self, name: str, data: bytes) -> None:
        """From an agent that has no processes."""
        if len(self._handed) < MAX_COUNT:
            self._handed[name] = data

    async def kept(self, *, within_s: float = KEPT_WITHIN_S) -> list[Artifact]:
        """Store all there is, as much as fits and as the store takes in time; the folder is gone afterwards."""
        kept: list[Artifact] = []
        if self._store is None or not (self._handed or (self.folder is not None and self.folder.is_dir())):
            return kept
        try:
            await within(self._clock, within_s, self._keep(kept, self._store))
        except TimeoutError:
            self.left_out.append(f"the store took longer than {within_s:g} s")
        except OSError as error:  # an agent may make of its folder what it likes; its run ended as it ended
            self.left_out.append(f"its folder cannot be read: {error.strerror}")
        await self.discard()
        return kept

    async def discard(self) -> None:
        """Keep nothing."""
        if self.folder is not None and self.folder.exists():
            await asyncio.to_thread(shutil.rmtree, self.folder, True)

    async def _keep(self, kept: list[Artifact], store: Artifacts) -> None:
        found = await asyncio.to_thread(lambda: list(self._found()))
        for name, data in found:
            if len(kept) >= MAX_COUNT:
                self.left_out.append(f"{name}: a run keeps {MAX_COUNT} artifacts")
                continue
            clean = await asyncio.to_thread(self._redacted, data)
            try:
                sha256 = await store.keep(clean)
            except LedgerError as error:
                log.warning("artifact not kept run_id=%s name=%s: %s", self._run_id, name, error)
                self.left_out.append(f"{name}: {error}")
                continue
            shown = cut(self._redact.text(name), MAX_NAME)
            kept.append(Artifact(name=shown, sha256=sha256, size=len(clean), media_type=_type(name)))

    def _found(self) -> Iterator[tuple[str, bytes]]:
        """Names, relative to the folder, with bytes; each as long as there is room for it."""
        for name, data in self._handed.items():
            if self._fits(name, len(data)):
                yield name, data
        if self.folder is None or not self.folder.is_dir():
            return
        for path in _files(self.folder):
            name = os.fsencode(path.relative_to(self.folder)).decode(errors="replace")
            found = self._read(path, name)
            if found is not None:
                yield name, found

    def _read(self, path: Path, name: str) -> bytes | None:
        try:
            # Not through a link, and never waiting for the other end of a pipe.
            held = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            self.left_out.append(f"{name}: {error.strerror}")
            return None
        with os.fdopen(held, "rb") as file:
            found = os.fstat(held)
            if not stat.S_ISREG(found.st_mode):
                self.left_out.append(f"{name}: not a plain file")
                return None
            return file.read(MAX_BYTES) if self._fits(name, found.st_size) else None

    def _fits(self, name: str, size: int) -> bool:
        if size > MAX_BYTES:
            self.left_out.append(f"{name}: {size:,} bytes, {MAX_BYTES:,} is the most for one")
        elif size > self._room:
            self.left_out.append(f"{name}: a run keeps {MAX_RUN_BYTES:,} bytes in all")
        else:
            self._room -= size
            return True
        return False

    def _redacted(self, data: bytes) -> bytes:
        """Text as output is. Other bytes are no text to look for secrets in."""
        if b"\0" in data:
            return data
        try:
            return self._redact.text(data.decode("utf-8")).encode()
        except UnicodeDecodeError:
            return data


def emptied(folder: Path) -> Path:
    """The folder, there and empty, for nobody else to read."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    return folder


def _files(folder: Path) -> Iterator[Path]:
    """Every entry that is no folder, by name; links to folders are not entered."""
    seen = 0
    for where, folders, names in os.walk(folder):
        folders.sort()
        seen += len(folders)
        for name in sorted(names)[: max(0, MAX_LOOKED_AT - seen)]:
            yield Path(where) / name
        seen += len(names)
        if seen >= MAX_LOOKED_AT:
            return


def _type(name: str) -> str:
    ending = os.path.splitext(name)[1].lower()  # noqa: PTH122 - the name may be no path of this machine
    return TYPES.get(ending) or mimetypes.types_map.get(ending, "application/octet-stream")
