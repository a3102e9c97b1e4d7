"""The house itself: rooms nobody else owns, a wheel with everything in it, pins that fit, no trace of a workplace."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
ROOMS = ("core", "console", "workers", "projections")

# A host that serves packages, or a folder of somebody's machine; written so that this file does not match itself.
WORKPLACE = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs)\.(?:org|com)\b|registry\.[a-z]+\.(?:org|com|io)\b|(?<![\w.~:/}-])/(?:work|root|tmp)/\w"
)
PIN = re.compile(
    r"^([A-Za-z0-9._-]+)==([^\s;]+)(?: ; [^\\]+)? \\(?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)+$", re.MULTILINE
)

# Pure: they read no clock, roll no dice, open nothing. Add one only if that is true of it.
DOMAIN_MAY_IMPORT = {
    "core.domain", "msgspec", "__future__", "typing", "types", "collections", "collections.abc", "enum", "functools",
    "itertools", "operator", "bisect", "heapq", "re", "math", "hashlib", "string", "copy", "datetime", "graphlib",
}  # fmt: skip


def files_of_the_project() -> list[Path]:
    """Every file git tracks or would, as it stands in the working tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def pins(file: str) -> dict[str, str]:
    return {_normal(name): version for name, version in PIN.findall((ROOT / file).read_text())}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("room", [*ROOMS, "tests", "bench"])
def test_no_installed_package_brings_a_room_of_our_name(room: str):
    assert set(packages_distributions().get(room, [])) <= {"switchtower"}


def test_every_file_of_a_room_is_in_the_wheel():
    inside = {Path(file.path).relative_to(ROOT) for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    ours = {path.relative_to(ROOT) for path in files_of_the_project()}
    missing = {path for path in ours if path.parts[0] in ROOMS} - inside
    assert not missing


def test_no_file_names_a_package_registry_or_a_folder_of_somebodys_machine():
    found = []
    for path in files_of_the_project():
        if "data" in path.parts:  # recorded input keeps the paths of the machines it was recorded on
            continue
        text = path.read_bytes()
        if b"\0" not in text:
            found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in WORKPLACE.finditer(text.decode())]
    assert found == []


def test_the_domain_imports_nothing_but_msgspec_and_pure_standard_library():
    found = {}
    for path in sorted((ROOT / "core" / "domain").glob("*.py")):
        for module in _imported(path):
            if module not in DOMAIN_MAY_IMPORT and not module.startswith("core.domain."):
                found[path.name] = module
    assert not found


@pytest.mark.parametrize("trace", ["see pypi" + ".org/simple", "cd /work" + "/main", 'open("/tmp' + '/x")'])
def test_the_search_for_traces_finds_them(trace: str):
    assert WORKPLACE.search(trace)


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_by_version_and_hash(file: str):
    rest = PIN.sub("", (ROOT / file).read_text())
    leftover = [line for line in rest.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert leftover == ([] if file == "requirements.txt" else ["-r requirements.txt"])


def test_what_is_asked_for_is_what_is_pinned():
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    asked += _lines("requirements.in")
    _fits([Requirement(line) for line in asked], pins("requirements.txt"))
    _fits([Requirement(line) for line in _lines("requirements-dev.in")], pins("requirements-dev.txt"))


def test_the_procfile_starts_the_four_processes_each_by_a_command_of_its_own():
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    assert list(lines) == ["nats", "core", "worker", "console"]
    for command in lines.values():
        exec_, program, *_ = command.split()
        assert exec_ == "exec"  # else the shell between would take the signals and hide the exit code
        assert (ROOT / program).stat().st_mode & 0o111


def _imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    whole = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {"." * node.level + (node.module or "") for node in nodes if isinstance(node, ast.ImportFrom)}
    return whole | parts


def _lines(file: str) -> list[str]:
    lines = (line.split("#")[0].strip() for line in (ROOT / file).read_text().splitlines())
    return [line for line in lines if line]


def _fits(asked: list[Requirement], pinned: dict[str, str]) -> None:
    unmet = [str(wish) for wish in asked if not wish.specifier.contains(pinned.get(_normal(wish.name), "0"))]
    assert not unmet, "run bin/lock"
