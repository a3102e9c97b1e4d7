"""``python -m console.cli``: the same as ``switchtower``."""

from console.cli import main

main()
