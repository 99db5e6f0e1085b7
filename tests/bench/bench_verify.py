"""What verification costs and how far it can be trusted: one table, each figure beside its limit or its peer.

    .venvs/verify/bin/python tests/bench/bench_verify.py [--only math] [--check]

Each `verify_PART.py` beside this file gives the lines of a part. `--check` exits with 1 where a target is
missed. Ratios are of CPU seconds in this run, so that a busy machine changes them little.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from figure import Figure

PARTS = sorted(
    path.stem.removeprefix("verify_") for path in Path(__file__).parent.glob("verify_*.py")
)
HEAD = "| what | figure | beside it | target | met |\n|---|---|---|---|---|"
MET = {True: "yes", False: "**no**", None: ""}


def line(figure: Figure) -> str:
    """A figure as a row of the table."""
    cells = (figure.what, figure.ours, figure.peer, figure.target, MET[figure.ok])
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> int:
    """Prints the table as it grows; 1 where `--check` finds a missed target."""
    command = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command.add_argument("--only", choices=PARTS, action="append", default=None)
    command.add_argument("--check", action="store_true")
    options = command.parse_args(arguments)
    tools = ", ".join(f"{name} {version(name)}" for name in ("math-verify", "sympy", "lm-eval"))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {tools}\n"
    )
    print(HEAD, flush=True)
    missed = []
    for part in options.only or PARTS:
        for figure in importlib.import_module(f"verify_{part}").figures():
            print(line(figure), flush=True)
            if figure.ok is False:
                missed.append(figure.what)
    if missed:
        print(f"\nmissed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
