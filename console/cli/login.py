"""``switchtower login``: a fresh way in."""

from __future__ import annotations

from console import login as doorkeeper
from console.cli import out
from console.cli.where import HERE, Where, console_url
from core.clock import SystemClock


def login(*, where: Where = HERE) -> int:
    """Print a fresh login link. It signs one browser in, once, within the next twelve hours."""
    settings = where.settings()
    url = console_url(settings)
    link = f"{url}/login?token={doorkeeper.issue(settings.data, SystemClock())}"
    if where.as_json:
        out.document({"url": url, "login_url": link})
    else:
        out.text(link)
    return 0
