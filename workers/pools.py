"""Which agents a worker hosts: pools of like ones, from the command line or from ``workers.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from core.domain.words import Name
from core.domain.worker import AgentSpec

ADAPTERS = ("noop", "shell", "sim", "tape")
OURS = ("SWITCHTOWER_", "NATS_")  # variables that open our own doors never reach an agent
MAX_AGENTS = 2_000  # a worker's; more go on another worker


class BadPools(Exception):
    """Pools that cannot be used; the text says which, why, and what is needed."""


class Pool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agents of one kind. They are called ``<pool>-1`` … ``<pool>-<count>``.

    ``env``: variables of the worker's environment its processes may see, besides the usual few; ``folder``: where they
    work (``tape``: where the tapes are); ``speed`` and ``seed`` are for ``sim`` and ``tape``.
    """

    adapter: str
    count: Annotated[int, Meta(ge=0, le=MAX_AGENTS)] = 1
    name: Annotated[str, Meta(max_length=100)] = ""
    model: Annotated[str, Meta(max_length=200)] = ""
    capabilities: list[Name] = []
    env: list[str] = []
    folder: str = ""
    speed: Annotated[float, Meta(gt=0, le=100_000)] = 1.0
    seed: int = 0
    output_cap_bytes: Annotated[int, Meta(ge=1_000)] = 8 << 20

    @property
    def called(self) -> str:
        return self.name or self.adapter


class _File(msgspec.Struct, forbid_unknown_fields=True):
    pool: list[Pool] = []


def parse(text: str) -> list[Pool]:
    """Pools from ``sim:4,shell:4``."""
    pools = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        adapter, _, count = part.partition(":")
        if not (count or "1").isdecimal():
            raise BadPools(f"--agents has {part!r}: the number after the colon must be whole, as in sim:4")
        pools.append(Pool(adapter=adapter, count=int(count or 1)))
    return checked(pools, source="--agents")


def read(path: Path) -> list[Pool]:
    """Pools from a ``workers.toml``: one ``[[pool]]`` each."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except OSError as problem:
        raise BadPools(f"{path} cannot be read: {problem.strerror}; give an existing file, or --agents") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as problem:
        raise BadPools(f"{path}: {problem}; each pool is a [[pool]] with adapter, count, name, model …") from problem
    return checked(found.pool, source=str(path))


def checked(pools: list[Pool], *, source: str) -> list[Pool]:
    """The same pools, or ``BadPools`` naming the first thing wrong with them."""
    seen: set[str] = set()
    for pool in pools:
        if pool.adapter not in ADAPTERS:
            raise BadPools(f"{source}: there is no adapter {pool.adapter!r}; there are: {', '.join(ADAPTERS)}")
        for variable in pool.env:
            if variable.startswith(OURS):
                raise BadPools(f"{source}: pool {pool.called!r} may not pass on {variable}: it opens our own doors")
        if pool.called in seen:
            raise BadPools(f"{source}: two pools are called {pool.called!r}; give one of them a name of its own")
        seen.add(pool.called)
    total = sum(pool.count for pool in pools)
    if total > MAX_AGENTS:
        raise BadPools(f"{source}: {total} agents; a worker hosts at most {MAX_AGENTS}, start another worker")
    return pools


def agents(pools: list[Pool]) -> list[tuple[AgentSpec, Pool]]:
    """Every agent as it is offered to the core, and its pool."""
    return [
        (
            AgentSpec(
                name=f"{pool.called}-{n}",
                adapter=pool.adapter,
                model=pool.model,
                pool=pool.called,
                capabilities=pool.capabilities,
            ),
            pool,
        )
        for pool in pools
        for n in range(1, pool.count + 1)
    ]
