"""What the distillation loop costs beside its limits: one table, each figure beside its peer.

    .venvs/model/bin/python tests/bench/bench_generate.py [--only ledger] [--check]

Each `generate_PART.py` beside this file gives the lines of a part. `--check` exits with 1 where a target is
missed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from pathlib import Path

from figure import Figure

PARTS = sorted(
    path.stem.removeprefix("generate_") for path in Path(__file__).parent.glob("generate_*.py")
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
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before, "
        f"Python {platform.python_version()}\n"
    )
    print(HEAD, flush=True)
    missed = []
    for part in options.only or PARTS:
        for figure in importlib.import_module(f"generate_{part}").figures():
            print(line(figure), flush=True)
            if figure.ok is False:
                missed.append(figure.what)
    if missed:
        print(f"\nmissed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
