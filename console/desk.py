"""What the console works with: one of each, made when it starts, handed to every page."""

from __future__ import annotations

import msgspec
from starlette.requests import Request

from console.beats import Beats
from console.live import Hub
from console.login import Gate
from console.output import Scrolls
from console.proof import Prover
from console.shelf import Shelf
from console.sides import Beside
from core.artifacts import Artifacts, MemoryArtifacts
from core.clock import Clock, SystemClock
from core.door import Door
from core.ledger import Ledger
from core.survey import Surveyor
from projections.projector import Projector


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """``door`` takes orders, ``read_model`` answers questions, ``hub`` tells open pages what changed,
    ``shelf`` keeps what was just drawn, ``scrolls`` what runs printed. ``artifacts``: a tape's are not on it.
    ``beats``: how the workers beat; nobody's, where there is no bucket to hear. ``prover`` proves the log; ``surveyor``
    looks at the server behind it (None: a log in memory has none). ``tape``: the name of the tape that all of it is of;
    empty on a log that goes on."""

    ledger: Ledger
    read_model: Projector
    door: Door
    clock: Clock
    gate: Gate
    hub: Hub
    shelf: Shelf = msgspec.field(default_factory=Shelf)
    beside: Beside = msgspec.field(default_factory=Beside)
    scrolls: Scrolls = msgspec.field(default_factory=Scrolls)
    artifacts: Artifacts = msgspec.field(default_factory=MemoryArtifacts)
    beats: Beats = msgspec.field(default_factory=lambda: Beats(SystemClock()))
    prover: Prover = msgspec.field(default_factory=Prover)
    surveyor: Surveyor | None = None
    version: str = ""
    tape: str = ""


def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk
