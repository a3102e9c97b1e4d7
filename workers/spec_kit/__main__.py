"""``python -m workers.spec_kit generate | validate | pack``: what the shipped templates' shell tasks run.

Files that are worth keeping also go to the folder that ``SWITCHTOWER_ARTIFACTS`` names, where a worker collects them.
Exit codes: 0 well, 1 the kit is not as it must be, 2 called wrongly.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from core.settings import inherited
from workers.spec_kit import write
from workers.spec_kit.check import Report, check
from workers.spec_kit.kit import FILES, Unreadable

ARTIFACTS = "SWITCHTOWER_ARTIFACTS"
REPORT = "spec-kit-report.json"
SHOWN = 40
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # the same kit packs to the same bytes


def main(argv: list[str] | None = None) -> int:
    options, items = _split(sys.argv[1:] if argv is None else argv)
    asked = _arguments().parse_args(options)
    try:
        match asked.verb:
            case "generate":
                return _generate(asked, items)
            case "validate":
                return _validate(asked)
            case _:
                return _pack(asked)
    except (write.Missing, Unreadable) as wrong:
        print(f"spec_kit: {wrong}", file=sys.stderr)
        return 1
    except OSError as problem:
        print(f"spec_kit: {problem.filename}: {problem.strerror}", file=sys.stderr)
        return 1


def _generate(asked: argparse.Namespace, items: Sequence[str]) -> int:
    wish = write.Wish(name=asked.name, idea=asked.idea, users=asked.users, stack=asked.stack, items=tuple(items))
    text = write.WRITERS[asked.document](wish, asked.folder)
    asked.folder.mkdir(parents=True, exist_ok=True)
    path = asked.folder / f"{asked.document}.md"
    path.write_text(text, encoding="utf-8")
    _keep(path.name, path.read_bytes())
    print(f"wrote {path} ({len(text.splitlines())} lines)")
    return 0


def _validate(asked: argparse.Namespace) -> int:
    report = check(asked.folder, strict=asked.strict)
    data = msgspec.json.format(msgspec.json.encode(report)) + b"\n"
    if asked.report is not None:
        asked.report.parent.mkdir(parents=True, exist_ok=True)
        asked.report.write_bytes(data)
    _keep(REPORT, data)
    _tell(report)
    return 0 if report.ok else 1


def _pack(asked: argparse.Namespace) -> int:
    report = check(asked.folder)
    _tell(report)
    if not report.ok:
        print("spec_kit: nothing is packed: the kit has errors", file=sys.stderr)
        return 1
    archive = asked.folder / "spec-kit.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in FILES:
            packed.writestr(zipfile.ZipInfo(f"spec-kit/{name}", _BEGINNING), (asked.folder / name).read_bytes())
    for name in (*FILES, archive.name):
        _keep(name, (asked.folder / name).read_bytes())
    print(f"packed {len(FILES)} files into {archive} ({archive.stat().st_size:,} bytes)")
    return 0


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before ``--`` and after it: an item may begin with a dash."""
    place = list(argv).index("--") if "--" in argv else len(argv)
    return list(argv[:place]), list(argv[place + 1 :])


def _keep(name: str, data: bytes) -> None:
    """A copy for the artifacts of the run, where there is a place for them."""
    place = inherited([ARTIFACTS]).get(ARTIFACTS)
    if place:
        folder = Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _tell(report: Report) -> None:
    for finding in report.findings[:SHOWN]:
        where = f"{finding.file}:{finding.line}" if finding.line else finding.file
        print(f"{finding.level}: {where}: {finding.says} [{finding.rule}]")
    if len(report.findings) > SHOWN:
        print(f"and {len(report.findings) - SHOWN} more; the report has all")
    print(
        f"{'ok' if report.ok else 'not ok'}: {report.errors} errors, {report.warnings} warnings; "
        f"{report.requirements} requirements, {report.criteria} criteria, {report.tasks} tasks"
    )


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spec_kit", description="Write, check and pack a specification kit.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    generate = verbs.add_parser("generate", help="write one document; after --: its principles or requirements")
    generate.add_argument("document", choices=list(write.WRITERS))
    generate.add_argument("--name", required=True)
    generate.add_argument("--idea", default="")
    generate.add_argument("--users", default="")
    generate.add_argument("--stack", default="")
    validate = verbs.add_parser("validate", help="check a kit; exit code 1 when it has errors")
    validate.add_argument("--strict", action="store_true", help="warnings count as errors")
    validate.add_argument("--report", type=Path, help="write the JSON report here, too")
    pack = verbs.add_parser("pack", help="check, then put all files into one zip")
    for each in (generate, validate, pack):
        each.add_argument("--folder", type=Path, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
