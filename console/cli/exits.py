"""How a command ends: the exit codes, and the one error a command raises to end with a line on stderr."""

from __future__ import annotations

OK = 0
FAILURE = 1
USAGE = 2
NOT_FOUND = 3
REFUSED = 4
UNREACHABLE = 5
TIMED_OUT = 124
INTERRUPTED = 130


class Stop(Exception):
    """End the command: ``says`` goes to stderr, ``code`` to the caller."""

    def __init__(self, says: str, code: int = FAILURE) -> None:
        super().__init__(says)
        self.code = code


class Usage(Stop):
    """The command was called wrongly."""

    def __init__(self, says: str) -> None:
        super().__init__(says, USAGE)


class NotFound(Stop):
    """There is no such thing."""

    def __init__(self, says: str) -> None:
        super().__init__(says, NOT_FOUND)


class Declined(Stop):
    """The core refused, or something stands in the way."""

    def __init__(self, says: str) -> None:
        super().__init__(says, REFUSED)


class NoAnswer(Stop):
    """Nobody answers where an answer should come from."""

    def __init__(self, says: str) -> None:
        super().__init__(says, UNREACHABLE)


class TimedOut(Stop):
    """It did not happen in the time given."""

    def __init__(self, says: str) -> None:
        super().__init__(says, TIMED_OUT)
