"""The command line: ``switchtower NOUN VERB``. Nothing heavy is imported before a command asks for it."""

from __future__ import annotations


def main() -> None:
    """The console script ``switchtower``."""
    import sys

    from console.cli.app import call

    sys.exit(call(sys.argv[1:]))
