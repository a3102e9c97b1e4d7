"""What an agent can be: one adapter a file, all behind the interface in ``adapter.py``."""

from __future__ import annotations

from workers.adapters.adapter import Adapter, Job, Means
from workers.adapters.noop import Noop
from workers.adapters.shell import Shell
from workers.adapters.sim import Sim
from workers.adapters.tape import Tape

_ADAPTERS: dict[str, type[Noop | Shell | Sim | Tape]] = {"noop": Noop, "shell": Shell, "sim": Sim, "tape": Tape}


def adapter_for(job: Job, means: Means) -> Adapter:
    """The adapter of the job's pool, made for this one job."""
    return _ADAPTERS[job.pool.adapter](job, means)
