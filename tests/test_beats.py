"""Who was heard of: every epoch of a worker for itself."""

from __future__ import annotations

from core.beats import HeardBeats
from core.clock import HandClock
from core.heartbeat import Beat, encode_beat


def beat(epoch: int, at: int) -> bytes:
    return encode_beat(Beat(worker_id="anvil", epoch=epoch, boot_id=f"b{epoch}", at=at))


def test_a_process_that_was_replaced_and_still_beats_does_not_silence_its_successor() -> None:
    clock = HandClock()
    heard = HeardBeats(None, clock)  # type: ignore[arg-type]  # nothing is listened to here
    heard._hear("anvil", beat(2, 100))
    clock.advance(seconds=1)
    heard._hear("anvil", beat(9, 200))
    heard._hear("anvil", beat(2, 300))
    assert heard.last("anvil", 9) == (1.0, 200)
    assert heard.last("anvil", 7) is None


def test_beats_that_nobody_can_read_count_for_nobody() -> None:
    heard = HeardBeats(None, HandClock())  # type: ignore[arg-type]
    heard._hear("anvil", b"{")
    heard._hear("anvil", None)
    assert heard.last("anvil", 2) is None
