"""Which agents a worker hosts: pools of like ones, from the command line or from ``workers.toml``."""

from __future__ import annotations

import tomllib
from itertools import count
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from core.domain.words import Name, Refused, check_name
from core.domain.worker import AgentSpec, HireOrdered
from workers.limits import Limits

ADAPTERS = ("noop", "shell", "sim", "tape")
OURS = ("SWITCHTOWER_", "NATS_")  # variables that open our own doors never reach an agent
MAX_AGENTS = 2_000  # a worker's; more go on another worker


class BadPools(Exception):
    """Pools that cannot be used; the text says which, why, and what is needed."""


class Pool(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agents of one kind. They are called ``<pool>-1`` … ``<pool>-<count>``.

    ``env``: variables of the worker's environment its processes may see, besides the usual few; ``folder``: where they
    work (``tape``: where the tapes are); ``speed`` and ``seed`` are for ``sim`` and ``tape``.

    What one run with processes may use, 0: as much as there is. ``memory_mb``: private memory of all its processes
    together; ``processes``: how many; ``cpus``: on so many processors; ``nice``: 1 to 19, standing back for others.
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
    memory_mb: Annotated[int, Meta(ge=0, le=1 << 24)] = 0
    processes: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    cpus: Annotated[int, Meta(ge=0, le=4_096)] = 0
    nice: Annotated[int, Meta(ge=0, le=19)] = 0

    @property
    def called(self) -> str:
        return self.name or self.adapter

    @property
    def limits(self) -> Limits:
        return Limits(memory_bytes=self.memory_mb * 1_000_000, processes=self.processes, cpus=self.cpus, nice=self.nice)


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


def hired(order: HireOrdered, pools: list[Pool], taken: set[str]) -> tuple[Pool, list[AgentSpec]]:
    """The agents an order asks for: of the pool it names, where there is one, else of a new one. ``taken``: names that
    are in use. ``BadPools`` says why not."""
    called = order.pool or order.adapter
    like = next((pool for pool in pools if pool.called == called and pool.adapter == order.adapter), None)
    pool = like or Pool(adapter=order.adapter, name=called)
    pool = msgspec.structs.replace(
        pool,
        count=order.count,
        model=order.model or pool.model,
        capabilities=order.capabilities or pool.capabilities,
    )
    checked([pool], source=f"the order to hire for pool {called!r}")
    if len(taken) + order.count > MAX_AGENTS:
        raise BadPools(f"{len(taken)} agents and {order.count} more; a worker hosts at most {MAX_AGENTS}")
    free = (name for n in count(1) if (name := f"{called}-{n}") not in taken)
    specs = [_spec(pool, next(free)) for _ in range(order.count)]
    try:
        check_name("agent", specs[-1].name)  # the longest: what the core would not take must not be tried
    except Refused as refused:
        raise BadPools(str(refused)) from refused
    return pool, specs


def agents(pools: list[Pool]) -> list[tuple[AgentSpec, Pool]]:
    """Every agent as it is offered to the core, and its pool."""
    return [(_spec(pool, f"{pool.called}-{n}"), pool) for pool in pools for n in range(1, pool.count + 1)]


def _spec(pool: Pool, name: str) -> AgentSpec:
    return AgentSpec(
        name=name, adapter=pool.adapter, model=pool.model, pool=pool.called, capabilities=pool.capabilities
    )
