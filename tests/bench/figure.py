"""The table that a benchmark prints: what was measured, beside its limit or peer."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

HEAD = "| what | figure | beside it | target | met |\n|---|---|---|---|---|"
MET = {True: "yes", False: "**no**", None: ""}


class Figure(NamedTuple):
    """`ours` and `peer` (or limit) as printed; `ok` says whether the target is met, None without one."""

    what: str
    ours: str
    peer: str
    target: str
    ok: bool | None


def main(bench: str, doc: str, *, tools: Iterable[str] = ()) -> int:
    """The command of a benchmark in parts, the files `BENCH_PART.py` beside this one."""
    files = Path(__file__).parent.glob(f"{bench}_*.py")
    parts = sorted(path.stem.removeprefix(f"{bench}_") for path in files)
    command = argparse.ArgumentParser(description=doc.splitlines()[0])
    command.add_argument("--only", choices=parts, action="append", default=None)
    command.add_argument("--check", action="store_true")
    options = command.parse_args()
    modules = (importlib.import_module(f"{bench}_{part}") for part in options.only or parts)
    figures = (figure for module in modules for figure in module.figures())
    return print_table(figures, check=options.check, tools=tools)


def print_table(figures: Iterable[Figure], *, check: bool, tools: Iterable[str] = ()) -> int:
    """Prints the machine and the table as it grows; returns 1 where `check` finds a missed target."""
    versions = "".join(f", {name} {version(name)}" for name in tools)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before, "
        f"Python {platform.python_version()}{versions}\n\n{HEAD}",
        flush=True,
    )
    missed = []
    for figure in figures:
        cells = (figure.what, figure.ours, figure.peer, figure.target, MET[figure.ok])
        print(f"| {' | '.join(cells)} |", flush=True)
        if figure.ok is False:
            missed.append(figure.what)
    if missed:
        print(f"\nmissed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if check and missed else 0
