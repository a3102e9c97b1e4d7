"""How a worker beats is shown for what it is: heard just now, late, silent, or not to be known."""

from __future__ import annotations

import logging

import msgspec
import pytest

from console.beats import MOST, Beats, Heard
from console.look import Look
from console.render import part
from core.clock import SystemClock
from core.heartbeat import Beat, encode_beat
from projections.rows import At
from projections.rows.agents import Worker

NOON = 1_800_000_000_000_000


def beat(worker_id: str = "w1", epoch: int = 7, **told: float) -> Beat:
    return Beat(worker_id=worker_id, epoch=epoch, boot_id="b", at=NOON, **told)  # type: ignore[arg-type]


def test_a_beat_counts_for_its_epoch_alone_and_ages():
    beats = Beats(SystemClock())
    beats.hear(encode_beat(beat(load1=0.5)))
    heard = beats.last("w1", 7)
    assert heard is not None
    assert heard.beat.load1 == 0.5
    assert 0 <= heard.ago_us < 5_000_000
    assert beats.last("w1", 6) is None
    assert not beats.listening


def test_the_worker_not_heard_of_for_longest_is_forgotten_first():
    beats = Beats(SystemClock())
    for n in range(MOST + 1):
        beats.hear(encode_beat(beat(f"w{n}")))
    assert beats.last("w0", 7) is None
    assert beats.last("w1", 7) is not None


def test_what_is_no_beat_is_said_in_the_log_and_passed_over(caplog: pytest.LogCaptureFixture):
    beats = Beats(SystemClock())
    with caplog.at_level(logging.WARNING):
        beats._take("w1", b"{nonsense")
        beats._take("w1", None)  # it expired: silence is told by its age
    assert beats.last("w1", 7) is None
    assert "heartbeat 'w1' cannot be read" in caplog.text
    with pytest.raises(msgspec.DecodeError):
        beats.hear(b"{}")


@pytest.mark.parametrize(
    ("state", "heard", "live", "says"),
    [
        ("live", Heard(beat(load1=0.31, rss_mb=34), 400_000), True, 'data-beat="on" title="Load 0.31, 34 MB"'),
        ("live", Heard(beat(), 6_000_000), True, 'data-beat="late"'),
        ("live", None, True, "no beat heard"),
        ("lost", Heard(beat(), 60_000_000), True, "silent since it was lost"),
        ("live", Heard(beat(), 400_000), False, "live"),  # the past has no beats
    ],
)
def test_a_beat_is_a_dot_and_an_age_and_never_a_guess(state: str, heard: Heard | None, live: bool, says: str):
    look = Look(at=At(events_seq=1, observations_seq=0, at=NOON, live=live), now=NOON, path="/")
    worker = Worker(worker_id="w1", state=state, epoch=7, since=NOON)
    drawn = part("beat", look=look, worker=worker, heard=heard, listening=True)
    assert says in drawn
    assert ("data-beat" in drawn) == (live and heard is not None)
