"""Tables as files: CSV that no spreadsheet takes for formulas, and JSON lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from starlette.responses import Response

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

_encode = msgspec.json.Encoder().encode


def as_csv(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """A file ``name.csv``. Text that a spreadsheet would carry out gets an apostrophe before it (OWASP's advice)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return _file(out.getvalue().encode(), f"{name}.csv", "text/csv; charset=utf-8")


def as_lines(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """A file ``name.jsonl``: one object a line."""
    data = b"".join(_encode(dict(zip(columns, row, strict=True))) + b"\n" for row in rows)
    return _file(data, f"{name}.jsonl", "application/jsonl")


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _file(data: bytes, name: str, kind: str) -> Response:
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
