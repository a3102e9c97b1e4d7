"""``python -m bench``: run the scenarios, print a table and JSON. Exit code 0 whatever the speed.

``--quick``: what fits into a minute. ``--only T,L,…``: these scenarios. ``--json FILE``: write the JSON there.
``--only tab --minutes 3 --page /tasks``: that long, on that page.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvloop

from bench import scenarios
from bench.figures import table
from bench.machine import describe
from bench.report import QUICK, Sizes


def main(argv: list[str] | None = None) -> int:
    arguments = _arguments(argv)
    wanted = set(arguments.only or (scenarios.QUICK_ONES if arguments.quick else scenarios.ALL))
    began = time.monotonic()
    sizes = QUICK if arguments.quick else Sizes()
    sizes = msgspec.structs.replace(
        sizes, tab_s=arguments.minutes * 60, tab_page=arguments.page, streams=arguments.streams
    )
    figures = uvloop.run(scenarios.run(wanted, sizes))
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "quick": arguments.quick,
        "machine": describe(),
        "figures": figures,
    }
    print(table(figures))
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    else:
        print(msgspec.json.encode(document).decode())
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="How fast it is, on real processes.")
    parser.add_argument("--quick", action="store_true", help="what fits into a minute")
    parser.add_argument("--only", type=_names, metavar="NAMES", help=f"some of {','.join(scenarios.KNOWN)}")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long `--only tab` keeps its tab open")
    parser.add_argument("--page", default="/agents", metavar="PATH", help="the page it shows")
    parser.add_argument("--streams", type=int, default=1_000, help="how many `--only streams` opens")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON there instead of printing it")
    return parser.parse_args(argv)


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in scenarios.KNOWN:
            raise argparse.ArgumentTypeError(f"there is no scenario {name!r}; there are: {', '.join(scenarios.KNOWN)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
