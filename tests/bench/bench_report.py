"""How long the report takes at the paper's size, 1.89 million queries and three teachers, and what it holds.

    .venvs/workflow/bin/python tests/bench/bench_report.py [--rows 1890000] [--copy FOLDER] [--check]

The stage runs in a process of its own, on tables that `make_run.py` makes (some minutes, not counted).
`--check` exits with 1 where a limit is exceeded. `--copy` keeps the made run, or takes it where it is there.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from figure import Figure, print_table
from make_run import TEACHERS, make

SECONDS, GIBIBYTES, MEGABYTES = 90.0, 4.0, 5.0


def figures(run: Path, out: Path, rows: int) -> Iterator[Figure]:
    """Seconds and memory of one call of the stage, and the size of its page."""
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "sourcewise", *arguments(run, out)], check=True)
    seconds = time.monotonic() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak, size = used.ru_maxrss / 2**20, (out / "index.html").stat().st_size / 1e6
    beside = (
        f"{rows:,} queries, {len(TEACHERS)} teachers; {used.ru_utime + used.ru_stime:.0f} s of CPU"
    )
    limit = SECONDS * max(1.0, rows / 1_890_000)
    yield Figure(
        "report, from tables to page",
        f"{seconds:.1f} s",
        beside,
        f"≤ {limit:g} s",
        seconds <= limit,
    )
    yield Figure("peak memory", f"{peak:.2f} GiB", "", f"≤ {GIBIBYTES:g} GiB", peak <= GIBIBYTES)
    beside = f"{sum(1 for _ in (out / 'figures').glob('*.csv'))} CSV files beside it"
    yield Figure("index.html", f"{size:.2f} MB", beside, f"≤ {MEGABYTES:g} MB", size <= MEGABYTES)


def arguments(run: Path, out: Path) -> list[str]:
    """The command line of the stage, as its rule writes it."""
    found = ["report"]
    for name, section in json.loads((run / "sections.json").read_text()).items():
        found += [f"--{name}", json.dumps(section)]
    places = {
        "out": "index.html",
        "summary": "summary.json",
        "metrics": "metrics",
        "plots": "plots",
    }
    for name, place in (places | {"figures": "figures"}).items():
        found += [f"--{name}", str(out / place)]
    return [*found, "--data", str(run / "data")]


def main() -> int:
    """Makes the run, makes its report, prints the table."""
    command = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    command.add_argument("--rows", type=int, default=1_890_000)
    command.add_argument("--copy", type=Path)
    command.add_argument("--check", action="store_true")
    given = command.parse_args()
    with tempfile.TemporaryDirectory() as room:
        run, out = given.copy or Path(room) / "run", Path(room) / "out"
        counted = run / "rows.txt"
        if not counted.is_file():
            n = make(run, given.rows)
            counted.write_text(str(n))
        out.mkdir()
        measured = figures(run, out, int(counted.read_text()))
        return print_table(measured, check=given.check, tools=["pyarrow", "numpy"])


if __name__ == "__main__":
    sys.exit(main())
