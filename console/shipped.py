"""The templates that come with Switchtower: read from ``samples/templates``, brought in by commands like any other."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from core.domain.template import Define
from core.domain.template_spec import TemplateSpec

FOLDER = Path(__file__).parents[1] / "samples" / "templates"


@cache
def shipped() -> tuple[Define, ...]:
    """Their definitions, each as version 1, named after its file."""
    return tuple(
        Define(template_id=path.stem, spec=msgspec.json.decode(path.read_bytes(), type=TemplateSpec))
        for path in sorted(FOLDER.glob("*.json"))
    )
