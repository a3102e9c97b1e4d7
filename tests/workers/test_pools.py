"""Pools of agents, from a flag or from a file; what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.pools import BadPools, Pool, agents, parse, read


def test_a_flag_names_pools_and_how_many_agents_each_has():
    assert parse("sim:4, shell:2,noop") == [
        Pool(adapter="sim", count=4),
        Pool(adapter="shell", count=2),
        Pool(adapter="noop", count=1),
    ]
    assert parse("") == []


def test_agents_are_called_by_their_pool_and_a_number():
    named = [(spec.name, spec.pool) for spec, _ in agents([Pool(adapter="sim", name="fast", count=2)])]
    assert named == [("fast-1", "fast"), ("fast-2", "fast")]


def test_a_file_may_say_more(tmp_path: Path):
    path = tmp_path / "workers.toml"
    path.write_text('[[pool]]\nadapter = "sim"\nname = "glm"\nmodel = "g-5"\ncapabilities = ["python"]\nspeed = 5\n')
    assert read(path) == [Pool(adapter="sim", name="glm", model="g-5", capabilities=["python"], speed=5.0)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("robot:1", "no adapter 'robot'; there are: noop, shell, sim, tape"),
        ("sim:x", "'sim:x'"),
        ("sim:-1", "'sim:-1'"),
        ("sim:1,sim:2", "two pools are called 'sim'"),
        ("sim:1500,noop:900", "2400 agents"),
    ],
)
def test_a_flag_that_cannot_be_used_is_named(text: str, says: str):
    with pytest.raises(BadPools, match=says):
        parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[pool]]\nadaptor = 'sim'", "adaptor"),
        ("[[pool]]\nadapter = 'sim'\ncount = 'many'", "count"),
        ("[[pool]]\nadapter = 'sim'\nenv = ['SWITCHTOWER_NATS_PASSWORD']", "SWITCHTOWER_NATS_PASSWORD"),
        ("[[pool", "workers.toml"),
        ("agents = 3", "agents"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_fault(tmp_path: Path, text: str, says: str):
    path = tmp_path / "workers.toml"
    path.write_text(text)
    with pytest.raises(BadPools, match=says):
        read(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(BadPools, match="nowhere.toml cannot be read"):
        read(tmp_path / "nowhere.toml")
