"""What becomes of a task whose run ended badly. Pure arithmetic; the jitter is drawn from the run's id."""

from __future__ import annotations

import hashlib
from typing import Literal

from core.domain.words import Policy

After = Literal["ready", "blocked", "waiting", "failed", "quarantined", "paused", "cancelled"]

LOSSES = 3  # workers a task may take down before it is quarantined

# Trying again changes nothing about these: a person has to.
FINAL_ERRORS = frozenset({"auth", "invalid", "permission", "budget", "unsupported"})
ERROR_CLASSES = FINAL_ERRORS | {
    "exit", "timeout", "crash", "rate_limit", "overloaded", "network", "hung", "lost", "interrupted", "limit",
    "unknown",
}  # fmt: skip


def backoff_us(policy: Policy, used: int, run_id: str) -> int:
    """Microseconds to wait before the next attempt, after ``used`` attempts: base * 2^(used-1), capped, jittered.

    The jitter lies within ``policy.jitter`` of the backoff to either side and depends on the run's id alone.
    """
    bare: float = min(policy.backoff_cap_s, policy.backoff_s * 2.0 ** min(max(used - 1, 0), 40))
    draw = int.from_bytes(hashlib.blake2b(run_id.encode(), digest_size=4).digest(), "big") / 0xFFFFFFFF
    return int(bare * (1 + policy.jitter * (2 * draw - 1)) * 1_000_000)


def after_failure(policy: Policy, used: int, error_class: str) -> After:
    """State of a task whose ``used``-th attempt failed."""
    if error_class in FINAL_ERRORS or used >= policy.max_attempts:
        return "failed"
    return "waiting"


def after_loss(losses: int, rules: int) -> After:
    """State of a task that has now been lost ``losses`` times. Rules 2: it waits its backoff, so that a task which
    kills workers does not take the next one down at once."""
    if losses >= LOSSES:
        return "quarantined"
    return "waiting" if rules >= 2 else "ready"


def resting(then: After, waits: int) -> After:
    """``then``, or blocked where a plan gave the task something new to wait for while it was under way."""
    return "blocked" if waits and then in ("ready", "waiting") else then
