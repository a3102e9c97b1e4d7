"""The spec-kit tool: what it writes passes its own check, what is broken is found and named, the report is JSON."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from workers.spec_kit.__main__ import main
from workers.spec_kit.check import check

CRITERION = "Given two void invoices, when a third is issued, then its number follows"
WANTED = [f"Numbers without gaps | {CRITERION}", "Export", "-x"]


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kit as the tool writes it, its artifacts beside it."""
    monkeypatch.setenv("SWITCHTOWER_ARTIFACTS", str(tmp_path / "kept"))
    folder = tmp_path / "kit"
    for document, items in (("constitution", []), ("prd", WANTED), ("plan", []), ("tasks", [])):
        options = [f"--folder={folder}", "--name=Billing", "--idea=It is wrong.\n# Not a heading"]
        assert main(["generate", document, *options, "--", *items]) == 0
    return folder


def change(folder: Path, name: str, before: str, after: str) -> None:
    text = (folder / name).read_text()
    assert before in text
    (folder / name).write_text(text.replace(before, after))


def rules(folder: Path) -> list[tuple[str, str, str]]:
    return [(each.level, each.rule, each.file) for each in check(folder).findings]


def test_what_is_generated_passes_strictly(kit: Path):
    report = check(kit, strict=True)
    assert report.ok, report.findings
    assert (report.requirements, report.criteria, report.tasks, report.uncovered) == (3, 3, 6, [])


def test_words_of_a_person_make_no_heading(kit: Path):
    assert "> # Not a heading" in (kit / "prd.md").read_text()


def test_every_document_is_kept_as_an_artifact(kit: Path):
    assert sorted(path.name for path in (kit.parent / "kept").iterdir()) == [
        "constitution.md", "plan.md", "prd.md", "tasks.md",
    ]  # fmt: skip


def test_a_kit_is_packed_with_all_its_files_and_each_by_itself(kit: Path):
    assert main(["pack", f"--folder={kit}"]) == 0
    with zipfile.ZipFile(kit.parent / "kept" / "spec-kit.zip") as packed:
        assert packed.namelist() == [f"spec-kit/{n}.md" for n in ("constitution", "prd", "plan", "tasks")]
        assert packed.read("spec-kit/prd.md") == (kit / "prd.md").read_bytes()


def test_a_broken_kit_is_not_packed(kit: Path, capsys: pytest.CaptureFixture[str]):
    (kit / "plan.md").unlink()
    assert main(["pack", f"--folder={kit}"]) == 1
    assert "nothing is packed" in capsys.readouterr().err
    assert not (kit / "spec-kit.zip").exists()


def test_what_an_agent_changed_in_between_counts(kit: Path):
    change(kit, "prd.md", "### R-2 Export", "### R-2 Export to paper")
    assert main(["generate", "plan", f"--folder={kit}", "--name=Billing"]) == 0
    assert "Export to paper" in (kit / "plan.md").read_text()


def test_a_document_is_not_made_from_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["generate", "plan", f"--folder={tmp_path}", "--name=x"]) == 1
    assert "plan.md is made from prd.md" in capsys.readouterr().err
    assert main(["generate", "prd", f"--folder={tmp_path}", "--name=x"]) == 1
    assert "no requirement" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "before", "after", "found"),
    [
        ("prd.md", "## Non-goals", "## Else", ("error", "heading", "prd.md")),
        ("prd.md", "- R-2.1", "- ", ("error", "criteria", "prd.md")),
        ("prd.md", "- R-2.1", "- R-9.1", ("error", "criteria", "prd.md")),
        ("prd.md", "### R-3", "### R-2", ("error", "id", "prd.md")),
        ("prd.md", "then its number follows", "then TBD", ("warning", "undecided", "prd.md")),
        ("prd.md", CRITERION, "nice", ("warning", "testable", "prd.md")),
        ("plan.md", "(R-1, R-2, R-3)", "(R-1, R-2, R-7)", ("error", "reference", "plan.md")),
        ("plan.md", "(R-1, R-2, R-3)", "(R-1, R-2)", ("error", "coverage", "prd.md")),
        ("plan.md", "(R-1, R-2, R-3)", "", ("warning", "reference", "plan.md")),
        ("tasks.md", "after T-1", "after T-99", ("error", "order", "tasks.md")),
        ("tasks.md", "T-1 Write", "T-1 after T-2 Write", ("error", "order", "tasks.md")),
        ("tasks.md", "## Tasks", "## Tasks\n\n```", ("error", "empty", "tasks.md")),
        ("constitution.md", "**C-", "**D-", ("error", "empty", "constitution.md")),
    ],
)  # fmt: skip
def test_what_is_broken_is_found(kit: Path, name: str, before: str, after: str, found: tuple[str, str, str]):
    change(kit, name, before, after)
    assert found in rules(kit)


def test_a_missing_file_is_named_once_and_drags_no_others_along(kit: Path):
    (kit / "prd.md").unlink()
    assert rules(kit) == [("error", "file", "prd.md")]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * ((1 << 20) + 1)])
def test_a_file_that_cannot_be_read_is_a_finding(kit: Path, content: bytes):
    (kit / "plan.md").write_bytes(content)
    assert rules(kit) == [("error", "unreadable", "plan.md")]


def test_the_report_is_json_and_the_exit_code_says_whether(kit: Path):
    place = kit.parent / "reports" / "report.json"
    assert main(["validate", f"--folder={kit}", f"--report={place}"]) == 0
    assert json.loads(place.read_text())["ok"] is True
    change(kit, "plan.md", "R-3", "R-7")
    assert main(["validate", f"--folder={kit}"]) == 1
    kept = json.loads((kit.parent / "kept" / "spec-kit-report.json").read_text())
    assert (kept["ok"], kept["uncovered"]) == (False, ["R-3"])
    assert {"level", "rule", "file", "line", "says"} == set(kept["findings"][0])


def test_warnings_count_where_they_are_told_to(kit: Path):
    change(kit, "prd.md", "then its number follows", "then ???")
    assert main(["validate", f"--folder={kit}"]) == 0
    assert main(["validate", f"--folder={kit}", "--strict"]) == 1


def test_called_wrongly_it_says_how(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["generate", "poem", "--folder=x", "--name=y"])
    assert ended.value.code == 2
    assert "invalid choice" in capsys.readouterr().err
